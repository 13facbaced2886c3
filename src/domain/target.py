"""The order after which a strategy holds what a signal names as its target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

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
    waits until that is known. Orders that lead away from the target are cancelled first.
    """
    standing, target = by.standing, _target(signal, by)
    if newer := [each for each in standing.later if _is_waiting_target(each)]:
        return refused(signal, side_towards(signal, standing), None, _superseded(newer, by))
    if isinstance(target, RiskRefusal):
        return refused(signal, side_towards(signal, standing), None, target)
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
        reversal = turned(signal, opening, None, by)
        return replace(reversal, in_the_way=(*in_the_way, *reversal.in_the_way))
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
    sized = rounded(amount, units, by)
    refusal = _at_target(target, replace(by, standing=standing))
    return sized if sized.problem is None else replace(amount, refusal=refusal, in_the_way=in_the_way)


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


def _target_refused(signal: Signal, side: Side, target: Decimal, by: Basis) -> RiskRefusal | None:
    """Why the order that leads to the target is not sent now."""
    standing, symbol, expected = by.standing, by.instrument.symbol, plain(by.standing.expected)
    if target == standing.expected:
        return _at_target(target, by)
    if not by.may_reverse and (standing.own.quantity * target < 0 or standing.expected * target < 0):
        return no_reversal(side, by)
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


def _on_the_way(signal: Signal, target: Decimal, standing: Standing) -> Standing:
    return standing.once_cancelled(_beside(signal, target, standing))


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


def _without_room(
    signal: Signal, units: Decimal, target: Decimal, beside: Sequence[OpenExposure], by: Basis
) -> tuple[OpenExposure, ...]:
    """Of the orders beside a target those that are cancelled for one that closes `units`: at zero all, else no more than needed."""
    side = by.standing.side_that_closes
    exits = exits_met(signal, side, by)
    yielding = tuple(each for each in exits.yielding if each in beside)
    missing = EXACT.subtract(units, by.standing.own.reducible_by(side))
    return replace(exits, yielding=yielding).room_of(missing) if target else yielding


def _leads_away(order: OpenExposure, side: Side, by: Basis) -> bool:
    """Also a target that still waits, and the opening leg of one: of several the newest counts."""
    if order.is_leg:
        return by.order_id is None or order.order_id < by.order_id
    return order.side is side.opposite or _is_waiting_target(order)


def _is_waiting_target(order: OpenExposure) -> bool:
    terms = order.terms
    return order.is_waiting and not order.is_leg and terms is not None and terms.has_target


def _is_of_a_target(order: OpenExposure) -> bool:
    return order.terms is not None and order.terms.has_target


def _is_guard(order: OpenExposure) -> bool:
    return order.role in GUARDS or (order.terms is not None and order.terms.order_type.traits.is_stop)


def _effect(side: Side, standing: Standing) -> PositionEffect:
    return PositionEffect.CLOSE if side is standing.own.closing_side else PositionEffect.OPEN
