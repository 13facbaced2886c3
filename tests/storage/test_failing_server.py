"""A PostgreSQL server that is killed under load, and comes back: what was acknowledged is there, and each order is sent once."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from liveorder.application.ports.order_store import Commit
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.execution_report import BrokerStatus
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.contract.event_stores import EXPECTED, MAPPER, CountingLedger, WallClock, claim, create, entry, recorded
from tests.crash.cases import a_signal, key_of
from tests.crash.processes import eventually
from tests.crash.scene import staged
from tests.crash.store_factories import create as create_for
from tests.crash.test_store_sigkill import assert_whole
from tests.storage.own_cluster import Cluster, own_cluster

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

ROUNDS = 10 if os.environ.get("LIVEORDER_TEST_SWEEP") == "1" else 1
APPENDERS = 8
ACCOUNT = "A0"
DEATHS: dict[str, Callable[[Cluster], None]] = {
    "sessions killed at work": Cluster.kill_writers,
    "crash and recovery": Cluster.crash,
    "restart": Cluster.restart,
    "sessions ended": Cluster.end_sessions,
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with own_cluster() as made:
        yield made


class OwnSite:
    """A `Site` in a schema of its own, as far as it is used here."""

    numbers = count()

    def __init__(self, cluster: Cluster) -> None:
        self.url = f"{cluster.url()}?schema=store{next(self.numbers)}"

    def store(self) -> DatabaseOrderStore:
        return store_at(self.url, clock=WallClock(), expectation=EXPECTED, mapper=MAPPER)


class Load:
    """Orders appended side by side, without end; each commit is tried until it is acknowledged."""

    def __init__(self, store: DatabaseOrderStore) -> None:
        self._store = store
        self.acknowledged: dict[UUID, int] = {}
        self.refusals = 0

    async def append_orders(self) -> None:
        while True:
            order_id = uuid4()
            first = (recorded(order_id, 1), recorded(order_id, 2))
            begun = Commit(first, claim=claim(order_id, str(order_id)), is_open=True, entries=(entry("orders"),))
            await self._insist(begun)
            for version in (3, 4):
                await self._insist(Commit((recorded(order_id, version),), is_open=version < 4, entries=(entry("fills"),)))

    async def _insist(self, commit: Commit) -> None:
        while True:
            try:
                await self._store.append(commit)
            except StoreUnavailable:
                self.refusals += 1
                continue
            self.acknowledged[commit.events[-1].stream_id] = commit.events[-1].version
            return

    async def grows(self, by: int) -> None:
        goal = len(self.acknowledged) + by

        async def has_grown() -> bool:
            return len(self.acknowledged) >= goal

        await eventually(has_grown, "it goes on by itself")


async def test_nothing_acknowledged_is_missing_however_the_server_dies(cluster: Cluster) -> None:
    site = OwnSite(cluster)
    await create(site)  # type: ignore[arg-type]  # only its URL is used
    store = site.store()
    await store.open(CountingLedger())
    assert await store.lease.acquire("loaded", 3600) is not None
    load, chance = Load(store), random.Random(0)
    appending = [asyncio.create_task(load.append_orders()) for _ in range(APPENDERS)]
    for death in list(DEATHS.values()) * ROUNDS:
        await load.grows(by=chance.randint(20, 100))
        await asyncio.to_thread(death, cluster)
        await load.grows(by=APPENDERS)
    for task in appending:
        task.cancel()
    await asyncio.gather(*appending, return_exceptions=True)
    await store.lease.release()
    await store.close()
    await assert_whole(site, load.acknowledged)  # type: ignore[arg-type]  # only its store is used


async def test_a_service_whose_server_crashes_sends_each_order_once_and_books_it(cluster: Cluster, tmp_path: Path) -> None:
    url = OwnSite(cluster).url
    await create_for(url, ACCOUNT)
    names = [f"s{number}" for number in range(24)]
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(staged(tmp_path, (), ["none"], (ACCOUNT,)))
        service = await stack.enter_async_context(scene.service(url, ACCOUNT, "none", "service", lease_seconds=15.0))
        await service.wait_for("started")
        for number, name in enumerate(names):
            await service.ask("feed", raw=a_signal(name))
            if number in (6, 16):
                await asyncio.to_thread(cluster.crash)

        async def all_are_filled() -> bool:
            orders = (await service.ask("state"))["orders"]
            return [orders.get(key_of(ACCOUNT, name), {}).get("status") for name in names] == ["FILLED"] * len(names)

        await eventually(all_are_filled, "every order booked as filled")
        for name in names:
            found = await scene.venues["none"].control.orders_by_key(key_of(ACCOUNT, name))
            assert [order.status for order in found] == [BrokerStatus.FILLED]
        assert (await service.ask("reconcile"))["is_clean"]
