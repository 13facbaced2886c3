"""What a confirmation adds to its order. The order's own fields are in `orders` and joined where it is read."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.application.reporting.views import is_confirmable
from liveorder.application.reporting.views.confirmations import outcome


class ConfirmationRow(NamedTuple):
    began: int
    """Key of its order."""
    total_value: str
    filled_at: str | None
    notes: str


EXECUTION_CONFIRMATIONS = TableSpec("execution_confirmations", ConfirmationRow, ("began",))


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        if is_confirmable(change.after):
            draft.put(EXECUTION_CONFIRMATIONS, _row(change))


def _row(change: OrderChange) -> ConfirmationRow:
    total_value, filled_at, notes = outcome(change.after, change.effective)
    at = None if filled_at is None else filled_at.astimezone(UTC).isoformat()
    return ConfirmationRow(change.began, f"{total_value:f}", at, notes)


MODEL = ReadModel((EXECUTION_CONFIRMATIONS,), _project)
