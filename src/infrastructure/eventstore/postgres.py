"""A store in one schema of a PostgreSQL database: a coroutine writes on one connection, a small pool reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from eventsourcing.persistence import Notification
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import StoreRefused, StoreUnavailable
from liveorder.infrastructure.eventstore import schema
from liveorder.infrastructure.eventstore.database import DatabaseSession, Read, Row, Stamp, T, Values
from liveorder.infrastructure.eventstore.moments import moment_after_1970
from liveorder.infrastructure.eventstore.postgres_connection import (
    Connection,
    StoreAddress,
    address_of,
    configure,
    connect,
    native,
    translated,
)
from liveorder.infrastructure.eventstore.postgres_schema import (
    TABLE_WORDS,
    PostgresEventRecorder,
    append_function,
    create_statements,
    library_reader,
    lock_key,
)
from liveorder.infrastructure.eventstore.postgres_writer import PostgresWriter
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction

_READERS = 4
_STREAM = """SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
    WHERE originator_id=:id ORDER BY originator_version"""
_STREAMS = """SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
    WHERE originator_id=ANY(:ids) ORDER BY originator_id, originator_version"""
_FIRST_TOPICS = "SELECT originator_id, topic FROM stored_events WHERE originator_id=ANY(:ids) AND originator_version=1"
_UNFINISHED = """SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state
    FROM open_orders o JOIN stored_events e ON e.originator_id=o.stream_id ORDER BY o.stream_id, e.originator_version"""
_ENDS = "SELECT position, (SELECT coalesce(MAX(notification_id), 0) FROM stored_events) FROM risk_position"
_PLACE = """SELECT 'server ' || system_identifier || ' timeline ' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
        || ' schema ' || (SELECT oid FROM pg_namespace WHERE nspname=:schema)
    FROM pg_control_system()"""
"""A promotion or a point-in-time recovery begins a new timeline, a recovery after a crash does not. The WAL shows it at once, the
control file only after the next checkpoint.
"""
_LOST = "CREATE FUNCTION append_facts({}) RETURNS text LANGUAGE sql AS $$ SELECT 'lease lost' $$"
_PAGE = """SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events
    WHERE notification_id > :after ORDER BY notification_id LIMIT :limit"""


class PostgresDatabase:
    """A `Database`. The lease runs by the server's clock. `clock` only limits how long a lost reply is asked about."""

    def __init__(self, address: StoreAddress, clock: Clock, settle_seconds: float = 10.0) -> None:
        self._address = address
        self._clock = clock
        self._writer = PostgresWriter(address, clock, settle_seconds)
        self._pool: AsyncConnectionPool[Connection] | None = None

    async def open(self) -> None:
        with translated(self._address):
            await (await connect(self._address, read_only=True)).close()
        self._pool = AsyncConnectionPool(
            self._address.conninfo,
            min_size=0,
            max_size=_READERS,
            timeout=10.0,
            open=False,
            configure=self._configure_reader,
            check=AsyncConnectionPool.check_connection,
            kwargs={"row_factory": tuple_row},
        )
        await self._pool.open()

    async def close(self) -> None:
        await self._writer.close()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def now(self) -> datetime:
        ((micros,),) = await self.fetch("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        return moment_after_1970(micros)

    async def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        return await self._fetch(statement, values)

    async def write(self, statement: str, values: Values) -> list[Row]:
        return await self._writer.write(statement, values)

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        return await self._writer.transact(transaction)

    async def migrate(self, change: Callable[[DatabaseSession], Coroutine[Any, Any, T]]) -> T:
        return await self._writer.change(lambda connection: change(PostgresSession(connection, self._address)))

    async def stream(self, stream_id: UUID, read: Read[T]) -> list[T]:
        return await self._events(_STREAM, {"id": stream_id}, read)

    async def streams(self, stream_ids: Sequence[UUID], read: Read[T]) -> list[T]:
        return await self._events(_STREAMS, {"ids": [*stream_ids]}, read)

    async def first_topics(self, stream_ids: Sequence[UUID]) -> dict[UUID, str]:
        return dict(await self._fetch(_FIRST_TOPICS, {"ids": [*stream_ids]}))

    def library_reader(self) -> PostgresEventRecorder:
        return library_reader(self._address)

    async def unfinished(self, read: Read[T]) -> list[T]:
        return await self._events(_UNFINISHED, {}, read)

    async def page(self, after: int, limit: int, read: Read[T]) -> list[T]:
        return await self._events(_PAGE, {"after": after, "limit": limit}, read)

    async def damage(self) -> Sequence[str]:
        """PostgreSQL detects damaged pages only when it reads them, so reading everything already covers this."""
        return ()

    async def ends(self) -> tuple[int, int]:
        ((position, head),) = await self.fetch(_ENDS)
        return position, head

    async def open_streams(self) -> tuple[int, Sequence[UUID]]:
        rows = await self.fetch(schema.OPEN_STREAMS)
        return rows[0][0], [stream_id for _, stream_id in rows if stream_id is not None]

    async def place(self) -> str:
        ((place,),) = await self.write(_PLACE, {"schema": self._address.schema_name})
        return str(place)

    async def copy(self, target: str, stamp: Sequence[Stamp]) -> PostgresDatabase:
        address = address_of(target)
        ((version,),) = await self.fetch("SELECT schema_version FROM store")
        if version != schema.SCHEMA_VERSION:
            raise StoreRefused("this store is of an earlier version: back it up with the version that wrote it, or with pg_dump")
        with translated(self._address):
            await _copy(self._address, address, stamp)
        return PostgresDatabase(address, self._clock)

    async def _events(self, statement: str, values: Any, read: Read[T]) -> list[T]:
        rows = await self._fetch(statement, values)
        return [read(Notification(stream, version, topic, state, position)) for position, stream, version, topic, state in rows]

    async def _fetch(self, statement: str, values: Any) -> list[Row]:
        if self._pool is None:
            raise StoreUnavailable("the order store is not open")
        with translated(self._address):
            async with self._pool.connection() as connection:
                cursor = await connection.execute(native(statement), values, binary=True)
                return await cursor.fetchall()

    async def _configure_reader(self, connection: Connection) -> None:
        await configure(connection, self._address.schema_name, read_only=True)


class PostgresSession:
    """A `DatabaseSession` on a connection with an open transaction."""

    def __init__(self, connection: Connection, address: StoreAddress) -> None:
        self._connection, self._address = connection, address

    async def execute(self, statement: str, values: Values | None = None) -> list[Row]:
        cursor = await self._connection.execute(native(statement), dict(values or {}))
        return await cursor.fetchall() if cursor.description else []

    async def insert_new(self, table: str, rows: Sequence[Values]) -> None:
        given = f"SELECT * FROM json_populate_recordset(NULL::{table}, CAST(:rows AS json))"  # noqa: S608 - the name is ours
        await self.execute(f"INSERT INTO {table} {given} ON CONFLICT DO NOTHING", {"rows": json.dumps(rows)})

    def created(self, statement: str) -> str:
        return schema.created(statement, *TABLE_WORDS)

    async def has_table(self, name: str) -> bool:
        return await _holds_table(self._connection, self._address, name)

    def field(self, event: str, name: str) -> str:
        return f"(convert_from({event}.state, 'UTF8')::json->'fact'->>'{name}')"

    async def replace_append_function(self) -> None:
        """Replace the function. A paused process of the earlier version calls the old one, and gets the answer that it lost the
        store.
        """
        arguments = "SELECT pg_get_function_identity_arguments(to_regproc('append_facts'))"
        ((signature,),) = await self.execute(arguments)
        await self._connection.execute("DROP FUNCTION append_facts")
        await self._connection.execute(SQL(_LOST.format(signature)))
        await self._connection.execute(append_function(self._address.schema_name))


async def create_schema(address: StoreAddress, identity: Sequence[Stamp]) -> None:
    """Create schema, tables and identity in one transaction. Raises `StoreRefused` if there is already a store."""
    with translated(address):
        async with await connect(address, read_only=False) as connection, connection.transaction():
            await _create_tables(connection, address)
            for statement, values in identity:
                await connection.execute(native(statement), dict(values))


async def schema_is_taken(address: StoreAddress) -> bool:
    """Whether the schema contains a store. A schema without one is free."""
    with translated(address):
        async with await connect(address, read_only=True) as connection:
            return await _holds_store(connection, address)


async def _holds_store(connection: Connection, address: StoreAddress) -> bool:
    return await _holds_table(connection, address, "store")


async def _holds_table(connection: Connection, address: StoreAddress, name: str) -> bool:
    found = await connection.execute("SELECT FROM pg_tables WHERE schemaname=%s AND tablename=%s", (address.schema_name, name))
    return await found.fetchone() is not None


async def _create_tables(connection: Connection, address: StoreAddress) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(address.schema_name),))
    if await _holds_store(connection, address):
        raise StoreRefused(f"{address} already contains a store; a store is created once")
    await connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(address.schema_name)))
    for statement in create_statements(address.schema_name):
        await connection.execute(statement)


async def _copy(source: StoreAddress, target: StoreAddress, stamp: Sequence[Stamp]) -> None:
    """Copy table by table, from one snapshot, into one transaction."""
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(await connect(source, read_only=True))
        copy = await stack.enter_async_context(await connect(target, read_only=False))
        await stack.enter_async_context(copy.transaction())
        await _create_tables(copy, target)
        await origin.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await stack.enter_async_context(origin.transaction())
        for table in schema.TABLES:
            await _copy_table(origin, copy, table)
        for statement, values in stamp:
            await copy.execute(native(statement), dict(values))


async def _copy_table(origin: Connection, copy: Connection, table: str) -> None:
    await copy.execute(SQL("DELETE FROM {}").format(Identifier(table)))
    read = SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(Identifier(table))
    write = SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(Identifier(table))
    async with origin.cursor().copy(read) as rows, copy.cursor().copy(write) as kept:
        async for block in rows:
            await kept.write(block)
