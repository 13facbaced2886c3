"""Our picture of an account held against the broker's: the differences, as data. Nothing is changed because of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from liveorder.domain.order import LiveOrder
from liveorder.domain.values import EXACT, ZERO, Side, total


class DifferenceKind(StrEnum):
    POSITION = "POSITION"
    """Quantities differ. Trading the symbol is refused until they agree or a person adopts the difference."""
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    """The broker has a live order that is not ours."""
    MISSING_ORDER = "MISSING_ORDER"
    """We have a live order that the broker does not have."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`key` is the instrument's key, or an order's id; `ours` and `theirs` are quantities or statuses, as text."""

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
