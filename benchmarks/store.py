"""What the order store costs over one raw durable commit, in one run, so that the figures may be compared with each other.

    python benchmarks/store.py [seconds for each figure]

PostgreSQL is measured where `LIVEORDER_TEST_POSTGRES` (or a server on this machine) answers; SQLite in the current directory, or
where `TMPDIR` says: it must be a real disk.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg.sql import SQL, Identifier
from psycopg.types.numeric import Int8

from liveorder.application.ports.order_store import Commit
from liveorder.application.recording import domain_events
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.identifiers import uuid7
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import Acknowledged, Filled, OrderRequested, SubmissionStarted
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import OrderType, Side
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import create_store, store_at

POSTGRES = os.environ.get("LIVEORDER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
SIZES = (1, 10, 100, 1000)
APPENDERS = (1, 16, 256, 1000)
MAPPER = DomainEventMapper(domain_events())
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


LIFE: tuple[Event, ...] = (
    OrderRequested(
        order_id=UUID(int=1),
        client_order_id="A" * 20,
        signal_id="signal-1",
        signal_fingerprint="f" * 64,
        namespace="live",
        session_id="session-1",
        account_id="U1234567",
        strategy_name="trend",
        broker="ibkr",
        instrument=Instrument(symbol="SPY", exchange="ARCA"),
        terms=OrderTerms(side=Side.BUY, order_type=OrderType.LIMIT, quantity=Decimal(100), limit_price=Decimal("512.25")),
    ),
    SubmissionStarted(
        request_id="r-1",
        attempt=1,
        reference={"client_id": "7", "order_id": "42"},
        payload='{"action":"BUY","totalQuantity":"100","lmtPrice":"512.25"}',
        deadline=NOW,
        session_date=date(2026, 3, 2),
    ),
    Acknowledged(broker_order_id="b-1"),
    Filled(execution_id="e-1", quantity=Decimal(40), price=Decimal("512.20"), commission=Decimal("0.35")),
    Filled(execution_id="e-2", quantity=Decimal(60), price=Decimal("512.25"), commission=Decimal("0.52")),
)


def new_stream() -> UUID:
    return uuid7(datetime.now(UTC), uuid4().int & ((1 << 74) - 1))


def commit_of(stream_id: UUID, first_version: int, size: int) -> Commit:
    """The events of a life, over and over."""
    envelope = Envelope(event_id=uuid4(), actor="engine", epoch=0, correlation_id="signal-1", recorded_at=NOW)
    versions = range(first_version, first_version + size)
    return Commit(tuple(RecordedEvent(stream_id, version, envelope, LIFE[version % len(LIFE)]) for version in versions))


Work = Callable[[int], Awaitable[None]]
"""One durable commit of so many events; what it needs was made before."""


async def medians(raw: Work, ours: Work, size: int, seconds: float) -> tuple[float, float]:
    """In seconds. One after the other, so that whatever else the machine does slows both."""
    taken: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken[0]) < 5:
        for work, times in zip((raw, ours), taken, strict=True):
            start = time.perf_counter()
            await work(size)
            times.append(time.perf_counter() - start)
    return statistics.median(taken[0]), statistics.median(taken[1])


# --- the floor: the same bytes into the same table, durable, and nothing else --------------------------------------------------


class RawSqlite:
    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=1"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("""CREATE TABLE stored_events (originator_id TEXT, originator_version INTEGER,
            topic TEXT, state BLOB, PRIMARY KEY (originator_id, originator_version))""")

    async def commit(self, size: int) -> None:
        stream = new_stream().hex
        rows = [(stream, version, event.topic, event.state) for version, event in enumerate(encoded(size), start=1)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    async def close(self) -> None:
        self._connection.close()


class RawPostgres:
    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str) -> RawPostgres:
        connection = await psycopg.AsyncConnection.connect(url, autocommit=True, prepare_threshold=0)
        await connection.execute("""CREATE TABLE raw_events (originator_id uuid, originator_version bigint,
            topic text, state bytea, notification_id bigserial, PRIMARY KEY (originator_id, originator_version))""")
        await connection.execute("CREATE UNIQUE INDEX raw_order ON raw_events (notification_id)")
        return cls(connection)

    async def commit(self, size: int) -> None:
        events = encoded(size)
        await self._connection.execute(
            "INSERT INTO raw_events SELECT %b, * FROM unnest(%b::bigint[], %b::text[], %b::bytea[])",
            (
                new_stream(),
                [Int8(version) for version in range(1, size + 1)],
                [each.topic for each in events],
                [each.state for each in events],
            ),
        )

    async def close(self) -> None:
        await self._connection.close()


@cache
def encoded(size: int) -> list[StoredEvent]:
    return [MAPPER.to_stored_event(each) for each in commit_of(UUID(int=0), 1, size).events]


# --- ours ----------------------------------------------------------------------------------------------------------------------


async def events_per_second(store: DatabaseOrderStore, appenders: int, seconds: float) -> float:
    stored = 0
    end = time.perf_counter() + seconds

    async def append() -> None:
        nonlocal stored
        stream_id, version = new_stream(), 0
        while time.perf_counter() < end:
            version += 1
            await store.append(commit_of(stream_id, version, 1))
            stored += 1

    start = time.perf_counter()
    await asyncio.gather(*(append() for _ in range(appenders)))
    return stored / (time.perf_counter() - start)


async def read_per_second(store: DatabaseOrderStore) -> float:
    start = time.perf_counter()
    events = 0
    async for page in store.log(limit=50_000):
        events += len(page)
    return events / (time.perf_counter() - start)


@asynccontextmanager
async def opened(url: str, placement: Placement) -> AsyncIterator[DatabaseOrderStore]:
    clock = WallClock()
    await create_store(url, clock=clock, namespace="bench", default_account="a", mode="SIMULATION", account_ids=["a"])
    store = store_at(url, clock=clock, placement=placement, mapper=MAPPER)
    await store.open()
    yield store
    await store.close()


async def measure(name: str, url: str, placement: Placement, raw: RawSqlite | RawPostgres, seconds: float) -> None:
    show(f"\n{name}")
    async with opened(url, placement) as store:

        async def ours(size: int) -> None:
            await store.append(commit_of(new_stream(), 1, size))

        for size in SIZES:
            floor, cost = await medians(raw.commit, ours, size, seconds)
            figures = (
                f"raw {floor * 1e6:7.0f} µs, ours {cost * 1e6:7.0f} µs, ratio {cost / floor:4.2f}, {size / cost:7.0f} events/s"
            )
            show(f"  one commit of {size:4}: {figures}")
        for appenders in APPENDERS:
            show(f"  {appenders:4} appenders: {await events_per_second(store, appenders, seconds):7.0f} events/s")
        show(f"  read and decode: {await read_per_second(store):7.0f} events/s")
    await raw.close()


def measure_mapper() -> None:
    facts = commit_of(UUID(int=1), 1, len(LIFE)).events
    events = [MAPPER.to_stored_event(each) for each in facts]
    works: dict[str, Callable[[], object]] = {
        "encode": lambda: [*map(MAPPER.to_stored_event, facts)],
        "decode": lambda: [*map(MAPPER.to_domain_event, events)],
    }
    for name, work in works.items():
        best = min(timeit.repeat(work, number=500, repeat=20)) / 500 / len(LIFE)
        show(f"{name}: {best * 1e6:.1f} µs an event, over an order's life")


async def measure_sqlite(seconds: float) -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as folder:
        for placement in Placement:
            raw = RawSqlite(Path(folder, f"raw-{placement}.sqlite"))
            await measure(f"SQLite, {placement}", f"sqlite:///{folder}/{placement}.sqlite", placement, raw, seconds)


async def measure_postgres(seconds: float) -> None:
    try:
        server = await psycopg.AsyncConnection.connect(POSTGRES, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        show(f"\nPostgreSQL not measured: {error}")
        return
    name = f"liveorder_bench_{uuid4().hex}"
    await server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    try:
        url = urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
        await measure("PostgreSQL", url, Placement.THREAD, await RawPostgres.connect(url), seconds)
    finally:
        await server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
        await server.close()


async def main(seconds: float) -> None:
    measure_mapper()
    await measure_sqlite(seconds)
    await measure_postgres(seconds)


def show(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0))
