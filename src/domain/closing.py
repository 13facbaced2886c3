"""What closes the positions of an account in one instrument: orders that only take off, each strategy's share of them, and what
strategies hold against each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeAlias

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


ByProduct: TypeAlias = Mapping[Product | None, Mapping[str, Decimal]]
"""Units by product, then by strategy; under None what is of no known product."""


def closing_of(
    own: ByProduct, parts: Sequence[HeldPart], *, buying: ByProduct, selling: ByProduct, usual: Product | None, lot_size: Decimal
) -> ClosingPlan:
    """The orders that close what is ours of what the broker holds.

    `own`: signed units. `buying`, `selling`: units that open and in-doubt orders could still trade. Under each product no more is
    closed than our book has, the broker holds, and no open order could take, for those who hold it, and of a strategy's no more
    than its own orders leave. What is left of ours then closes what is left of the broker's on the same side: our `usual` product
    first and a person's delivered shares last. Where the broker names no product there is one part.
    """
    if all(part.product is None for part in parts):
        own, buying, selling = (_of_one_product(each) for each in (own, buying, selling))
    orders, kept = list[ClosingOrder](), list[Kept]()
    for side in (Side.SELL, Side.BUY):
        held = sorted((part for part in parts if _is_closed_by(side, part.quantity)), key=lambda part: _turn(part, usual))
        plan = _OneSide.of(own, held, selling if side is Side.SELL else buying, side)
        for part in held:
            plan.close(part.product, part.product, lot_size)
        for part in held:
            for product in sorted(plan.ours, key=lambda each: each or ""):
                plan.close(part.product, product, lot_size)
        for part in held:
            units, shares = plan.units[part.product], plan.shares[part.product]
            if units:
                orders.append(ClosingOrder(part.product, side, units, _shares(shares)))
            if rest := EXACT.subtract(part.quantity.copy_abs(), units):
                kept.append(Kept(part, rest, plan.why(part, lot_size)))
    return ClosingPlan(tuple(orders), tuple(kept))


@dataclass(slots=True)
class _OneSide:
    """What orders of one side close, as it is found. In units without a sign, by product."""

    ours: dict[Product | None, Decimal]
    """Of our book, all strategies together, what no open order could take and nothing closes yet."""
    theirs: dict[Product | None, Decimal]
    """Likewise of the broker's."""
    holders: dict[Product | None, dict[str, Decimal]]
    """What each strategy holds that its own open orders leave it and nothing closes yet."""
    taken: Mapping[Product | None, Decimal]
    """By open orders."""
    book: Decimal
    """Signed units that our book has on this side; where it has none, in all."""
    closable: defaultdict[Product | None, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """Of each of the broker's products, before it is rounded to the lot."""
    units: defaultdict[Product | None, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    shares: defaultdict[Product | None, dict[str, Decimal]] = field(default_factory=lambda: defaultdict(dict))

    @classmethod
    def of(cls, own: ByProduct, held: Sequence[HeldPart], open_orders: ByProduct, side: Side) -> _OneSide:
        """Open orders of no known product could take any."""
        mine = {
            product: {name: units.copy_abs() for name, units in holders.items() if _is_closed_by(side, units)}
            for product, holders in own.items()
        }
        products = {*own, *open_orders, *(part.product for part in held)}
        taking = {each: _together(open_orders, {each, None}) for each in products}
        taking[None] = _of_unknown(mine, open_orders)
        taken = {product: total(by_name.values()) for product, by_name in taking.items()}
        in_all = {product: side.opposite.signed(total(holders.values())) for product, holders in own.items()}
        book = total(max(units, ZERO) for units in in_all.values())
        return cls(
            ours={product: _less(units, taken[product]) for product, units in in_all.items()},
            theirs={part.product: _less(part.quantity.copy_abs(), taken[part.product]) for part in held},
            holders={
                product: {name: _less(units, taking[product].get(name, ZERO)) for name, units in holders.items()}
                for product, holders in mine.items()
            },
            taken=taken,
            book=side.opposite.signed(book or total(in_all.values())),
        )

    def close(self, theirs: Product | None, ours: Product | None, lot_size: Decimal) -> None:
        """Of the broker's part as much as we have left under `ours`, for those who hold it."""
        closable = min(self.theirs[theirs], self.ours.get(ours, ZERO))
        if not closable:
            return
        self.theirs[theirs], self.ours[ours] = (EXACT.subtract(each, closable) for each in (self.theirs[theirs], self.ours[ours]))
        self.closable[theirs] = EXACT.add(self.closable[theirs], closable)
        if units := _to_lot(closable, lot_size):
            self.units[theirs] = EXACT.add(self.units[theirs], units)
            holders, shares = self.holders[ours], self.shares[theirs]
            for name, part in zip(holders, shared_out(units, [*holders.values()], lot_size), strict=True):
                shares[name] = EXACT.add(shares.get(name, ZERO), part)
                holders[name] = EXACT.subtract(holders[name], part)

    def why(self, part: HeldPart, lot_size: Decimal) -> str:
        """Why some of it is kept."""
        if self.closable[part.product] > self.units[part.product]:
            return f"{plain(lot_size)} is the smallest size that can be ordered"
        if self.taken[part.product] and self.book * part.quantity > 0:
            return "open or in-doubt orders could close it, or it is not in our book"
        return f"our book has {plain(self.book)}: the rest is not ours to close"


def _together(units: ByProduct, products: Collection[Product | None]) -> dict[str, Decimal]:
    """By strategy, all of these products."""
    found = defaultdict[str, Decimal](Decimal)
    for product, by_name in units.items():
        for name, each in by_name.items() if product in products else ():
            found[name] = EXACT.add(found[name], each)
    return found


def _of_unknown(mine: ByProduct, open_orders: ByProduct) -> dict[str, Decimal]:
    """What open orders could take of what each strategy holds under no known product: those under none, and what others are for
    beyond what it holds under theirs.
    """
    found = dict[str, Decimal](open_orders.get(None, {}))
    for name, unknown in mine.get(None, {}).items():
        named = {product: by_name.get(name, ZERO) for product, by_name in open_orders.items() if product is not None}
        beyond = total(_less(units, mine.get(product, {}).get(name, ZERO)) for product, units in named.items())
        found[name] = EXACT.add(found.get(name, ZERO), min(beyond, unknown))
    return found


def _of_one_product(units: ByProduct) -> ByProduct:
    return {None: _together(units, units)}


def _is_closed_by(side: Side, units: Decimal) -> bool:
    return side.signed(units) < 0


def _less(units: Decimal, taken: Decimal) -> Decimal:
    return max(EXACT.subtract(max(units, ZERO), taken), ZERO)


def _to_lot(quantity: Decimal, lot_size: Decimal) -> Decimal:
    lots = EXACT.divide_int(quantity, lot_size)
    return EXACT.multiply(lots, lot_size)


def _turn(part: HeldPart, usual: Product | None) -> tuple[bool, bool]:
    return part.product is not usual, part.product in (Product.CNC, Product.MTF)


def _shares(units: Mapping[str, Decimal]) -> tuple[PositionShare, ...]:
    """The largest first."""
    largest_first = sorted(((name, part) for name, part in units.items() if part), key=lambda item: (-item[1], item[0]))
    return tuple(PositionShare(strategy_name=name, quantity=part) for name, part in largest_first)


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
