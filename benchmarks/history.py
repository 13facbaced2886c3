"""Closed orders, put into the tables in bulk, as trading would leave them: for a start that has to find the few open ones behind
them, and for lists of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import count, islice
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import ColumnElement, Connection, func, insert, literal, select, text

from benchmarks.engines import MAPPER
from benchmarks.places import Place
from benchmarks.projections import START, lives
from liveorder.application.reporting.projections import EXECUTION_CONFIRMATIONS, FILLS, ORDER_HISTORY, ORDERS, SIGNALS
from liveorder.infrastructure.eventstore.postgres_connection import address_of
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from liveorder.infrastructure.readmodels.tables import Tables

BLOCK = 1_000
"""Orders that read models are made of; more of them are copies, each block of a day of its own."""

_AT_A_TIME = 5_000
_EVENTS = 5
"""Of an order."""
_COLUMNS = "originator_id, originator_version, topic, state"


def add_closed_orders(place: Place, url: str, orders: int) -> None:
    """To a store without events. Read models are not made of them."""
    with closing(_PostgresTables(url) if place.is_postgres else _SqliteTables(url)) as tables:
        positions, events = count(1), _events(orders)
        while rows := [(next(positions), *event) for event in islice(events, _AT_A_TIME)]:
            tables.add(rows)
        tables.finish(orders * _EVENTS)


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


async def add_read_models(views: SqlViews, orders: int) -> None:
    """To the lists of one `BLOCK` of orders, copies of them up to so many: other ids, the next places of the log, the next days.

    Positions and sums of days stay those of the first block, which name the orders that were the first.
    """
    for block in range(1, orders // BLOCK):
        await views._place.write(partial(_copy_block, views._place.tables, block))
    await views._place.write(_analyze)


def _analyze(connection: Connection) -> None:
    """As PostgreSQL does by itself before long, and SQLite never."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE"))


def _copy_block(tables: Tables, block: int, connection: Connection) -> None:
    day = (START + timedelta(days=block)).date().isoformat()
    for shape in (ORDERS, FILLS, ORDER_HISTORY, SIGNALS, EXECUTION_CONFIRMATIONS):
        table = tables.of(shape)
        place = table.c[shape.key[0]]
        columns = [_copied(column, block, day) for column in table.c]
        connection.execute(insert(table).from_select(table.c.keys(), select(*columns).where(place <= BLOCK * _EVENTS)))


def _copied(column: ColumnElement[Any], block: int, day: str) -> ColumnElement[Any]:
    if column.key in ("began", "booked", "position"):
        return column + block * BLOCK * _EVENTS
    if column.key in ("order_id", "stream_id"):
        return literal(f"{block:08x}").concat(func.substr(column, 9))
    if column.key in ("client_order_id", "broker_order_id", "signal_id", "execution_id"):
        return column.concat(f"-{block}")
    return literal(day) if column.key == "session_date" else column
