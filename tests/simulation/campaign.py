"""Many seeds, over several processes; what they reached is added up, and what failed is thinned out."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.coverage import Cell
from tests.simulation.drawing import draw
from tests.simulation.history import live
from tests.simulation.shrinking import report, shrunk

CHUNK = 25
MOST_REPORTS = 3
"""Of one kind of failure: more of them tell nothing new."""


@dataclass
class Outcome:
    """Of a run of seeds."""

    seeds: int = 0
    cells: Counter[Cell] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    """Code by seed."""
    reports: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.seeds += other.seeds
        self.cells.update(other.cells)
        self.figures.update(other.figures)
        self.failures |= other.failures
        self.reports += other.reports


def run(seeds: Iterable[int]) -> Outcome:
    """In this process. Each kind of failure is thinned out once."""
    outcome = Outcome()
    gc.collect()
    gc.freeze()
    for seed in seeds:
        history = live(draw(seed))
        outcome.seeds += 1
        outcome.cells.update(history.cells)
        outcome.figures.update(history.figures)
        if history.code is not None:
            if history.code not in outcome.failures.values():
                outcome.reports.append(report(shrunk(history)))
            outcome.failures[seed] = history.code
        if not outcome.seeds % CHUNK:
            gc.collect()
    gc.collect()
    return outcome


def run_in_parallel(first: int, count: int, processes: int, on_progress: Callable[[Outcome], None]) -> Outcome:
    outcome = Outcome()
    chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run, chunk) for chunk in chunks]):
            outcome.add(done.result())
            on_progress(outcome)
    return outcome
