"""Events of other programs in our store: how they are recognised, which are accepted, and how our own readers skip them.

Topics that begin with `liveorder.` are ours. A stream belongs entirely to us or to another program. The transaction of the first
foreign event stamps the store with `FOREIGN_SHAPE`. Until then a topic that is not ours is damage, and a release that does not know
foreign events reports that a newer one wrote the store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent, Tracking

from liveorder.application.ports.order_store import Commit
from liveorder.domain.errors import InvalidInput, StoreRefused
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.identifiers import stream_id as named_stream
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.shapes import FOREIGN_SHAPE
from liveorder.infrastructure.eventstore.transaction import MAX_EVENTS, EncodedCommit, version_conflict

OUR_TOPICS = "liveorder."
MAX_BYTES = 1 << 20
"""Maximum size of the states in one insert, because orders wait for its transaction."""

_NO_EVENTS = Commit(events=())
_RESERVED = frozenset({named_stream("trading_halt"), named_stream("store")})
"""Streams of ours that may not exist yet. The ids of all others are random, or hashes of their subject."""
_YOUR_OWN_STREAM = "append to a stream of your own with a random id: uuid4()"


class ForeignEvent(Event):
    """An event of another program, as our code sees it: only its place in the log matters."""

    topic: ClassVar[str] = ""


_EVENT = ForeignEvent()
_ENVELOPE = Envelope(event_id=UUID(int=0), actor="", epoch=0, correlation_id="", recorded_at=datetime(1970, 1, 1, tzinfo=UTC))


class EventReader:
    """A `Read`: returns our events, and foreign events as `ForeignEvent`s once `knows_foreign` is set."""

    def __init__(self, mapper: DomainEventMapper) -> None:
        self._mapper = mapper
        self.knows_foreign = False

    def __call__(self, event: Notification) -> RecordedEvent:
        """Raises `StoreRefused`, as the mapper does."""
        if self.knows_foreign and not is_ours(event.topic) and not self._mapper.has_our_checksum(event.state):
            stream_id = event.originator_id if isinstance(event.originator_id, UUID) else UUID(event.originator_id)
            return RecordedEvent(stream_id, event.originator_version, _ENVELOPE, _EVENT, event.id)
        return self._mapper.to_domain_event(event)


def is_ours(topic: object) -> bool:
    """Whether the topic is ours. Also True for a topic that is not text: then a row of ours is damaged."""
    return not isinstance(topic, str) or topic.startswith(OUR_TOPICS)


def of_ours(stream: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
    """A stream for our own code: empty if it belongs to another program. Raises `StoreRefused` if it contains events of both."""
    foreign = [item for item in stream if isinstance(item.event, ForeignEvent)]
    if not foreign:
        return stream
    if len(foreign) < len(stream):
        raise StoreRefused(f"{mixed(foreign[0].stream_id)}; run `liveorder doctor`, and restore a backup")
    return []


def mixed(stream_id: UUID) -> str:
    return f"stream {stream_id} has events of liveorder and of another program; it is damaged"


def foreign_draft(
    events: Sequence[StoredEvent], tracking: Tracking | None, mapper: DomainEventMapper, stamped: Collection[str]
) -> EncodedCommit:
    """Encode at least one foreign event. Raises `InvalidInput` for what this store never accepts, `VersionConflict` for versions
    out of order.
    """
    _refuse_too_much(events)
    drafted = tuple(_checked(event, mapper) for event in events)
    shapes = () if FOREIGN_SHAPE in stamped else (FOREIGN_SHAPE,)
    return EncodedCommit(_NO_EVENTS, drafted, _first_versions(drafted), shapes, tracking)


def refuse_streams_of_ours(first_versions: Iterable[tuple[UUID, int]], first_topics: dict[UUID, str]) -> None:
    """Refuse streams of ours. `first_topics`: those of the existing streams. Raises `InvalidInput`, and `VersionConflict` for a
    stream that does not exist and would not begin at version 1.

    The owner of a stream never changes, so this check can precede the transaction: a stream that does not exist may only begin.
    """
    for stream_id, first in first_versions:
        if stream_id in _RESERVED or is_ours(first_topics.get(stream_id, "")):
            raise InvalidInput("originator_id", f"stream {stream_id} is liveorder's", _YOUR_OWN_STREAM)
        if stream_id not in first_topics and first != 1:
            raise version_conflict(stream_id, first, 0)


def _refuse_too_much(events: Sequence[StoredEvent]) -> None:
    if len(events) > MAX_EVENTS:
        raise InvalidInput("stored_events", f"{len(events)} at once, and orders wait for them", f"insert {MAX_EVENTS} at most")
    if sum(len(event.state) for event in events) > MAX_BYTES:
        raise InvalidInput("stored_events", f"more than {MAX_BYTES} bytes at once, and orders wait for them", "insert fewer")


def _checked(event: StoredEvent, mapper: DomainEventMapper) -> StoredEvent:
    """The event with a UUID for its stream. Raises `InvalidInput`."""
    stream_id, topic = stream_of(event.originator_id), event.topic
    if not topic or is_ours(topic):
        problem = f"{topic!r}, of stream {stream_id}, is liveorder's" if topic else f"an event of stream {stream_id} has none"
        raise InvalidInput("topic", problem, f"give it a topic of your own that does not begin with {OUR_TOPICS!r}")
    if event.originator_version < 1:
        problem = f"{event.originator_version}, of stream {stream_id}, is not a valid version"
        raise InvalidInput("originator_version", problem, "count from 1 (INITIAL_VERSION = 1)")
    state: object = event.state
    if not isinstance(state, bytes):
        problem = f"that of {topic!r} is a {type(state).__name__}"
        raise InvalidInput("state", problem, "encode it to bytes, as a Mapper does")
    if mapper.has_our_checksum(state):
        problem = f"the bytes of {topic!r} are those of a liveorder event"
        raise InvalidInput("state", problem, "store your own encoding of what happened")
    return event if event.originator_id is stream_id else StoredEvent(stream_id, event.originator_version, topic, event.state)


def stream_of(originator_id: UUID | str) -> UUID:
    """The stream's id as a UUID. Raises `InvalidInput`."""
    if isinstance(originator_id, UUID):
        return originator_id
    try:
        return UUID(originator_id)
    except ValueError:
        raise InvalidInput("originator_id", f"{originator_id!r} is not a UUID", "name streams by UUIDs, such as uuid5()") from None


def _first_versions(events: Iterable[StoredEvent]) -> dict[UUID, int]:
    firsts, lasts = dict[UUID, int](), dict[UUID, int]()
    for event in events:
        stream_id, version = stream_of(event.originator_id), event.originator_version
        if (last := lasts.get(stream_id, version - 1)) != version - 1:
            raise version_conflict(stream_id, version, last)
        firsts.setdefault(stream_id, version)
        lasts[stream_id] = version
    return firsts
