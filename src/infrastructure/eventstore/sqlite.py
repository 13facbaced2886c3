"""A store in one SQLite file. One connection writes and others read; neither blocks the event loop unless placed INLINE."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ParamSpec, Protocol
from uuid import UUID

from eventsourcing.persistence import InterfaceError, OperationalError, PersistenceError

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import LeaseLost, StoreRefused, StoreUnavailable
from liveorder.infrastructure.eventstore import schema, sqlite_writer
from liveorder.infrastructure.eventstore.database import DatabaseSession, Read, Row, Stamp, T, Values
from liveorder.infrastructure.eventstore.file_identity import identity_of
from liveorder.infrastructure.eventstore.network_file_systems import refuse_network_file_system
from liveorder.infrastructure.eventstore.sqlite_recorder import TABLE_WORDS, SQLiteEventRecorder, create_tables
from liveorder.infrastructure.eventstore.sqlite_writer import Connect, SQLiteWriter
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction
from liveorder.infrastructure.eventstore.writer_thread import WriterThread
from liveorder.infrastructure.private_files import draft_of, open_private, sync

APPLICATION_ID = 0x4C4F5244
"""`LORD`, in the file's header."""

_READERS = 2
_ENDS = "SELECT position, (SELECT coalesce(MAX(rowid), 0) FROM stored_events) FROM risk_position"
_FIRST_TOPICS = """SELECT e.originator_id, e.topic FROM json_each(:ids) i
    CROSS JOIN stored_events e ON e.originator_id=i.value AND e.originator_version=1"""
_P = ParamSpec("_P")


class Placement(StrEnum):
    """Where commits run. INLINE blocks the event loop for one disk sync, uses no threads, and is deterministic."""

    INLINE = "inline"
    THREAD = "thread"


class _Place(Protocol):
    async def run(self, work: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> T: ...

    def close(self) -> None: ...


class _OnTheLoop:
    async def run(self, work: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> T:
        return work(*args, **kwargs)

    def close(self) -> None:
        pass


class _InThreads:
    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_READERS, thread_name_prefix="liveorder-reader")

    async def run(self, work: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(*args, **kwargs))

    def close(self) -> None:
        self._executor.shutdown()


class SQLiteDatabase:
    """A `Database`. The lease runs by `clock`, the machine's own, since the file is on this machine."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        placement: Placement = Placement.THREAD,
        busy_timeout_seconds: int = 5,
        connect: Connect = sqlite_writer.connect,
    ) -> None:
        self._path = path
        self._clock = clock
        self._recorder = SQLiteEventRecorder(path, _READERS, busy_timeout_seconds)
        self._writer = SQLiteWriter(path, busy_timeout_seconds, connect)
        self._placement, self._busy_timeout_seconds = placement, busy_timeout_seconds
        inline = placement is Placement.INLINE
        self._writing: _Place = _OnTheLoop() if inline else WriterThread()
        self._reading: _Place = _OnTheLoop() if inline else _InThreads()
        self._opened: str | None = None

    async def open(self) -> None:
        refuse_network_file_system(self._path)
        _refuse_foreign_file(self._path, self._busy_timeout_seconds)
        self._opened = _found_at(self._path)
        problems = await self._read(self._damage_of_small_tables)
        if problems:
            raise StoreRefused(f"{self._path} is damaged ({problems[0]}); run `liveorder doctor`, and restore a backup")

    async def close(self) -> None:
        await self._writing.run(self._writer.close)
        self._writing.close()
        self._reading.close()  # waits for reads whose callers are gone: closing a connection during a read would crash the process
        self._recorder.datastore.close()

    async def now(self) -> datetime:
        return self._clock.now()

    async def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        return await self._read(self._recorder.fetch, statement, values)

    async def write(self, statement: str, values: Values) -> list[Row]:
        return await self._writing.run(self._writer.write, statement, values)

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        return await self._writing.run(self._writer.transact, transaction)

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        return await self._writing.run(self._writer.change, lambda connection: _carried_out(change(SQLiteSession(connection))))

    async def stream(self, stream_id: UUID, read: Read[T]) -> list[T]:
        return await self._read(lambda: [read(event) for event in self._recorder.select_stream(stream_id)])

    async def streams(self, stream_ids: Sequence[UUID], read: Read[T]) -> list[T]:
        return await self._read(lambda: [read(event) for event in self._recorder.select_streams(stream_ids)])

    async def first_topics(self, stream_ids: Sequence[UUID]) -> dict[UUID, str]:
        rows = await self.fetch(_FIRST_TOPICS, {"ids": json.dumps([stream_id.hex for stream_id in stream_ids])})
        return {UUID(stream_id): topic for stream_id, topic in rows}

    def library_reader(self) -> SQLiteEventRecorder:
        return SQLiteEventRecorder(self._path, _READERS, self._busy_timeout_seconds)

    async def unfinished(self, read: Read[T]) -> list[T]:
        return await self._read(lambda: [read(event) for event in self._recorder.select_unfinished()])

    async def page(self, after: int, limit: int, read: Read[T]) -> list[T]:
        return await self._read(lambda: [read(event) for event in self._recorder.select_notifications(after + 1, limit)])

    async def damage(self) -> Sequence[str]:
        rows = await self.fetch("PRAGMA integrity_check(20)")
        return [text for (text,) in rows if text != "ok"]

    async def ends(self) -> tuple[int, int]:
        ((position, head),) = await self.fetch(_ENDS)
        return position, head

    async def open_streams(self) -> tuple[int, Sequence[UUID]]:
        rows = await self.fetch(schema.OPEN_STREAMS)
        return rows[0][0], [UUID(stream_id) for _, stream_id in rows if stream_id is not None]

    async def place(self) -> str:
        """The place, which stays the same while the store is open: connections stay with the file they opened, whatever gets its
        name.
        """
        found = await self._read(_found_at, self._path)
        if found is None or found != self._opened:
            raise LeaseLost(f"{self._path} is no longer the file that was opened: it was removed, or replaced by another")
        return found

    async def copy(self, target: str, stamp: Sequence[Stamp]) -> SQLiteDatabase:
        path = Path(target)
        await self._read(_copy, self._path, path, stamp)
        return SQLiteDatabase(path, self._clock, self._placement)

    async def _read(self, work: Callable[_P, T], *args: _P.args, **kwargs: _P.kwargs) -> T:
        with _readable(self._path):
            return await self._reading.run(work, *args, **kwargs)

    def _damage_of_small_tables(self) -> list[str]:
        rows = (row for table in schema.SMALL_TABLES for row in self._recorder.fetch(f"PRAGMA quick_check('{table}')"))
        return [text for (text,) in rows if text != "ok"]


class SQLiteSession:
    """A `DatabaseSession` whose statements run synchronously."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str, values: Values | None = None) -> list[Row]:
        return self._connection.execute(statement, dict(values or {})).fetchall()

    async def insert_new(self, table: str, rows: Sequence[Values]) -> None:
        if rows:
            columns, values = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
            statement = f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING"  # noqa: S608 - the names are ours
            self._connection.executemany(statement, rows)

    def created(self, statement: str) -> str:
        return schema.created(statement, *TABLE_WORDS)

    async def has_table(self, name: str) -> bool:
        found = self._connection.execute("SELECT 1 FROM sqlite_master WHERE type='table' AND name=?", (name,))
        return found.fetchone() is not None

    def field(self, event: str, name: str) -> str:
        return f"json_extract(CAST({event}.state AS TEXT), '$.fact.{name}')"

    async def replace_append_function(self) -> None:
        """SQLite has no such function."""


def _carried_out(change: Coroutine[Any, Any, T]) -> T:
    """Run the change in the writer thread, which has no event loop, because it never waits."""
    try:
        change.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("a change of a SQLite store must not wait")


def create_file(path: Path, identity: Sequence[Stamp]) -> None:
    """Create a complete store, or none. Raises `StoreRefused` if the file exists."""
    refuse_network_file_system(path)
    with _appearing(path) as draft:
        recorder = SQLiteEventRecorder(draft, 1, 5)
        with closing(sqlite_writer.connect(draft, 5)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            create_tables(connection, recorder)
            for statement, values in identity:
                connection.execute(statement, dict(values))
            connection.execute(schema.PUT_CHECKPOINT, {"name": schema.PLACE, "value": identity_of(draft)})
            connection.execute("COMMIT")


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """Yields a draft file. It gets its name, if that is still free, once it is synced to disk."""
    draft = draft_of(path)
    try:
        open_private(draft, "xb").close()
        yield draft
        sync(draft)
        os.link(draft, path)
        sync(path.absolute().parent)
    except FileExistsError as error:
        raise StoreRefused(f"{path} already exists; a store is created once, and a backup overwrites nothing") from error
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be created ({error})") from error
    finally:
        draft.unlink(missing_ok=True)


def _refuse_foreign_file(path: Path, busy_timeout_seconds: float) -> None:
    """Refuse a file that is not our store. SQLite is asked, because nothing else may open the file (see `file_identity`)."""
    if not path.exists():
        raise StoreRefused(f"there is no store at {path}; `liveorder run` makes one")
    if _application_id(path, busy_timeout_seconds) != APPLICATION_ID:
        raise StoreRefused(f"{path} is not a liveorder store, or its beginning is damaged; restore a backup if it was one")


def _found_at(path: Path) -> str | None:
    """The file's identity. None if there is no file."""
    try:
        return identity_of(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be found ({error})") from error


def _application_id(path: Path, busy_timeout_seconds: float) -> int | None:
    """The application id. None if the file is not a database."""
    try:
        with closing(sqlite_writer.connect(path, busy_timeout_seconds)) as connection:
            return int(connection.execute("PRAGMA application_id").fetchone()[0])
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"{path} cannot be read ({error})") from error
    except sqlite3.DatabaseError:
        return None


_UNREADABLE = (OperationalError, InterfaceError, sqlite3.OperationalError)
_NOT_TEXT = "Could not decode to UTF-8"
"""The library calls this an operational error, but it is damage."""


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Translate read errors. A column that does not hold the expected number, text or id is damage too."""
    try:
        yield
    except (PersistenceError, sqlite3.Error, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, _UNREADABLE) and _NOT_TEXT not in str(error):
            raise StoreUnavailable(f"{path} cannot be read ({error})") from error
        raise StoreRefused(f"{path} is damaged ({error}); run `liveorder doctor`, and restore a backup") from error


def _copy(source: Path, target: Path, stamp: Sequence[Stamp]) -> None:
    """Copy in one step, which is one snapshot: it blocks no writer, and no writer makes it restart."""
    refuse_network_file_system(target)
    with (
        _appearing(target) as draft,
        closing(sqlite_writer.connect(source, 5)) as origin,
        closing(sqlite_writer.connect(draft, 5)) as copy,
    ):
        origin.backup(copy)
        for statement, values in stamp:
            copy.execute(statement, dict(values))
