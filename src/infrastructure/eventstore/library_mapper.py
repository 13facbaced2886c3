"""For the library's `EventStore` and `Repository`: a mapper that knows liveorder's events and yours, and an order as aggregate."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    Cipher,
    Compressor,
    DatetimeAsISO,
    DecimalAsStr,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
    Transcoder,
    UUIDAsHex,
)

from liveorder.application.recording import domain_events
from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.eventstore.foreign_events import is_ours
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper


class LibraryEvent(RecordedEvent, frozen=True):
    """An event of liveorder's: `event` says what happened; `envelope` who recorded it, when, and because of what."""

    @property
    def originator_id(self) -> UUID:
        return self.stream_id

    @property
    def originator_version(self) -> int:
        return self.version

    @property
    def topic(self) -> str:
        return self.event.topic


class EventMapper(Mapper[UUID]):
    """Events of yours as the library maps them: transcoder, compressor and cipher are for those alone. Liveorder's are read."""

    def __init__(
        self, transcoder: Transcoder | None = None, compressor: Compressor | None = None, cipher: Cipher | None = None
    ) -> None:
        """Without a `transcoder` JSON, with UUIDs, decimals and moments, as the library's `Application` has it."""
        super().__init__(transcoder or _json(), compressor, cipher)
        self._events = DomainEventMapper(domain_events())

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """An event of yours, or a `LibraryEvent`. Raises `MapperDeserialisationError`."""
        if not is_ours(stored_event.topic):
            return super().to_domain_event(stored_event)
        try:
            recorded = self._events.to_domain_event(stored_event)
        except StoreRefused as error:
            raise MapperDeserialisationError(str(error)) from error
        return LibraryEvent(recorded.stream_id, recorded.version, recorded.envelope, recorded.event, recorded.position)


def project_order(order: Any, events: Iterable[Any]) -> Any:
    """A `projector_func` for the library's `Repository`: the `LiveOrder` that these events make of it; None without any.

    Raises `TypeError` for a stream that is no order's.
    """
    if order is not None:
        return order.apply(events)
    events = iter(events)
    first = next(events, None)
    return None if first is None else LiveOrder.replay(list(chain([first], events)))


def _json() -> JSONTranscoder:
    transcoder = JSONTranscoder()
    for transcoding in (UUIDAsHex(), DecimalAsStr(), DatetimeAsISO()):
        transcoder.register(transcoding)
    return transcoder
