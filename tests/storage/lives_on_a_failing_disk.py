"""Run as a process with the failing disk under it: lives the same life again and again, each time with another call failing.

Its one argument is JSON: the folder to live in, the kind of life, the faults by name, and the stride from one failing call to the
next. Answers for each fault with how many lives there were, and what was wrong with which.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.domain.errors import DecisionRefused, StoreError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import SubmissionStarted
from liveorder.domain.signal import Signal
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.contract.event_stores import MAPPER, CountingLedger, SQLiteSite, WallClock, claim, create, entry, recorded
from tests.harness.virtual_time import run_virtually
from tests.harness.worlds import World, a_signal, a_world, until
from tests.storage.failing_disk import FailingDisk, Fault

ORDERS = 4
MOST_FAILURES = 200
"""In a row: longer than any fault lasts."""


@dataclass
class Testimony:
    """What was acknowledged, by stream the last version; how many commits failed, of how many calls; and what was wrong."""

    acknowledged: dict[UUID, int] = field(default_factory=dict)
    failures: int = 0
    calls: int = 0
    wrong: list[str] = field(default_factory=list)

    def miss(self, found: dict[UUID, int]) -> None:
        for stream_id, version in self.acknowledged.items():
            if found.get(stream_id, 0) < version:
                self.wrong.append(f"acknowledged and missing: {found.get(stream_id, 0)} of {version} events of {stream_id}")

    async def witness(self, append: Callable[[Commit], Awaitable[Committed]], commit: Commit) -> Committed:
        try:
            committed = await append(commit)
        except StoreError:
            self.failures += 1
            raise
        last = commit.events[-1]
        self.acknowledged[last.stream_id] = max(last.version, self.acknowledged.get(last.stream_id, 0))
        return committed


Life = Callable[[Path, FailingDisk, Fault], Coroutine[Any, Any, Testimony]]


# --- a store alone -------------------------------------------------------------------------------------------------------------


async def appends(folder: Path, disk: FailingDisk, fault: Fault) -> Testimony:
    """Orders side by side, of three commits each, every one tried until it is stored."""
    site = SQLiteSite(folder, Placement.INLINE)
    await create(site)
    testimony = Testimony()
    store = await _opened(site)
    disk.fail(fault)
    await asyncio.gather(*(_append_order(store, testimony) for _ in range(ORDERS)))
    await store.close()
    testimony.calls = disk.calls
    disk.mend()
    await _inspect(site, testimony)
    return testimony


async def _opened(site: SQLiteSite) -> DatabaseOrderStore:
    store = site.store()
    await store.open(CountingLedger())
    assert await store.lease.acquire("writer", -1) is not None
    return store


async def _append_order(store: DatabaseOrderStore, testimony: Testimony) -> None:
    order_id = uuid4()
    first = (recorded(order_id, 1), recorded(order_id, 2))
    await _insist(store, testimony, Commit(first, claim=claim(order_id, str(order_id)), is_open=True, entries=(entry("orders"),)))
    for version in (3, 4):
        await _insist(store, testimony, Commit((recorded(order_id, version),), is_open=version < 4, entries=(entry("fills"),)))


async def _insist(store: DatabaseOrderStore, testimony: Testimony, commit: Commit) -> None:
    """The same bytes until they are stored: one that was stored without a word is found."""
    for _ in range(MOST_FAILURES):
        try:
            await testimony.witness(store.append, commit)
        except StoreError:
            continue
        return
    testimony.wrong.append("nothing could be stored any more after the fault had passed")


async def _inspect(site: SQLiteSite, testimony: Testimony) -> None:
    store, ledger = site.store(), CountingLedger()
    await store.open(ledger)
    found = {each.stream_id: each.version async for page in store.log() for each in page}
    testimony.miss(found)
    testimony.wrong += (await store.check()).problems
    if ledger.counts != {("main", "orders"): ORDERS, ("main", "fills"): 2 * ORDERS}:
        testimony.wrong.append(f"the risk figures are {ledger.counts}")
    await store.close()


# --- a whole service -----------------------------------------------------------------------------------------------------------


async def orders(folder: Path, disk: FailingDisk, fault: Fault) -> Testimony:
    """One order bought, one replaced and cancelled, while the disk fails; then a second life on a whole one."""
    testimony = Testimony()
    async with a_world(folder) as world:
        engine = world.engine()
        await engine.start(wait_for_lease=True)
        _observe(engine, testimony)
        disk.fail(fault)
        await _trade(engine)
        await until(lambda: engine.is_quiet)
        await engine.stop()
        testimony.calls = disk.calls
        disk.mend()
        await _judge(world, testimony)
    return testimony


def _observe(engine: Engine, testimony: Testimony) -> None:
    """Every commit, and that none is missing of whatever is sent."""
    append = engine.store.append
    confirmed: set[str] = set()

    async def observed(commit: Commit) -> Committed:
        committed = await testimony.witness(append, commit)
        confirmed.update(each.event.payload for each in commit.events if isinstance(each.event, SubmissionStarted))
        return committed

    engine.store.append = observed  # type: ignore[method-assign]  # a witness of our own making
    for gateway in engine.gateways.values():
        submit = gateway.broker.submit

        async def watched(prepared: Any, submit: Any = submit) -> Any:
            if prepared.payload not in confirmed:
                testimony.wrong.append(f"sent without a confirmed commit: {prepared.payload}")
            return await submit(prepared)

        gateway.broker.submit = watched  # type: ignore[method-assign]  # a witness of our own making


async def _trade(engine: Engine) -> None:
    await _insist_on(lambda: engine.execute.execute(a_signal("bought")))
    resting = await _insist_on(lambda: engine.execute.execute(_resting()))
    await _insist_on(lambda: engine.replace.replace(resting.order_id, limit_price=Decimal(101)), DecisionRefused)
    with suppress(DecisionRefused):  # it was cancelled already, and only the answer was lost
        await _insist_on(lambda: engine.cancel.cancel(resting.order_id))


def _resting() -> Signal:
    return a_signal("resting", order_type="LIMIT", limit_price=Decimal(100), time_in_force="GTC")


async def _insist_on(act: Callable[[], Awaitable[LiveOrder]], also: type[Exception] = StoreError) -> LiveOrder:
    """As a source does with a signal, and a person with the rest."""
    for _ in range(MOST_FAILURES):
        try:
            return await act()
        except (StoreError, also):
            await asyncio.sleep(1.0)
    raise AssertionError("it does not go on by itself when the fault has passed")


async def _judge(world: World, testimony: Testimony) -> None:
    async with _inspected(world.url) as store:
        testimony.miss({each.stream_id: each.version async for page in store.log() for each in page})
        testimony.wrong += (await store.check()).problems
    async with world.living() as engine:
        for signal, status in ((a_signal("bought"), OrderStatus.FILLED), (_resting(), OrderStatus.CANCELLED)):
            order = await engine.execute.execute(signal)
            if order.status is not status:
                testimony.wrong.append(f"{signal.signal_id} is {order.status}")
            if len(world.venue_orders(order)) != 1:
                testimony.wrong.append(f"{signal.signal_id} is {len(world.venue_orders(order))} orders at the venue")
        if not all(report.is_clean for report in await engine.reconcile.reconcile_all()):
            testimony.wrong.append("not reconciled")


@asynccontextmanager
async def _inspected(url: str) -> AsyncIterator[DatabaseOrderStore]:
    store = store_at(url, clock=WallClock(), mapper=MAPPER, placement=Placement.INLINE)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


# --- again and again -----------------------------------------------------------------------------------------------------------

LIVES: dict[str, tuple[Life, str]] = {"appends": (appends, "orders.sqlite"), "orders": (orders, "orders.db")}


def main(folder: str, life: str, faults: dict[str, dict[str, Any]], stride: int) -> dict[str, Any]:
    live, name = LIVES[life]
    home = Path(folder)
    disk = FailingDisk(home / name)
    return {title: asdict(lived_through(live, home, disk, Fault(**fault), stride)) for title, fault in faults.items()}


@dataclass
class Lives:
    """How many were lived, how many commits failed in them, and what was wrong."""

    lived: int = 0
    failures: int = 0
    wrong: list[str] = field(default_factory=list)


def lived_through(live: Life, home: Path, disk: FailingDisk, fault: Fault, stride: int) -> Lives:
    lives, after, calls = Lives(), 0, 1
    while after < calls:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        testimony = run_virtually(live(home, disk, replace(fault, after=after)))
        lives.lived, lives.failures = lives.lived + 1, lives.failures + testimony.failures
        lives.wrong += [f"call {after} failing: {each}" for each in testimony.wrong]
        after, calls = after + stride, testimony.calls
    return lives


if __name__ == "__main__":
    print(json.dumps(main(**json.loads(sys.argv[1]))))  # noqa: T201 - its answer
