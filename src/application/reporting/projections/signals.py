"""Signals with what became of them, dead letters among them."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.application.reporting.views import SignalView, dead_letter_view, signal_view
from liveorder.domain.dead_letter import SignalDeadLettered, SignalRetried


class SignalRow(NamedTuple):
    began: int
    """Place in the log of the first event about it."""
    stream_id: str
    """Of its order, or of the dead letter."""
    signal_id: str | None
    account_id: str | None
    strategy_name: str | None
    symbol: str | None
    execution_status: str
    order_id: str | None
    body: str


SIGNALS = TableSpec("signals", SignalRow, ("began",), (("execution_status",),))


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        draft.put(SIGNALS, _row(change.began, change.order_id, signal_view(change.after)))
    for item in batch.events:
        if isinstance(item.event, SignalDeadLettered):
            draft.put(SIGNALS, _row(item.position, str(item.stream_id), dead_letter_view(item.event, item)))
        elif isinstance(item.event, SignalRetried) and (row := draft.find(SIGNALS, (item.event.dead_letter_position,))) is not None:
            view = SignalView.model_validate_json(row.body).retried(item.event.order_id)
            draft.put(SIGNALS, _row(row.began, row.stream_id, view))


def _row(began: int, stream_id: str, view: SignalView) -> SignalRow:
    return SignalRow(
        began,
        stream_id,
        view.signal_id,
        view.account_id,
        view.strategy_name,
        view.symbol,
        view.execution_status,
        None if view.order_id is None else str(view.order_id),
        view.to_json(),
    )


MODEL = ReadModel((SIGNALS,), _project)
