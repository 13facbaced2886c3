"""What a signal opens or closes, and how much of it.

What it closes is what its own strategy holds (`Standing`), never beyond zero, whatever short selling is allowed.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from liveorder.domain.amount import (
    TOWARD_ZERO,
    Amount,
    Basis,
    no_price,
    no_reversal,
    of_no_product,
    part_of,
    refused,
    rounded,
    units_for,
)
from liveorder.domain.crossing import closing_leg, crossed, exits_met, turned
from liveorder.domain.errors import InvalidInput
from liveorder.domain.own_exits import GUARDS, OwnExits
from liveorder.domain.products import may_be_of_any, product_met, product_to_close, product_to_lead
from liveorder.domain.risk import OpenExposure, RiskRefusal
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.target import side_towards, to_target
from liveorder.domain.values import EXACT, ZERO, OrderRole, PositionEffect, Product, Side, total, trades_at_once
from liveorder.domain.wording import plain


def side_for_price(signal: Signal, standing: Standing) -> Side:
    """The side that the order will have, as far as that is known before there is a price."""
    if signal.side is not None:
        return signal.side
    product = product_to_lead(signal.product, standing.parts, None, standing.whose, signal.symbol)
    standing = standing if isinstance(product, RiskRefusal) else standing.under(product, None)
    return side_towards(signal, standing) if signal.has_target else standing.side_that_closes


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
            return of_no_product(signal, side_for_price(signal, by.standing), None, product, by)
        by = by.under(product)
        return replace(to_target(signal, by), product=by.product, of_product=by.standing)
    effect = effect_of(signal, by.standing)
    side = signal.side or by.standing.side_that_closes
    if effect is PositionEffect.CLOSE:
        product = product_to_close(signal.product, signal.side, *of_what)
        if isinstance(product, RiskRefusal):
            return of_no_product(signal, side, effect, product, by)
        if not may_be_of_any(signal.product, by.standing.parts):
            by = by.under(product)
        superseded = _superseded(signal, side := signal.side or by.standing.side_that_closes, by)
        amount = _to_close(signal, side, replace(by, standing=by.standing.once_cancelled(superseded)))
        return replace(amount, product=by.product, of_product=by.standing, superseded=superseded)
    product = _product_of(signal, side, effect, by)
    if isinstance(product, RiskRefusal):
        return of_no_product(signal, side, effect, product, by)
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
    if effect is None and side is Side.SELL and by.is_long_only and signal.sizes:
        return _not_below_zero(signal, amount, by)
    if side is not by.standing.own.closing_side:
        return amount
    if effect is PositionEffect.OPEN:
        return turned(signal, amount, None, by) if by.may_reverse else refused(signal, side, effect, no_reversal(side, by))
    return crossed(signal, amount, by) if by.may_reverse else amount


# --- what closes ---------------------------------------------------------------------------------------------------------------


def _to_close(signal: Signal, side: Side, by: Basis) -> Amount:
    own, exits = by.standing.own, exits_met(signal, side, by)
    if signal.quantity is not None:
        sized = rounded(Amount(side, PositionEffect.CLOSE), signal.quantity, by)
        if sized.problem is not None:
            return replace(sized, quantity=signal.quantity)
    if refusal := _not_closed(side, by, exits):
        nothing_behind = _nothing_behind(signal, side, by, exits)
        return replace(refused(signal, side, PositionEffect.CLOSE, refusal), in_the_way=nothing_behind)
    free = by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited)
    may_be_short, left = by.limits.allow_short_selling, free.own.reducible_by(side)
    if refusal := free.nothing_left_for(side, by.what, may_be_short=may_be_short):
        return refused(signal, side, PositionEffect.CLOSE, refusal)
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


def _superseded(signal: Signal, side: Side, by: Basis) -> tuple[OpenExposure, ...]:
    """What a close of all that is left ends first, on its own side: what its strategy has waiting to do more than close, the
    opening leg of a reversal, and what works and may turn the position round. On the other side they are entries.
    """
    own = by.standing.own
    if not by.may_cancel or signal.role in GUARDS or (own.quantity and side is not own.closing_side):
        return ()
    own_side = [each for each in by.standing.orders if each.side is side]
    under_way = total(by.standing.units_of(each) for each in own_side if not (each.closes and each.rests))
    may_turn = under_way > abs(own.quantity) > 0
    ended = tuple(each for each in own_side if each.opens or (may_turn and not each.closes))
    once = replace(by, standing=by.standing.once_cancelled(ended))
    wanted, left = _wanted(signal, abs(own.quantity), by), closing_leg(exits_met(signal, side, once), side, once)
    return ended if wanted is not None and wanted >= left else ()


def _wanted(signal: Signal, all_of_it: Decimal, by: Basis) -> Decimal | None:
    """Units that it asks to close; None for an amount of money while no price is known."""
    if signal.percent is not None:
        return part_of(abs(by.standing.own.quantity), signal.percent)
    if signal.notional is not None:
        return units_for(signal.notional, by)
    return all_of_it if signal.quantity is None else signal.quantity


def _nothing_behind(signal: Signal, side: Side, by: Basis, exits: OwnExits) -> tuple[OpenExposure, ...]:
    """Exits that rest though nothing is held or on its way, as after a bust: they would open the other side. A CLOSE of all has
    them cancelled all the same.
    """
    own = by.standing.own
    is_in_vain = not (signal.sizes or own.quantity or own.taken_by(side.opposite))
    return tuple(each for each in exits.yielding if each.closes) if is_in_vain else ()


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
    if signal.quantity is not None:
        return rounded(Amount(side, effect, signal.quantity), signal.quantity, by)
    if signal.risk_percent is not None:
        return _by_risk(signal, side, effect, by)
    budget, figures = signal.notional or by.limits.position_size, dict[str, str]()
    if signal.percent is not None:
        if not isinstance(by.equity, Decimal):
            return refused(signal, side, effect, by.equity)
        budget, figures = part_of(by.equity, signal.percent), {"equity": plain(by.equity)}
    amount, units = Amount(side, effect, notional=budget, figures=figures), units_for(budget, by)
    if units is None or (signal.notional is not None and by.takes_notional):
        return amount
    return rounded(amount, units, by, partial(_buys_too_little, signal, budget, by))


def _by_risk(signal: Signal, side: Side, effect: PositionEffect | None, by: Basis) -> Amount:
    """So many that the way from the entry to `stop_loss` loses that part of the equity."""
    if not isinstance(by.equity, Decimal):
        return refused(signal, side, effect, by.equity)
    if by.price is None:
        return refused(signal, side, effect, no_price(by, "limit_price or quantity"))
    assert signal.stop_loss is not None
    assert signal.risk_percent is not None
    way, risked = EXACT.subtract(by.price, signal.stop_loss) * side.sign, part_of(by.equity, signal.risk_percent)
    if way <= 0:
        where = "below" if side is Side.BUY else "above"
        wrong = f"{plain(signal.stop_loss)} would lose nothing: the entry is at {plain(by.price)}"
        return Amount(side, effect, problem=InvalidInput("stop_loss", wrong, f"give a {side.value} one {where} its price"))
    of_one = EXACT.multiply(way, by.instrument.multiplier)
    figures = {"equity": plain(by.equity), "risked": plain(risked), "risked_by_one": plain(of_one)}
    too_little = partial(_risks_too_little, risked, of_one, by)
    return rounded(Amount(side, effect, figures=figures), TOWARD_ZERO.divide(risked, of_one), by, too_little)


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


def _not_below_zero(signal: Signal, amount: Amount, by: Basis) -> Amount:
    """A sized sale without an effect. For more than is left to sell, resting exits make room if it trades at once. Else orders that
    are open may bring the rest: it waits for them, and none is cancelled. Where neither does, the rules refuse it.

    One for an amount of money is of no more than there is with that room; where there is nothing, it waits for whatever comes.
    """
    side, units = amount.side, amount.quantity or units_for(amount.notional or ZERO, by)
    if units is None:
        return amount
    exits, at_once = exits_met(signal, side, by), trades_at_once(signal.order_type, signal.time_in_force)
    exits = exits if at_once else replace(exits, yielding=())
    if signal.notional is not None:
        of_what_is_there = rounded(amount, min(units, by.standing.once_cancelled(exits.yielding).own.reducible_by(side)), by)
        amount = amount if of_what_is_there.problem is not None else of_what_is_there
        units = amount.quantity or units
    missing = EXACT.subtract(units, by.standing.own.reducible_by(side))
    if missing <= 0:
        return amount
    in_the_way = exits.room_of(missing)
    room = total(map(by.standing.units_of, in_the_way))
    if room >= missing:
        return replace(amount, in_the_way=in_the_way)
    coming = total(map(by.standing.units_of, by.standing.entries_for(side)))
    is_enough = coming > 0 if signal.notional is not None else EXACT.add(room, coming) >= missing
    return replace(amount, awaits_entries=is_enough)
