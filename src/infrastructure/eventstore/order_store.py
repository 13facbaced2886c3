"""The `OrderStore` over either database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import (
    Commit,
    Committed,
    HaltRow,
    IntegrityReport,
    Ledger,
    LedgerEntry,
    LedgerRow,
    StoreIdentity,
)
from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.default_account import STORE_STREAM, default_account
from liveorder.domain.errors import StoreError, StoreRefused, StoreUnavailable
from liveorder.domain.events import RecordedEvent
from liveorder.domain.position_owner import position_owner
from liveorder.domain.trading_halt import HaltReason, told_by
from liveorder.infrastructure.eventstore.claim_rows import claim_of
from liveorder.infrastructure.eventstore.command_table import CommandTable
from liveorder.infrastructure.eventstore.database import Database, Stamp, Values, write_as_owner
from liveorder.infrastructure.eventstore.event_recorder import EventRecorder
from liveorder.infrastructure.eventstore.foreign_appender import ForeignAppender
from liveorder.infrastructure.eventstore.foreign_events import of_ours
from liveorder.infrastructure.eventstore.group_commit import GroupCommit
from liveorder.infrastructure.eventstore.identity import Expectation, meet, read_identity, refuse_another
from liveorder.infrastructure.eventstore.lease_row import LeaseRow
from liveorder.infrastructure.eventstore.log_reader import LogReader
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.moments import moment_of, text_of
from liveorder.infrastructure.eventstore.recent_events import RecentEvents
from liveorder.infrastructure.eventstore.schema import ADD_HALT, CHECKPOINT, PLACE, PUT_HALT, PUT_OWN_CHECKPOINT, SCHEMA_VERSION
from liveorder.infrastructure.eventstore.transaction import EncodedCommit, draft

_T = TypeVar("_T")

PAGE = 500
"""Events per page."""
AT_ONCE = 500
"""Maximum number of names or streams in one query."""

_LEDGER = """SELECT p.position, r.account_id, r.key, r.state
    FROM risk_position p LEFT JOIN risk r ON 1=1 ORDER BY r.account_id, r.key"""
_PUT_ROWS = """INSERT INTO risk SELECT column1, column2, column3 FROM (VALUES {rows}) AS given
    WHERE EXISTS (SELECT 1 FROM lease WHERE epoch=:epoch)
    ON CONFLICT (account_id, key) DO UPDATE SET state=excluded.state RETURNING key"""
_NAMED = "SELECT order_id FROM broker_names WHERE account_id=:account AND broker_order_id=:name ORDER BY order_id DESC"
_OF_SIGNAL = "SELECT * FROM signal_claims WHERE signal_id=:signal AND plan=:plan"
_OF_KEY = "SELECT * FROM signal_claims WHERE client_order_id=:id"
_CLAIM_OF = """SELECT * FROM signal_claims WHERE client_order_id=:id
    UNION ALL SELECT * FROM superseded_claims WHERE client_order_id=:id"""
_NAMED_SO = """SELECT broker_order_id, order_id FROM broker_names
    WHERE account_id=:account AND broker_order_id IN ({names}) ORDER BY order_id DESC"""
_ANSWERED = """UPDATE commands SET answer='{"ok": false, "error": "DecisionRefused", "message": "asked before a backup was made"}'
    WHERE answer IS NULL"""


_STAMP: Sequence[Stamp] = (
    ("UPDATE lease SET expires_at=0", {}),
    (_ANSWERED, {}),
    ("DELETE FROM checkpoints WHERE name=:name", {"name": PLACE}),
)
"""The stamp of a copy: nobody owns it, nobody waits for its pending commands, and its place is not recorded yet."""


class DatabaseOrderStore:
    """An `OrderStore`, with the `lease` and the `commands` of the same store.

    Without a lease it appends at epoch 0, which works only until a process acquires the lease for the first time.
    """

    def __init__(
        self,
        database: Database,
        mapper: DomainEventMapper,
        clock: Clock,
        expectation: Expectation | None = None,
        poll_seconds: float = 1.0,
    ) -> None:
        """`poll_seconds`: how often `wait_beyond` looks for events of other processes."""
        self._database = database
        self._mapper = mapper
        self._reader = LogReader(database, mapper)
        self._clock = clock
        self._expectation = expectation
        self._poll_seconds = poll_seconds
        self._group: GroupCommit | None = None
        self._stored = asyncio.Event()
        self._recent = RecentEvents()
        self._recorder: EventRecorder | None = None
        self.lease = LeaseRow(database, clock, self._writing)
        self.commands = CommandTable(database, lambda: self._writing().epoch)

    async def open(self, ledger: Ledger | None = None) -> StoreIdentity:
        """Open the store. Without a ledger it is open for queries, commands and halts, also with an older schema, and for events
        without ledger entries.
        """
        try:
            await self._database.open()
            identity = await self._identified(is_writer=ledger is not None)
            if self._expectation is not None:
                refuse_another(self._expectation, identity)
            await self._reader.refuse_damaged_tail()
            group = GroupCommit(self._database.transact, ledger or _NoLedger(), self._read_ledger, self._announce)
            await group.own(0)
        except BaseException:
            await self._database.close()
            raise
        self._group = group
        return identity

    async def _identified(self, *, is_writer: bool) -> StoreIdentity:
        identity = await read_identity(self._database)
        await self._reader.open(identity.schema_version)
        if is_writer and identity.schema_version < SCHEMA_VERSION:
            raise StoreRefused("this store was written by an earlier version of liveorder; `liveorder run` migrates it")
        chosen = [item.event for item in await self.stream(STORE_STREAM)]
        return replace(
            identity,
            default_account=default_account(chosen, identity.default_account),
            positions=position_owner(chosen, identity.positions),
        )

    async def identify(self) -> StoreIdentity:
        identity = await self._identified(is_writer=True)
        if self._expectation is None:
            return identity
        return await meet(self._expectation, identity, self._database, self._writing().epoch)

    async def close(self) -> None:
        group, self._group = self._group, None
        if group is not None:
            await group.flush()
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.close)
                await self._recorder.end_watches()
            await self._database.close()

    async def append(self, commit: Commit) -> Committed:
        drafted = draft(commit, self._mapper, self._reader.stamped)
        committed = await self._writing().append(drafted)
        self._reader.stamped.update(drafted.shapes)
        return committed

    def recorder(self, *, is_read_only: bool = False) -> EventRecorder:
        """The store as a recorder of the library, which works while this object is open. Call on the event loop."""
        self._writing()
        if self._recorder is None:
            appender = ForeignAppender(self._database, self._mapper, self._reader, self._writing, self.wait_beyond)
            reader, loop = self._database.library_reader(), asyncio.get_running_loop()
            self._recorder = EventRecorder(appender, reader, loop, is_read_only=is_read_only)
        return self._recorder

    async def stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        return of_ours(await self._reader.stream(stream_id))

    async def unfinished(self) -> Mapping[UUID, Sequence[RecordedEvent]]:
        return _by_stream(await self._reader.events(self._database.unfinished))

    async def log(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Sequence[RecordedEvent]]:
        left = limit
        while left is None or left > 0:
            page = await self._reader.events(partial(self._database.page, after, PAGE if left is None else min(PAGE, left)))
            if not page:
                return
            if page[-1].position <= after:
                raise StoreRefused(f"the log goes back from position {after}; it is damaged: run `liveorder doctor`")
            yield page
            after = page[-1].position
            left = None if left is None else left - len(page)

    async def next_after(self, position: int) -> Sequence[RecordedEvent]:
        if found := self._recent.after(position, PAGE):
            return found
        return await self._reader.events(partial(self._database.page, position, PAGE))

    async def ledger(self) -> Sequence[LedgerRow]:
        return await self._writing().read_ledger_again()

    async def restate(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        return await self._writing().restate(entries, self._put_rows)

    async def _put_rows(self, rows: Sequence[LedgerRow], epoch: int) -> None:
        values: dict[str, str | int | None] = {}
        for number, row in enumerate(rows):
            values |= {f"account{number}": row.account_id, f"key{number}": row.key, f"state{number}": row.state}
        given = ", ".join(f"(:account{number}, :key{number}, :state{number})" for number in range(len(rows)))
        await write_as_owner(self._database, _PUT_ROWS.format(rows=given), values, epoch, "the risk table")

    async def head(self) -> int:
        ((position,),) = await self._database.fetch("SELECT position FROM risk_position")
        return int(position)

    async def claim_of(self, client_order_id: str) -> IdempotencyClaim | None:
        rows = await self._database.fetch(_CLAIM_OF, {"id": client_order_id})
        return claim_of(rows[0]) if rows else None

    async def claims(self, known_by: Recognition) -> Sequence[IdempotencyClaim]:
        found = await self._database.fetch(_OF_SIGNAL, {"signal": known_by.signal_id, "plan": known_by.plan})
        for client_order_id in known_by.client_order_ids:
            found += await self._database.fetch(_OF_KEY, {"id": client_order_id})
        return [claim for claim in dict.fromkeys(map(claim_of, found)) if known_by.fits(claim)]

    async def superseded(self) -> Sequence[IdempotencyClaim]:
        return [claim_of(row) for row in await self._database.fetch("SELECT * FROM superseded_claims ORDER BY order_id")]

    async def named(self, account_id: str, broker_order_id: str) -> Sequence[UUID]:
        """The orders, newest first: order ids are in order of time, also as text."""
        rows = await self._database.fetch(_NAMED, {"account": account_id, "name": broker_order_id})
        return [UUID(order_id) for (order_id,) in rows]

    async def streams_named(
        self, account_id: str, broker_order_ids: Collection[str]
    ) -> Mapping[str, Sequence[Sequence[RecordedEvent]]]:
        ids_by_name: defaultdict[str, list[UUID]] = defaultdict(list)
        for some in _in_parts(sorted(broker_order_ids)):
            asked = {f"name{number}": name for number, name in enumerate(some)}
            statement = _NAMED_SO.format(names=", ".join(f":{each}" for each in asked))
            for name, order_id in await self._database.fetch(statement, {"account": account_id, **asked}):
                ids_by_name[name].append(UUID(order_id))
        streams = await self._streams(sorted({order_id for ids in ids_by_name.values() for order_id in ids}))
        return {name: [streams[order_id] for order_id in ids if order_id in streams] for name, ids in ids_by_name.items()}

    async def _streams(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[RecordedEvent]]:
        found: dict[UUID, Sequence[RecordedEvent]] = {}
        for some in _in_parts(stream_ids):
            found |= _by_stream(await self._reader.events(partial(self._database.streams, some)))
        return found

    async def halts(self) -> Sequence[HaltRow]:
        rows = await self._database.fetch("SELECT scope, reason, at FROM halts ORDER BY scope")
        return [HaltRow(scope, True, reason, moment_of(at)) for scope, reason, at in rows]

    async def insert_halt(self, scope: str, reason: str, at: datetime) -> None:
        is_of_restored = told_by(reason)[0] is HaltReason.RESTORED_STORE
        values: Values = {"scope": scope, "reason": reason, "at": text_of(at)}
        await self._database.write(PUT_HALT if is_of_restored else ADD_HALT, values)

    async def checkpoint(self, name: str) -> str | None:
        rows = await self._database.fetch(CHECKPOINT, {"name": name})
        return str(rows[0][0]) if rows else None

    async def checkpoints(self, prefix: str) -> Mapping[str, str]:
        """The bookmarks whose names begin with `prefix`, by the rest of the name, in the order of the names."""
        rows = await self._database.fetch("SELECT name, value FROM checkpoints", {})
        return {name.removeprefix(prefix): value for name, value in sorted(rows) if name.startswith(prefix)}

    async def save_checkpoint(self, name: str, value: str) -> None:
        values: Values = {"name": name, "value": value}
        await write_as_owner(self._database, PUT_OWN_CHECKPOINT, values, self._writing().epoch, name)

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """Woken by commits of this process. Those of other processes, and what was stored though its reply was lost, are seen
        within `poll_seconds`.
        """
        deadline = self._clock.monotonic() + timeout_seconds
        must_ask = not self._writing().is_owner
        while True:
            stored, known = self._stored, self._writing().head
            head = await self.head() if must_ask and known <= position else known
            left = deadline - self._clock.monotonic()
            if head > position or left <= 0:
                return head
            must_ask = not await self._is_stored_within(stored, min(left, self._poll_seconds))

    async def check(self) -> IntegrityReport:
        return await self._reader.inspect(self._database)

    async def backup(self, target: str) -> None:
        """Make a backup. The copy is checked and halted: when it is used, the broker has moved on, and only a person can say that
        trading is safe.

        Raises `StoreError` if the copy is not intact, or if `target` exists.
        """
        now = text_of(self._clock.now())
        halt = {"scope": "*", "reason": f"restored from a backup of {now}: reconcile with the broker, then resume", "at": now}
        copy = await self._database.copy(target, [(PUT_HALT, halt), *_STAMP])
        try:
            await copy.open()
            report = await self._reader.inspect(copy)
        finally:
            await copy.close()
        if report.problems:
            raise StoreError(f"the backup is damaged ({report.problems[0]}); do not use it, run `liveorder doctor`")

    def _writing(self) -> GroupCommit:
        if self._group is None:
            raise StoreUnavailable("the order store is not open")
        return self._group

    async def _read_ledger(self) -> tuple[int, Sequence[LedgerRow]]:
        rows = await self._database.fetch(_LEDGER)
        return int(rows[0][0]), [LedgerRow(account_id, key, state) for _, account_id, key, state in rows if key is not None]

    def _announce(self, stored: Sequence[EncodedCommit], places: Sequence[tuple[int, ...]]) -> None:
        for each, positions in zip(stored, places, strict=True):
            if not each.is_foreign:
                self._recent.add(each.commit.events, positions)
        self._stored.set()
        self._stored = asyncio.Event()

    async def _is_stored_within(self, stored: asyncio.Event, seconds: float) -> bool:
        tasks = [asyncio.ensure_future(stored.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return stored.is_set()


def _by_stream(events: Sequence[RecordedEvent]) -> dict[UUID, Sequence[RecordedEvent]]:
    """Events by stream, without those of other programs."""
    streams = ((stream_id, of_ours(list(of_one))) for stream_id, of_one in groupby(events, key=lambda item: item.stream_id))
    return {stream_id: stream for stream_id, stream in streams if stream}


def _in_parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + AT_ONCE] for start in range(0, len(items), AT_ONCE))


class _NoLedger:
    """The ledger of a process that only reads."""

    def load(self, rows: Sequence[LedgerRow]) -> None:
        pass

    def stage(self, entries: object) -> Sequence[LedgerRow]:
        raise StoreError(f"opened without a ledger, so it cannot store {entries}")

    def keep(self, rows: Sequence[LedgerRow]) -> None:
        pass
