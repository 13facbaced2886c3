"""The newest events that this process stored, so that what follows the log need not read them back."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.domain.events import RecordedEvent

MOST = 2_000
"""A follower that is further behind reads the store."""


class RecentEvents:
    """The end of the log without gaps, as far as it is known here. Positions count from 1."""

    def __init__(self, most: int = MOST) -> None:
        self._events: list[RecordedEvent] = []
        self._most = most

    def add(self, events: Sequence[RecordedEvent], positions: Sequence[int]) -> None:
        """Events that are durable at these positions. Behind a gap, which another writer filled, everything begins anew."""
        if self._events and positions[0] != self._events[-1].position + 1:
            self._events.clear()
        for each, position in zip(events, positions, strict=True):
            self._events.append(RecordedEvent(each.stream_id, each.version, each.envelope, each.event, position))
        if len(self._events) >= 2 * self._most:
            del self._events[: -self._most]

    def after(self, position: int, limit: int) -> Sequence[RecordedEvent]:
        """The next events, at most `limit`; none where those are not known here."""
        if not self._events:
            return ()
        start = position + 1 - self._events[0].position
        return self._events[start : start + limit] if start >= 0 else ()
