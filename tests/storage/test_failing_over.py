"""A PostgreSQL server that is replaced by its replica under a running service: one that lagged, and one that had everything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.execution_report import BrokerStatus
from liveorder.infrastructure.eventstore.store_by_url import database_at
from tests.contract.event_stores import WallClock
from tests.crash.cases import a_signal, key_of
from tests.crash.processes import Process, eventually
from tests.crash.scene import Scene, staged
from tests.crash.store_factories import create
from tests.storage.own_cluster import Cluster, own_cluster, own_replica

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

ACCOUNT = "A0"
KEYS = "searchable"
"""The venue takes an order twice: that it has it once is the service's merit."""


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with own_cluster() as made:
        yield made


@dataclass
class Trading:
    """Services on one store, and their venue."""

    scene: Scene
    url: str
    stack: AsyncExitStack

    async def service(self, owner: str) -> Process:
        terms = {"lease_seconds": 2.0, "delivery_bound_seconds": 0.3}
        return await self.stack.enter_async_context(self.scene.service(self.url, ACCOUNT, KEYS, owner, **terms))

    async def at_the_venue(self, names: Sequence[str]) -> list[list[BrokerStatus]]:
        control = self.scene.venues[KEYS].control
        found = [await control.orders_by_key(key_of(ACCOUNT, name)) for name in names]
        return [[order.status for order in orders] for orders in found]

    async def place(self) -> str:
        """As a store remembers it."""
        with psycopg.connect(self.url.partition("?")[0]) as connection:
            rows = connection.execute("SELECT value FROM liveorder.checkpoints WHERE name='place'").fetchall()
        return str(rows[0][0])


@asynccontextmanager
async def trading(primary: Cluster, folder: Path) -> AsyncIterator[Trading]:
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(staged(folder, (), [KEYS], (ACCOUNT,)))
        await create(primary.url(), ACCOUNT)
        yield Trading(scene, primary.url(), stack)


async def feed(service: Process, names: Sequence[str]) -> None:
    for name in names:
        await service.ask("feed", raw=a_signal(name))


async def all_are_filled(service: Process, names: Sequence[str]) -> None:
    """The same signal again is answered with its order."""

    async def are_booked() -> bool:
        orders = [await service.ask("execute", raw=a_signal(name)) for name in names]
        return all(order["status"] == "FILLED" for order in orders)

    await eventually(are_booked, "every order booked as filled")


def numbered(first: int, last: int) -> list[str]:
    return [f"s{number}" for number in range(first, last)]


@pytest.mark.parametrize("is_standby", [False, True], ids=["started anew", "stood by before"])
async def test_a_service_whose_server_is_replaced_by_a_replica_that_lagged_sends_nothing_more_and_the_next_is_halted(
    primary: Cluster, tmp_path: Path, is_standby: bool
) -> None:
    known, lost, late = numbered(0, 6), numbered(6, 12), numbered(12, 14)
    with own_replica(primary, is_synchronous=False) as replica:
        async with trading(primary, tmp_path) as scene:
            first = await scene.service("first")
            await first.wait_for("started")
            await feed(first, known)
            await all_are_filled(first, known)
            standby = await scene.service("second") if is_standby else None
            if standby is not None:
                await standby.wait_for("log", category="LEASE", sentence="Standing by: this store is owned by first")
            await eventually(lambda: asyncio.to_thread(replica.has_all_of, primary), "the replica has replayed it")
            await asyncio.to_thread(replica.stop, "fast")
            await feed(first, lost)
            await all_are_filled(first, lost)
            await asyncio.to_thread(primary.stop, "immediate")
            await feed(first, late)
            await asyncio.to_thread(replica.replace, primary)
            why = "" if is_standby else "it was replaced by an older one"  # or the standby was there first
            await first.wait_for("log", category="LEASE", sentence=why)
            await first.wait_for("lost the store")
            await first.ended()
            assert await scene.at_the_venue(late) == [[]] * len(late)

            second = standby or await scene.service("second")
            await second.wait_for("started")
            halts = " ".join(await second.ask("halts"))
            assert "failed over" in halts
            assert "timeline 00000001" in halts
            await feed(second, [*known, *lost])
            await second.ask("resume")
            await all_are_filled(second, [*known, *lost])
            assert (await second.ask("reconcile"))["is_clean"]
            for name in late:  # one after the other: a signal of the time before may have been sent, and a doubt keeps its symbol
                await all_are_filled(second, [name])
            assert await scene.at_the_venue([*known, *lost, *late]) == [[BrokerStatus.FILLED]] * 14
            assert (await second.ask("reconcile"))["is_clean"]


async def test_a_service_whose_server_is_replaced_by_a_replica_that_has_everything_goes_on(
    primary: Cluster, tmp_path: Path
) -> None:
    """Under load, with synchronous replication."""
    names = numbered(0, 24)
    with own_replica(primary, is_synchronous=True) as replica:
        async with trading(primary, tmp_path) as scene:
            service = await scene.service("first")
            await service.wait_for("started")
            before = await scene.place()
            await feed(service, names[:12])
            await asyncio.to_thread(replica.replace, primary)
            await feed(service, names[12:])
            await all_are_filled(service, names)
            assert await scene.at_the_venue(names) == [[BrokerStatus.FILLED]] * len(names)
            assert (await service.ask("reconcile"))["is_clean"]

            async def is_remembered() -> bool:
                return await scene.place() != before

            await eventually(is_remembered, "the new place is remembered")
            await service.stop()
            following = await scene.service("second")
            await following.wait_for("started")
            assert await following.ask("halts") == []


async def test_a_server_that_only_follows_another_cannot_be_used(primary: Cluster) -> None:
    """It may lag: what it lacks is not lost. So it is waited for, until it is promoted or the other is back."""
    await create(primary.url(), ACCOUNT)
    with own_replica(primary, is_synchronous=False) as replica:
        with pytest.raises(StoreUnavailable, match="hot standby"):
            await database_at(replica.url(), WallClock()).open()
        either = database_at(f"postgresql://postgres@127.0.0.1:{replica.port},127.0.0.1:{primary.port}/postgres", WallClock())
        await either.open()
        assert "timeline 00000001" in await either.place()
        await either.close()
        await asyncio.to_thread(replica.replace, primary)
        promoted = database_at(replica.url(), WallClock())
        await promoted.open()
        assert "timeline 00000002" in await promoted.place()
        await asyncio.to_thread(replica.crash)
        with pytest.raises(StoreUnavailable):
            await promoted.place()
        assert "timeline 00000002" in await promoted.place()
        await promoted.close()
