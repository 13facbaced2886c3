"""The disk fails, call after call, or loses its power: what was acknowledged is there, and what was not confirmed was not sent."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from liveorder.infrastructure.eventstore.sqlite import Placement
from tests.contract.event_stores import SQLiteSite, create
from tests.crash.test_store_sigkill import assert_whole
from tests.storage.failing_disk import FAULTS, compiled, run_with
from tests.storage.power_cut import PowerlessDisk, calls

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: a library preloaded before glibc")

SWEEP = os.environ.get("LIVEORDER_TEST_SWEEP") == "1"
STRIDES = {"appends": 1 if SWEEP else 7, "orders": 1 if SWEEP else 17}
"""From one failing call to the next."""
TIMES = (1, 3, 20) if SWEEP else (2,)
HARMLESS = ("EIO on truncate", "disk full after half a write, 1 times")
"""A log that cannot be cut back, and a write that goes on behind its first half, fail no commit."""
POWER_CUTS = 400 if SWEEP else 25


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("library"))


@pytest.mark.parametrize("life", STRIDES)
@pytest.mark.parametrize("times", TIMES)
def test_whichever_call_fails_nothing_acknowledged_is_missing_and_nothing_unconfirmed_is_sent(
    library: Path, tmp_path: Path, life: str, times: int
) -> None:
    """And it goes on by itself when the fault has passed."""
    faults = {f"{name}, {times} times": replace(FAULTS[name], times=times) for name in FAULTS}
    plan = {"folder": tmp_path / "life", "life": life, "faults": faults, "stride": STRIDES[life]}
    found = json.loads(run_with(library, "tests.storage.lives_on_a_failing_disk", **plan))
    assert {name: lives["wrong"] for name, lives in found.items() if lives["wrong"]} == {}
    assert all(lives["failures"] for name, lives in found.items() if not name.startswith(HARMLESS))


@pytest.mark.parametrize("fails_every", [0, 7], ids=["syncs that work", "every eighth sync failing"])
async def test_nothing_acknowledged_is_missing_wherever_the_power_is_cut(library: Path, tmp_path: Path, fails_every: int) -> None:
    """With sectors lost, kept and torn in any order since the last sync, and with those of a failed sync lost for good."""
    site = SQLiteSite(tmp_path, Placement.INLINE)
    await create(site)
    chance = random.Random(fails_every)
    disk = PowerlessDisk({site.path.name: site.path.read_bytes()}, chance)
    record = tmp_path / "record"
    plan = {"path": site.path, "record": record, "orders": 150, "appenders": 2, "fails_every": fails_every}
    run_with(library, "tests.storage.recorded_appender", **plan)
    asked = list(calls(record))
    cuts = set(chance.sample(range(len(asked)), POWER_CUTS))
    acknowledged: dict[UUID, int] = {}
    for number, call in enumerate(asked):
        disk.follow(call)
        if call.kind == "A":
            stream_id, version = call.data.decode().split()
            acknowledged[UUID(stream_id)] = int(version)
        if number in cuts:
            await assert_whole(restarted(tmp_path / f"cut at {number}", disk.without_power()), acknowledged)


def restarted(folder: Path, files: dict[str, bytes]) -> SQLiteSite:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return SQLiteSite(folder, Placement.INLINE)
