"""What closes and opens the other side: one order through zero, or its closing leg first."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from liveorder.domain.amount import Amount, Basis, no_price, no_reversal, refused, rounded, units_for
from liveorder.domain.own_exits import GUARDS, Asking, OwnExits, own_exits
from liveorder.domain.signal import Signal
from liveorder.domain.values import EXACT, ZERO, PositionEffect, Side, trades_at_once
from liveorder.domain.wording import plain


def exits_met(signal: Signal, side: Side, by: Basis) -> OwnExits:
    at_once, asks_for_room = trades_at_once(signal.order_type, signal.time_in_force), by.may_cancel and signal.role not in GUARDS
    asking = Asking(side, signal.product or by.product, at_once, asks_for_room, by.order_id, signal.role)
    return own_exits((*by.standing.orders, *by.standing.later), asking)


def closing_leg(exits: OwnExits, side: Side, by: Basis) -> Decimal:
    """Units that are left to close once all exits that make way are gone."""
    return by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited).own.reducible_by(side)


def crossed(signal: Signal, amount: Amount, by: Basis) -> Amount:
    """A sized order without an effect, on the side that closes: as it is, unless it goes beyond what there is to close. Exits that
    rest make room for it: together with it they would go through zero.
    """
    units, exits = amount.quantity or units_for(amount.notional or ZERO, by), exits_met(signal, amount.side, by)
    closes = closing_leg(exits, amount.side, by)
    if units is None or not closes:
        return amount
    if units > closes:
        return turned(signal, amount, units, by)
    missing = EXACT.subtract(units, by.standing.own.reducible_by(amount.side))
    return replace(amount, in_the_way=exits.room_of(missing)) if missing > 0 else amount


def turned(signal: Signal, opening: Amount, total_units: Decimal | None, by: Basis) -> Amount:
    """A reversal: one order for `total_units`, or where None for what there is to close and what `opening` comes to; or its closing
    leg alone where the broker takes none that crosses zero, or something is in doubt.

    All that its strategy has open makes way first, but for exits that trade at once.
    """
    side, exits = opening.side, exits_met(signal, opening.side, by)
    closes = closing_leg(exits, side, by)
    opens = opening.quantity or (None if opening.notional is None else units_for(opening.notional, by))
    if not closes or (opens is None and total_units is None):
        refusal = no_price(by, "quantity") if closes else no_reversal(side, by)
        return refused(signal, side, opening.effect, refusal)
    entries = tuple(each for each in by.standing.orders if each.side is side.opposite) if by.may_cancel else ()
    in_the_way, figures = (*exits.yielding, *entries), {**opening.figures, "held": plain(abs(by.standing.own.quantity))}
    is_doubtful = any(each.is_in_doubt for each in by.standing.orders)
    units = total_units if total_units is not None else EXACT.add(closes, opens or ZERO)
    whole = rounded(Amount(side, None, figures=figures, in_the_way=in_the_way), units, by)
    if not by.may_cancel or (by.crosses_zero and not is_doubtful):
        return whole
    free = by.standing.once_cancelled(exits.yielding).once_sent(side, exits.awaited)
    most = free.closable_by(side, may_be_short=True, crosses_zero=by.crosses_zero) or closes
    leg = Amount(side, PositionEffect.CLOSE, figures=figures, in_the_way=in_the_way, both_legs=whole.quantity)
    return rounded(leg, min(closes, most), by)
