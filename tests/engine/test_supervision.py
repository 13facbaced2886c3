"""Alive is an engine whose event loop turns and whose store's writer answers; an outage of the store is no hang."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveorder.bootstrap.supervision import BEAT_SECONDS, WRITER_SECONDS, Supervision
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.infrastructure.service_manager import ServiceManager
from tests.engine.scenes import a_scene

WATCHDOG_SECONDS = 30.0


class Manager:
    """Its end of the socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    async def heard_for(self, seconds: float) -> list[str]:
        """The lines of that time. The kernel keeps ten words for who does not read."""
        lines = self.heard()
        for _ in range(int(seconds / BEAT_SECONDS)):
            await asyncio.sleep(BEAT_SECONDS)
            lines += self.heard()
        return lines

    def heard(self) -> list[str]:
        """The lines since the last call."""
        lines: list[str] = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


def supervision(tmp_path: Path) -> Supervision:
    return Supervision(ServiceManager(str(tmp_path / "notify"), WATCHDOG_SECONDS))


async def test_the_watchdog_is_fed_until_the_writer_hangs(tmp_path: Path, manager: Manager) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        watched = supervision(tmp_path)
        watched.ready(engine)
        beating = asyncio.create_task(watched.beat_until_stopping())
        assert (await manager.heard_for(200)).count("WATCHDOG=1") >= 200 / BEAT_SECONDS

        async def hangs(duration_seconds: float) -> bool:
            await asyncio.Event().wait()
            return True

        engine.ownership.lease.renew = hangs  # type: ignore[method-assign]  # a writer that never answers
        await manager.heard_for(WRITER_SECONDS + 2 * engine.terms.lease_seconds)
        assert set(await manager.heard_for(200)) == {"STATUS=The store's writer does not answer"}
        beating.cancel()


async def test_a_store_that_is_away_is_no_reason_to_be_ended(tmp_path: Path, manager: Manager) -> None:
    """A restart would end what still works without it: cancels, and the emergency journal."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        watched = supervision(tmp_path)
        watched.ready(engine)
        beating = asyncio.create_task(watched.beat_until_stopping())

        async def fails(duration_seconds: float) -> bool:
            raise StoreUnavailable("the disk is full")

        engine.ownership.lease.renew = fails  # type: ignore[method-assign]  # a store that answers with an error
        await manager.heard_for(WRITER_SECONDS + 2 * engine.terms.lease_seconds)
        assert (await manager.heard_for(200)).count("WATCHDOG=1") >= 200 / BEAT_SECONDS
        beating.cancel()


async def test_a_start_that_takes_long_asks_for_more_time_and_a_stop_is_said_once(tmp_path: Path, manager: Manager) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        watched = supervision(tmp_path)
        beating = asyncio.create_task(watched.beat_until_stopping())
        waiting = await manager.heard_for(300)
        assert waiting.count("EXTEND_TIMEOUT_USEC=60000000") >= 300 / BEAT_SECONDS
        assert [line for line in waiting if line.startswith(("READY", "WATCHDOG"))] == []
        watched.ready(engine)
        watched.stopping()
        await asyncio.wait_for(beating, 60)
        assert manager.heard() == ["READY=1", "STATUS=0 unfinished orders, 0 in doubt", "STOPPING=1", "STATUS=Shutting down"]


async def test_what_others_may_read_has_figures_and_no_words_of_a_broker(tmp_path: Path, manager: Manager) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "token=swordfish", "person:ann")
        supervision(tmp_path).ready(engine)
        (_, status) = manager.heard()
        assert status == "STATUS=Trading is halted, `liveorder status` says why; 0 unfinished orders, 0 in doubt"
