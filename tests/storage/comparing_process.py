"""A process of its own that compares read models with their log: on a disk that fails, or killed in the middle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from liveorder.application.reporting import projector as projecting
from liveorder.application.reporting.read_models import ViewsUnavailable
from tests.builders import ACKNOWLEDGED, SENT, fill
from tests.contract.views.sets import Ground, projector_of
from tests.storage.failing_disk import FailingDisk, Fault
from tests.unit.readmodels.logs import MemoryLog, requested

STEP = 11
"""From one failing write to the next."""


def a_log() -> MemoryLog:
    log = MemoryLog()
    for number in range(60):
        log.add(number, requested(number, tags=("x" * 4000,)), SENT, ACKNOWLEDGED, fill(f"e{number}", 40))
    return log


async def kill_in_the_middle(ground: Ground) -> None:
    async with ground.opened() as views:
        projector = projector_of(a_log(), views)
        await projector.catch_up()
        await projector.verify(lambda position, goal: os.kill(os.getpid(), signal.SIGKILL))


async def fail(ground: Ground, fault: Fault) -> list[tuple[str, list[str]]]:
    """What became of the comparison and what it left, with each `STEP`th write failing, until one goes through."""
    views_file = Path(ground.url.removeprefix("sqlite:///"))
    told: list[tuple[str, list[str]]] = []
    async with ground.opened() as views:
        projector = projector_of(a_log(), views)
        await projector.catch_up()
        disk = FailingDisk(views_file.with_name(f"{views_file.name}.twin"))
        while not told or told[-1][0] != "equal":
            disk.fail(replace(fault, after=STEP * len(told), times=-1))
            try:
                outcome = "equal" if (await projector.verify()).is_equal else "different"
            except ViewsUnavailable as error:
                outcome = type(error).__name__
            told.append((outcome, [path.name for path in views_file.parent.iterdir() if "twin" in path.name]))
            disk.mend()
    return told


def main(plan: dict[str, Any]) -> None:
    projecting.BATCH = 40
    ground = Ground(plan["url"])
    if plan.get("killed"):
        asyncio.run(kill_in_the_middle(ground))
    else:
        print(json.dumps(asyncio.run(fail(ground, Fault(**plan["fault"])))))  # noqa: T201 - its answer


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
