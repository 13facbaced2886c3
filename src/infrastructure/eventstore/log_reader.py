"""Reading a store's events, including foreign ones, with the stamps that say which kinds of events it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from liveorder.application.ports.order_store import IntegrityReport
from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import RecordedEvent
from liveorder.infrastructure.eventstore.database import Database, Read
from liveorder.infrastructure.eventstore.foreign_events import EventReader
from liveorder.infrastructure.eventstore.integrity import inspect, refuse_damaged_tail
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.shapes import FOREIGN_SHAPE

_STAMPS = "SELECT shape FROM event_shapes"


class LogReader:
    """Reads events. Another process may store the first foreign event at any time, so an unreadable event is read again with fresh
    stamps.
    """

    def __init__(self, database: Database, mapper: DomainEventMapper) -> None:
        self._database, self._mapper = database, mapper
        self._read = EventReader(mapper)
        self._has_stamps = False
        self.stamped: set[str] = set()
        """The shapes that the store is stamped with."""

    async def open(self, schema_version: int) -> None:
        """Raises `StoreRefused` if the store contains something that only a newer version can read."""
        self._has_stamps = schema_version > 1
        await self._read_stamps()
        self._mapper.check_shapes(self.stamped)

    def expect_foreign(self) -> None:
        """From here on an event may be foreign, because this process is about to store one."""
        self._read.knows_foreign = True

    async def stream(self, stream_id: UUID) -> list[RecordedEvent]:
        return await self.events(partial(self._database.stream, stream_id))

    async def events(self, ask: Callable[[Read[RecordedEvent]], Awaitable[list[RecordedEvent]]]) -> list[RecordedEvent]:
        """The events that a database query finds, foreign ones as such."""
        try:
            return await ask(self._read)
        except StoreRefused:
            if self._read.knows_foreign or not await self._read_stamps():
                raise
            return await ask(self._read)

    async def refuse_damaged_tail(self) -> None:
        await refuse_damaged_tail(self._database, self._read)

    async def inspect(self, database: Database) -> IntegrityReport:
        """Check this store, or a copy of it."""
        knew = self._read.knows_foreign
        report = await inspect(database, self._read)
        if not report.problems or knew or not await self._read_stamps():
            return report
        return await inspect(database, self._read)

    async def _read_stamps(self) -> bool:
        """Read the stamps. Returns whether the store may contain foreign events."""
        if self._has_stamps:
            self.stamped = {shape for (shape,) in await self._database.fetch(_STAMPS)}
            self._read.knows_foreign |= FOREIGN_SHAPE in self.stamped
        return self._read.knows_foreign
