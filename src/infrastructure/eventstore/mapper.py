"""Events to stored bytes and back, straight through msgspec.

A state is JSON, `{"meta": envelope, "fact": event, "crc": "…"}`: decimals are strings, and the CRC-32 covers everything before it,
so that a flipped bit is noticed whenever the event is read. What has the right CRC and does not decode was written by a newer
version: it is not damaged. Compressor and cipher wrap that text as the library means them to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID
from zlib import crc32

from eventsourcing.persistence import Cipher, Compressor, JSONTranscoder, Mapper, Notification, StoredEvent
from msgspec import DecodeError, defstruct
from msgspec.json import Decoder as JsonDecoder

from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.record import InvalidRecord, encoded, form_of
from liveorder.infrastructure.eventstore.shapes import FOREIGN_SHAPE, is_damaged, newer_version, shape_of, topic_of, unknown_parts
from liveorder.infrastructure.eventstore.upcasts import UPCASTS, Upcast

_CRC_OPENS = b',"crc":"'
_CRC_LENGTH = len(_CRC_OPENS) + 8 + len(b'"}')
T = TypeVar("T")


class DomainEventMapper(Mapper[UUID]):
    """Knows every topic by name. A current topic decodes in one pass; an older one climbs through its upcasts first.

    What a kind of event takes is made when the first of it is read or written, or by `make_ready` for all of them.
    """

    def __init__(
        self,
        events: Iterable[type[Event]],
        upcasts: Mapping[str, Upcast] = UPCASTS,
        compressor: Compressor | None = None,
        cipher: Cipher | None = None,
    ) -> None:
        super().__init__(JSONTranscoder(), compressor, cipher)
        self._upcasts = upcasts
        self._events: dict[str, type[Event]] = {}
        for event in events:
            if self._events.setdefault(event.topic, event) is not event:
                raise ValueError(f"two events have the topic {event.topic}")
        self._decoders: Mapping[str, JsonDecoder[Any]] = _MadeOnce(self._events, _decoder_of)
        self.shapes: Mapping[str, str] = _MadeOnce(self._events, shape_of)
        """Of the events that this version writes, by topic."""

    def make_ready(self) -> None:
        """For who trades: then no order waits for it."""
        for topic in self._events:
            _ = self._decoders[topic], self.shapes[topic]

    @property
    def topics(self) -> frozenset[str]:
        """Every topic that decodes."""
        return frozenset(self._events) | frozenset(self._upcasts)

    def check_shapes(self, stamped: Iterable[str]) -> None:
        """Raises `StoreRefused` where a store holds events of a shape that only a newer version can read, or a stamp is damaged."""
        for shape in stamped:
            if is_damaged(shape):
                raise StoreRefused("the stamps of this store are damaged; run `liveorder doctor`, and restore a backup")
            topic = topic_of(shape)
            if shape == FOREIGN_SHAPE:
                continue
            if topic not in self.topics:
                raise newer_version(f"it holds {topic} events")
            if topic in self._events and (unknown := unknown_parts(shape, self.shapes[topic])):
                raise newer_version(f"its {topic} events have {', '.join(unknown)}")

    def to_stored_event(self, recorded: RecordedEvent) -> StoredEvent:  # type: ignore[override]  # events in envelopes
        state = b'{"meta":' + encoded(recorded.envelope) + b',"fact":' + encoded(recorded.event)
        state += b'%b%08x"}' % (_CRC_OPENS, crc32(state))
        if self.compressor:
            state = self.compressor.compress(state)
        if self.cipher:
            state = self.cipher.encrypt(state)
        return StoredEvent(recorded.stream_id, recorded.version, recorded.event.topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> RecordedEvent:  # type: ignore[override]  # events in envelopes
        """Raises `StoreRefused` for an event of a newer version, and for bytes that are not what was written."""
        try:
            plain = self._plain(stored_event.state)
        except Exception as error:
            raise StoreRefused(f"{_place(stored_event)} is damaged ({error}); run `liveorder doctor`") from error
        try:
            envelope, event = self._decode(stored_event.topic, plain)
        except (DecodeError, InvalidRecord) as error:
            raise newer_version(f"{_place(stored_event)}: {error}") from error
        position = stored_event.id if isinstance(stored_event, Notification) else 0
        stream_id = stored_event.originator_id
        return RecordedEvent(
            stream_id if isinstance(stream_id, UUID) else UUID(stream_id),
            stored_event.originator_version,
            envelope,
            event,
            position,
        )

    def has_our_checksum(self, state: bytes) -> bool:
        """As only bytes have that this mapper made."""
        try:
            self._plain(state)
        except Exception:  # noqa: BLE001 - a cipher or compressor may raise anything
            return False
        return True

    def _plain(self, state: bytes) -> bytes:
        if self.cipher:
            state = self.cipher.decrypt(state)
        if self.compressor:
            state = self.compressor.decompress(state)
        if state[-_CRC_LENGTH:] != b'%b%08x"}' % (_CRC_OPENS, crc32(state[:-_CRC_LENGTH])):
            raise ValueError("its checksum is wrong")
        return state

    def _decode(self, topic: str, state: bytes) -> tuple[Envelope, Event]:
        event = self._events.get(topic)
        if event is None:
            return self._upcast(topic, state)
        read = self._decoders[topic].decode(state)
        return read.meta, form_of(event).assembled(read.fact)

    def _upcast(self, topic: str, state: bytes) -> tuple[Envelope, Event]:
        stored = json.loads(state, parse_float=Decimal)
        event = stored["fact"]
        while topic not in self._events:
            if topic not in self._upcasts:
                raise newer_version(f"it holds {topic} events")
            topic, climb = self._upcasts[topic]
            event = climb(event)
        return self._decode(topic, json.dumps({"meta": stored["meta"], "fact": event}, default=str).encode())


class _MadeOnce(dict[str, T]):
    """By topic, made when it is first asked for. Raises `KeyError` for an unknown topic."""

    def __init__(self, events: Mapping[str, type[Event]], make: Callable[[type[Event]], T]) -> None:
        super().__init__()
        self._events, self._make = events, make

    def __missing__(self, topic: str) -> T:
        made = self[topic] = self._make(self._events[topic])
        return made


def _decoder_of(event: type[Event]) -> JsonDecoder[Any]:
    """Of what a state is read as; its checksum has been looked at by then."""
    return JsonDecoder(defstruct(f"{event.__name__}State", [("meta", Envelope), ("fact", form_of(event).wire)]))


def _place(stored_event: StoredEvent) -> str:
    return f"version {stored_event.originator_version} of stream {stored_event.originator_id} ({stored_event.topic})"
