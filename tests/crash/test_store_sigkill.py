"""A process that appends under load is killed at any moment. Whatever was reported as durable must be there, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from liveorder.domain.events import RecordedEvent
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement
from tests.contract.event_stores import CountingLedger, PostgresSite, Site, SQLiteSite, create, require_postgres

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 4


@pytest.fixture(params=["inline", "thread", "postgres"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    if request.param == "postgres":
        require_postgres()
        made: Site = PostgresSite()
    else:
        made = SQLiteSite(tmp_path, Placement(request.param))
    await create(made)
    yield made
    await made.remove()


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_acknowledged_commit_survives_sigkill(site: Site, seed: int) -> None:
    """Each round opens the store that the last one left."""
    chance = random.Random(seed)
    acknowledged: dict[UUID, int] = {}
    for _ in range(ROUNDS):
        acknowledged |= killed_after(site, acknowledgements=chance.randint(1, 1500), appenders=chance.choice([1, 8, 64]))
        await assert_whole(site, acknowledged)


def killed_after(site: Site, acknowledgements: int, appenders: int) -> dict[UUID, int]:
    """The last version that each stream was acknowledged for, by a process killed once it had said so often enough."""
    placement = site.placement if isinstance(site, SQLiteSite) else Placement.THREAD
    command = [sys.executable, "-u", "-m", "tests.crash.appender", site.url, placement, str(appenders)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return {UUID(stream): int(version) for stream, version in (line.decode().split() for line in lines if line.endswith(b"\n"))}


async def assert_whole(site: Site, acknowledged: dict[UUID, int]) -> None:
    store = site.store()
    ledger = CountingLedger()
    await store.open(ledger)
    # From here on a last transaction that is still on its way is refused.
    assert await store.lease.acquire("inspector", -1) is not None
    try:
        last = await last_versions(store)
        assert {stream: version for stream, version in acknowledged.items() if last.get(stream, 0) < version} == {}
        assert (await store.check()).problems == ()
        assert set(await store.unfinished()) == {stream for stream, version in last.items() if version < 4}
        assert ledger.counts.get(("main", "orders"), 0) == len(last)
        assert ledger.counts.get(("main", "fills"), 0) == sum(version - 2 for version in last.values())
        for stream in last:
            claim = await store.claim_of(str(stream))
            assert claim is not None
            assert claim.order_id == stream
    finally:
        await store.close()


async def last_versions(store: DatabaseOrderStore) -> dict[UUID, int]:
    events: list[RecordedEvent] = [each async for page in store.log() for each in page]
    return {each.stream_id: each.version for each in events}
