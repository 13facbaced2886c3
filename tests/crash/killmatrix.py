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
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from tests.crash.campaign import AT_ONCE, Campaign
from tests.crash.cases import DELIVERIES, ENGINES
from tests.crash.in_short import in_short
from tests.crash.key_classes import KEY_CLASSES
from tests.crash.matrix import COUNTED_WITH, KINDS, ORDERS, POSITIONS, Matrix
from tests.crash.published import figures, shortcomings
from tests.crash.results import COUNTING, MATRIX, TrialResults
from tests.crash.scope import Scope
from tests.crash.summary import summary
from tests.crash.wires import WIRES
from tests.harness.campaign import Progress, interrupted
from tests.harness.figures import machine, publish
from tests.postgres_databases import POSTGRES


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when a promise was broken, a boundary was struck too seldom or a defect not reported; more when it was interrupted."""
    given = _parser().parse_args(arguments)
    engines, is_whole = tuple(given.engine or _engines_here()), given.page is not None
    results = TrialResults(given.results)
    counted_for = tuple(DELIVERIES) if is_whole else ("prompt", "lost")
    key_classes = tuple(KEY_CLASSES) if given.broker is None else (given.broker,)
    counted_with = key_classes if given.broker is not None else COUNTED_WITH if is_whole else COUNTED_WITH[-1:]
    if given.broker is not None and POSITIONS in (given.of or ()):
        _parser().error("--of positions: plays are tried at the simulated broker only; leave out --broker")
    scope = Scope(_kinds(given.of, given.broker), given.broker, given.kills)
    matrix = Matrix(engines, key_classes, counted_with, counted_for, scope.rows)
    campaign = Campaign(given.kills, given.seed, matrix, given.at_once, results, scope)
    results.begin_run(_events(engines) | {"at_once": given.at_once})
    campaign.on_result = Progress(partial(_progress, campaign, results.kills(MATRIX))).show
    began = time.monotonic()
    try:
        asyncio.run(_run(campaign, is_whole=is_whole))
    except asyncio.CancelledError:
        return interrupted()
    sys.stdout.write(f"\n{summary(results.of(COUNTING, MATRIX))}\nseed {given.seed}, {time.monotonic() - began:.0f} s\n")
    if is_whole:
        command = _command(scope)
        whole = f"{command} KILLS={given.kills} SEED={given.seed}"
        publish(given.page, command, figures(results, given.seed, whole, scope))
        if given.broker is None:
            publish(given.page, f"{command}, in short", in_short(results, given.seed, whole, scope))
    return int(any(results.broken()) or (is_whole and bool(shortcomings(results, scope))))


def _kinds(named: Sequence[str] | None, broker: str | None) -> Sequence[str]:
    """Plays are the engine's matter: a campaign at a broker has none."""
    return tuple(named or (KINDS if broker is None else (ORDERS,)))


def _command(scope: Scope) -> str:
    if scope.broker is not None:
        return f"make killmatrix BROKER={scope.broker}"
    return "make killmatrix" if scope.is_of_orders else "make killmatrix-positions"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--of", choices=tuple(KINDS), action="append", help="rows of the matrix; default: all")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")
    parser.add_argument("--broker", choices=tuple(WIRES), help="over its wire, with its adapter; default: the simulated broker")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="trials side by side")
    parser.add_argument("--results", type=Path, help="lines of JSON; run again with the same file, it goes on")
    parser.add_argument("--page", type=Path, help="also what lies beyond the bounds, and the defects; figures into this page")
    return parser


async def _run(campaign: Campaign, *, is_whole: bool) -> None:
    """What lies beyond bounds, and defects, are the engine's matter, on whatever wire."""
    whole = asyncio.current_task()
    assert whole is not None
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, whole.cancel)
    with tempfile.TemporaryDirectory(prefix="liveorder-killmatrix-") as folder:
        await campaign.run(Path(folder))
        if is_whole:
            await campaign.run_aimed(Path(folder))
        if is_whole and campaign.scope.broker is None:
            await campaign.run_beyond(Path(folder))
            await campaign.run_defects(Path(folder))


def _progress(campaign: Campaign, kills_before: int, seconds: float) -> str:
    """How many, how fast, how long still."""
    kills, results = campaign.results.kills(MATRIX), campaign.results
    rate, left = (kills - kills_before) / seconds, campaign.kills - kills
    wait = f"{left / rate / 60:.0f} min left" if rate and left > 0 else "the rest is of other sections"
    broken = sum(1 for _ in results.broken())
    return (
        f"{kills} of {campaign.kills} kills, {len(results.verdicts)} trials, "
        f"{rate:.1f} kills/s, {wait}, {broken} broken, load {os.getloadavg()[0]:.1f}"
    )


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
