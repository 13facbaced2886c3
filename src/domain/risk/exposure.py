"""What a position and the open orders in one instrument could come to: always the worst, never the likely."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Context, Decimal
from typing import NamedTuple

from liveorder.domain.values import ZERO, OrderType, Product, Side, total

_MONEY_STEP = Decimal("1E-8")
_WIDE = Context(prec=200)
"""Room for the longest quantity times the longest price; the ambient 28 digits would refuse to round them."""


class OpenSide(NamedTuple):
    """All open orders of one side of one instrument: units that could still trade, and the money that they could come to."""

    quantity: Decimal = ZERO
    value: Decimal = ZERO

    def plus(self, quantity: Decimal, value: Decimal) -> OpenSide:
        return OpenSide(_WIDE.add(self.quantity, quantity), _WIDE.add(self.value, value))

    def minus(self, quantity: Decimal, value: Decimal) -> OpenSide:
        return OpenSide(_WIDE.subtract(self.quantity, quantity), _WIDE.subtract(self.value, value))


NOTHING_OPEN = OpenSide()


class Exposure(NamedTuple):
    """One instrument in one account."""

    quantity: Decimal = ZERO
    """Signed units held; negative is short."""
    value: Decimal = ZERO
    """Money, never negative: the units held at the last known price, else at cost."""
    buys: OpenSide = NOTHING_OPEN
    sells: OpenSide = NOTHING_OPEN

    def plus(self, side: Side, quantity: Decimal, value: Decimal) -> Exposure:
        """With one more open order."""
        if side is Side.BUY:
            return Exposure(self.quantity, self.value, self.buys.plus(quantity, value), self.sells)
        return Exposure(self.quantity, self.value, self.buys, self.sells.plus(quantity, value))

    def minus(self, side: Side, quantity: Decimal, value: Decimal) -> Exposure:
        """Without an open order that is counted."""
        if side is Side.BUY:
            return Exposure(self.quantity, self.value, self.buys.minus(quantity, value), self.sells)
        return Exposure(self.quantity, self.value, self.buys, self.sells.minus(quantity, value))

    def once_filled(self, side: Side, units: Decimal) -> Exposure:
        """With all that is open of `side`, and so many units more, filled. In units: what is held keeps its value."""
        if side is Side.BUY:
            return self._replace(quantity=_WIDE.add(self.quantity, _WIDE.add(self.buys.quantity, units)), buys=NOTHING_OPEN)
        return self._replace(quantity=_WIDE.subtract(self.quantity, _WIDE.add(self.sells.quantity, units)), sells=NOTHING_OPEN)

    @property
    def is_taken(self) -> bool:
        """Whether anything is held or could be, by an open order of whatever size."""
        return any((self.quantity, *self.buys, *self.sells))

    @property
    def position_value(self) -> Decimal:
        """The most that the position could be worth: buys and sells are alternatives, and an order that reduces adds nothing."""
        return self.sums[0]

    @property
    def gross(self) -> Decimal:
        """Position and open orders side by side: a resting buy and a resting short sale both count."""
        return self.sums[1]

    @property
    def sums(self) -> tuple[Decimal, Decimal]:
        """`position_value` and `gross`, reckoned together."""
        grown, turned = self._grown, self._turned
        return max(grown, turned), _WIDE.add(grown, turned)

    @property
    def _grown(self) -> Decimal:
        onward = self.buys if self.quantity >= 0 else self.sells
        return _WIDE.add(self.value, onward.value)

    @property
    def _turned(self) -> Decimal:
        """Value of the part of the opposite orders that goes beyond zero."""
        back = self.sells if self.quantity >= 0 else self.buys
        held = abs(self.quantity)
        if not held or back.quantity <= held:
            return ZERO if held else back.value
        return share_of(back.value, _WIDE.subtract(back.quantity, held), back.quantity)

    def reducible_by(self, side: Side, held: Decimal) -> Decimal:
        """Units of `held` that a new order of `side` surely only takes off, after all that open orders could take already."""
        return Stake(held, self.buys.quantity, self.sells.quantity).reducible_by(side)

    def may_have_filled(self, difference: Decimal, side: Side) -> bool:
        """Whether open orders of `side` can have taken what the broker holds less than we have: fills not known yet."""
        taken = self.buys.quantity if side is Side.BUY else self.sells.quantity
        return ZERO < side.signed(difference) <= taken

    def unexplained(self, heard: Decimal | None, side: Side) -> Decimal | None:
        """`heard`, the broker's units less ours; zero where open orders of `side` may have filled it, which is known once they are
        over.
        """
        return ZERO if heard is not None and self.may_have_filled(heard, side) else heard


class Stake(NamedTuple):
    """What a strategy has of one instrument in its account, in units; of the whole account where positions are the account's."""

    quantity: Decimal = ZERO
    """Signed units held; negative is short."""
    buys: Decimal = ZERO
    """Open and in-doubt orders could still buy so many."""
    sells: Decimal = ZERO

    @property
    def closing_side(self) -> Side | None:
        """The side of an order that takes off what is held; None where nothing is."""
        if not self.quantity:
            return None
        return Side.SELL if self.quantity > 0 else Side.BUY

    def plus(self, side: Side, quantity: Decimal) -> Stake:
        """With one more open order."""
        if side is Side.BUY:
            return self._replace(buys=_WIDE.add(self.buys, quantity))
        return self._replace(sells=_WIDE.add(self.sells, quantity))

    def minus(self, side: Side, quantity: Decimal) -> Stake:
        """Without an open order that is counted."""
        if side is Side.BUY:
            return self._replace(buys=_WIDE.subtract(self.buys, quantity))
        return self._replace(sells=_WIDE.subtract(self.sells, quantity))

    def taken_by(self, side: Side) -> Decimal:
        """Units that open and in-doubt orders of `side` could still take."""
        return self.buys if side is Side.BUY else self.sells

    def reducible_by(self, side: Side) -> Decimal:
        """Units that a new order of `side` only takes off, after all that open orders could take already."""
        if side is not self.closing_side:
            return ZERO
        return max(_WIDE.subtract(abs(self.quantity), self.taken_by(side)), ZERO)


def closable(
    own: Stake, account: Exposure, difference: Decimal | None, side: Side, *, may_be_short: bool, crosses_zero: bool = True
) -> Decimal:
    """Units that a new order of `side` surely only takes off what its strategy holds (`own`).

    No more than it holds, less all that its open and in-doubt orders could still take. `difference`: the broker's quantity less the
    account's as we have it; None where that is not known, and then nothing is sure. What the broker lacks may be this strategy's:
    so no more than would be left of its own without that, or than the broker has beyond all that open orders could take, whichever
    is more. Where short selling is not allowed, a sale takes no more than the account holds either: another strategy may be short
    of it. Nor does an order of either side at a broker that takes none across zero (`crosses_zero`), as long as the account has
    some on that side: what is left once that is filled opens there what another strategy has.
    """
    if difference is None:
        return ZERO
    left, lacking = own.reducible_by(side), side.signed(difference)
    theirs = _WIDE.add(account.quantity, difference) if lacking > 0 else account.quantity
    of_broker = account.reducible_by(side, theirs)
    if left and lacking > 0:
        left = max(_WIDE.subtract(left, lacking), min(left, of_broker), ZERO)
    at_broker = _WIDE.add(account.quantity, difference)
    if not crosses_zero and side.signed(at_broker) < 0:
        left = min(left, account.reducible_by(side, at_broker))
    return left if may_be_short or side is Side.BUY else min(left, account.reducible_by(side, account.quantity))


class ProductPart(NamedTuple):
    """What there is of an instrument under one product: brokers of Indian shares keep a position for each. In units; what its
    account has is worth nothing here.
    """

    own: Stake = Stake()
    """Of the strategy that orders."""
    account: Exposure = Exposure()
    difference: Decimal | None = ZERO
    """The broker's quantity less the account's as we have it; None: not known."""
    heard_difference: Decimal | None = None
    """The same, as the broker said after our last fill; None: nothing of that kind was heard."""

    def closable_by(self, side: Side, *, may_be_short: bool, crosses_zero: bool = True) -> Decimal:
        """See `closable`."""
        difference = self.newest_difference
        return closable(self.own, self.account, difference, side, may_be_short=may_be_short, crosses_zero=crosses_zero)

    @property
    def newest_difference(self) -> Decimal | None:
        """What an order that reduces is judged by."""
        return self.difference if self.heard_difference is None else self.heard_difference

    @property
    def agreed_quantity(self) -> Decimal:
        """Signed units that our book and the broker's both have: the account's position, unless they were found to differ."""
        ours, difference = self.account.quantity, self.newest_difference
        if difference is None or ours * (ours + difference) <= 0:
            return ZERO
        return min(ours, ours + difference, key=abs)

    @property
    def at_broker(self) -> Decimal:
        """Signed units of the account by what was heard, or by our book."""
        return _WIDE.add(self.account.quantity, self.heard_difference or ZERO)

    def left_before_zero(self, side: Side) -> Decimal | None:
        """Units that an order of `side` may be for, after all that open orders could take, so that it leaves the account on its
        side of zero; None where the account has none on that side.
        """
        theirs = _WIDE.add(self.account.quantity, self.newest_difference or ZERO)
        return self.account.reducible_by(side, theirs) if side.signed(theirs) < 0 else None

    def hearing(self, theirs: Mapping[Product | None, Decimal], product: Product | None, of_all: Decimal) -> ProductPart:
        """With what the broker said that it holds, by product.

        Where it names none, all that differs, `of_all`, may be of this one; unless this is of no known product itself.
        """
        if None in theirs:
            return self._replace(heard_difference=None if product is None else of_all)
        return self._replace(heard_difference=_WIDE.subtract(theirs.get(product, ZERO), self.account.quantity))

    def as_at_broker(self) -> ProductPart:
        """What the broker holds in place of what we have of it; what is open as it is."""
        return self.but_held(self.at_broker, self.at_broker)._replace(heard_difference=ZERO)

    def without(self, side: Side, own_units: Decimal, units: Decimal) -> ProductPart:
        """Without an open order, of which `own_units` are the strategy's; and without what it may have filled."""
        heard = self.account.unexplained(self.heard_difference, side)
        account = self.account.minus(side, units, ZERO)
        return self._replace(own=self.own.minus(side, own_units), account=account, heard_difference=heard)

    def less_closed_under(self, others: Collection[ProductPart]) -> ProductPart:
        """Of no known product: without what was closed of it under `others`, which is what they have on the other side."""
        own = _less_closed(self.own.quantity, [each.own.quantity for each in others])
        units = _less_closed(self.account.quantity, [each.account.quantity for each in others])
        heard = self.heard_difference
        if heard is not None:
            heard = _WIDE.add(heard, _WIDE.subtract(self.account.quantity, units))
        return self.but_held(own, units)._replace(heard_difference=heard)

    def but_held(self, own: Decimal, of_account: Decimal) -> ProductPart:
        """With so many signed units held, and what is open as it is."""
        return self._replace(own=self.own._replace(quantity=own), account=self.account._replace(quantity=of_account))

    def plus(self, other: ProductPart) -> ProductPart:
        """Both together."""
        own = Stake(*map(_WIDE.add, self.own, other.own))
        buys, sells = (
            OpenSide(_WIDE.add(one.quantity, more.quantity))
            for one, more in ((self.account.buys, other.account.buys), (self.account.sells, other.account.sells))
        )
        is_known = self.difference is not None and other.difference is not None
        difference = _WIDE.add(self.difference or ZERO, other.difference or ZERO) if is_known else None
        is_heard = self.heard_difference is not None or other.heard_difference is not None
        heard = _WIDE.add(self.heard_difference or ZERO, other.heard_difference or ZERO) if is_heard else None
        account = Exposure(_WIDE.add(self.account.quantity, other.account.quantity), ZERO, buys, sells)
        return ProductPart(own, account, difference, heard)


def _less_closed(held: Decimal, others: Collection[Decimal]) -> Decimal:
    """Signed units without those of the other sign among `others`; never beyond zero."""
    left = _WIDE.add(held, total(units for units in others if units * held < 0))
    return left if left * held > 0 else ZERO


def share_of(value: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """What `part` of `whole` units is worth where all of them are worth `value`; to eight decimals."""
    share = _WIDE.divide(_WIDE.multiply(value, part), whole)
    return share.quantize(_MONEY_STEP, context=_WIDE).normalize(_WIDE)


def worst_price(side: Side, kind: OrderType, limit_price: Decimal | None, *others: Decimal | None) -> Decimal | None:
    """What one unit could cost at the worst; None while no price is known.

    A buy with a limit never pays more than that. Otherwise it is the one that is worth most among the limit and the others that are
    known, stop and market price: a stop may have been passed already, and a sale below the market fills at the market. A buy that
    is to be touched pays what it was touched at, however dear the market is before.
    """
    if side is Side.BUY and limit_price is not None:
        return limit_price
    if side is Side.BUY and kind.traits.is_touched:
        return others[0]
    return dearest(limit_price, *others)


def with_trail(
    side: Side, price: Decimal | None, amount: Decimal | None, percent: Decimal | None, offset: Decimal | None
) -> Decimal | None:
    """What a buy that trails could cost: its stop stands that far above the market, and its limit by the offset above that."""
    if price is None or side is Side.SELL or (amount is None and percent is None):
        return price
    return price + (amount or abs(price) * (percent or ZERO) / 100) + (offset or ZERO)


def dearest(*prices: Decimal | None) -> Decimal | None:
    """The one that is worth most, above zero or below; None when none is known."""
    most: Decimal | None = None
    for price in prices:
        if price is not None and (most is None or abs(price) > abs(most)):
            most = price
    return most
