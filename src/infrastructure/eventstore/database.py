"""The database port of the order store, with two implementations: SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from eventsourcing.persistence import Notification

from liveorder.domain.errors import LeaseLost
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction

if TYPE_CHECKING:
    from eventsourcing.postgres import PostgresApplicationRecorder
    from eventsourcing.sqlite import SQLiteApplicationRecorder

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Mapping[str, str | int | None]
Stamp: TypeAlias = tuple[str, Values]
"""A statement that makes a copy different from its original."""

LibraryReader: TypeAlias = "SQLiteApplicationRecorder | PostgresApplicationRecorder"
"""The library's own recorder, on its own connections, which cannot write."""

T = TypeVar("T")
Read: TypeAlias = Callable[[Notification], T]
"""Converts one stored event."""


class DatabaseSession(Protocol):
    """The statements of one transaction that changes tables, with the parts whose syntax differs between the databases."""

    async def execute(self, statement: str, values: Values | None = None) -> list[Row]:
        """Execute a statement and return its rows, if any."""
        ...

    async def insert_new(self, table: str, rows: Sequence[Values]) -> None:
        """Insert many rows in order, by column names. Existing rows with the same keys stay."""
        ...

    def created(self, statement: str) -> str:
        """A CREATE TABLE of `schema` in this database's dialect."""
        ...

    async def has_table(self, name: str) -> bool: ...

    def field(self, event: str, name: str) -> str:
        """SQL for an event's field, as text, of the row of `stored_events` with the alias `event`."""
        ...

    async def replace_append_function(self) -> None:
        """Replace PostgreSQL's function that appends events. SQLite has none."""
        ...


async def write_as_owner(database: Database, statement: str, values: Values, epoch: int, what: str) -> None:
    """Execute a statement that writes only if the lease has `:epoch`, and returns what it wrote. Raises `LeaseLost` if it wrote
    nothing.
    """
    if not await database.write(statement, {**values, "epoch": epoch}):
        raise LeaseLost(f"another process owns this store now; {what} stays as that process stored it")


class Database(Protocol):
    """One store's tables. Raises `StoreUnavailable` if the store cannot be reached or written, `StoreRefused` if it is damaged."""

    async def open(self) -> None:
        """Connect. Refuses a place that is not a store of ours."""
        ...

    async def close(self) -> None: ...

    async def now(self) -> datetime:
        """The time by the clock of the lease, in UTC."""
        ...

    async def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        """Query rows. One statement is one snapshot."""
        ...

    async def write(self, statement: str, values: Values) -> list[Row]:
        """Execute one statement durably under the writer's lock. Returns its RETURNING rows."""
        ...

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        """The only way to append events. Raises `LeaseLost` if the store has another epoch than `transaction.epoch`."""
        ...

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        """Run `change` under the writer's lock. It is durable when this returns, and undone if it raises."""
        ...

    async def stream(self, stream_id: UUID, read: Read[T]) -> list[T]:
        """The events of a stream in order of version. `read` runs where the database reads."""
        ...

    async def streams(self, stream_ids: Sequence[UUID], read: Read[T]) -> list[T]:
        """The events of several streams, one stream after the other, each in order of version."""
        ...

    async def first_topics(self, stream_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The topic of version 1 of each stream that exists."""
        ...

    def library_reader(self) -> LibraryReader:
        """The library's recorder. It opens its connections on first use; close it through its `datastore`."""
        ...

    async def unfinished(self, read: Read[T]) -> list[T]:
        """The streams in the index of open orders, one after the other, each in order."""
        ...

    async def page(self, after: int, limit: int, read: Read[T]) -> list[T]:
        """A page of the log after position `after`."""
        ...

    async def damage(self) -> Sequence[str]:
        """The damage that the database itself finds in its files. Reads everything."""
        ...

    async def ends(self) -> tuple[int, int]:
        """The positions of the risk table and of the log's end. They are equal in an intact store."""
        ...

    async def open_streams(self) -> tuple[int, Sequence[UUID]]:
        """The log's end and the index of open orders at that moment."""
        ...

    async def place(self) -> str:
        """What distinguishes this store from a copy: the file's identity, or the server's with its timeline and the schema's.

        For an open store, and the place it writes to. Raises `LeaseLost` if another store has that name now.
        """
        ...

    async def copy(self, target: str, stamp: Sequence[Stamp]) -> Database:
        """Make a consistent copy while the store is in use; the copy is not opened. It appears complete with its stamp, or not at
        all. `target` must not exist.
        """
        ...
