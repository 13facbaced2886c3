"""``python -m tests.crash.killmatrix --kills 1000 --seed 1``: a campaign from the command line, and its page."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.crash.campaign import AT_ONCE, Campaign
from tests.crash.cases import DELIVERIES, ENGINES
from tests.crash.in_short import in_short
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.matrix import COUNTED_WITH, Matrix
from tests.crash.published import figures, shortcomings
from tests.crash.results import MATRIX, Results
from tests.crash.table import table
from tests.crash.wires import WIRES
from tests.figures import machine, publish
from tests.postgres_databases import POSTGRES

PROGRESS_SECONDS = 10.0
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when a promise was broken, a boundary was never struck or a defect not reported; more when it was interrupted."""
    given = _parser().parse_args(arguments)
    engines, is_whole = tuple(given.engine or _engines_here()), given.page is not None
    results = Results(given.results)
    counted_for = tuple(DELIVERIES) if is_whole else ("prompt", "lost")
    key_classes = tuple(KEY_CLASSES) if given.broker is None else (given.broker,)
    counted_with = COUNTED_WITH if given.broker is None else key_classes
    matrix = Matrix(engines, key_classes, counted_with, counted_for)
    campaign = Campaign(given.kills, given.seed, matrix, given.at_once, results)
    results.begin_run(_events(engines) | {"at_once": given.at_once})
    progress = Progress(campaign)
    campaign.told = progress.tell
    began = time.monotonic()
    try:
        asyncio.run(_run(campaign, is_whole=is_whole, of_broker=given.broker is not None))
    except asyncio.CancelledError:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    sys.stdout.write(f"\n{table(results.of(MATRIX))}\nseed {given.seed}, {time.monotonic() - began:.0f} s\n")
    if is_whole:
        command = f"make killmatrix BROKER={given.broker}" if given.broker else "make killmatrix"
        whole = f"{command} KILLS={given.kills} SEED={given.seed}"
        publish(given.page, command, figures(results, given.seed, whole, given.broker))
        if given.broker is None:
            publish(given.page, f"{command}, in short", in_short(results, given.seed, whole))
    return int(any(results.broken()) or (is_whole and bool(shortcomings(results, given.broker))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")
    parser.add_argument("--broker", choices=tuple(WIRES), help="over its wire, with its adapter; default: the simulated broker")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="trials side by side")
    parser.add_argument("--results", type=Path, help="lines of JSON; run again with the same file, it goes on")
    parser.add_argument("--page", type=Path, help="also what lies beyond the bounds, and the defects; figures into this page")
    return parser


async def _run(campaign: Campaign, *, is_whole: bool, of_broker: bool) -> None:
    """What lies beyond bounds, and defects, are the engine's matter, on whatever wire."""
    whole = asyncio.current_task()
    assert whole is not None
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, whole.cancel)
    with tempfile.TemporaryDirectory(prefix="liveorder-killmatrix-") as folder:
        await campaign.run(Path(folder))
        if is_whole:
            await campaign.run_aimed(Path(folder))
        if is_whole and not of_broker:
            await campaign.run_beyond(Path(folder))
            await campaign.run_defects(Path(folder))


class Progress:
    """A line now and then: how many, how fast, how long still."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign, self._before = campaign, campaign.results.kills(MATRIX)
        self._began = self._told_at = time.monotonic()

    @property
    def kills(self) -> int:
        """Of this run."""
        return self._campaign.results.kills(MATRIX) - self._before

    def tell(self) -> None:
        now = time.monotonic()
        if now - self._told_at < PROGRESS_SECONDS:
            return
        self._told_at = now
        rate = self.kills / (now - self._began)
        left = self._campaign.kills - self._before - self.kills
        wait = f"{left / rate / 60:.0f} min left" if rate and left > 0 else "the rest is of other sections"
        broken = sum(1 for _ in self._campaign.results.broken())
        trials = len(self._campaign.results.verdicts)
        sys.stderr.write(
            f"{self._before + self.kills} of {self._campaign.kills} kills, {trials} trials, "
            f"{rate:.1f} kills/s, {wait}, {broken} broken, load {os.getloadavg()[0]:.1f}\n"
        )
        sys.stderr.flush()


def _engines_here() -> Sequence[str]:
    """Without PostgreSQL where there is none, unless services are required."""
    try:
        _postgres_version()
    except psycopg.OperationalError as error:
        if os.environ.get("LIVEORDER_REQUIRE_SERVICES") == "1":
            raise
        sys.stderr.write(f"SQLite only: {error}\n")
        return ("sqlite",)
    return ENGINES


def _postgres_version() -> str:
    with psycopg.connect(POSTGRES, connect_timeout=5) as connection:
        version = connection.info.server_version
    return f"{version // 10000}.{version % 10000}"


def _events(engines: Sequence[str]) -> dict[str, Any]:
    return machine() | {"postgres": _postgres_version() if "postgres" in engines else "none"}


if __name__ == "__main__":
    sys.exit(main())
