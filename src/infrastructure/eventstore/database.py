"""What the order store asks of a database. Two know how: SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import UUID

from eventsourcing.persistence import Notification
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder

from liveorder.domain.errors import LeaseLost
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction

Row: TypeAlias = tuple[Any, ...]
Values: TypeAlias = Mapping[str, str | int | None]
Stamp: TypeAlias = tuple[str, Values]
"""A statement that makes a copy differ from its original."""

LibraryReader: TypeAlias = SQLiteApplicationRecorder | PostgresApplicationRecorder
"""The library's own recorder on connections of its own, which cannot write."""

T = TypeVar("T")
Read: TypeAlias = Callable[[Notification], T]
"""Makes something of one stored event."""


class DatabaseSession(Protocol):
    """The statements of one transaction that changes tables, with what the two databases spell differently."""

    async def execute(self, statement: str, values: Values | None = None) -> list[Row]:
        """What it returns; nothing of a statement that returns no rows."""
        ...

    async def insert_new(self, table: str, rows: Sequence[Values]) -> None:
        """Many at once, in order, by the names of their columns; what the table has under a key of theirs stays."""
        ...

    def created(self, statement: str) -> str:
        """A CREATE TABLE of `schema`, in this database's words."""
        ...

    async def has_table(self, name: str) -> bool: ...

    def field(self, event: str, name: str) -> str:
        """SQL for a field, as text, of the row of `stored_events` with the alias `event`."""
        ...

    async def replace_append_function(self) -> None:
        """PostgreSQL takes events in through a function; SQLite has none."""
        ...


async def write_as_owner(database: Database, statement: str, values: Values, epoch: int, what: str) -> None:
    """A statement that writes nothing where the lease is not of `:epoch`, and returns what it wrote. Raises `LeaseLost` there."""
    if not await database.write(statement, {**values, "epoch": epoch}):
        raise LeaseLost(f"another process owns this store by now; {what} stays as that one has it")


class Database(Protocol):
    """One store's tables. Raises `StoreUnavailable` where it cannot be reached or written, `StoreRefused` where it is damaged."""

    async def open(self) -> None:
        """Connect, having refused a place that is no store of this package's."""
        ...

    async def close(self) -> None: ...

    async def now(self) -> datetime:
        """The clock that the lease runs by. UTC."""
        ...

    async def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        """One statement is one snapshot."""
        ...

    async def write(self, statement: str, values: Values) -> list[Row]:
        """One statement under the writer's lock, durable when it returns; what it RETURNING-s."""
        ...

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        """The only way in for events. Raises `LeaseLost` where `transaction.epoch` is not the store's."""
        ...

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        """Carry out `change` under the writer's lock: durable when this returns, and nothing of it where it raises."""
        ...

    async def stream(self, stream_id: UUID, read: Read[T]) -> list[T]:
        """In order of version. `read` runs wherever the database reads."""
        ...

    async def streams(self, stream_ids: Sequence[UUID], read: Read[T]) -> list[T]:
        """Several, one behind the other, each in order of version."""
        ...

    async def first_topics(self, stream_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The topic of version 1 of each stream that is there."""
        ...

    def library_reader(self) -> LibraryReader:
        """Opens its connections when it is first asked. To be closed by its `datastore`."""
        ...

    async def unfinished(self, read: Read[T]) -> list[T]:
        """Streams of the index of open orders, one behind the other, each in order."""
        ...

    async def page(self, after: int, limit: int, read: Read[T]) -> list[T]:
        """Of the log, behind position `after`."""
        ...

    async def damage(self) -> Sequence[str]:
        """What the database itself finds wrong with its files; reads everything."""
        ...

    async def ends(self) -> tuple[int, int]:
        """Where the risk table stands, and where the log ends: the same, in a whole store."""
        ...

    async def open_streams(self) -> tuple[int, Sequence[UUID]]:
        """The index of open orders, and where the log ended when it was so."""
        ...

    async def place(self) -> str:
        """What a copy of this store would have otherwise: the file's number, or the server's with its timeline and the schema's.

        Of an open store, and of what it writes to. Raises `LeaseLost` where that is no longer what is found under its name.
        """
        ...

    async def copy(self, target: str, stamp: Sequence[Stamp]) -> Database:
        """A consistent copy while in use, not yet opened. It is there with its stamp or not at all; nothing may be at `target`."""
        ...
