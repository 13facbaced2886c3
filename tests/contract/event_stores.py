"""The stores that the contract is held against, and ways to hurt them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from liveorder.application.ports.order_store import Claiming, Commit, LedgerEntry, LedgerRow
from liveorder.application.recording import domain_events
from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.order.events import Filled
from liveorder.infrastructure.eventstore.identity import Expectation
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.postgres import PostgresDatabase
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from liveorder.infrastructure.eventstore.store_by_url import create_store, sqlite_path, store_at
from tests.postgres_databases import POSTGRES, lend_database, take_back_database

MAPPER = DomainEventMapper(domain_events())
EXPECTED = Expectation("SIMULATION", ("main",), "tests", "main")


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class CountingLedger:
    """Counts the entries of each account and key."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}

    def load(self, rows: Sequence[LedgerRow]) -> None:
        self.counts = {(row.account_id, row.key): int(row.state) for row in rows}

    def stage(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        staged: dict[tuple[str, str], int] = {}
        for entry in entries:
            place = (entry.account_id, entry.key)
            staged[place] = staged.get(place, self.counts.get(place, 0)) + 1
        return [LedgerRow(account_id, key, str(count)) for (account_id, key), count in staged.items()]

    def keep(self, rows: Sequence[LedgerRow]) -> None:
        self.counts |= {(row.account_id, row.key): int(row.state) for row in rows}


def recorded(stream_id: UUID, version: int, event: Event | None = None) -> RecordedEvent:
    envelope = Envelope(
        event_id=uuid4(), actor="engine", epoch=0, correlation_id="signal", recorded_at=datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    )
    fill = Filled(execution_id=f"{stream_id}-{version}", quantity=Decimal("1.50"), price=Decimal("100.05"))
    return RecordedEvent(stream_id, version, envelope, event or fill)


def commit(stream_id: UUID, *versions: int, **terms: Any) -> Commit:
    return Commit(tuple(recorded(stream_id, version) for version in versions), **terms)


def claim(order_id: UUID, signal_id: str = "SIGNAL1", *, account_id: str = "main", names_account: bool = True) -> Claiming:
    """Of a signal whose order is known at the broker by the signal's id."""
    client_order_id = signal_id if account_id == "main" else f"{signal_id}-{account_id}"
    made = IdempotencyClaim("tests", account_id, signal_id, 1, client_order_id, order_id, "fingerprint")
    return Claiming(made, Recognition(signal_id, account_id if names_account else None, (client_order_id,)))


def entry(key: str) -> LedgerEntry:
    return LedgerEntry("main", "count", key, {})


class Site(Protocol):
    """A place for one store."""

    url: str

    def store(self, expectation: Expectation | None = EXPECTED) -> DatabaseOrderStore:
        """A store object of its own, as another process would have; not yet open."""
        ...

    async def fragile_store(self) -> DatabaseOrderStore:
        """One that the next three can hurt."""
        ...

    async def lose_next_commit(self) -> None:
        """It never reaches the database."""
        ...

    async def lose_next_reply(self) -> None:
        """It is stored, and nobody says so."""
        ...

    async def break_down(self) -> None:
        """Nothing can be written until it is mended."""
        ...

    async def mend(self) -> None: ...

    def tamper(self, statement: str) -> None:
        """Change rows behind everyone's back."""
        ...

    def backup_target(self) -> str: ...

    def url_of_backup(self) -> str: ...

    async def remove(self) -> None: ...


async def create(site: Site) -> None:
    await create_store(
        site.url, clock=WallClock(), namespace="tests", default_account="main", mode="SIMULATION", account_ids=["main"]
    )


class FragileConnection(sqlite3.Connection):
    """Raises where its class is told to."""

    fault = ""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        cls = type(self)
        if cls.fault == "broken":
            raise sqlite3.OperationalError("database or disk is full")
        if sql == "COMMIT" and cls.fault:
            fault, cls.fault = cls.fault, ""
            if fault == "reply":
                super().execute(sql)
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, parameters)


def fragile_connections() -> type[FragileConnection]:
    """A class of one store's own, so that faults stay with it."""

    class OfOneStore(FragileConnection):
        pass

    return OfOneStore


class SQLiteSite:
    def __init__(self, folder: Path, placement: Placement) -> None:
        self.path = folder / "orders.sqlite"
        self.url = f"sqlite:///{self.path}"
        self.placement = placement
        self._backup = folder / "backup.sqlite"
        self._connection = fragile_connections()

    def store(self, expectation: Expectation | None = EXPECTED) -> DatabaseOrderStore:
        return store_at(self.url, clock=WallClock(), expectation=expectation, placement=self.placement, mapper=MAPPER)

    async def fragile_store(self) -> DatabaseOrderStore:
        database = SQLiteDatabase(sqlite_path(self.url), WallClock(), self.placement, connect=self._connect)
        return DatabaseOrderStore(database, MAPPER, WallClock(), EXPECTED)

    def _connect(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        return sqlite3.connect(
            uri_of(path),
            uri=True,
            timeout=busy_timeout_seconds,
            isolation_level=None,
            check_same_thread=False,
            factory=self._connection,
        )

    async def lose_next_commit(self) -> None:
        self._connection.fault = "commit"

    async def lose_next_reply(self) -> None:
        self._connection.fault = "reply"

    async def break_down(self) -> None:
        self._connection.fault = "broken"

    async def mend(self) -> None:
        self._connection.fault = ""

    def tamper(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute(statement)

    def backup_target(self) -> str:
        return str(self._backup)

    def url_of_backup(self) -> str:
        return f"sqlite:///{self._backup}"

    async def remove(self) -> None:
        pass


class PostgresSite:
    """A database of its own, reached directly or through a proxy that can be told to fail."""

    def __init__(self) -> None:
        self._name = lend_database()
        server = urlsplit(POSTGRES)
        self.url = urlunsplit(server._replace(path=f"/{self._name}"))
        self._proxy = Proxy(server.hostname or "127.0.0.1", server.port or 5432)
        self._fragile = server._replace(path=f"/{self._name}")

    def store(self, expectation: Expectation | None = EXPECTED) -> DatabaseOrderStore:
        return store_at(self.url, clock=WallClock(), expectation=expectation, mapper=MAPPER)

    async def fragile_store(self) -> DatabaseOrderStore:
        port = await self._proxy.start()
        user = f"{self._fragile.username}@" if self._fragile.username else ""
        proxied = urlunsplit(self._fragile._replace(netloc=f"{user}127.0.0.1:{port}"))
        database = PostgresDatabase(address_of(proxied), WallClock(), settle_seconds=0.0)
        return DatabaseOrderStore(database, MAPPER, WallClock(), EXPECTED)

    async def lose_next_commit(self) -> None:
        self._proxy.fault = "commit"

    async def lose_next_reply(self) -> None:
        self._proxy.fault = "reply"

    async def break_down(self) -> None:
        self._proxy.fault = "broken"
        await self._proxy.cut_all()

    async def mend(self) -> None:
        self._proxy.fault = ""

    def tamper(self, statement: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET search_path TO liveorder")
            connection.execute(statement.encode())

    def backup_target(self) -> str:
        return f"{self.url}?schema=copy"

    def url_of_backup(self) -> str:
        return self.backup_target()

    async def remove(self) -> None:
        await self._proxy.close()
        take_back_database(self._name)


class Proxy:
    """Between a client and the server: cuts the connection before or after the next request, or refuses them all."""

    def __init__(self, host: str, port: int) -> None:
        self.fault = ""
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.cut_all()

    async def cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(asyncio.CancelledError, ConnectionError):
            if self.fault != "broken":
                await self._relay(reader, writer)
        self._connections.discard(task)
        writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        answers = asyncio.create_task(_pump(up_reader, writer))
        try:
            while request := await reader.read(1 << 16):
                fault, self.fault = self.fault, ""
                if fault == "commit":
                    return
                if fault == "reply":
                    await _swallow_answer(answers, request, up_reader, up_writer)
                    return
                up_writer.write(request)
        finally:
            answers.cancel()
            up_writer.close()


async def _swallow_answer(
    answers: asyncio.Task[None], request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    answers.cancel()
    await asyncio.gather(answers, return_exceptions=True)
    writer.write(request)
    await reader.read(1)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while answer := await reader.read(1 << 16):
            writer.write(answer)


def require_postgres() -> None:
    """Skip, or fail where the services are required."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL at {urlsplit(POSTGRES).hostname}: {error}"
        if os.environ.get("LIVEORDER_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
