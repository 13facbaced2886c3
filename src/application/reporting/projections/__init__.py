"""Reports as functions of the log. A new report is one file with a `MODEL`, and its name in `READ_MODELS`."""

from liveorder.application.reporting.projections import (
    confirmations,
    daily_summary,
    order_history,
    orders,
    positions,
    signals,
)
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import Batch

__all__ = ["READ_MODELS", "SHAPES", "Batch", "project"]

READ_MODELS = (
    orders.MODEL,
    order_history.MODEL,
    positions.MODEL,
    signals.MODEL,
    confirmations.MODEL,
    daily_summary.MODEL,
)
"""In the order in which they are projected: the summary counts the fills that the positions booked."""

SHAPES = tuple(shape for model in READ_MODELS for shape in model.shapes)


def project(batch: Batch, draft: RowChanges) -> None:
    """What the batch does to the rows of every read model."""
    for model in READ_MODELS:
        model.project(batch, draft)
