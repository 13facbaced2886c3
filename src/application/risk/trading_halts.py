"""The stop: first in memory, so that nothing more is sent from here on; then durably, so that nothing is sent after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Commit, HaltRow, OrderStore
from liveorder.application.recording import ENGINE, Cause, Recorder
from liveorder.application.runtime.concurrently import within_store_timeout
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.errors import StoreError, StoreUnavailable, VersionConflict
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.trading_halt import (
    HALT_STREAM,
    HaltReason,
    StandingHalts,
    TradingHalt,
    TradingHalted,
    TradingResumed,
    is_of_a_restored_store,
    told_by,
)


class TradingHalts:
    """The store's `TradingHalt`, and what stands in memory while the store cannot be written. `now` is both, for who decides."""

    def __init__(
        self, store: OrderStore, recorder: Recorder, clock: Clock, log: ActivityLog, *, auto_trading_default: bool
    ) -> None:
        self._store, self._recorder, self._clock, self._log = store, recorder, clock, log
        self._sparing_log = SparingLog(log, clock)
        self._auto_trading_default = auto_trading_default
        self._state, self._version = TradingHalt(), 0
        self._undurable: dict[str, TradingHalted] = {}
        self._trusted_since: dict[str, datetime] = {}
        self._suspected_at: dict[str, datetime] = {}
        self._recording = asyncio.Lock()
        self._look()

    def _look(self) -> None:
        """After each change of what stands."""
        switched = self._state.auto_trading
        auto_trading = self._auto_trading_default if switched is None else switched
        halts = self._state.evolve(self._undurable.values())
        self.now = StandingHalts(halts, auto_trading, {**self._trusted_since}, {**self._suspected_at})

    async def load(self) -> None:
        """Fold the halt's stream, and take in halts that other processes put in their place."""
        await self._fold()
        await self.take_in_rows()

    async def _fold(self) -> None:
        recorded = await self._store.stream(HALT_STREAM)  # what stands does so until it is known what does
        self._state, self._version = TradingHalt(), 0
        self._take_in(recorded)

    def _take_in(self, recorded: Sequence[RecordedEvent]) -> None:
        for item in recorded:
            if isinstance(item.event, TradingResumed) and is_of_a_restored_store(self._state.standing.get(item.event.scope)):
                self._trusted_since[item.event.scope] = item.envelope.recorded_at
            if isinstance(item.event, TradingHalted) and is_of_a_restored_store(item.event):
                self._suspected_at[item.event.scope] = item.envelope.recorded_at
            self._state, self._version = self._state.evolve([item.event]), item.version
        self._look()

    def standing(self) -> Sequence[TradingHalted]:
        """Every halt that stands."""
        return [*self.now.halts.standing.values()]

    def halt_now(self, scope: str, reason: HaltReason, detail: str) -> bool:
        """Stop `scope` in memory, before anything else happens. False when it was stopped already. `retry_durable` stores it."""
        halted = self.now.halts.halt(scope, reason, detail)
        if not halted:
            return False
        self._undurable[scope] = halted[0]
        if is_of_a_restored_store(halted[0]):
            self._suspected_at[scope] = self._clock.now()
        self._look()
        self._log.write("HALT", f"Trading halted ({scope}): {detail}", scope=scope, reason=reason.value)
        return True

    async def halt(self, scope: str, reason: HaltReason, detail: str, actor: str) -> bool:
        """Stop `scope` at once. True when the halt is durable; False while the store cannot take it: it stands all the same."""
        self.halt_now(scope, reason, detail)
        is_durable = await self._made_durable(actor)
        if self.halt_now(scope, reason, detail):  # it stood before, and a resume that was being stored has lifted it
            is_durable = await self._made_durable(actor)
        return is_durable

    async def _made_durable(self, actor: str) -> bool:
        try:
            return await within_store_timeout(self.retry_durable(actor))
        except StoreUnavailable as error:
            self._sparing_log.write("HALT", f"The halt stands in memory only: {error}")
            return False

    async def retry_durable(self, actor: str = ENGINE) -> bool:
        """Store the halts that stand in memory only; whether none is left."""
        try:
            async with self._recording:
                for scope, halted in list(self._undurable.items()):
                    await self._store_halt(scope, halted, actor)
        except StoreError as error:
            self._sparing_log.write("HALT", f"The halt stands in memory only: {error}")
        return not self._undurable

    async def _store_halt(self, scope: str, halted: TradingHalted, actor: str) -> None:
        """Unless it stands durably by now: another process put it in its place, and it was taken in meanwhile."""
        if self._state.evolve([halted]) is not self._state:
            await self._record([halted], actor, HaltRow(scope, True, halted.reason.value, self._clock.now()))
        self._undurable.pop(scope, None)
        self._look()

    async def resume(self, scope: str, detail: str, actor: str) -> bool:
        """Lift the halt of exactly this scope. False when none stands.

        That the store may have forgotten what was sent is to outlast its halt, so it has to be stored first.
        """
        async with self._recording:
            if is_of_a_restored_store(halted := self._undurable.get(scope)):
                await self._store_halt(scope, halted, actor)
            events = self._state.resume(scope, detail)
            if not events and scope not in self._undurable:
                return False
            if events:
                await self._record(events, actor, HaltRow(scope, False, detail, self._clock.now()))
            self._undurable.pop(scope, None)
            self._look()
        self._log.write("HALT", f"Trading resumed ({scope}): {detail}", scope=scope)
        return True

    async def switch_auto_trading(self, enabled: bool, detail: str, actor: str) -> None:
        async with self._recording:
            events = self._state.switch_auto_trading(enabled, detail)
            if events:
                await self._record(events, actor, None)

    async def take_in_rows(self) -> None:
        """A halt that another process inserted stands already; give it its event.

        Read while nobody can lift one: an old answer would revive it.
        """
        async with self._recording:
            for row in await self._store.halts():
                events = self._state.halt(row.scope, *told_by(row.reason))
                if events:
                    await self._record(events, "person:command", row)

    async def _record(self, events: Sequence[Event], actor: str, row: HaltRow | None) -> None:
        recorded = self._recorder.enveloped(HALT_STREAM, self._version, events, Cause(actor, correlation_id="halt"))
        try:
            await self._store.append(Commit(events=tuple(recorded), halt=row))
        except VersionConflict:
            await self._fold()
            raise
        self._take_in(recorded)
