"""Many seeds, over several processes; what they reached is added up, and what failed is thinned out."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context

from tests.simulation.drawing import draw
from tests.simulation.history import live
from tests.simulation.results import CHUNK, Lived, Outcome, Results, chunks
from tests.simulation.shrinking import report, shrunk


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
        outcome.traces = (outcome.traces + int(history.digest[:16], 16)) % 2**64
        if history.code is not None:
            if history.code not in outcome.failures.values():
                outcome.reports.append(report(shrunk(history)))
            outcome.failures[seed] = history.code
        if not outcome.seeds % CHUNK:
            gc.collect()
    gc.collect()
    return outcome


def run_in_parallel(seeds: range, processes: int, results: Results, on_progress: Callable[[], None]) -> None:
    """Those that the results do not have yet. Whatever ends it early ends what has begun too, and what has not never begins."""
    began = time.monotonic()
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _leave_interrupts_to_the_parent)
    try:
        lives = {pool.submit(run, chunk): chunk for chunk in chunks(seeds) if chunk not in results.lived}
        for done in as_completed(lives):
            now = time.monotonic()
            results.add(lives[done], Lived(done.result(), now - began))
            began = now
            on_progress()
    except BaseException:
        for worker in active_children():
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
