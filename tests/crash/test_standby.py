"""Two real services on one store: the second waits, takes over from one that is dead or paused, and the paused one stays out."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.execution_report import OrderSnapshot
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path
from tests.contract.event_stores import require_postgres
from tests.crash.cases import BELOW_THE_MARKET, ENGINES, a_signal, key_of
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.processes import Process, Refused, eventually
from tests.crash.scene import Scene, staged

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

ACCOUNT = "A0"
BEGUN = "append Requested+Approved+SubmissionStarted #1"
RESTING = a_signal("resting", limit_price=BELOW_THE_MARKET)


@dataclass
class Pair:
    """One store, and the services that want it."""

    scene: Scene
    store: str
    stack: AsyncExitStack

    async def service(self, owner: str, key_class: str = "unique", **terms: Any) -> Process:
        return await self.stack.enter_async_context(self.scene.service(self.store, ACCOUNT, key_class, owner, **terms))

    async def owner(self, key_class: str = "unique", **terms: Any) -> Process:
        service = await self.service("first", key_class, **terms)
        await service.heard("started")
        return service

    async def standby(self, key_class: str = "unique") -> Process:
        """It says that it stands by, and for whom."""
        service = await self.service("second", key_class)
        await service.heard("log", category="LEASE", sentence="Standing by: this store is owned by first")
        assert service.told("started") is None
        return service

    async def at_the_venue(self, signal_id: str, key_class: str = "unique") -> list[OrderSnapshot]:
        return await self.scene.venues[key_class].control.orders_by_key(key_of(ACCOUNT, signal_id))


@pytest.fixture(params=ENGINES)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "postgres":
        require_postgres()
    async with AsyncExitStack() as stack:
        scene = await stack.enter_async_context(staged(tmp_path, [request.param], KEY_CLASSES, (ACCOUNT,)))
        lives = await stack.enter_async_context(AsyncExitStack())
        yield Pair(scene, await scene.places[request.param].new_store(ACCOUNT), lives)


def sent(service: Process) -> list[str]:
    return [event["key"] for event in service.events if event["event"] == "sent"]


async def until(service: Process, signal_id: str, status: str) -> dict[str, Any]:
    """The order of this signal, once it has come to that and nothing about it is unanswered."""

    async def found() -> Any:
        order = (await service.ask("state"))["orders"].get(key_of(ACCOUNT, signal_id), {})
        return order if order.get("status") == status and not order["requests"] else None

    order: dict[str, Any] = await eventually(found, f"{signal_id} is {status}")
    return order


async def test_a_standby_takes_over_from_a_killed_service_and_recovers(pair: Pair) -> None:
    first = await pair.owner()
    second = await pair.standby()
    placed = await first.ask("execute", raw=RESTING)
    first.strike(signal.SIGKILL)
    await first.ended()
    assert (await second.heard("started"))["recovery"]["unfinished"] == 1
    assert (await second.ask("execute", raw=RESTING))["order_id"] == placed["order_id"]
    await second.ask("cancel", order_id=placed["order_id"])
    await until(second, "resting", "CANCELLED")
    assert len(await pair.at_the_venue("resting")) == 1
    assert (await second.ask("reconcile"))["is_clean"]


async def test_a_standby_takes_over_from_a_paused_service_which_then_can_neither_append_nor_send(pair: Pair) -> None:
    first = await pair.owner(blow="SIGSTOP")
    second = await pair.standby()
    placed = await first.ask("execute", raw=RESTING)
    paused = first.begin("pause")
    await second.heard("started")
    too_late = first.begin("execute", raw=a_signal("late"))
    first.strike(signal.SIGCONT)
    await paused
    with pytest.raises(Refused, match=r"LeaseLost|StoreUnavailable"):
        await too_late
    await first.heard("lost the store")
    await first.ended()
    assert await pair.at_the_venue("late") == []
    assert sent(first) == [key_of(ACCOUNT, "resting")]
    await second.ask("execute", raw=a_signal("late"))
    await until(second, "late", "FILLED")
    assert (await until(second, "resting", "SUBMITTED"))["order_id"] == placed["order_id"]
    assert [len(await pair.at_the_venue(each)) for each in ("late", "resting")] == [1, 1]


@pytest.mark.parametrize("key_class", ["unique", "searchable", "searchable with lag"])
async def test_a_service_paused_between_its_commit_and_the_call_sends_nothing_when_it_wakes(pair: Pair, key_class: str) -> None:
    """The attempt's deadline has passed by then: it looks once more before it calls."""
    first = await pair.owner(key_class, fatal=f"after {BEGUN}", blow="SIGSTOP")
    second = await pair.standby(key_class)
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.heard("started")
    await until(second, "bought", "FILLED")
    first.strike(signal.SIGCONT)
    with pytest.raises(Refused, match="LeaseLost"):
        await sleeping
    await first.ended()
    assert sent(first) == []
    assert len(await pair.at_the_venue("bought", key_class)) == 1
    assert (await second.ask("reconcile"))["is_clean"]


async def test_an_order_of_a_paused_service_stays_in_doubt_where_keys_cannot_be_asked_for(pair: Pair) -> None:
    first = await pair.owner("none", fatal=f"after {BEGUN}", blow="SIGSTOP")
    second = await pair.standby("none")
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.heard("started")
    first.strike(signal.SIGCONT)
    with pytest.raises(Refused, match="LeaseLost"):
        await sleeping
    await first.ended()
    assert (await second.ask("execute", raw=a_signal("bought")))["is_in_doubt"]
    assert (await second.ask("state"))["doubts"] == [key_of(ACCOUNT, "bought")]
    assert [sent(first), sent(second), await pair.at_the_venue("bought", "none")] == [[], [], []]


async def test_a_call_that_a_paused_service_had_begun_meets_the_unique_key(pair: Pair) -> None:
    """What it can still do at worst: the call is already made when it sleeps, long past its deadline. The venue refuses it."""
    first = await pair.owner(fatal="before submit #1", blow="SIGSTOP")
    second = await pair.standby()
    sleeping = first.begin("execute", raw=a_signal("bought"))
    await second.heard("started")
    await until(second, "bought", "FILLED")
    first.strike(signal.SIGCONT)
    with pytest.raises(Refused, match="LeaseLost"):
        await sleeping
    await first.ended()
    assert len(await pair.at_the_venue("bought")) == 1
    assert (await second.ask("reconcile"))["is_clean"]


async def test_a_standby_outlasts_a_store_that_is_locked(pair: Pair) -> None:
    """As by a process that was stopped inside a transaction, whose locks nobody can take from it."""
    if not pair.store.startswith("sqlite"):
        pytest.skip("PostgreSQL's server gives up a client's transaction by itself")
    first = await pair.owner()
    second = await pair.standby()
    with closing(sqlite3.connect(sqlite_path(pair.store), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        first.strike(signal.SIGKILL)
        await second.heard("log", category="LEASE", sentence="Standing by: the order store cannot be written (database is locked)")
        other.execute("COMMIT")
    await second.heard("started")
