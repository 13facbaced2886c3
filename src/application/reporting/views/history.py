"""One event of a stream with all that was recorded about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from liveorder.application.reporting.views.fields import Moment, View
from liveorder.domain.events import RecordedEvent


class HistoryView(View):
    """`fact` is the name of what happened and `sentence` the same in plain English; `data` is the event as stored."""

    stream_id: UUID
    version: int
    position: int
    fact: str
    sentence: str
    recorded_at: Moment
    occurred_at: Moment | None
    actor: str
    epoch: int
    event_id: UUID
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]


def history_view(item: RecordedEvent) -> HistoryView:
    envelope = item.envelope
    return HistoryView(
        stream_id=item.stream_id,
        version=item.version,
        position=item.position,
        fact=item.event.shown_name,
        sentence=item.event.sentence(),
        recorded_at=envelope.recorded_at,
        occurred_at=envelope.occurred_at,
        actor=envelope.actor,
        epoch=envelope.epoch,
        event_id=envelope.event_id,
        correlation_id=envelope.correlation_id,
        causation_id=envelope.causation_id,
        data=item.event.to_dict(),
    )
