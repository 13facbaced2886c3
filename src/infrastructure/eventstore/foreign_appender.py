"""Appending events of other programs through the store's only writer, and keeping how far those programs have processed a log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from eventsourcing.persistence import StoredEvent, Tracking

from liveorder.domain.errors import LeaseLost
from liveorder.infrastructure.eventstore.database import Database, Values
from liveorder.infrastructure.eventstore.foreign_events import foreign_draft, refuse_streams_of_ours
from liveorder.infrastructure.eventstore.group_commit import GroupCommit
from liveorder.infrastructure.eventstore.log_reader import LogReader
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.schema import ADVANCE_OWN_CHECKPOINT, CHECKPOINT, bookmark_of
from liveorder.infrastructure.eventstore.transaction import tracked_already


class ForeignAppender:
    """An `Appender` of an open store. `writing` raises `StoreUnavailable` if the store is not open."""

    def __init__(
        self,
        database: Database,
        mapper: DomainEventMapper,
        reader: LogReader,
        writing: Callable[[], GroupCommit],
        wait_beyond: Callable[[int, float], Awaitable[int]],
    ) -> None:
        self._database, self._mapper, self._reader = database, mapper, reader
        self._writing, self._wait_beyond = writing, wait_beyond

    async def append(self, events: Sequence[StoredEvent], tracking: Tracking | None = None) -> Sequence[int]:
        """Append events of one or several streams: all of them with the tracking record, or none. Returns their positions.

        Raises `InvalidInput` for our topics and streams, and for what `foreign_events` refuses; `VersionConflict` also if the
        tracking record is not beyond the stored one.
        """
        writing = self._writing()
        drafted = foreign_draft(events, tracking, self._mapper, self._reader.stamped)
        refuse_streams_of_ours(drafted.streams.items(), await self._database.first_topics(list(drafted.streams)))
        self._reader.expect_foreign()
        committed = await writing.append(drafted)
        self._reader.stamped.update(drafted.shapes)
        return committed.positions

    async def track(self, tracking: Tracking) -> None:
        """Store a tracking record without events. Raises as `append`."""
        epoch, name = self._writing().epoch, bookmark_of(tracking.application_name)
        values: Values = {"name": name, "value": str(tracking.notification_id), "epoch": epoch}
        if not await self._database.write(ADVANCE_OWN_CHECKPOINT, values):
            ((owning,),) = await self._database.fetch("SELECT epoch FROM lease")
            if owning != epoch:
                raise LeaseLost(f"another process owns this store now; {name} stays as that process stored it")
            raise tracked_already(tracking, await self.tracked(tracking.application_name) or 0)

    async def tracked(self, application_name: str) -> int | None:
        """How far an application has processed a log. None if it has not begun."""
        self._writing()
        found = await self._database.fetch(CHECKPOINT, {"name": bookmark_of(application_name)})
        return int(found[0][0]) if found else None

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """As `OrderStore.wait_beyond`."""
        return await self._wait_beyond(position, timeout_seconds)
