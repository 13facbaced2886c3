"""The library's SQLite recorder as a reader, with its table, pool and queries, on connections that cannot write."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

from eventsourcing.persistence import Notification
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteConnection, SQLiteConnectionPool, SQLiteDatastore

from liveorder.infrastructure.eventstore import schema
from liveorder.infrastructure.eventstore.database import Row, Values

_STREAM = """SELECT rowid, originator_id, originator_version, topic, state FROM stored_events
    WHERE originator_id=:id ORDER BY originator_version"""
_STREAMS = """SELECT e.rowid, e.originator_id, e.originator_version, e.topic, e.state
    FROM json_each(:ids) i CROSS JOIN stored_events e ON e.originator_id=i.value
    ORDER BY e.originator_id, e.originator_version"""
_UNFINISHED = """SELECT e.rowid, e.originator_id, e.originator_version, e.topic, e.state
    FROM open_orders o CROSS JOIN stored_events e ON e.originator_id=o.stream_id
    ORDER BY o.stream_id, e.originator_version"""


TABLE_WORDS = ("text", " WITHOUT ROWID")
"""The type of stream ids, and the suffix of a table that is its own primary key."""


def uri_of(path: Path) -> str:
    """The URI that opens an existing file and never creates one."""
    return f"file://{quote(str(path.absolute()))}?mode=rw"


class _ReadOnlyPool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        connection.cursor().execute("PRAGMA query_only=1")
        return connection


class _ReadOnlyDatastore(SQLiteDatastore):
    def __init__(self, path: Path, pool_size: int, busy_timeout_seconds: int) -> None:
        super().__init__(uri_of(path))
        self.pool = _ReadOnlyPool(db_name=uri_of(path), lock_timeout=busy_timeout_seconds, pool_size=pool_size)


class SQLiteEventRecorder(SQLiteApplicationRecorder):
    """The recorder. `rowid` is the position in the log: it is written explicitly, and rows are never deleted."""

    def __init__(self, path: Path, pool_size: int, busy_timeout_seconds: int) -> None:
        super().__init__(_ReadOnlyDatastore(path, pool_size, busy_timeout_seconds))

    def construct_create_table_statements(self) -> list[str]:
        return super().construct_create_table_statements() + schema.create_statements(*TABLE_WORDS)

    def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(statement, dict(values or {}))
            return [tuple(row) for row in cursor.fetchall()]

    def select_stream(self, stream_id: UUID) -> Sequence[Notification]:
        """The events of a stream with positions, which the library's `select_events` omits."""
        return self._notifications(_STREAM, {"id": stream_id.hex})

    def select_streams(self, stream_ids: Sequence[UUID]) -> Sequence[Notification]:
        return self._notifications(_STREAMS, {"ids": json.dumps([stream_id.hex for stream_id in stream_ids])})

    def select_unfinished(self) -> Sequence[Notification]:
        """CROSS JOIN keeps SQLite from scanning the log instead of using the index."""
        return self._notifications(_UNFINISHED, {})

    def _notifications(self, statement: str, values: dict[str, Any]) -> Sequence[Notification]:
        return [
            Notification(UUID(stream_id), version, topic, state, id=position)
            for position, stream_id, version, topic, state in self.fetch(statement, values)
        ]


def create_tables(connection: sqlite3.Connection, recorder: SQLiteEventRecorder) -> None:
    """Create the tables on the caller's connection, in its transaction, so that a store is created completely or not at all."""
    for statement in recorder.create_table_statements:
        connection.execute(statement)
