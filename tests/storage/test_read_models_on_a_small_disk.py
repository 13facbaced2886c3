"""Read models take little of a disk beside their rows: a write-ahead log of bounded length, and no file of a comparison."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from liveorder.application.reporting.projector import BatchProjector
from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.infrastructure.readmodels import engines
from tests.builders import ACKNOWLEDGED, SENT, fill
from tests.contract.views.sets import Ground, projector_of, sqlite_ground
from tests.storage.failing_disk import FAULTS, ROOT, compiled, run_with
from tests.unit.readmodels.logs import MemoryLog, requested

ONE_TRANSACTION = 4 * 2**20
"""No batch of these tests writes more."""


@pytest.fixture(scope="module")
def log() -> MemoryLog:
    """Of few orders whose rows are long: read models of 24 MB."""
    log = MemoryLog()
    for number in range(400):
        log.add(number, requested(number, tags=("x" * 26_000,)), SENT, ACKNOWLEDGED, fill(f"e{number}", 40))
    return log


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liveorder.application.reporting.projector.BATCH", 100)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return sqlite_ground(tmp_path)


class Disk:
    """How long the write-ahead log of these read models has ever been, looked at after each batch."""

    def __init__(self, ground: Ground) -> None:
        self.views = Path(ground.url.removeprefix("sqlite:///"))
        self.longest = 0

    def look(self, _position: int = 0, _goal: int = 0) -> None:
        self.longest = max(self.longest, self.views.with_name(f"{self.views.name}-wal").stat().st_size)

    @contextmanager
    def read_on(self) -> Iterator[None]:
        """Another program that began to read and does not end its transaction."""
        with closing(sqlite3.connect(self.views, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM orders").fetchone()
            yield


async def test_the_log_stays_short_while_read_models_are_made_and_made_anew_and_followed(ground: Ground, log: MemoryLog) -> None:
    disk = Disk(ground)
    async with ground.opened() as views:
        projector = projector_of(log, views)
        for _ in range(2):
            await projector.rebuild(disk.look)
        await views.clear()
        for upto in range(20, len(log.events), 20):
            await BatchProjector(log, views).advance(upto, disk.look)  # type: ignore[arg-type]  # the part of a store that it uses
    assert disk.views.stat().st_size > 4 * engines.CHECKPOINT_BYTES
    assert disk.longest <= engines.CHECKPOINT_BYTES + ONE_TRANSACTION


async def test_a_reader_who_reads_on_stops_the_read_models_before_the_disk_is_full(
    ground: Ground, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And they go on where they were when that reader ends."""
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_SECONDS", 0.01)
    disk = Disk(ground)
    async with ground.opened() as views:
        projector = projector_of(log, views)
        await projector.catch_up()
        with disk.read_on():
            with pytest.raises(ViewsUnavailable, match=r"views.sqlite-wal has .* bytes .* open transaction"):
                await projector.rebuild(disk.look)
            disk.look()
            with pytest.raises(ViewsUnavailable, match="open transaction"):
                await projector.catch_up()
        assert engines.CHECKPOINT_BYTES < disk.longest <= engines.MOST_LOG_BYTES + ONE_TRANSACTION
        disk.longest = 0
        assert await projector.catch_up() == len(log.events)
        disk.look()
        assert disk.longest <= engines.CHECKPOINT_BYTES + ONE_TRANSACTION
        assert (await projector.verify()).is_equal


# --- comparing ------------------------------------------------------------------------------------------------------------------


def files(ground: Ground) -> set[str]:
    return {path.name for path in Path(ground.url.removeprefix("sqlite:///")).parent.iterdir()}


async def test_no_file_of_a_comparison_is_there_even_while_it_goes_on(ground: Ground, log: MemoryLog) -> None:
    seen: list[set[str]] = []
    async with ground.opened() as views:
        projector = projector_of(log, views)
        await projector.catch_up()
        own = files(ground)
        assert (await projector.verify(lambda position, goal: seen.append(files(ground)))).is_equal
    assert len(seen) > 2
    assert {frozenset(names) for names in seen} == {frozenset(own)}


async def test_an_interrupted_comparison_leaves_no_file(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        projector = projector_of(log, views)
        await projector.catch_up()
        own = files(ground)

        def interrupt(position: int, goal: int) -> None:
            comparing.cancel()

        comparing = asyncio.create_task(projector.verify(interrupt))
        with pytest.raises(asyncio.CancelledError):
            await comparing
        assert files(ground) == own


async def test_two_comparisons_at_once_do_not_meet(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as ours, ground.opened() as theirs:
        await projector_of(log, ours).catch_up()
        found = await asyncio.gather(*[projector_of(log, views).verify() for views in (ours, theirs)])
    assert [each.is_equal for each in found] == [True, True]


def leave_what_a_killed_one_left(ground: Ground) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{ground.url.removeprefix('sqlite:///')}.twin{suffix}").write_bytes(b"left over")


async def test_what_a_killed_comparison_of_an_earlier_version_left_is_removed_by_the_next(ground: Ground, log: MemoryLog) -> None:
    async with ground.opened() as views:
        projector = projector_of(log, views)
        await projector.catch_up()
        own = files(ground)
        leave_what_a_killed_one_left(ground)
        assert (await projector.verify()).is_equal
        assert files(ground) == own


def test_a_killed_comparison_leaves_no_file(ground: Ground) -> None:
    command = [sys.executable, "-m", "tests.storage.comparing_process", json.dumps({"url": ground.url, "killed": True})]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode == -signal.SIGKILL
    assert {name for name in files(ground) if "twin" in name} == set()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a library preloaded before glibc")
@pytest.mark.parametrize("fault", [name for name in FAULTS if "sync" not in name and "truncate" not in name])
def test_a_comparison_for_which_the_disk_has_no_room_is_an_error_and_leaves_no_file(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory, fault: str
) -> None:
    """At whichever write it is full."""
    library = compiled(tmp_path_factory.mktemp("library"))
    told = json.loads(run_with(library, "tests.storage.comparing_process", url=ground.url, fault=FAULTS[fault]))
    assert {outcome for outcome, _ in told} == {"ViewsUnavailable", "equal"}
    assert [left for _, left in told if left] == []
