"""How anything becomes an event of the log: which kinds there are, who acts and why, envelopes, and streams that are no order's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from liveorder.application.ports.clock import Clock, Randomness
from liveorder.application.ports.order_store import Commit, OrderStore
from liveorder.domain import (
    dead_letter,
    default_account,
    not_listening,
    position_adjustment,
    position_owner,
    trading_halt,
    unmatched_event,
)
from liveorder.domain.errors import VersionConflict
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.identifiers import uuid7
from liveorder.domain.order.events import cancels, fills, intent, replaces, reviews, submissions, waits

ENGINE = "engine"
_DECLARING = (
    intent,
    submissions,
    cancels,
    replaces,
    fills,
    waits,
    reviews,
    dead_letter,
    default_account,
    not_listening,
    position_adjustment,
    position_owner,
    trading_halt,
    unmatched_event,
)
"""The modules of the domain that declare events."""


class Cause(Struct, frozen=True):
    """Why events are recorded: who acts, what it all goes back to, what led to it directly, and when it happened if reported."""

    actor: str = ENGINE
    correlation_id: str = ""
    causation_id: str | None = None
    occurred_at: datetime | None = None


class Recorder:
    """Makes ids and envelopes under our fencing token. `epoch` is set once the store is owned."""

    def __init__(self, store: OrderStore, clock: Clock, randomness: Randomness) -> None:
        self._store, self._clock, self._randomness = store, clock, randomness
        self.epoch = 0
        self._last = UUID(int=0)

    def new_id(self) -> UUID:
        """Time-ordered, so that new streams land together in the log's index; above all that were given before, so that of two
        orders the later is known by its id.
        """
        self._last = max(uuid7(self._clock.now(), self._randomness.getrandbits(74)), UUID(int=self._last.int + 1))
        return self._last

    def enveloped(self, stream_id: UUID, version: int, events: Sequence[Event], cause: Cause) -> list[RecordedEvent]:
        """Events in their envelopes, to follow `version` in the stream."""
        now = self._clock.now()
        return [
            RecordedEvent(
                stream_id,
                version + step,
                Envelope(
                    event_id=uuid7(now, self._randomness.getrandbits(74)),
                    actor=cause.actor,
                    epoch=self.epoch,
                    correlation_id=cause.correlation_id,
                    causation_id=cause.causation_id,
                    occurred_at=cause.occurred_at,
                    recorded_at=now,
                ),
                event,
            )
            for step, event in enumerate(events, 1)
        ]

    async def note(self, stream_id: UUID, version: int, event: Event, cause: Cause) -> bool:
        """Store an event of no order behind `version` of its stream; False if that was done before, perhaps by an earlier run.

        Raises the other errors of `OrderStore.append`.
        """
        try:
            await self._store.append(Commit(events=tuple(self.enveloped(stream_id, version, [event], cause))))
        except VersionConflict:
            return False
        return True


def domain_events() -> Iterator[type[Event]]:
    """Every event with a topic that the domain declares, so that no process depends on what it happened to import."""
    for module in _DECLARING:
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Event) and found.topic and found.__module__ == module.__name__:
                yield found
