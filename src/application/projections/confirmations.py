"""What a confirmation adds to its order. The order's own fields are in `orders` and joined where it is read."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.projections.draft import Draft
from liveorder.application.projections.known_orders import OrderChange
from liveorder.application.projections.read_model import Batch, ReadModel
from liveorder.application.projections.shapes import Shape
from liveorder.application.views import is_confirmable, outcome_view


class ConfirmationRow(NamedTuple):
    began: int
    """Key of its order."""
    body: str


EXECUTION_CONFIRMATIONS = Shape("execution_confirmations", ConfirmationRow, ("began",))


def _project(batch: Batch, draft: Draft) -> None:
    for change in batch.orders:
        if is_confirmable(change.after):
            draft.put(EXECUTION_CONFIRMATIONS, _row(change))


def _row(change: OrderChange) -> ConfirmationRow:
    return ConfirmationRow(change.began, outcome_view(change.after, change.effective).to_json())


MODEL = ReadModel((EXECUTION_CONFIRMATIONS,), _project)
