"""Every event of every order, as stored."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel

from liveorder.application.recording import domain_events
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.domain.events import Envelope, RecordedEvent


class HistoryRow(NamedTuple):
    position: int
    order_id: str
    version: int
    topic: str
    envelope: str
    fact: str


ORDER_HISTORY = TableSpec("order_history", HistoryRow, ("position",), (("order_id",),))
_EVENTS = {fact.topic: fact for fact in domain_events()}


def _project(batch: Batch, draft: RowChanges) -> None:
    draft.put_all(ORDER_HISTORY, [_row(change.order_id, item) for change in batch.orders for item in change.events])


def _row(order_id: str, item: RecordedEvent) -> HistoryRow:
    return HistoryRow(
        item.position,
        order_id,
        item.version,
        item.event.topic,
        _json(item.envelope),
        _json(item.event),
    )


def _json(model: BaseModel) -> str:
    """Without what is as by default, for there is one of these for every event."""
    return model.__pydantic_serializer__.to_json(model, exclude_defaults=True).decode()


def recorded_event(row: HistoryRow) -> RecordedEvent:
    """The event that the row was made from."""
    envelope = Envelope.model_validate_json(row.envelope)
    fact = _EVENTS[row.topic].model_validate_json(row.fact)
    return RecordedEvent(UUID(row.order_id), row.version, envelope, fact, row.position)


MODEL = ReadModel((ORDER_HISTORY,), _project)
