"""What closes the positions of an account in one instrument: orders that only take off, each strategy's share of them, and what
strategies hold against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from liveorder.domain.order.shares import PositionShare, shared_out
from liveorder.domain.values import EXACT, ZERO, Product, Side, total
from liveorder.domain.wording import plain


class HeldPart(NamedTuple):
    """What the broker holds of the instrument under one product."""

    product: Product | None
    quantity: Decimal
    """Signed units."""


class ClosingOrder(NamedTuple):
    product: Product | None
    side: Side
    quantity: Decimal
    shares: tuple[PositionShare, ...]


class Kept(NamedTuple):
    """Units of a part that no order closes, without a sign, and why."""

    part: HeldPart
    quantity: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class ClosingPlan:
    """In the order in which they are to be sent: the next one once the one before is closed."""

    orders: tuple[ClosingOrder, ...]
    kept: tuple[Kept, ...]


class Crossing(NamedTuple):
    """Units that one strategy is long and another is short of, so that both are closed without an order."""

    long: str
    short: str
    quantity: Decimal


def closing_of(
    own: Mapping[str, Decimal],
    parts: Sequence[HeldPart],
    *,
    buying: Mapping[str, Decimal],
    selling: Mapping[str, Decimal],
    usual: Product | None,
    lot_size: Decimal,
) -> ClosingPlan:
    """The orders that close what is ours of what the broker holds.

    `own`: signed units by strategy. `buying`, `selling`: units that open and in-doubt orders of each could still trade. Of all
    parts on one side together no more is closed than our book has and no open order could take, of each part no more than it holds,
    and of a strategy's no more than its own orders leave. Our positions are not known by product, so our `usual` product comes
    first and a person's delivered shares last.
    """
    ours, orders, kept = total(own.values()), [], []
    for side in (Side.SELL, Side.BUY):
        open_orders = selling if side is Side.SELL else buying
        taken = total(open_orders.values())
        held_so = {name: units.copy_abs() for name, units in own.items() if units and (units > 0) is (side is Side.SELL)}
        mine = {name: max(EXACT.subtract(units, open_orders.get(name, ZERO)), ZERO) for name, units in held_so.items()}
        held = [part for part in parts if part.quantity and (part.quantity > 0) is (side is Side.SELL)]
        of_all = _closable(ours, total(part.quantity for part in held), taken)
        for part in sorted(held, key=lambda part: _turn(part, usual)):
            closable = min(_closable(ours, part.quantity, taken), of_all)
            units = _to_lot(closable, lot_size)
            if units:
                shares = dict(zip(mine, shared_out(units, [*mine.values()], lot_size), strict=True))
                mine = {name: EXACT.subtract(left, shares[name]) for name, left in mine.items()}
                orders.append(ClosingOrder(part.product, side, units, _shares(shares)))
                of_all = EXACT.subtract(of_all, units)
            if rest := EXACT.subtract(part.quantity.copy_abs(), units):
                kept.append(Kept(part, rest, _why(part, closable, units, ours, taken, lot_size)))
    return ClosingPlan(tuple(orders), tuple(kept))


def _closable(ours: Decimal, theirs: Decimal, taken: Decimal) -> Decimal:
    """Units of the broker's position that an order against it surely only takes off."""
    if ours * theirs <= 0:
        return ZERO
    return max(EXACT.subtract(min(ours.copy_abs(), theirs.copy_abs()), taken), ZERO)


def _to_lot(quantity: Decimal, lot_size: Decimal) -> Decimal:
    lots = EXACT.divide_int(quantity, lot_size)
    return EXACT.multiply(lots, lot_size)


def _turn(part: HeldPart, usual: Product | None) -> tuple[bool, bool]:
    return part.product is not usual, part.product in (Product.CNC, Product.MTF)


def _shares(units: Mapping[str, Decimal]) -> tuple[PositionShare, ...]:
    """The largest first."""
    largest_first = sorted(((name, part) for name, part in units.items() if part), key=lambda item: (-item[1], item[0]))
    return tuple(PositionShare(strategy_name=name, quantity=part) for name, part in largest_first)


def _why(part: HeldPart, closable: Decimal, units: Decimal, ours: Decimal, taken: Decimal, lot_size: Decimal) -> str:
    if closable > units:
        return f"{plain(lot_size)} is the smallest size that can be ordered"
    if taken and ours * part.quantity > 0:
        return "open or in-doubt orders could close it, or it is not in our book"
    return f"our book has {plain(ours)}: the rest is not ours to close"


def crossings(own: Mapping[str, Decimal]) -> list[Crossing]:
    """What strategies hold against each other, largest holdings first; nothing of it changes what the account holds."""
    largest_first = sorted(own.items(), key=lambda item: (-item[1].copy_abs(), item[0]))
    longs = [(name, units) for name, units in largest_first if units > 0]
    shorts = [(name, units.copy_negate()) for name, units in largest_first if units < 0]
    found = []
    while longs and shorts:
        (long, has), (short, lacks) = longs[0], shorts[0]
        units = min(has, lacks)
        found.append(Crossing(long, short, units))
        longs[:1] = [(long, EXACT.subtract(has, units))] if has > units else []
        shorts[:1] = [(short, EXACT.subtract(lacks, units))] if lacks > units else []
    return found
