"""What a strategy has of an instrument when its signal is sized, and what its account has: held, on order, by the broker's word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from liveorder.domain.position_figure import nothing_left
from liveorder.domain.products import placed
from liveorder.domain.risk import Exposure, OpenExposure, ProductPart, RiskRefusal, Stake
from liveorder.domain.values import EXACT, ZERO, Product, Side, total

NO_PARTS: Mapping[Product | None, ProductPart] = MappingProxyType({})


class Standing(NamedTuple):
    """Of one strategy, or of the account where positions are that."""

    whose: str
    """For people: the strategy, or the account where positions are that."""
    own: Stake = Stake()
    account: Exposure = Exposure()
    difference: Decimal | None = ZERO
    """The broker's quantity less the account's as we have it; None: not known."""
    orders: tuple[OpenExposure, ...] = ()
    """The strategy's own open and in-doubt orders that may trade yet."""
    heard_difference: Decimal | None = None
    """As `difference`, as the broker said after our last fill; None: nothing of that kind was heard."""
    later: tuple[OpenExposure, ...] = ()
    """Its orders that wait and came later than the one that is sized: nothing else here counts them."""
    parts: Mapping[Product | None, ProductPart] = NO_PARTS
    """By product, where a position is kept for each; under None what is of no known product."""
    is_of_a_kill: bool = False
    """It closes what the broker holds under each product, whatever our book says."""

    def under(self, product: Product | None, usual: Product | None) -> Standing:
        """What there is under the product. What is of no known product counts for the `usual` one; where there is none, for any."""
        part = self.part_under(product, usual)
        if part is None:
            return self
        orders, later = (tuple(each for each in those if each.product in (product, None)) for those in (self.orders, self.later))
        return Standing(self.whose, part.own, part.account, part.difference, orders, part.heard_difference, later)

    def part_under(self, product: Product | None, usual: Product | None) -> ProductPart | None:
        """As `under`; None where a position is kept over all products."""
        if product is None or not self.parts:
            return None
        part, unknown = self.parts.get(product, ProductPart()), self.parts.get(None)
        if unknown is None or usual not in (product, None):
            return part
        if usual is None:
            unknown = unknown.less_closed_under([each for name, each in self.parts.items() if name not in (product, None)])
        return part.plus(unknown)

    def hearing(self, theirs: Mapping[Product | None, Decimal]) -> Standing:
        """With what the broker said that it holds, after our last fill: signed units by product, under None where it names none."""
        heard, named = EXACT.subtract(total(theirs.values()), self.account.quantity), [*filter(None, theirs)]
        ours = self.parts or ({None: ProductPart(self.own, self.account, self.difference)} if named else NO_PARTS)
        ours = placed(ours, theirs) if ours else ours
        products = dict.fromkeys((*ours, *named)) if ours else ()
        parts = {product: ours.get(product, ProductPart()).hearing(theirs, product, heard) for product in products}
        if self.is_of_a_kill and None not in theirs:
            parts = {product: part.as_at_broker() for product, part in parts.items()}
        return self._replace(heard_difference=heard, parts=parts)

    def closable_by(self, side: Side, *, may_be_short: bool, crosses_zero: bool = True) -> Decimal:
        """See `closable`."""
        part = ProductPart(self.own, self.account, self.difference, self.heard_difference)
        return part.closable_by(side, may_be_short=may_be_short, crosses_zero=crosses_zero)

    def nothing_left_for(self, side: Side, symbol: str, *, may_be_short: bool) -> RiskRefusal | None:
        """Why an order of this side that closes can take nothing: the broker said so. None where it can, or did not say."""
        lacking = side.signed(self.heard_difference or ZERO)
        if lacking <= 0 or self.closable_by(side, may_be_short=may_be_short):
            return None
        may_be_ours = self.account.may_have_filled(self.heard_difference or ZERO, side)
        return nothing_left(symbol, side, self.at_broker, may_be_ours=may_be_ours)

    @property
    def stakes(self) -> Sequence[Stake]:
        """What is the strategy's under each product; over all of them where a position is kept so."""
        return [each.own for each in self.parts.values()] or [self.own]

    @property
    def at_broker(self) -> Decimal:
        """Signed units of the account by what was heard, or by our book."""
        return EXACT.add(self.account.quantity, self.heard_difference or ZERO)

    @property
    def expected(self) -> Decimal:
        """Signed units once all that is open is filled."""
        return EXACT.subtract(EXACT.add(self.own.quantity, self.own.buys), self.own.sells)

    @property
    def side_that_closes(self) -> Side:
        """What is held; where nothing is, what open orders may open. Where only exits rest, they are on it themselves."""
        if self.own.closing_side is not None:
            return self.own.closing_side
        if self.orders and all(each.closes and each.rests for each in self.orders):
            return self.orders[0].side
        return Side.BUY if self.own.sells and not self.own.buys else Side.SELL

    def once_cancelled(self, orders: Sequence[OpenExposure]) -> Standing:
        """As it will be without these, and without what they may have filled: once they are over, it is sized by that."""
        own, account, parts, heard = self.own, self.account, dict(self.parts), self.heard_difference
        for each in orders:
            heard = account.unexplained(heard, each.side)
            own = own.minus(each.side, self.units_of(each))
            account = account.minus(each.side, each.quantity, each.value)
            if each.product in parts:
                parts[each.product] = parts[each.product].without(each.side, self.units_of(each), each.quantity)
        left = tuple(each for each in self.orders if each not in orders)
        return self._replace(own=own, account=account, heard_difference=heard, orders=left, parts=parts)

    def once_sent(self, side: Side, units: Decimal) -> Standing:
        """As it will be with so many more units of `side` open."""
        return self._replace(own=self.own.plus(side, units), account=self.account.plus(side, units, ZERO))

    def units_of(self, order: OpenExposure) -> Decimal:
        """What of the order is its own: all of it where positions are the account's."""
        return order.units_of(self.whose) if any(name == self.whose for name, _ in order.parts) else order.quantity

    def entries_for(self, side: Side | None) -> tuple[OpenExposure, ...]:
        """Its orders that may open or enlarge what an order of `side` closes, the closing leg of a reversal that waits among them;
        where that adds to what is held, only if they could turn it round. None: the order closes whatever there will be, so all
        that may open anything.
        """
        if side is None:
            return tuple(each for each in self.orders if not each.closes)
        way = side.opposite
        entries = tuple(each for each in self.orders if each.side is way and (each.opens or not each.closes))
        against = EXACT.minus(way.signed(self.own.quantity))
        may_turn = any(each.is_leg or each.closes for each in entries) or total(map(self.units_of, entries)) > against
        return entries if may_turn or against <= 0 else ()

    def named(self, side: Side) -> str:
        """The ids of its open orders of this side."""
        return ", ".join(str(order.order_id) for order in self.orders if order.side is side)
