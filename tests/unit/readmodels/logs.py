"""A log in memory and read models in memory: what the projections need of a store and of a database, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from liveorder.application.ports.order_store import HaltRow
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.draft import Changes, RowReader
from liveorder.application.reporting.projections.shapes import Key, TableSpec
from liveorder.application.reporting.read_models import Superseded, ViewsUnavailable
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import events as ev
from tests.builders import START, intent, seconds

SPY = Instrument(symbol="SPY", exchange="ARCA")


def order_id(number: int) -> UUID:
    return UUID(int=0x01991F00_0000_7000_8000_000000000000 + number)


def requested(number: int, **changes: Any) -> ev.OrderRequested:
    """Order `number`: one signal, one client order id each."""
    ids = {"order_id": order_id(number), "client_order_id": f"KEY{number:017d}", "signal_id": f"signal-{number}"}
    return intent(**ids | changes)


class MemoryLog:
    """Events in order. Part of an `OrderStore`: what a reader of the log asks, and the bookmarks."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self.bookmarks: dict[str, str] = {}
        self.halts: list[HaltRow] = []
        self.is_read = asyncio.Event()
        self.broken: Exception | None = None

    def add(self, number: int, *events: Event) -> list[RecordedEvent]:
        """To the stream of order `number`, each recorded a second after the one before it in the log."""
        return self.add_to(order_id(number), *events)

    def add_to(self, stream_id: UUID, *events: Event) -> list[RecordedEvent]:
        versions = count(1 + sum(item.stream_id == stream_id for item in self.events))
        added = [self._placed(stream_id, next(versions), event, place) for place, event in enumerate(events, len(self.events) + 1)]
        self.events += added
        return added

    def _placed(self, stream_id: UUID, version: int, event: Event, position: int) -> RecordedEvent:
        envelope = Envelope(
            event_id=UUID(int=position), actor="engine", epoch=1, correlation_id="signal", recorded_at=seconds(position)
        )
        return RecordedEvent(stream_id, version, envelope, event, position)

    async def insert_halt(self, scope: str, reason: str, at: datetime) -> None:
        self.halts.append(HaltRow(scope, True, reason, at))

    async def head(self) -> int:
        if self.broken is not None:
            raise self.broken
        return self.events[-1].position if self.events else 0

    async def log(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Sequence[RecordedEvent]]:
        if self.broken is not None:
            raise self.broken
        rest = self.events[after:]
        for start in range(0, len(rest), 700):
            yield rest[start : start + 700]

    async def next_after(self, position: int) -> Sequence[RecordedEvent]:
        if self.broken is not None:
            raise self.broken
        return self.events[position : position + 700]

    async def stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        return [item for item in self.events if item.stream_id == stream_id]

    async def checkpoint(self, name: str) -> str | None:
        return self.bookmarks.get(name)

    async def save_checkpoint(self, name: str, value: str) -> None:
        self.bookmarks[name] = value

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """For ever: the test cancels once the log `is_read`."""
        self.is_read.set()
        await asyncio.Event().wait()
        return position


class MemoryViews:
    """A `ViewsWriter` in dictionaries. `faults` are raised by the next batches, before or after they are written."""

    def __init__(self) -> None:
        self.at = 0
        self.tables: dict[str, dict[Key, Any]] = {shape.name: {} for shape in READ_MODELS}
        self.faults: list[str] = []
        self.opened_for: UUID | None = None
        self.twins: list[MemoryViews] = []
        self.is_closed = False

    async def open(self, store_id: UUID) -> None:
        self.opened_for = store_id

    async def close(self) -> None:
        self.is_closed = True

    async def position(self) -> int:
        return self.at

    async def apply(self, after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        if self.at != after:
            raise Superseded("moved on")
        changes = [(shape, list(rows), list(keys)) for shape, rows, keys in project(self)]
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise ViewsUnavailable("disk full")
        for shape, rows, keys in changes:
            self._write(shape, rows, keys)
        self.at = upto
        if fault == "after":
            raise ViewsUnavailable("no answer")

    def _write(self, shape: TableSpec[Any], rows: Iterable[Any], keys: Iterable[Key]) -> None:
        table = self.tables[shape.name]
        for key in keys:
            table.pop(key, None)
        table.update({shape.key_of(row): row for row in rows})

    def row(self, shape: TableSpec[Any], key: Key) -> Any:
        return self.tables[shape.name].get(key)

    def rows_from(self, shape: TableSpec[Any], group: tuple[str, str], order: tuple[str, int]) -> list[Any]:
        (member, value), (column, least) = group, order
        rows = [row for row in self.tables[shape.name].values() if getattr(row, member) == value and getattr(row, column) >= least]
        return sorted(rows, key=lambda row: getattr(row, column))

    async def clear(self) -> None:
        self.at, self.tables = 0, {shape.name: {} for shape in READ_MODELS}

    async def twin(self) -> MemoryViews:
        self.twins.append(MemoryViews())
        return self.twins[-1]

    async def rows(self, shape: TableSpec[Any], beyond: Key | None, limit: int) -> Sequence[Any]:
        table = self.tables[shape.name]
        return [table[key] for key in sorted(table) if beyond is None or key > beyond][:limit]

    def dump(self) -> Mapping[str, list[Any]]:
        return {name: [table[key] for key in sorted(table)] for name, table in self.tables.items()}


class StillClock:
    """Stands at `START`; remembers how long it was asked to wait, and says stop after `patience` waits."""

    def __init__(self, patience: int = 100) -> None:
        self.slept: list[float] = []
        self._patience = patience

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) >= self._patience:
            raise asyncio.CancelledError
        await asyncio.sleep(0)
