"""The inline SQLite store with faults: slow, failing in the middle of a commit, away for a while, dying within one."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import StoreUnavailable
from liveorder.infrastructure.eventstore.database import Read, Row, T, Values
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction
from tests.harness.crash_points import Crashed
from tests.simulation.scenario import CommitFails, CommitFault

_STORED = (CommitFault.STORED, CommitFault.STORED_AND_AWAY, CommitFault.DIES_AFTER)
_AWAY = (CommitFault.STORED_AND_AWAY, CommitFault.NOT_STORED_AND_AWAY)
_DEADLY = (CommitFault.DIES_BEFORE, CommitFault.DIES_AFTER)


class StoreFaults:
    """What the store will suffer. `kill` ends the process whose callback runs; `on_strike` hears of each fault."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._armed: list[tuple[int, CommitFails]] = []
        self._away_until = self._blind_until = self._slow_until = 0.0
        self._slow_seconds = 0.0
        self.untold = 0
        """Transactions that are over, of which the process has not heard yet."""
        self.kill: Callable[[], None] = lambda: None
        self.on_strike: Callable[[str], None] = lambda _: None

    def arm(self, failing: CommitFails) -> None:
        self._armed.append((failing.after, failing))

    def go_away(self, seconds: float, *, is_blind: bool = False) -> None:
        until = self._seconds() + seconds
        self._away_until = max(self._away_until, until)
        self._blind_until = max(self._blind_until, until if is_blind else 0.0)

    def slow_down(self, seconds: float, lasts: float) -> None:
        self._slow_seconds, self._slow_until = seconds, self._seconds() + lasts

    @property
    def commit_seconds(self) -> float:
        """How much longer than usual a commit takes now."""
        return self._slow_seconds if self._seconds() < self._slow_until else 0.0

    def cease(self) -> None:
        self._armed.clear()
        self._away_until = self._blind_until = self._slow_until = 0.0

    def refuse_while_away(self) -> None:
        if self._seconds() < self._away_until:
            raise sqlite3.OperationalError("disk I/O error")

    def refuse_while_blind(self) -> None:
        if self._seconds() < self._blind_until:
            raise StoreUnavailable("disk I/O error")

    def strike(self) -> CommitFails | None:
        """What befalls this commit."""
        struck = next((failing for left, failing in self._armed if left == 0), None)
        self._armed = [(left - 1, failing) for left, failing in self._armed if left > 0]
        if struck is not None:
            self.on_strike(struck.fault)
        return struck


class FaultyConnection(sqlite3.Connection):
    """What a disk can do to a transaction. `faults` are set once it is made."""

    faults: StoreFaults | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self.faults is not None and sql.startswith("BEGIN"):
            self.faults.refuse_while_away()
        if self.faults is not None and sql == "COMMIT" and (failing := self.faults.strike()) is not None:
            self._suffer(failing, self.faults)
        return super().execute(sql, parameters)

    def _suffer(self, failing: CommitFails, faults: StoreFaults) -> None:
        super().execute("COMMIT" if failing.fault in _STORED else "ROLLBACK")
        if failing.fault in _AWAY:
            faults.go_away(failing.seconds)
        if failing.fault in _DEADLY:
            faults.kill()
            raise Crashed
        raise sqlite3.OperationalError("disk I/O error")


class FaultyDatabase(SQLiteDatabase):
    """Takes its time before and after whatever it does, and has `look` called after each transaction, however that ended."""

    def __init__(
        self, path: Path, clock: Clock, faults: StoreFaults, look: Callable[[], None], chance: random.Random, longest_seconds: float
    ) -> None:
        super().__init__(path, clock, Placement.INLINE, 0, self._connect)
        self._faults, self._look, self._chance, self._longest = faults, look, chance, longest_seconds
        self._asking: sqlite3.Connection | None = None

    async def fetch(self, statement: str, values: Values | None = None) -> list[Row]:
        """Without the library's pool: services look for commands and halts all day long."""
        self._faults.refuse_while_blind()
        if self._asking is None:
            self._asking = sqlite3.connect(uri_of(self._path), uri=True, isolation_level=None)
        return self._asking.execute(statement, dict(values or {})).fetchall()

    async def place(self) -> str:
        """Always the same, so that a store copied for each history is not taken for one that was restored."""
        return "a simulation"

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.close()
        await super().close()

    def _connect(self, path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri_of(path), uri=True, timeout=0, isolation_level=None, check_same_thread=False, factory=FaultyConnection
        )
        connection.faults = self._faults
        return connection

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        before, after = self._commit_seconds()
        await self._take_time(before)
        try:
            return await super().transact(transaction)
        finally:
            self._look()
            self._faults.untold += 1
            try:
                await self._take_time(after)
            finally:
                self._faults.untold -= 1

    async def write(self, statement: str, values: Values) -> list[Row]:
        before, after = self._commit_seconds()
        await self._take_time(before)
        try:
            return await super().write(statement, values)
        finally:
            await self._take_time(after)

    async def stream(self, stream_id: UUID, read: Read[T]) -> list[T]:
        self._faults.refuse_while_blind()
        found = await super().stream(stream_id, read)
        await self._take_time()
        return found

    async def streams(self, stream_ids: Sequence[UUID], read: Read[T]) -> list[T]:
        self._faults.refuse_while_blind()
        found = await super().streams(stream_ids, read)
        await self._take_time()
        return found

    async def page(self, after: int, limit: int, read: Read[T]) -> list[T]:
        await self._take_time()
        self._faults.refuse_while_blind()
        return await super().page(after, limit, read)

    async def open_streams(self) -> tuple[int, Sequence[UUID]]:
        await self._take_time()
        return await super().open_streams()

    def _commit_seconds(self) -> tuple[float, float]:
        """Of a slow store: before it is durable, and after it."""
        seconds = self._faults.commit_seconds
        before = seconds * self._chance.choice((0.0, 0.5, 1.0)) if seconds else 0.0
        return before, seconds - before

    async def _take_time(self, at_least: float = 0.0) -> None:
        seconds = at_least
        if self._longest and self._chance.random() < 0.5:
            seconds += self._chance.uniform(0, self._longest)
        if seconds:
            await asyncio.sleep(seconds)
