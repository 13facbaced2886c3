"""`python -m tests.simulation --seeds N`: histories by the thousand; `--seed N` repeats one and shows it whole."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation import coverage
from tests.simulation.campaign import MOST_REPORTS, Outcome, run_in_parallel
from tests.simulation.drawing import draw
from tests.simulation.history import live
from tests.simulation.shrinking import report, shrunk


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many histories")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--everything", action="store_true", help="fail when a fault and a state that can meet never did")
    parser.add_argument("--seed", type=int, help="this one alone, with its trace")
    parser.add_argument("--only", help="of its happenings only these numbers, with commas; `none` for none")
    parser.add_argument("--shrink", action="store_true", help="thin a failing one out first")
    parser.add_argument("--digest", action="store_true", help="of one seed: nothing but the digest of its trace")
    asked = parser.parse_args(arguments)
    return _one(asked) if asked.seed is not None else _many(asked)


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
    began = time.perf_counter()
    outcome = run_in_parallel(asked.first, asked.seeds, asked.processes, lambda so_far: _progress(so_far, asked.seeds, began))
    for text in outcome.reports[:MOST_REPORTS]:
        _say(f"\n{text}")
    _say(f"\n{coverage.table(outcome.cells)}\n")
    figures = ", ".join(f"{number} {name}" for name, number in sorted(outcome.figures.items()))
    speed = outcome.seeds / (time.perf_counter() - began)
    _say(f"{outcome.seeds} seeds from {asked.first}, {len(outcome.failures)} violated, {speed:.1f} seeds/s; {figures}")
    for seed, code in sorted(outcome.failures.items())[:50]:
        _say(f"  seed {seed}: {code}")
    unmet = coverage.missing(outcome.cells)
    _say(f"{len(unmet)} cells never reached: {', '.join(' × '.join(cell) for cell in unmet) or 'none'}")
    return 1 if outcome.failures or (asked.everything and unmet) else 0


def _progress(outcome: Outcome, seeds: int, began: float) -> None:
    if sys.stderr.isatty() or not outcome.seeds % 1000:
        speed = outcome.seeds / (time.perf_counter() - began)
        print(f"{outcome.seeds}/{seeds} seeds, {len(outcome.failures)} violated, {speed:.1f}/s", file=sys.stderr)  # noqa: T201 - a command speaks


def _say(text: str) -> None:
    print(text)  # noqa: T201 - a command speaks


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
