"""Our picture of an account held against the broker's: the differences, as data. Nothing is changed because of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from liveorder.domain.errors import InvalidInput
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import EXACT, ZERO, Product, Side, total


class DifferenceKind(StrEnum):
    POSITION = "POSITION"
    """Quantities differ. Trading the symbol is refused until they agree or a person adopts the difference."""
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    """The broker has a live order that is not ours."""
    MISSING_ORDER = "MISSING_ORDER"
    """We have a live order that the broker does not have."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`key` is the instrument's key, with the product where only products differ, or an order's id; `ours` and `theirs` are
    quantities or statuses, as text.
    """

    kind: DifferenceKind
    key: str
    ours: str
    theirs: str
    note: str = ""
    """For people: why it is not what it may seem to be."""


@dataclass(frozen=True, slots=True)
class ReconciliationReport:
    """What asking the broker showed. `unanswered` names the questions that failed: about these nothing is said."""

    account_id: str
    at: datetime
    differences: tuple[Difference, ...] = ()
    unanswered: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Everything was answered and everything agrees."""
        return not self.differences and not self.unanswered


def position_differences(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> Iterable[Difference]:
    """Signed quantities by instrument key; absent is zero."""
    for key in sorted({*ours, *theirs}):
        mine, other = ours.get(key, ZERO), theirs.get(key, ZERO)
        if mine != other:
            yield Difference(DifferenceKind.POSITION, key, f"{mine:f}", f"{other:f}")


def product_differences(
    ours: Mapping[Product | None, Decimal], theirs: Mapping[Product | None, Decimal]
) -> Mapping[Product | None, Decimal]:
    """Of one instrument, signed units by product: theirs less ours where they differ. Nothing of a broker that names no product.

    What we hold of no known product (None) may be of any, as long as it explains all of the difference.
    """
    unknown = ours.get(None, ZERO)
    products = sorted(product for product in {*ours, *theirs} if product is not None)
    if None in theirs or not products:
        return {}
    by_product = {product: EXACT.subtract(theirs.get(product, ZERO), ours.get(product, ZERO)) for product in products}
    differs: dict[Product | None, Decimal] = {product: units for product, units in by_product.items() if units}
    if all(units * unknown > 0 for units in differs.values()) and total(differs.values()) == unknown:
        return {}
    return differs | ({None: EXACT.minus(unknown)} if unknown else {})


def product_lines(
    key: str, ours: Mapping[Product | None, Decimal], by_product: Mapping[Product | None, Decimal]
) -> Iterable[Difference]:
    """What `product_differences` found of an instrument of which as much is held as we have."""
    note = "as much of it is held in all, under other products; `liveorder adopt position --product` takes that over"
    for product, units in by_product.items():
        mine = ours.get(product, ZERO)
        under = f"{key} {product or 'of no known product'}"
        yield Difference(DifferenceKind.POSITION, under, f"{mine:f}", f"{EXACT.add(mine, units):f}", note)


def product_adopted(
    ours: Mapping[Product | None, Decimal], theirs: Mapping[Product | None, Decimal], quantity: Decimal
) -> Product | None:
    """Under which an adopted `quantity` (signed units) is held: the only product, or the only one of which so much differs; None
    where the broker names no product, or nothing differs. Raises `InvalidInput` where a person has to say it.
    """
    differs = product_differences(ours, theirs)
    products = [product for product in {*ours, *theirs} if product is not None]
    fits = [product for product in products if differs.get(product) == quantity] if len(products) > 1 else products
    if not differs or not products or len(fits) == 1:
        return fits[0] if differs and fits else None
    has = ", ".join(f"{product} {EXACT.add(ours.get(product, ZERO), units):f}" for product, units in differs.items() if product)
    raise InvalidInput("product", f"the broker keeps products apart and holds {has}", "name the product that is adopted")


def may_be_fills(theirs: Decimal, ours_before: Decimal, ours: Decimal, orders: Iterable[LiveOrder]) -> bool:
    """Whether fills on their way explain that the broker's position, `theirs`, is not `ours`.

    The broker may have answered before fills that were booked since it was asked, when our position was `ours_before`; or after
    fills of `orders`, of this instrument, that are not booked yet. An order counts if the broker has it, or may have it.
    """
    live = [order for order in orders if order.is_at_broker or order.requests]
    if any(order.quantity is None for order in live):
        return True
    could = {side: total(_units(order) for order in live if order.terms.side is side) for side in Side}
    lowest = EXACT.subtract(min(ours_before, ours), could[Side.SELL])
    return lowest <= theirs <= EXACT.add(max(ours_before, ours), could[Side.BUY])


def _units(order: LiveOrder) -> Decimal:
    return order.worst_case_quantity(atomic_replace=False)
