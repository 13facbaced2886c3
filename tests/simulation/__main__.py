"""`python -m tests.simulation --seeds N`: histories by the thousand; `--seed N` repeats one and shows it whole."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from tests.figures import publish
from tests.simulation import coverage
from tests.simulation.campaign import run_in_parallel
from tests.simulation.drawing import draw
from tests.simulation.history import live
from tests.simulation.published import figures, in_short, summary
from tests.simulation.results import Results
from tests.simulation.shrinking import report, shrunk

INTERRUPTED = 130
MOST_REPORTS, MOST_FAILURES = 3, 50
"""Told; more of them tell nothing new."""
CHUNKS_A_LINE = 20
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
    parser.add_argument("--only", help="of its happenings only these numbers, with commas; `none` for none")
    parser.add_argument("--shrink", action="store_true", help="thin a failing one out first")
    parser.add_argument("--digest", action="store_true", help="of one seed: nothing but the digest of its trace")
    asked = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _one(asked) if asked.seed is not None else _many(asked)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - a command speaks
        return INTERRUPTED


def _one(asked: argparse.Namespace) -> int:
    scenario = draw(asked.seed)
    if asked.only is not None:
        scenario = scenario.only(frozenset(int(number) for number in asked.only.split(",") if number != "none"))
    history = live(scenario)
    if asked.shrink and history.code is not None:
        history = shrunk(history)
    _say(history.digest if asked.digest else f"{report(history)}\ndigest: {history.digest}")
    return 1 if history.violations else 0


def _many(asked: argparse.Namespace) -> int:
    """1 when a promise was broken, or when so many histories left out something that they should reach."""
    seeds, results = range(asked.first, asked.first + asked.seeds), Results(asked.results)
    run_in_parallel(seeds, asked.processes, results, lambda: _progress(results, seeds))
    lived = results.total(seeds)
    outcome = lived.outcome
    for text in outcome.reports[:MOST_REPORTS]:
        _say(f"\n{text}")
    _say(f"\n{coverage.table(outcome.cells)}\n")
    _say("\n".join(summary(seeds, lived)))
    for seed, code in sorted(outcome.failures.items())[:MOST_FAILURES]:
        _say(f"  seed {seed}: {code}")
    if asked.page is not None:
        publish(asked.page, "make simulate", figures(seeds, lived))
        publish(asked.page, "make simulate, in short", in_short(seeds, lived))
    return 1 if outcome.failures or (len(seeds) >= ENOUGH_SEEDS and coverage.missing(outcome.cells)) else 0


def _progress(results: Results, seeds: range) -> None:
    if not len(results.lived) % CHUNKS_A_LINE:
        lived = results.total(seeds)
        speed = lived.outcome.seeds / lived.seconds
        said = f"{lived.outcome.seeds}/{len(seeds)} seeds, {len(lived.outcome.failures)} violated, {speed:.1f}/s"
        print(said, file=sys.stderr)  # noqa: T201 - a command speaks


def _say(text: str) -> None:
    print(text)  # noqa: T201 - a command speaks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
