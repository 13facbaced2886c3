"""The only PostgreSQL connection that writes. A transaction is one call of `append_events`, in one round trip.

If the connection breaks during the call, the transaction may or may not be stored. This is read back on a new connection under the
writer's lock, which the old server process holds until its transaction has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.numeric import Int4, Int8

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import LedgerRow
from liveorder.domain.errors import LeaseLost, StoreUnavailable
from liveorder.infrastructure.eventstore.claim_rows import claim_of
from liveorder.infrastructure.eventstore.database import Row, T, Values
from liveorder.infrastructure.eventstore.moments import text_of
from liveorder.infrastructure.eventstore.postgres_connection import Connection, StoreAddress, connect, native, translated
from liveorder.infrastructure.eventstore.postgres_schema import lock_key
from liveorder.infrastructure.eventstore.schema import PUT_CHECKPOINT, bookmark_of
from liveorder.infrastructure.eventstore.transaction import (
    NotStored,
    Seen,
    Stored,
    Transaction,
    judge,
    overlapping,
    place_of,
)

_APPEND = """SELECT append_events(%b::bigint, %b::bigint, %b::uuid[], %b::bigint[], %b::text[], %b::bytea[], %b::text[],
    %b::text[], %b::text[], %b::text[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::uuid[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::int[], %b::text[], %b::text[], %b::text[],
    %b::text[],
    %b::text[], %b::text[], %b::text[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::text[], %b::text[])"""
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_HEAD = "SELECT coalesce(MAX(notification_id), 0) FROM stored_events"
_LAST_VERSIONS = """SELECT originator_id, MAX(originator_version) FROM stored_events
    WHERE originator_id = ANY(%s) GROUP BY originator_id"""
_CLAIMS = "SELECT * FROM signal_claims WHERE signal_id = ANY(%s) OR client_order_id = ANY(%s)"
_TRACKED = "SELECT name, value FROM checkpoints WHERE name = ANY(%s)"
_EVENTS = """SELECT originator_id, originator_version, notification_id, topic, state
    FROM stored_events JOIN unnest(%s::uuid[], %s::bigint[]) AS n(stream, version)
    ON originator_id = n.stream AND originator_version = n.version"""


class PostgresWriter:
    """The writer. `settle_seconds`: how long to keep asking about a commit whose reply was lost."""

    def __init__(self, address: StoreAddress, clock: Clock, settle_seconds: float) -> None:
        self._address = address
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._lock_key = lock_key(address.schema_name)
        self._turn = asyncio.Lock()
        self._connection: Connection | None = None

    async def close(self) -> None:
        async with self._turn:
            await self._discard()

    async def write(self, statement: str, values: Values) -> list[Row]:
        return await self.change(partial(_written, statement, values))

    async def change(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` in its own transaction, under the writer's lock."""
        async with self._turn:
            try:
                with translated(self._address):
                    connection = await self._connected()
                    async with connection.transaction():
                        await connection.execute(_LOCK, (self._lock_key,))
                        return await work(connection)
            except BaseException:
                await self._discard()
                raise

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        async with self._turn:
            with translated(self._address):
                await self._connected()
            try:
                return await self._attempt(transaction)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                was_lost = self._connection is None or self._connection.closed
                await self._discard()
                if was_lost:
                    return await self._settle(transaction, error)
                with translated(self._address):
                    raise
            except psycopg.Error:
                await self._discard()
                with translated(self._address):
                    raise
            except BaseException:
                await self._discard()
                raise

    async def _attempt(self, transaction: Transaction) -> Stored | NotStored:
        """Try to store the transaction. Judged first if a halt in it may concern its later commits, or for tracking records, which
        the database function does not check.
        """
        is_judged_first = (transaction.halts() and len(transaction.drafts) > 1) or transaction.trackings()
        if is_judged_first and (objections := await self._objections(transaction)):
            return objections
        try:
            answer = await self._append(transaction)
        except psycopg.errors.UniqueViolation:
            answer = "refused"
        if answer == "stored":
            return Stored(transaction.positions())
        if answer == "lease lost":
            raise LeaseLost(f"the store belongs to a newer epoch than this process's, {transaction.epoch}")
        with translated(self._address):
            objections = await self._objections(transaction)
        return objections or NotStored(transaction.head, ())

    async def _append(self, transaction: Transaction) -> str:
        connection = await self._connected()
        if not transaction.trackings():
            return await _answer(connection, transaction)
        async with connection.transaction():
            answer = await _answer(connection, transaction)
            for tracking in transaction.trackings() if answer == "stored" else ():
                kept = {"name": bookmark_of(tracking.application_name), "value": str(tracking.notification_id)}
                await connection.execute(native(PUT_CHECKPOINT), kept)
        return answer

    async def _settle(self, transaction: Transaction, cause: Exception) -> Stored | NotStored:
        """Read back the transaction, or try once more if it is not there: a connection that broke while idle stored nothing."""
        deadline = self._clock.monotonic() + self._settle_seconds
        while True:
            try:
                objections = await self._objections(transaction)
                if objections is not None and objections.found:
                    return objections
                return await self._attempt(transaction)
            except psycopg.Error as error:
                await self._discard()
                if self._clock.monotonic() >= deadline:
                    message = f"the order store cannot be reached ({error}); whether the last commit was stored is not known"
                    raise StoreUnavailable(message) from cause
            await self._clock.sleep(0.1)

    async def _objections(self, transaction: Transaction) -> NotStored | None:
        connection = await self._connected()
        async with connection.transaction():
            await connection.execute(_LOCK, (self._lock_key,))
            ((head,),) = await _fetch(connection, _HEAD)
            refused, found = judge(transaction, await _seen(connection, transaction))
            if not refused and not found and head == transaction.head:
                return None
            rows = await _fetch(connection, "SELECT account_id, key, state FROM risk")
        return NotStored(head, [LedgerRow(*row) for row in rows], refused, found)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._address, read_only=False)
        return self._connection

    async def _discard(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()


async def _answer(connection: Connection, transaction: Transaction) -> str:
    cursor = await connection.execute(_APPEND, _arguments(transaction))
    ((answer,),) = await cursor.fetchall()
    return str(answer)


async def _written(statement: str, values: Values, connection: Connection) -> list[Row]:
    cursor = await connection.execute(native(statement), dict(values))
    return await cursor.fetchall() if cursor.description else []


async def _fetch(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
    cursor = await connection.execute(statement, values, binary=True)
    return await cursor.fetchall()


async def _seen(connection: Connection, transaction: Transaction) -> Seen:
    streams = list({*(stream_id for each in transaction.drafts for stream_id in each.streams), *transaction.dead_letters()})
    last_versions: dict[UUID, int] = dict(await _fetch(connection, _LAST_VERSIONS, (streams,)))
    recognitions = [claiming.known_by for claiming in transaction.claimings]
    known = ([each.signal_id for each in recognitions], [name for each in recognitions for name in each.client_order_ids])
    claims = await _fetch(connection, _CLAIMS, known) if recognitions else []
    halted = await _fetch(connection, "SELECT scope FROM halts")
    taken = [place_of(event) for each in overlapping(transaction.drafts, last_versions) for event in each.events]
    events = await _fetch(connection, _EVENTS, tuple(map(list, zip(*taken, strict=True)))) if taken else []
    return Seen(
        last_versions=last_versions,
        claims=[claim_of(row) for row in claims],
        halted=frozenset(scope for (scope,) in halted),
        events={(stream, version): (position, topic, bytes(state)) for stream, version, position, topic, state in events},
        tracked=await _tracked(connection, transaction),
    )


async def _tracked(connection: Connection, transaction: Transaction) -> dict[str, int]:
    names = {bookmark_of(each.application_name): each.application_name for each in transaction.trackings()}
    rows = await _fetch(connection, _TRACKED, (list(names),)) if names else []
    return {names[name]: int(value) for name, value in rows}


def _arguments(transaction: Transaction) -> tuple[Any, ...]:
    """The arguments in the order of `append_events`."""
    events = list(transaction.events())
    rows, claims, halts = transaction.ledger_rows(), transaction.claims(), list(transaction.halts().values())
    names = transaction.names()
    recognitions = [claiming.known_by for claiming in transaction.claimings]
    standing = [halt for halt in halts if halt.stands]
    return (
        Int8(transaction.epoch),
        Int8(transaction.head),
        [event.originator_id for event in events],
        [Int8(event.originator_version) for event in events],
        [event.topic for event in events],
        [event.state for event in events],
        list(transaction.scopes()),
        [row.account_id for row in rows],
        [row.key for row in rows],
        [row.state for row in rows],
        [known.signal_id for known in recognitions],
        [known.plan for known in recognitions],
        [known.account_id for known in recognitions],
        [each for known in recognitions for each in known.client_order_ids],
        transaction.dead_letters(),
        [claim.signal_id for claim in claims],
        [claim.plan for claim in claims],
        [claim.account_id for claim in claims],
        [claim.namespace for claim in claims],
        [Int4(claim.key_version) for claim in claims],
        [claim.client_order_id for claim in claims],
        [str(claim.order_id) for claim in claims],
        [claim.fingerprint for claim in claims],
        transaction.shapes(),
        [name.account_id for name in names],
        [name.broker_order_id for name in names],
        [str(name.order_id) for name in names],
        [stream_id for stream_id, is_open in transaction.is_open().items() if is_open],
        [stream_id for stream_id, is_open in transaction.is_open().items() if not is_open],
        [halt.scope for halt in halts if not halt.stands],
        [halt.scope for halt in standing],
        [halt.reason for halt in standing],
        [text_of(halt.at) for halt in standing],
    )
