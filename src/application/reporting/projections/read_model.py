"""What a read model is: the tables that it owns, and what a batch of events does to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.domain.events import RecordedEvent


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order of the log, and the orders that they change."""

    events: Sequence[RecordedEvent]
    orders: Sequence[OrderChange]


@dataclass(frozen=True, slots=True)
class ReadModel:
    """`project` is a function of the log: the same rows come of the same events, however they were split into batches."""

    shapes: tuple[TableSpec[Any], ...]
    project: Callable[[Batch, RowChanges], None]
