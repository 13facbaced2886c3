"""From nothing to ready to trade: ten unfinished orders behind ever more closed ones.

Ready is when the store was checked, the lease taken, figures and orders loaded, the broker asked about each and reconciled with.
Cold is with the store's file dropped from the operating system's memory; PostgreSQL keeps its own, and is measured warm only.
"""

from __future__ import annotations

import os
import time
from statistics import median

from benchmarks import showing
from benchmarks.engines import ACCOUNT, engine_at, new_store, trading
from benchmarks.history import add_closed_orders
from benchmarks.instant_broker import InstantBroker
from benchmarks.places import Place
from liveorder.domain.signal import Signal
from liveorder.infrastructure.eventstore.store_by_url import sqlite_path

UNFINISHED = 10
STARTS = 7
AIM_SECONDS = 0.1


async def measure(place: Place, orders: int) -> None:
    url = await new_store(place)
    add_closed_orders(place, url, orders)
    await _leave_unfinished(place, url)
    colds = [] if place.is_postgres else [await _start(place, url, cold=True) for _ in range(3)]
    warms = [await _start(place, url) for _ in range(STARTS)]
    cold = f"cold {median(colds) * 1e3:6.0f} ms, " if colds else " " * 16
    showing.line(f"{place.name:26} {orders:9,} closed: {cold}warm {median(warms) * 1e3:6.1f} ms (aim {AIM_SECONDS * 1e3:.0f})")


async def _leave_unfinished(place: Place, url: str) -> None:
    """Acknowledged by a broker that does not fill them."""
    async with trading(place, InstantBroker(ACCOUNT, is_resting=True), url) as dispatcher:
        for _ in range(UNFINISHED):
            _, line = dispatcher.next_line()
            await dispatcher.engine.execute.execute(Signal.parse(line))


async def _start(place: Place, url: str, *, cold: bool = False) -> float:
    if cold:
        _forget(url)
    began = time.perf_counter()
    engine, _ = engine_at(place, url, InstantBroker(ACCOUNT, is_resting=True))
    report = await engine.start()
    elapsed = time.perf_counter() - began
    await engine.stop()
    assert report.unfinished == UNFINISHED
    return elapsed


def _forget(url: str) -> None:
    descriptor = os.open(sqlite_path(url), os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
