"""The order after which a strategy holds what a signal names as its target."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from liveorder.domain.amount import Amount, Basis, no_price, no_reversal, part_of, refused, rounded, units_for
from liveorder.domain.crossing import exits_met, turned
from liveorder.domain.errors import InvalidInput
from liveorder.domain.own_exits import GUARDS
from liveorder.domain.risk import OpenExposure, RiskRefusal
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.values import EXACT, ZERO, PositionEffect, Side, total, trades_at_once
from liveorder.domain.wording import few, plain


def side_towards(signal: Signal, standing: Standing) -> Side:
    """The side that leads to the target, as far as that is known before there is a price."""
    if signal.side is not None:
        return signal.side
    if signal.target_percent:
        return Side.BUY if signal.target_percent > 0 else Side.SELL
    target = signal.target_quantity or ZERO
    return Side.BUY if target >= _on_the_way(signal, target, standing).expected else Side.SELL


def to_target(signal: Signal, by: Basis) -> Amount:
    """The order after which the target is held, once everything open is filled, but for what only guards a position (`_beside`).

    What is in doubt may have come to all or to nothing: where both lead the same way, the smaller step is sure to be right. Else it
    waits until that is known. Orders that lead away from the target are cancelled first, also where all together would come to it:
    each may fill alone.
    """
    standing, target = by.standing, _target(signal, by)
    if newer := [each for each in standing.later if _is_waiting_target(each)]:
        return refused(signal, side_towards(signal, standing), None, _superseded(newer, by))
    if isinstance(target, RiskRefusal):
        return refused(signal, side_towards(signal, standing), None, target)
    beside = _beside(signal, target, standing)
    standing = standing.once_cancelled(beside)
    figures = {"held": plain(standing.own.quantity), "expected": plain(standing.expected), "target": plain(target)}
    side, in_doubt = _way_to(target, standing, signal)
    if in_doubt:
        outcomes = _outcomes(signal, target, standing, by)
        return Amount(side, _effect(side, standing), figures=figures, in_doubt=in_doubt, outcomes=outcomes)
    in_the_way = _leading_away(target, standing, by)
    if refusal := _target_refused(side, target, in_the_way, replace(by, standing=standing)):
        return Amount(side, _effect(side, standing), figures=figures, refusal=refusal)
    by = replace(by, standing=by.standing.once_cancelled(in_the_way))
    return replace(_sized(signal, target, beside, in_the_way, by), figures=figures)


def _sized(
    signal: Signal, target: Decimal, beside: tuple[OpenExposure, ...], in_the_way: tuple[OpenExposure, ...], by: Basis
) -> Amount:
    """The order by what there is `by` now, those that are `in_the_way` over."""
    standing = by.standing.once_cancelled(beside)
    side, _ = _way_to(target, standing, signal)
    is_there = _at_target(target, replace(by, standing=standing))
    if target == standing.expected:
        return Amount(side, _effect(side, standing), refusal=is_there, in_the_way=in_the_way)
    if signal.side not in (None, side):
        return Amount(side, _effect(side, standing), refusal=_wrong_side(signal.side, side, target, standing, by))
    if standing.own.quantity * target < 0 and by.may_reverse:
        opening = Amount(side, PositionEffect.OPEN, abs(target))
        reversal = turned(signal, opening, None, by)
        takes_all = standing.orders if reversal.refusal is not None else ()  # nothing is left to close: it opens after them
        return replace(reversal, in_the_way=(*in_the_way, *reversal.in_the_way, *takes_all))
    effect = _effect(side, standing)
    units = min(map(abs, _changes(target, standing)))
    amount = Amount(side, effect, in_the_way=in_the_way)
    if effect is PositionEffect.CLOSE:
        may_be_short, no_room = by.limits.allow_short_selling, _without_room(signal, units, target, beside, by)
        free = by.standing.once_cancelled(no_room)
        if refusal := free.nothing_left_for(side, by.what, may_be_short=may_be_short):
            return replace(amount, refusal=refusal, in_the_way=())
        most = free.closable_by(side, may_be_short=may_be_short, crosses_zero=by.crosses_zero)
        units, amount = min(units, most or units), replace(amount, in_the_way=(*in_the_way, *no_room))
    sized = rounded(amount, units, by)
    return sized if sized.problem is None else replace(amount, refusal=is_there, in_the_way=in_the_way)


def _target(signal: Signal, by: Basis) -> Decimal | RiskRefusal:
    """Signed units; a part of the equity toward zero to the lot. Zero takes neither equity nor a price."""
    if signal.target_quantity is not None:
        return signal.target_quantity
    if not signal.target_percent:
        return ZERO
    if not isinstance(by.equity, Decimal):
        assert by.equity is not None
        return by.equity
    units = units_for(part_of(by.equity, abs(signal.target_percent)), by)
    if units is None:
        return no_price(by, "limit_price or target_quantity")
    try:
        return by.instrument.round_quantity(units).copy_sign(signal.target_percent)
    except InvalidInput:
        return ZERO


def _target_refused(side: Side, target: Decimal, leading_away: Sequence[OpenExposure], by: Basis) -> RiskRefusal | None:
    """Why nothing is sent or cancelled for the target now."""
    standing, symbol = by.standing, by.instrument.symbol
    if not by.may_reverse and (standing.own.quantity * target < 0 or standing.expected * target < 0):
        return no_reversal(side, by)
    if later := [each for each in (*leading_away, *standing.later) if _overrides(each, side, by)]:
        named, units = few(each.order_id for each in later), plain(total(map(standing.units_of, later)))
        message = f"order {named} in {symbol} came later than this target and leads elsewhere; send it again if it still holds"
        return RiskRefusal("opposite_orders", message, units, "0")
    return None


def _wrong_side(named: Side | None, side: Side, target: Decimal, standing: Standing, by: Basis) -> RiskRefusal:
    way = f"from {plain(standing.expected)} to {plain(target)} {by.instrument.symbol}"
    return RiskRefusal("target_side", f"side: {way} leads a {side}; leave side out", str(named), side.value)


def _overrides(order: OpenExposure, side: Side, by: Basis) -> bool:
    """Whether a target that has waited gives way to an order that came later, and leads away from it. What guards a position that
    is not there yet does not.
    """
    leads_away = (not order.is_waiting or order.side is side.opposite) and not order.is_leg and not _is_waiting_guard(order)
    return by.has_waited and leads_away and by.order_id is not None and order.order_id > by.order_id


def _superseded(newer: Sequence[OpenExposure], by: Basis) -> RiskRefusal:
    last = max(newer, key=lambda each: each.order_id)
    message = f"order {last.order_id} is a newer target of {by.standing.whose} for {by.instrument.symbol}, and counts in its place"
    return RiskRefusal("superseded", message, str(len(newer)), "0")


def _at_target(target: Decimal, by: Basis) -> RiskRefusal:
    expected, who, symbol = plain(by.standing.expected), by.standing.whose, by.instrument.symbol
    message = f"{who} has {expected} {symbol}, what is on order included: that is the target, to the lot, and nothing is to be done"
    return RiskRefusal("at_target", message, expected, plain(target))


def _way_to(target: Decimal, standing: Standing, signal: Signal) -> tuple[Side, tuple[OpenExposure, ...]]:
    """The side that leads to the target, and what is in doubt where that leaves open which side it is."""
    least, most = _changes(target, standing)
    side = Side.BUY if least > 0 else Side.SELL if most < 0 else side_towards(signal, standing)
    is_open = least <= 0 <= most and least != most
    return side, tuple(each for each in standing.orders if each.is_in_doubt) if is_open else ()


def _changes(target: Decimal, standing: Standing) -> tuple[Decimal, Decimal]:
    """The least and the most that could be missing, signed: as if all that is in doubt had come to nothing, or to all of it."""
    doubtful = [each for each in standing.orders if each.is_in_doubt]
    buys, sells = (total(standing.units_of(each) for each in doubtful if each.side is side) for side in (Side.BUY, Side.SELL))
    missing = EXACT.subtract(target, standing.expected)
    return EXACT.subtract(missing, sells), EXACT.add(missing, buys)


def _outcomes(signal: Signal, target: Decimal, standing: Standing, by: Basis) -> tuple[Amount, ...]:
    """The order that is left to be sent in either case of `_changes`, where one is."""
    found = list[Amount]()
    for step, filled in zip(_changes(target, standing), Side, strict=True):
        doubtful = total(standing.units_of(each) for each in standing.orders if each.is_in_doubt and each.side is filled)
        held, side = EXACT.add(standing.own.quantity, filled.signed(doubtful)), Side.BUY if step > 0 else Side.SELL
        effect = PositionEffect.CLOSE if side.signed(held) < 0 else PositionEffect.OPEN
        amount = rounded(Amount(side, effect), abs(step), by)
        found += [amount] if amount.problem is None and signal.side in (None, side) else []
    return tuple(found)


def _on_the_way(signal: Signal, target: Decimal, standing: Standing) -> Standing:
    return standing.once_cancelled(_beside(signal, target, standing))


def _beside(signal: Signal, target: Decimal, standing: Standing) -> tuple[OpenExposure, ...]:
    """Orders that are not on the way to the target: they rest, to close what is held, and may never trade. Of a target of zero all
    of them, so that it does not wait for their price; an older target with a price only where this one has none. Else what guards a
    position: it stands whatever the target is, as long as there is room; one in doubt, where the target closes nothing.
    """
    at_once, held = trades_at_once(signal.order_type, signal.time_in_force), standing.own.quantity
    resting = [each for each in standing.orders if each.side is standing.own.closing_side and each.rests]
    if not target:
        return tuple(each for each in resting if not each.is_in_doubt and (at_once or not _is_of_a_target(each)))
    closes_nothing = abs(target) >= abs(held) and held * target > 0
    guards = [each for each in resting if _is_guard(each) and not _is_of_a_target(each)]
    return tuple(each for each in guards if closes_nothing or not each.is_in_doubt)


def _without_room(
    signal: Signal, units: Decimal, target: Decimal, beside: Sequence[OpenExposure], by: Basis
) -> tuple[OpenExposure, ...]:
    """Of the orders beside a target those that are cancelled for one that closes `units`: at zero all, else no more than needed."""
    side = by.standing.side_that_closes
    exits = exits_met(signal, side, by)
    yielding = tuple(each for each in exits.yielding if each in beside)
    missing = EXACT.subtract(units, by.standing.own.reducible_by(side))
    return replace(exits, yielding=yielding).room_of(missing) if target else yielding


def _leading_away(target: Decimal, standing: Standing, by: Basis) -> tuple[OpenExposure, ...]:
    """Orders on another side than that of the way from what is held to the target; all, where the others go beyond it. Also a
    target that still waits, and an older reversal's legs that do: of several the newest counts.
    """
    held, orders = standing.own.quantity, [each for each in standing.orders if not _stays(each, by)]
    way = Side.BUY if target > held else Side.SELL if target < held else None
    away = tuple(each for each in orders if each.side is not way or each.is_leg or _is_superseded(each))
    goes_beyond = way is not None and way.signed(EXACT.subtract(standing.once_cancelled(away).expected, target)) > 0
    return tuple(orders) if goes_beyond else away


def _stays(order: OpenExposure, by: Basis) -> bool:
    """The opening leg of a reversal that came later, and what is to guard a position that is not there yet."""
    is_later = by.order_id is not None and order.order_id > by.order_id
    return is_later if order.is_leg else _is_waiting_guard(order)


def _is_waiting_guard(order: OpenExposure) -> bool:
    return order.is_waiting and order.role in GUARDS


def _is_waiting_target(order: OpenExposure) -> bool:
    terms = order.terms
    return order.is_waiting and not order.is_leg and terms is not None and terms.has_target


def _is_superseded(order: OpenExposure) -> bool:
    """It still waits, and is an older target, or the closing leg of a reversal: the opening one would follow it."""
    return _is_waiting_target(order) or (order.waits_with is not None and order.opens)


def _is_of_a_target(order: OpenExposure) -> bool:
    return order.terms is not None and order.terms.has_target


def _is_guard(order: OpenExposure) -> bool:
    return order.role in GUARDS or (order.terms is not None and order.terms.order_type.traits.is_stop)


def _effect(side: Side, standing: Standing) -> PositionEffect:
    return PositionEffect.CLOSE if side is standing.own.closing_side else PositionEffect.OPEN
