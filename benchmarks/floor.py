"""The floor: one durable commit of the same rows into the same tables, by one connection, with nothing in between.

The rows are those of the engine's own first commit of an order (three events, the claim of its signal, its place among the open
orders, the account's figures), taken from a transaction that was really stored; only their ids are new each time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
from msgspec.structs import replace
from psycopg.types.numeric import Int8

from benchmarks.engines import CLOCK, new_store
from benchmarks.places import Place
from liveorder.domain.identifiers import uuid7
from liveorder.infrastructure.eventstore.claim_rows import row_of
from liveorder.infrastructure.eventstore.database import Row
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path
from liveorder.infrastructure.eventstore.transaction import Transaction

_SQLITE_EVENTS = "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) VALUES (?, ?, ?, ?, ?)"
_POSTGRES_EVENTS = """INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)
    SELECT * FROM unnest(%b::bigint[], %b::uuid[], %b::bigint[], %b::text[], %b::bytea[])"""
_POSTGRES_ORDER = f"""WITH
    e AS ({_POSTGRES_EVENTS}),
    p AS (UPDATE risk_position SET position=%b),
    r AS (INSERT INTO risk SELECT * FROM unnest(%b::text[], %b::text[], %b::text[])
        ON CONFLICT (account_id, key) DO UPDATE SET state=excluded.state),
    c AS (INSERT INTO signal_claims VALUES (%b, %b, %b, %b, %b, %b, %b, %b))
    INSERT INTO open_orders VALUES (%b)"""  # noqa: S608 -- put together of constants


def _claimed(stream: str, rows: Transaction) -> Row:
    """A claim of its own for each order: their real ones are all of one signal."""
    return row_of(replace(rows.claims()[0], signal_id=stream, client_order_id=stream))


class Floor(Protocol):
    def commit_order(self, rows: Transaction) -> None:
        """All rows of an order's first commit, durably."""
        ...

    def commit_events(self, rows: Transaction, events: int) -> None:
        """So many events like its own, durably, and nothing else."""
        ...

    def close(self) -> None: ...


async def floor_at(place: Place) -> Floor:
    """On a store of its own."""
    url = await new_store(place)
    return PostgresFloor(url) if place.is_postgres else SqliteFloor(url)


class _Numbering:
    """Ids as new orders have them, and the places of their events in the log."""

    def __init__(self) -> None:
        self.head = 0

    def new_stream(self) -> UUID:
        return uuid7(CLOCK.now(), uuid4().int & ((1 << 74) - 1))

    def events(self, rows: Transaction, count: int) -> Iterator[tuple[int, int, str, bytes]]:
        """Position, version, topic and state."""
        known = [(event.topic, event.state) for event in rows.events()]
        for version in range(1, count + 1):
            self.head += 1
            yield self.head, version, *known[version % len(known)]


class SqliteFloor:
    def __init__(self, url: str) -> None:
        self._ids = _Numbering()
        self._connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=1"):
            self._connection.execute(f"PRAGMA {pragma}")

    def commit_order(self, rows: Transaction) -> None:
        stream, run = self._ids.new_stream().hex, self._connection.execute
        events = [(position, stream, *event) for position, *event in self._ids.events(rows, 3)]
        run("BEGIN IMMEDIATE")
        self._connection.executemany(_SQLITE_EVENTS, events)
        run("UPDATE risk_position SET position=?", (self._ids.head,))
        upsert = "INSERT INTO risk VALUES (?, ?, ?) ON CONFLICT (account_id, key) DO UPDATE SET state=excluded.state"
        self._connection.executemany(upsert, [(row.account_id, row.key, row.state) for row in rows.rows])
        run("INSERT INTO signal_claims VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _claimed(stream, rows))
        run("INSERT INTO open_orders VALUES (?)", (stream,))
        run("COMMIT")

    def commit_events(self, rows: Transaction, events: int) -> None:
        stream = self._ids.new_stream().hex
        facts = [(position, stream, *event) for position, *event in self._ids.events(rows, events)]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(_SQLITE_EVENTS, facts)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


class PostgresFloor:
    """A connection that blocks, which is faster than one that does not; each commit is one statement, prepared."""

    def __init__(self, url: str) -> None:
        self._ids = _Numbering()
        address = address_of(url)
        self._connection = psycopg.connect(address.conninfo, autocommit=True, prepare_threshold=0)
        self._connection.execute(f'SET search_path TO "{address.schema_name}"')
        self._connection.execute("SET synchronous_commit TO on")

    def commit_order(self, rows: Transaction) -> None:
        stream = self._ids.new_stream()
        events = self._columns(stream, rows, 3)
        figures = [[getattr(row, name) for row in rows.rows] for name in ("account_id", "key", "state")]
        claimed = _claimed(stream.hex, rows)
        self._connection.execute(_POSTGRES_ORDER, (*events, Int8(self._ids.head), *figures, *claimed, stream))

    def commit_events(self, rows: Transaction, events: int) -> None:
        self._connection.execute(_POSTGRES_EVENTS, self._columns(self._ids.new_stream(), rows, events))

    def _columns(self, stream: UUID, rows: Transaction, events: int) -> Sequence[Any]:
        positions, versions, topics, states = zip(*self._ids.events(rows, events), strict=True)
        return [*map(Int8, positions)], [stream] * events, [*map(Int8, versions)], list(topics), list(states)

    def close(self) -> None:
        self._connection.close()
