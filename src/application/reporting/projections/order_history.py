"""Every event of every order, as stored."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from liveorder.application.recording import domain_events
from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import without_year
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import Batch, Filter, ReadModel
from liveorder.application.reporting.views import HistoryView, history_view
from liveorder.domain.events import Envelope, RecordedEvent
from liveorder.domain.record import Record


class HistoryRow(NamedTuple):
    position: int
    order_id: str
    version: int
    topic: str
    envelope: str
    fact: str


_EVENTS = {fact.topic: fact for fact in domain_events()}


def _project(batch: Batch, draft: RowChanges) -> None:
    draft.put_all(ORDER_HISTORY, [row_of(change.order_id, item) for change in batch.orders for item in change.events])


def row_of(order_id: str, item: RecordedEvent) -> HistoryRow:
    return HistoryRow(
        item.position,
        order_id,
        item.version,
        item.event.topic,
        _json(item.envelope),
        _json(item.event),
    )


def _json(record: Record) -> str:
    """Without what is as by default, for there is one of these for every event."""
    return record.to_short_json()


def recorded_event(row: HistoryRow) -> RecordedEvent:
    """The event that the row was made from."""
    envelope = Envelope.from_json(row.envelope)
    fact = _EVENTS[row.topic].from_json(row.fact)
    return RecordedEvent(UUID(row.order_id), row.version, envelope, fact, row.position)


ORDER_HISTORY = ReadModel(
    "order_history",
    HistoryRow,
    ("position",),
    about="List every event of every order.",
    project=_project,
    view=HistoryView,
    shown=lambda row: history_view(recorded_event(row)),
    filters=(Filter("order_id", "--order", "Only of this order.", UUID),),
    columns=(
        Column("Recorded (UTC)", lambda item: without_year(item.recorded_at)),
        Column("Order", "stream_id", rank=2, tells=True),
        Column("Event", "fact"),
        Column("", "sentence", is_text=True),
        Column("By", "actor", rank=3),
    ),
)
