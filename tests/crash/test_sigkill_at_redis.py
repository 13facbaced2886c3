"""Services that read a Redis stream, killed between reading and acknowledging: one order a signal, and none lost."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from liveorder.domain.execution_report import OrderSnapshot
from tests.contract.event_stores import Proxy, require_postgres
from tests.crash.cases import ALWAYS_TRADED, ENGINES, a_signal, key_of
from tests.crash.key_classes import COINS
from tests.crash.processes import Process, ProcessEnded, eventually
from tests.crash.scene import Scene, staged
from tests.redis_server import HOST, PORT, Redis, add, is_all_acknowledged, pending, redis_of_a_test

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs Linux: pidfd and PR_SET_PDEATHSIG")

BETWEEN = (
    "before append Requested+Approved+SubmissionStarted #1",
    "after append Requested+Approved+SubmissionStarted #1",
    "before submit #1",
    "after submit #1",
)
"""From when the first entry was read until it is acknowledged."""
KEY_CLASS = "unique"
ACCOUNTS = tuple(f"A{number}" for number in range(len(BETWEEN)))


@dataclass(frozen=True)
class Reading:
    """A store, an account and a stream."""

    scene: Scene
    store: str
    account: str
    redis: Redis
    stream: str

    def url(self, port: int = PORT) -> str:
        return f"redis://{HOST}:{port}/0?stream={self.stream}"

    async def killed(self, crash_at: str | None, port: int = PORT) -> list[str]:
        """One life, to its crash point or until all is acknowledged. The boundaries at which it was struck."""
        terms = {"crash_at": crash_at, "redis": self.url(port)}
        async with self.scene.service(self.store, self.account, KEY_CLASS, "owner", **terms) as service:
            with suppress(ProcessEnded):
                await self._until_done(service)
            return [event["boundary"] for event in service.events if event["event"] == "struck"]

    async def _until_done(self, service: Process) -> None:
        await service.wait_for("started")

        async def is_done() -> bool:
            state = await service.ask("state")
            is_quiet = state["is_idle"] and not any(order["is_open"] for order in state["orders"].values())
            return is_quiet and await is_all_acknowledged(self.redis, self.stream)

        await eventually(is_done, "every entry is acknowledged")
        await service.stop()

    async def at_the_venue(self, signal_id: str) -> list[OrderSnapshot]:
        return await self.scene.venues[KEY_CLASS].control.orders_by_key(key_of(self.account, signal_id))


@pytest.fixture(params=ENGINES)
async def readings(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sequence[Reading]]:
    """One for each of `ACCOUNTS`."""
    if request.param == "postgres":
        require_postgres()
    async with redis_of_a_test() as (redis, name), staged(tmp_path, {request.param}, {KEY_CLASS}, ACCOUNTS) as scene:
        made = []
        for account in ACCOUNTS:
            stream = f"{name}-{account}"
            await redis.xgroup_create(stream, "liveorder", "0", mkstream=True)
            made.append(Reading(scene, await scene.stores[request.param].new_store(account), account, redis, stream))
        yield made


async def test_a_service_killed_between_reading_and_acknowledging_leaves_one_order(readings: Sequence[Reading]) -> None:
    for boundary, reading in zip(BETWEEN, readings, strict=True):
        await add(reading.redis, reading.stream, a_signal("S1"))
        assert await reading.killed(boundary) == [boundary]
        assert await pending(reading.redis, reading.stream) == 1, "read, and not acknowledged"
        assert await reading.killed(None) == []
        assert len(await reading.at_the_venue("S1")) == 1
        assert await pending(reading.redis, reading.stream) == 0


async def test_a_crowd_of_signals_survives_many_deaths_and_cut_connections(readings: Sequence[Reading]) -> None:
    """Each life dies at a later boundary, with requests to Redis cut before and after they are carried out. Each signal is for a
    coin of its own, because new risk is refused while an order for the same one is in doubt.
    """
    reading, names = readings[0], [f"S-{coin}" for coin in COINS]
    for name, coin in zip(names, COINS, strict=True):
        await add(reading.redis, reading.stream, a_signal(name, traded={**ALWAYS_TRADED, "symbol": coin}))
    proxy = Proxy(HOST, PORT)
    port = await proxy.start()
    try:
        deaths = 0
        for number, fault in enumerate(("commit", "reply", "", "reply", "commit")):
            proxy.fault = fault
            deaths += len(await reading.killed(f"#{14 + 6 * number}", port))
        assert deaths >= 3
        assert await reading.killed(None, port) == []
    finally:
        await proxy.close()
    assert [len(await reading.at_the_venue(name)) for name in names] == [1] * len(COINS)
    assert await pending(reading.redis, reading.stream) == 0
