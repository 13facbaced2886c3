"""Many seeds, over several processes; what they reached is added up, and what failed is thinned out."""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context

from tests.simulation.generator import generate
from tests.simulation.history import simulate
from tests.simulation.results import CHUNK, HistoryResults, RangeResult, Tally, chunks
from tests.simulation.shrinking import report, shrunk


def run(seeds: Iterable[int]) -> Tally:
    """In this process. Each kind of failure is thinned out once."""
    tally = Tally()
    gc.collect()
    gc.freeze()
    for seed in seeds:
        history = simulate(generate(seed))
        tally.seeds += 1
        tally.cells.update(history.cells)
        tally.figures.update(history.figures)
        tally.traces = (tally.traces + int(history.digest[:16], 16)) % 2**64
        if history.code is not None:
            if history.code not in tally.failures.values():
                tally.reports.append(report(shrunk(history)))
            tally.failures[seed] = history.code
        if not tally.seeds % CHUNK:
            gc.collect()
    gc.collect()
    return tally


def run_in_parallel(seeds: range, processes: int, results: HistoryResults, on_progress: Callable[[], None]) -> None:
    """Those that the results do not have yet. Whatever ends it early ends what has begun too, and what has not never begins."""
    began = time.monotonic()
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _leave_interrupts_to_the_parent)
    try:
        runs = {pool.submit(run, chunk): chunk for chunk in chunks(seeds) if chunk not in results.ranges}
        for done in as_completed(runs):
            now = time.monotonic()
            results.add(runs[done], RangeResult(done.result(), now - began))
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
