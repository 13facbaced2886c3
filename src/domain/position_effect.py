"""What a signal opens or closes, and how much of it.

What it closes is what its own strategy holds (`Standing`), never beyond zero, whatever short selling is allowed. Quantities are in
units, exact until they are rounded toward zero to the lot; money is in the instrument's currency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_DOWN, Context, Decimal
from functools import partial
from uuid import UUID

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.own_exits import GUARDS, Asking, OwnExits, own_exits
from liveorder.domain.products import may_be_of_any, product_met, product_to_close, product_to_lead
from liveorder.domain.risk import OpenExposure, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.values import EXACT, ZERO, OrderRole, PositionEffect, Product, Side, total, trades_at_once
from liveorder.domain.wording import few, plain

MAX_EQUITY_AGE_SECONDS = 60.0
"""An order is sized by no older equity."""

_HUNDRED = Decimal(100)
_TOWARD_ZERO = Context(prec=28, rounding=ROUND_DOWN)
"""What does not divide evenly must not be rounded up to the next lot."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a signal is sized by."""

    instrument: Instrument
    price: Decimal | None
    """At which it would trade, as far as is known."""
    limits: RiskLimits
    takes_notional: bool
    """Whether the broker takes an amount of money in place of a quantity."""
    standing: Standing
    equity: Decimal | RiskRefusal | None = None
    """Of the account, or why it is not known; None where the signal does not ask for it."""
    product: Product | None = None
    """Of orders that name none."""
    may_cancel: bool = True
    """Whether exits that are in the way can be cancelled first."""
    crosses_zero: bool = False
    """Whether the broker takes one order that closes and opens."""
    is_second_leg: bool = False
    """Whether it opens what a reversal is to open, after its closing leg."""
    order_id: UUID | None = None
    """Of the order that it becomes; None: later than all others."""
    has_waited: bool = False
    is_long_only: bool = True
    """No sale that opens may go short: a table of limits can forbid it where `limits` do not."""
    is_of_one_product: bool = False
    """See `under`."""

    @property
    def may_reverse(self) -> bool:
        return not (self.is_long_only or self.is_second_leg)

    def under(self, product: Product | None) -> Basis:
        """By what there is under the product alone."""
        standing, is_of_it = self.standing.under(product, self.product), bool(self.standing.parts)
        return replace(self, standing=standing, product=product or self.product, is_of_one_product=is_of_it)

    @property
    def what(self) -> str:
        """For people: the symbol, and the product where it is sized by that alone."""
        return f"{self.instrument.symbol} under {self.product}" if self.is_of_one_product else self.instrument.symbol


@dataclass(frozen=True, slots=True)
class Amount:
    """What a signal comes to: a quantity or an amount of money, or why it comes to nothing."""

    side: Side
    effect: PositionEffect | None
    quantity: Decimal | None = None
    notional: Decimal | None = None
    problem: InvalidInput | None = None
    refusal: RiskRefusal | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    """By which it was reckoned, for people."""
    in_the_way: tuple[OpenExposure, ...] = ()
    """The strategy's own orders that are to be cancelled before it can be sent."""
    is_first_leg: bool = False
    """It closes, and once it is wholly filled another order opens the other side."""
    in_doubt: tuple[OpenExposure, ...] = ()
    """Those of which has to be known what became of them before it can be sized."""
    guards_held: bool = False
    """It guards a position, and its quantity is of what is held and no other exit takes. No take-profit while a stop-loss waits."""
    awaits_entries: bool = False
    """It is a sale of more than is held where nothing may be short, and orders that are open bring the rest."""
    product: Product | None = None
    """Under which it goes out; None: as the signal says, else the usual one."""
    of_product: Standing | None = None
    """By which it was sized; None: it was not. Over all products while it is of no certain one."""


def equity_of(account: BrokerAccount | None, currency: str, now: datetime) -> Decimal | RiskRefusal:
    """The account's equity in `currency`, if its broker reported it within `MAX_EQUITY_AGE_SECONDS`."""
    figure = None if account is None else account.equity
    if figure is None:
        return _no_equity("the broker reports no equity of the account", "none")
    if figure.currency != currency:
        return _no_equity(f"the account's equity is in {figure.currency}, the order in {currency}", figure.currency)
    age_seconds = (now - figure.at).total_seconds()
    if age_seconds > MAX_EQUITY_AGE_SECONDS:
        return _no_equity(f"the account's equity is {age_seconds:.0f} s old", f"{age_seconds:.3f}")
    if figure.amount <= 0:
        return _no_equity(f"the account's equity is {plain(figure.amount)} {currency}", plain(figure.amount))
    return figure.amount


def _no_equity(why: str, measured: str) -> RiskRefusal:
    remedy = "give quantity or notional, or set `equity` of the account"
    return RiskRefusal("no_equity", f"{why}; {remedy}", measured, f"{MAX_EQUITY_AGE_SECONDS:g}")


def side_for_price(signal: Signal, standing: Standing) -> Side:
    """The side that the order will have, as far as that is known before there is a price."""
    if signal.side is not None:
        return signal.side
    product = product_to_lead(signal.product, standing.parts, None, standing.whose, signal.symbol)
    standing = standing if isinstance(product, RiskRefusal) else standing.under(product, None)
    if signal.target_percent:
        return Side.BUY if signal.target_percent > 0 else Side.SELL
    if signal.has_target:
        target = signal.target_quantity or ZERO
        return Side.BUY if target >= _on_the_way(signal, target, standing).expected else Side.SELL
    return standing.side_that_closes


def depends_on_holdings(signal: Signal, *, may_be_short: bool = False) -> bool:
    """Whether what the signal amounts to may follow from what its strategy has: where it may be short, any order can cross zero;
    else a sale is of what there is.
    """
    return may_be_short or signal.effect is not None or signal.quantity is None or signal.side is Side.SELL


def may_close(signal: Signal, standing: Standing) -> bool:
    """Whether the order takes off what its strategy holds, under any product, as far as that is known before there is a price."""
    closing = {stake.closing_side for stake in standing.stakes}
    return signal.effect is not PositionEffect.OPEN and side_for_price(signal, standing) in closing


def effect_of(signal: Signal, standing: Standing) -> PositionEffect | None:
    """As the signal says. One that says neither an effect nor a size closes what is on its other side: what is held, under any
    product, or, of a strategy that holds nothing, what its open orders may open.
    """
    if signal.effect is not None or signal.sizes or signal.side is None:
        return signal.effect
    held = [stake for stake in standing.stakes if stake.quantity]
    if held:
        return PositionEffect.CLOSE if any(signal.side is stake.closing_side for stake in held) else None
    return PositionEffect.CLOSE if standing.own.taken_by(signal.side.opposite) else None


def amount_of(signal: Signal, by: Basis) -> Amount:
    """What the signal comes to now."""
    of_what = by.standing.parts, by.product, by.standing.whose, by.instrument.symbol
    if signal.has_target:
        product = product_to_lead(signal.product, *of_what)
        if isinstance(product, RiskRefusal):
            return _of_no_product(signal, side_for_price(signal, by.standing), None, product, by)
        by = by.under(product)
        return replace(_to_target(signal, by), product=by.product, of_product=by.standing)
    effect = effect_of(signal, by.standing)
    side = signal.side or by.standing.side_that_closes
    if effect is PositionEffect.CLOSE:
        product = product_to_close(signal.product, signal.side, *of_what)
        if isinstance(product, RiskRefusal):
            return _of_no_product(signal, side, effect, product, by)
        if not may_be_of_any(signal.product, by.standing.parts):
            by = by.under(product)
        amount = _to_close(signal, signal.side or by.standing.side_that_closes, by)
        return replace(amount, product=by.product, of_product=by.standing)
    product = _product_of(signal, side, effect, by)
    if isinstance(product, RiskRefusal):
        return _of_no_product(signal, side, effect, product, by)
    by = by.under(product)
    return replace(_as_it_is(signal, side, effect, by), product=by.product, of_product=by.standing)


def _product_of(signal: Signal, side: Side, effect: PositionEffect | None, by: Basis) -> Product | RiskRefusal | None:
    """Under which an order goes out that does not say CLOSE. An OPEN turns round what is on its other side, and where nothing may
    be short a sale with a size is of what is there: each is of the product of that.
    """
    is_sale = effect is None and side is Side.SELL and by.is_long_only and bool(signal.sizes)
    if effect is not PositionEffect.OPEN and not is_sale:
        return signal.product or by.product
    of_what = by.standing.parts, by.product, by.standing.whose, by.instrument.symbol
    return product_met(signal.product, side, *of_what, may_come=is_sale)


def _as_it_is(signal: Signal, side: Side, effect: PositionEffect | None, by: Basis) -> Amount:
    """What an order that does not say CLOSE comes to under its product."""
    amount = _to_open(signal, side, effect, by)
    if amount.problem is not None or amount.refusal is not None:
        return amount
    if effect is None and side is Side.SELL and by.is_long_only and signal.quantity is not None:
        return _not_below_zero(signal, amount, signal.quantity, by)
    if side is not by.standing.own.closing_side:
        return amount
    if effect is PositionEffect.OPEN:
        return _turned(signal, amount, None, by) if by.may_reverse else _refused(signal, side, effect, _reversal(side, by))
    return _crossed(signal, amount, by) if by.may_reverse else amount


# --- what closes ---------------------------------------------------------------------------------------------------------------


def _to_close(signal: Signal, side: Side, by: Basis) -> Amount:
    own, exits = by.standing.own, _exits_met(signal, side, by)
    if signal.quantity is not None:
        sized = _rounded(Amount(side, PositionEffect.CLOSE), signal.quantity, by)
        if sized.problem is not None:
            return replace(sized, quantity=signal.quantity)
    if refusal := _not_closed(side, by, exits):
        return _refused(signal, side, PositionEffect.CLOSE, refusal)
    free = by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited)
    may_be_short, left = by.limits.allow_short_selling, free.own.reducible_by(side)
    if refusal := free.nothing_left_for(side, by.what, may_be_short=may_be_short):
        return _refused(signal, side, PositionEffect.CLOSE, refusal)
    most = free.closable_by(side, may_be_short=may_be_short, crosses_zero=by.crosses_zero) or left
    """Where the broker may have nothing of it, the risk rules say so of the whole."""
    wanted = _wanted(signal, most, by)
    if wanted is None:
        return Amount(side, PositionEffect.CLOSE, notional=signal.notional)
    figures = {"held": plain(abs(own.quantity)), "closable": plain(most)}
    if by.standing.heard_difference:
        figures["at_broker"] = plain(by.standing.at_broker)
    goes_last = signal.role is OrderRole.TAKE_PROFIT and exits.has_stop_loss_waiting
    guards_held = signal.role in GUARDS and signal.quantity is not None and wanted <= left and not goes_last
    wanted = min(wanted, most)
    try:
        quantity = by.instrument.round_quantity(wanted)
    except InvalidInput:
        what, lot = f"{plain(wanted)} {by.instrument.symbol}", plain(by.instrument.lot_size)
        problem = InvalidInput("quantity", f"{what} is less than one lot of {lot}", "it stays as it is")
        return Amount(side, PositionEffect.CLOSE, signal.quantity, signal.notional, problem, figures=figures)
    if signal.sizes:
        has_room = by.standing.once_sent(side, exits.awaited).own.reducible_by(side)
        in_the_way = exits.room_of(EXACT.subtract(quantity, has_room))
    else:
        in_the_way = exits.yielding
        if quantity != left:
            figures["stays"] = plain(EXACT.subtract(left, quantity))
    return Amount(side, PositionEffect.CLOSE, quantity, figures=figures, in_the_way=in_the_way, guards_held=guards_held)


def _exits_met(signal: Signal, side: Side, by: Basis) -> OwnExits:
    at_once, asks_for_room = trades_at_once(signal.order_type, signal.time_in_force), by.may_cancel and signal.role not in GUARDS
    asking = Asking(side, signal.product or by.product, at_once, asks_for_room, by.order_id, signal.role)
    return own_exits((*by.standing.orders, *by.standing.later), asking)


def _wanted(signal: Signal, all_of_it: Decimal, by: Basis) -> Decimal | None:
    """Units that it asks to close; None for an amount of money while no price is known."""
    if signal.percent is not None:
        return _part(abs(by.standing.own.quantity), signal.percent)
    if signal.notional is not None:
        return _units_for(signal.notional, by)
    return all_of_it if signal.quantity is None else signal.quantity


def _not_closed(side: Side, by: Basis, exits: OwnExits) -> RiskRefusal | None:
    """Why an order of this side closes nothing."""
    own, who, symbol = by.standing.own, by.standing.whose, by.instrument.symbol
    held = plain(abs(own.quantity))
    if not own.quantity and (entering := own.taken_by(side.opposite)):
        message = (
            f"{who} holds no {symbol} yet: order {by.standing.named(side.opposite)} may still {side.opposite} {plain(entering)}; "
            "cancel it, or send the exit again once it is filled"
        )
        return RiskRefusal("entry_is_open", message, "0", plain(entering))
    if not own.quantity:
        return RiskRefusal("nothing_to_close", f"{who} holds no {symbol}, and no order of it is open", "0", "more than 0")
    if side is not own.closing_side:
        way = "long" if own.quantity > 0 else "short"
        message = f"{who} is {way} {held} {symbol}, and a {side} adds to it; to close it, {side.opposite}"
        return RiskRefusal("close_would_add", message, side.value, side.opposite.value)
    free = by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited).own
    if not free.reducible_by(side):
        message = f"order {exits.named} can already {side} all {held} {symbol} that {who} holds; cancel it first, or let it fill"
        return RiskRefusal("already_closing", message, plain(free.taken_by(side)), held)
    return None


# --- what opens ----------------------------------------------------------------------------------------------------------------


def _to_open(signal: Signal, side: Side, effect: PositionEffect | None, by: Basis) -> Amount:
    """Where short selling is not allowed, a sale for an amount of money is of no more than is held and no open order sells. Where
    there is nothing of it, the risk rules say so.
    """
    if signal.quantity is not None:
        return _rounded(Amount(side, effect, signal.quantity), signal.quantity, by)
    if signal.risk_percent is not None:
        return _by_risk(signal, side, effect, by)
    budget, figures = signal.notional or by.limits.position_size, dict[str, str]()
    if signal.percent is not None:
        if not isinstance(by.equity, Decimal):
            return _refused(signal, side, effect, by.equity)
        budget, figures = _part(by.equity, signal.percent), {"equity": plain(by.equity)}
    amount, units = Amount(side, effect, notional=budget, figures=figures), _units_for(budget, by)
    if signal.notional is not None and side is Side.SELL and by.is_long_only and units is not None:
        sale = _rounded(amount, min(units, EXACT.subtract(by.standing.own.quantity, by.standing.own.sells)), by)
        if sale.problem is None:
            return sale
    if units is None or (signal.notional is not None and by.takes_notional):
        return amount
    return _rounded(amount, units, by, partial(_buys_too_little, signal, budget, by))


def _by_risk(signal: Signal, side: Side, effect: PositionEffect | None, by: Basis) -> Amount:
    """So many that the way from the entry to `stop_loss` loses that part of the equity."""
    if not isinstance(by.equity, Decimal):
        return _refused(signal, side, effect, by.equity)
    if by.price is None:
        return _refused(signal, side, effect, _no_price(by, "limit_price or quantity"))
    assert signal.stop_loss is not None
    assert signal.risk_percent is not None
    way, risked = EXACT.subtract(by.price, signal.stop_loss) * side.sign, _part(by.equity, signal.risk_percent)
    if way <= 0:
        where = "below" if side is Side.BUY else "above"
        wrong = f"{plain(signal.stop_loss)} would lose nothing: the entry is at {plain(by.price)}"
        return Amount(side, effect, problem=InvalidInput("stop_loss", wrong, f"give a {side.value} one {where} its price"))
    of_one = EXACT.multiply(way, by.instrument.multiplier)
    figures = {"equity": plain(by.equity), "risked": plain(risked), "risked_by_one": plain(of_one)}
    too_little = partial(_risks_too_little, risked, of_one, by)
    return _rounded(Amount(side, effect, figures=figures), _TOWARD_ZERO.divide(risked, of_one), by, too_little)


def _buys_too_little(signal: Signal, budget: Decimal, by: Basis) -> InvalidInput:
    """By the name of what it was sized by, which is no quantity."""
    field = next((name for name in ("notional", "percent") if getattr(signal, name) is not None), "position_size")
    lot, money = f"one lot of {plain(by.instrument.lot_size)} {by.instrument.symbol}", by.instrument.currency
    problem = f"{plain(budget)} {money} is less than {lot} costs at {plain(by.price)}"
    remedy = f"raise the account's position_size for {money}, or" if field == "position_size" else f"raise {field}, or"
    return InvalidInput(field, problem, f"{remedy} give the signal a quantity")


def _risks_too_little(risked: Decimal, of_one: Decimal, by: Basis) -> InvalidInput:
    lot, money = f"one lot of {plain(by.instrument.lot_size)} {by.instrument.symbol}", by.instrument.currency
    problem = f"{plain(risked)} {money} is less than {lot} would lose, at {plain(of_one)} for one"
    return InvalidInput("risk_percent", problem, "raise it, or give a quantity in its place")


# --- what sells where nothing may be short --------------------------------------------------------------------------------------


def _not_below_zero(signal: Signal, amount: Amount, units: Decimal, by: Basis) -> Amount:
    """A sized sale without an effect. For more than is left to sell, resting exits make room if it trades at once. Else orders that
    are open may bring the rest: it waits for them, and none is cancelled. Where neither does, the rules refuse it.
    """
    missing = EXACT.subtract(units, by.standing.own.reducible_by(amount.side))
    if missing <= 0:
        return amount
    exits = _exits_met(signal, amount.side, by)
    in_the_way = exits.room_of(missing) if trades_at_once(signal.order_type, signal.time_in_force) else ()
    room = total(map(by.standing.units_of, in_the_way))
    if room >= missing:
        return replace(amount, in_the_way=in_the_way)
    coming = total(map(by.standing.units_of, by.standing.entries_for(amount.side)))
    return replace(amount, awaits_entries=EXACT.add(room, coming) >= missing)


# --- what closes and opens the other side --------------------------------------------------------------------------------------


def _crossed(signal: Signal, amount: Amount, by: Basis) -> Amount:
    """A sized order without an effect, on the side that closes: as it is, unless it goes beyond what there is to close. Exits that
    rest make room for it: together with it they would go through zero.
    """
    units, exits = amount.quantity or _units_for(amount.notional or ZERO, by), _exits_met(signal, amount.side, by)
    closes = _closing_leg(exits, amount.side, by)
    if units is None or not closes:
        return amount
    if units > closes:
        return _turned(signal, amount, units, by)
    missing = EXACT.subtract(units, by.standing.own.reducible_by(amount.side))
    return replace(amount, in_the_way=exits.room_of(missing)) if missing > 0 else amount


def _turned(signal: Signal, opening: Amount, total_units: Decimal | None, by: Basis) -> Amount:
    """A reversal: one order for `total_units`, or where None for what there is to close and what `opening` comes to; or its closing
    leg alone where the broker takes none that crosses zero, or something is in doubt.

    All that its strategy has open makes way first, but for exits that trade at once.
    """
    side, exits = opening.side, _exits_met(signal, opening.side, by)
    closes = _closing_leg(exits, side, by)
    opens = opening.quantity or (None if opening.notional is None else _units_for(opening.notional, by))
    if not closes or (opens is None and total_units is None):
        refusal = _no_price(by, "quantity") if closes else _reversal(side, by)
        return _refused(signal, side, opening.effect, refusal)
    entries = tuple(each for each in by.standing.orders if each.side is side.opposite) if by.may_cancel else ()
    in_the_way, figures = (*exits.yielding, *entries), {**opening.figures, "held": plain(abs(by.standing.own.quantity))}
    is_doubtful = any(each.is_in_doubt for each in by.standing.orders)
    if not by.may_cancel or (by.crosses_zero and not is_doubtful):
        units = total_units if total_units is not None else EXACT.add(closes, opens or ZERO)
        return _rounded(Amount(side, None, figures=figures, in_the_way=in_the_way), units, by)
    free = by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited)
    most = free.closable_by(side, may_be_short=True, crosses_zero=by.crosses_zero) or closes
    leg = Amount(side, PositionEffect.CLOSE, figures=figures, in_the_way=in_the_way, is_first_leg=True)
    return _rounded(leg, min(closes, most), by)


def _closing_leg(exits: OwnExits, side: Side, by: Basis) -> Decimal:
    """Units that are left to close once all exits that make way are gone."""
    return by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited).own.reducible_by(side)


# --- targets -------------------------------------------------------------------------------------------------------------------


def _to_target(signal: Signal, by: Basis) -> Amount:
    """The order after which the target is held, once everything open is filled, but for what only guards a position (`_beside`).

    What is in doubt may have come to all or to nothing: where both lead the same way, the smaller step is sure to be right. Else it
    waits until that is known. Orders that lead away from the target are cancelled first.
    """
    standing, target = by.standing, _target(signal, by)
    if newer := [each for each in standing.later if _is_waiting_target(each)]:
        return _refused(signal, side_for_price(signal, standing), None, _superseded(newer, by))
    if isinstance(target, RiskRefusal):
        return _refused(signal, side_for_price(signal, standing), None, target)
    standing, beside = _on_the_way(signal, target, standing), _beside(signal, target, standing)
    figures = {"held": plain(standing.own.quantity), "expected": plain(standing.expected), "target": plain(target)}
    side, in_doubt = _way_to(target, standing, signal)
    if in_doubt:
        return Amount(side, _effect(side, standing), figures=figures, in_doubt=in_doubt)
    if refusal := _target_refused(signal, side, target, replace(by, standing=standing)):
        return Amount(side, _effect(side, standing), figures=figures, refusal=refusal)
    in_the_way = tuple(each for each in standing.orders if _leads_away(each, side, by))
    if in_the_way:
        by = replace(by, standing=by.standing.once_cancelled(in_the_way))
        standing = standing.once_cancelled(in_the_way)
        side, _ = _way_to(target, standing, signal)
    if standing.own.quantity * target < 0 and by.may_reverse:
        opening = Amount(side, PositionEffect.OPEN, abs(target), figures=figures)
        turned = _turned(signal, opening, None, by)
        return replace(turned, in_the_way=(*in_the_way, *turned.in_the_way))
    effect = _effect(side, standing)
    units = min(map(abs, _changes(target, standing)))
    amount = Amount(side, effect, figures=figures, in_the_way=in_the_way)
    if effect is PositionEffect.CLOSE:
        may_be_short, no_room = by.limits.allow_short_selling, _without_room(signal, units, target, beside, by)
        free = by.standing.once_cancelled(no_room)
        if refusal := free.nothing_left_for(side, by.what, may_be_short=may_be_short):
            return replace(amount, refusal=refusal, in_the_way=())
        most = free.closable_by(side, may_be_short=may_be_short, crosses_zero=by.crosses_zero)
        units, amount = min(units, most or units), replace(amount, in_the_way=(*in_the_way, *no_room))
    sized = _rounded(amount, units, by)
    refusal = _at_target(target, replace(by, standing=standing))
    return sized if sized.problem is None else replace(amount, refusal=refusal, in_the_way=in_the_way)


def _beside(signal: Signal, target: Decimal, standing: Standing) -> tuple[OpenExposure, ...]:
    """Orders that are not on the way to the target: they rest, to close what is held, and may never trade. Of a target of zero all
    of them, so that it does not wait for their price; an older target with a price only where this one has none. Else what guards a
    position: it stands whatever the target is, as long as there is room.
    """
    at_once = trades_at_once(signal.order_type, signal.time_in_force)
    resting = [each for each in standing.orders if each.side is standing.own.closing_side and each.rests and not each.is_in_doubt]
    if not target:
        return tuple(each for each in resting if at_once or not _is_of_a_target(each))
    return tuple(each for each in resting if _is_guard(each) and not _is_of_a_target(each))


def _on_the_way(signal: Signal, target: Decimal, standing: Standing) -> Standing:
    return standing.once_cancelled(_beside(signal, target, standing))


def _without_room(
    signal: Signal, units: Decimal, target: Decimal, beside: Sequence[OpenExposure], by: Basis
) -> tuple[OpenExposure, ...]:
    """Of the orders beside a target those that are cancelled for one that closes `units`: at zero all, else no more than needed."""
    side = by.standing.side_that_closes
    exits = _exits_met(signal, side, by)
    yielding = tuple(each for each in exits.yielding if each in beside)
    missing = EXACT.subtract(units, by.standing.own.reducible_by(side))
    return replace(exits, yielding=yielding).room_of(missing) if target else yielding


def _is_of_a_target(order: OpenExposure) -> bool:
    return order.terms is not None and order.terms.has_target


def _is_guard(order: OpenExposure) -> bool:
    return order.role in GUARDS or (order.terms is not None and order.terms.order_type.traits.is_stop)


def _effect(side: Side, standing: Standing) -> PositionEffect:
    return PositionEffect.CLOSE if side is standing.own.closing_side else PositionEffect.OPEN


def _changes(target: Decimal, standing: Standing) -> tuple[Decimal, Decimal]:
    """The least and the most that could be missing, signed: as if all that is in doubt had come to nothing, or to all of it."""
    doubtful = [each for each in standing.orders if each.is_in_doubt]
    buys, sells = (total(standing.units_of(each) for each in doubtful if each.side is side) for side in (Side.BUY, Side.SELL))
    missing = EXACT.subtract(target, standing.expected)
    return EXACT.subtract(missing, sells), EXACT.add(missing, buys)


def _way_to(target: Decimal, standing: Standing, signal: Signal) -> tuple[Side, tuple[OpenExposure, ...]]:
    """The side that leads to the target, and what is in doubt where that leaves open which side it is."""
    least, most = _changes(target, standing)
    side = Side.BUY if least > 0 else Side.SELL if most < 0 else side_for_price(signal, standing)
    is_open = least <= 0 <= most and least != most
    return side, tuple(each for each in standing.orders if each.is_in_doubt) if is_open else ()


def _leads_away(order: OpenExposure, side: Side, by: Basis) -> bool:
    """Also a target that still waits, and the opening leg of one: of several the newest counts."""
    if order.is_leg:
        return by.order_id is None or order.order_id < by.order_id
    return order.side is side.opposite or _is_waiting_target(order)


def _is_waiting_target(order: OpenExposure) -> bool:
    terms = order.terms
    return order.is_waiting and not order.is_leg and terms is not None and terms.has_target


def _target(signal: Signal, by: Basis) -> Decimal | RiskRefusal:
    """Signed units; a part of the equity toward zero to the lot."""
    if signal.target_quantity is not None:
        return signal.target_quantity
    assert signal.target_percent is not None
    if not isinstance(by.equity, Decimal):
        assert by.equity is not None
        return by.equity
    units = _units_for(_part(by.equity, abs(signal.target_percent)), by)
    if units is None:
        return _no_price(by, "limit_price or target_quantity")
    try:
        return by.instrument.round_quantity(units).copy_sign(signal.target_percent)
    except InvalidInput:
        return ZERO


def _target_refused(signal: Signal, side: Side, target: Decimal, by: Basis) -> RiskRefusal | None:
    """Why the order that leads to the target is not sent now."""
    standing, symbol, expected = by.standing, by.instrument.symbol, plain(by.standing.expected)
    if target == standing.expected:
        return _at_target(target, by)
    if not by.may_reverse and (standing.own.quantity * target < 0 or standing.expected * target < 0):
        return _reversal(side, by)
    if signal.side not in (None, side):
        message = f"side: from {expected} to {plain(target)} {symbol} leads a {side}; leave side out"
        return RiskRefusal("target_side", message, str(signal.side), side.value)
    if later := [each for each in (*standing.orders, *standing.later) if _overrides(each, side, by)]:
        named, units = few(each.order_id for each in later), plain(total(map(standing.units_of, later)))
        message = f"order {named} in {symbol} came later than this target and leads elsewhere; send it again if it still holds"
        return RiskRefusal("opposite_orders", message, units, "0")
    return None


def _overrides(order: OpenExposure, side: Side, by: Basis) -> bool:
    """Whether a target that has waited gives way to an order that came later, and leads away from it. What guards a position that
    is not there yet does not.
    """
    leads_away = order.side is side.opposite and not order.is_leg and not (order.is_waiting and order.role in GUARDS)
    return by.has_waited and leads_away and by.order_id is not None and order.order_id > by.order_id


def _superseded(newer: Sequence[OpenExposure], by: Basis) -> RiskRefusal:
    last = max(newer, key=lambda each: each.order_id)
    message = f"order {last.order_id} is a newer target of {by.standing.whose} for {by.instrument.symbol}, and counts in its place"
    return RiskRefusal("superseded", message, str(len(newer)), "0")


def _at_target(target: Decimal, by: Basis) -> RiskRefusal:
    expected, who, symbol = plain(by.standing.expected), by.standing.whose, by.instrument.symbol
    message = f"{who} has {expected} {symbol}, what is on order included: that is the target, to the lot, and nothing is to be done"
    return RiskRefusal("at_target", message, expected, plain(target))


# --- arithmetic ----------------------------------------------------------------------------------------------------------------


def _reversal(side: Side, by: Basis) -> RiskRefusal:
    expected, who, symbol = plain(by.standing.expected), by.standing.whose, by.instrument.symbol
    message = (
        f"{who} has {expected} {symbol}, what is on order included, and a {side} would turn it round; "
        "close it first (position_effect CLOSE), and open the other side once that is filled"
    )
    return RiskRefusal("reversal", message, expected, "0")


def _no_price(by: Basis, remedy: str) -> RiskRefusal:
    message = f"no price of {by.instrument.symbol} to size the order by; give {remedy}"
    return RiskRefusal("no_fresh_price", message, "none", f"{by.limits.max_price_age_seconds:g}")


def _refused(signal: Signal, side: Side, effect: PositionEffect | None, refusal: RiskRefusal | None) -> Amount:
    """What was asked for, as it was."""
    return Amount(side, effect, signal.quantity, signal.notional, refusal=refusal)


def _of_no_product(signal: Signal, side: Side, effect: PositionEffect | None, refusal: RiskRefusal, by: Basis) -> Amount:
    """It has no product whatever becomes of open orders, so it waits for none."""
    return replace(_refused(signal, side, effect, refusal), of_product=Standing(by.standing.whose))


def _rounded(amount: Amount, units: Decimal, by: Basis, too_little: Callable[[], InvalidInput] | None = None) -> Amount:
    """The amount as so many units, toward zero to the lot; as it is where that is less than one lot, with `too_little` or the
    instrument's own words.
    """
    try:
        return replace(amount, quantity=by.instrument.round_quantity(units), notional=None)
    except InvalidInput as problem:
        return replace(amount, problem=problem if too_little is None else too_little())


def _part(whole: Decimal, percent: Decimal) -> Decimal:
    return EXACT.divide(EXACT.multiply(whole, percent), _HUNDRED)


def _units_for(budget: Decimal, by: Basis) -> Decimal | None:
    """Units that an amount of money comes to, never rounded up; None where no price above zero is known."""
    if by.price is None or by.price <= 0:
        return None
    return _TOWARD_ZERO.divide(budget, EXACT.multiply(by.price, by.instrument.multiplier))
