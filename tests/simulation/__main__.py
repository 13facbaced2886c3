"""`python -m tests.simulation --seeds N`: histories by the thousand; `--seed N` repeats one and shows it whole."""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from pathlib import Path

from tests.harness.campaign import Progress, interrupted
from tests.harness.figures import publish
from tests.simulation import coverage
from tests.simulation.campaign import run_in_parallel
from tests.simulation.generator import generate
from tests.simulation.history import simulate
from tests.simulation.published import figures, in_short, summary
from tests.simulation.results import HistoryResults
from tests.simulation.shrinking import report, shrunk

MOST_REPORTS, MOST_FAILURES = 3, 50
"""Shown; more of them say nothing new."""
ENOUGH_SEEDS = 5_000
"""So many reach every pair of a fault and a state that can meet, with some to spare."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, help="lines of JSON; run again with the same file and code, it goes on")
    parser.add_argument("--page", type=Path, help="figures into this page")
    parser.add_argument("--seed", type=int, help="this one alone, with its trace")
    parser.add_argument("--only", help="of its steps only these numbers, with commas; `none` for none")
    parser.add_argument("--shrink", action="store_true", help="thin a failing one out first")
    parser.add_argument("--digest", action="store_true", help="of one seed: nothing but the digest of its trace")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _one(asked) if asked.seed is not None else _many(asked)
    except KeyboardInterrupt:
        return interrupted()


def _one(asked: argparse.Namespace) -> int:
    scenario = generate(asked.seed)
    if asked.only is not None:
        scenario = scenario.only(frozenset(int(number) for number in asked.only.split(",") if number != "none"))
    history = simulate(scenario)
    if asked.shrink and history.code is not None:
        history = shrunk(history)
    _say(history.digest if asked.digest else f"{report(history)}\ndigest: {history.digest}")
    return 1 if history.violations else 0


def _many(asked: argparse.Namespace) -> int:
    """1 when a promise was broken, or when so many histories left out something that they should reach."""
    seeds, results = range(asked.first, asked.first + asked.seeds), HistoryResults(asked.results)
    run_in_parallel(seeds, asked.processes, results, Progress(partial(_progress, results, seeds)).show)
    result = results.total(seeds)
    tally = result.tally
    for text in tally.reports[:MOST_REPORTS]:
        _say(f"\n{text}")
    _say(f"\n{coverage.table(tally.cells)}\n")
    _say("\n".join(summary(seeds, result)))
    for seed, code in sorted(tally.failures.items())[:MOST_FAILURES]:
        _say(f"  seed {seed}: {code}")
    if asked.page is not None:
        publish(asked.page, "make simulate", figures(seeds, result))
        publish(asked.page, "make simulate, in short", in_short(seeds, result))
    return 1 if tally.failures or (len(seeds) >= ENOUGH_SEEDS and coverage.missing(tally.cells)) else 0


def _progress(results: HistoryResults, seeds: range, _: float) -> str:
    result = results.total(seeds)
    speed = result.tally.seeds / result.seconds
    return f"{result.tally.seeds}/{len(seeds)} seeds, {len(result.tally.failures)} violated, {speed:.1f}/s"


def _say(text: str) -> None:
    print(text)  # noqa: T201 - a command speaks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
