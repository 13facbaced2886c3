"""What stands does so without a gap, also while it is read anew or cannot be stored yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.ports.order_store import Commit, HaltRow
from liveorder.application.recording import Recorder
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import StoreUnavailable, VersionConflict
from liveorder.domain.events import RecordedEvent
from liveorder.domain.trading_halt import EVERYTHING, HaltReason, TradingHalted, connection_scope
from tests.builders import intent, recorded
from tests.harness.worlds import RememberedLog, StandingClock

KILLED = TradingHalted(scope=EVERYTHING, reason=HaltReason.KILL_SWITCH, detail="by asha")


class Store:
    """That another writer has appended to, or that is away."""

    def __init__(self, stored: Sequence[RecordedEvent]) -> None:
        self.stored, self.failure = stored, Exception
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        await self.may_answer.wait()
        return self.stored

    async def halts(self) -> Sequence[HaltRow]:
        return ()

    async def append(self, commit: Commit) -> Any:
        raise self.failure


async def loaded(store: Store) -> TradingHalts:
    clock: Any = StandingClock()
    any_store: Any = store
    halts = TradingHalts(any_store, Recorder(any_store, clock, Random(1)), clock, RememberedLog(), auto_trading_default=True)
    await halts.load()
    return halts


async def test_a_halt_stands_while_its_stream_is_read_anew() -> None:
    store = Store(recorded([KILLED]))
    halts = await loaded(store)
    store.failure = VersionConflict
    store.may_answer.clear()
    switching = asyncio.create_task(halts.switch_auto_trading(False, "by asha", "person:asha"))
    await asyncio.sleep(0)
    assert halts.now.stands_for("U1") == KILLED
    store.may_answer.set()
    with pytest.raises(VersionConflict):
        await switching
    assert halts.now.stands_for("U1") == KILLED


async def test_an_order_does_not_wait_for_a_connection_that_a_person_has_stopped() -> None:
    """Though the halt of the connection, which came last, could not be stored yet."""
    store = Store(recorded([KILLED]))
    halts = await loaded(store)
    store.failure = StoreUnavailable
    assert not await halts.halt(connection_scope("U1"), HaltReason.CONNECTION_LOST, "3 attempts", "engine")
    assert len(halts.standing()) == 2
    assert halts.now.stops(intent())
    assert not halts.now.delays(intent())
