"""Closed orders behind which a start has to find the few open ones: put into the tables in bulk, as trading would leave them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from uuid import UUID

import psycopg

from benchmarks.engines import MAPPER
from benchmarks.places import Place
from benchmarks.projections import lives
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path

_AT_A_TIME = 5_000
_COLUMNS = "originator_id, originator_version, topic, state"


def add_closed_orders(place: Place, url: str, orders: int) -> None:
    """To a store without events. Read models are not made of them."""
    with closing(_PostgresTables(url) if place.is_postgres else _SqliteTables(url)) as tables:
        positions, events = count(1), _events(orders)
        while rows := [(next(positions), *event) for event in islice(events, _AT_A_TIME)]:
            tables.add(rows)
        tables.finish(orders * 5)


def _events(orders: int) -> Iterator[tuple[UUID, int, str, bytes]]:
    for life in lives(orders):
        for stored in map(MAPPER.to_stored_event, life):
            yield UUID(str(stored.originator_id)), stored.originator_version, stored.topic, stored.state


_Rows = list[tuple[int, UUID, int, str, bytes]]


class _SqliteTables:
    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(sqlite_path(url), isolation_level=None)

    def add(self, rows: _Rows) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        insert = f"INSERT INTO stored_events (rowid, {_COLUMNS}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 -- a constant
        self._connection.executemany(insert, [(position, stream.hex, *rest) for position, stream, *rest in rows])
        self._connection.execute("COMMIT")

    def finish(self, head: int) -> None:
        self._connection.execute("UPDATE risk_position SET position=?", (head,))
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()


class _PostgresTables:
    def __init__(self, url: str) -> None:
        address = address_of(url)
        self._connection = psycopg.connect(address.conninfo, autocommit=True)
        self._connection.execute(f'SET search_path TO "{address.schema_name}"')

    def add(self, rows: _Rows) -> None:
        with self._connection.cursor().copy(f"COPY stored_events (notification_id, {_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "uuid", "int8", "text", "bytea"])
            for row in rows:
                copy.write_row(row)

    def finish(self, head: int) -> None:
        self._connection.execute("UPDATE risk_position SET position=%s", (head,))
        self._connection.execute("VACUUM (ANALYZE) stored_events")

    def close(self) -> None:
        self._connection.close()
