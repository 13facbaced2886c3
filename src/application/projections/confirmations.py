"""What a confirmation adds to its order. The order's own fields are in `orders` and joined where it is read."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.projections.draft import Draft
from liveorder.application.projections.read_model import Batch, ReadModel
from liveorder.application.projections.shapes import Shape
from liveorder.application.views import is_confirmable, outcome_view
from liveorder.domain.order import LiveOrder


class ConfirmationRow(NamedTuple):
    order_id: str
    body: str


EXECUTION_CONFIRMATIONS = Shape("execution_confirmations", ConfirmationRow, ("order_id",))


def _project(batch: Batch, draft: Draft) -> None:
    for change in batch.orders:
        if is_confirmable(change.after):
            draft.put(EXECUTION_CONFIRMATIONS, _row(change.after))


def _row(order: LiveOrder) -> ConfirmationRow:
    return ConfirmationRow(str(order.order_id), outcome_view(order).to_json())


MODEL = ReadModel((EXECUTION_CONFIRMATIONS,), _project)
