"""Durable orders a second, from a signal's text to filled, with so many of them under way at all times.

Beside them, the events a second that a raw connection stores in transactions of the same size as ours had, and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from statistics import mean

from benchmarks import showing
from benchmarks.engines import ACCOUNT, Trading, trading
from benchmarks.floor import floor_at
from benchmarks.instant_broker import InstantBroker
from benchmarks.places import Place
from benchmarks.venue import venue_broker
from liveorder.application.ports.broker import Broker
from liveorder.infrastructure.eventstore.transaction import Transaction

AT_ONCE = (1, 16, 256, 1000)
AIM_AT, AIM = 256, 3_000


async def measure(place: Place, seconds: float) -> None:
    showing.line(place.name)
    for at_once in AT_ONCE:
        await _measure(place, InstantBroker(ACCOUNT), at_once, seconds)
    async with venue_broker() as (broker, alone):
        showing.line(f"  at the simulated venue, which alone takes {alone:,.0f} orders/s:")
        await _measure(place, broker, AIM_AT, seconds)


async def _measure(place: Place, broker: Broker, at_once: int, seconds: float) -> None:
    async with trading(place, broker) as dispatcher:
        await run(dispatcher, at_once, seconds / 4)
        dispatcher.database.sizes.clear()
        orders, elapsed, busy = await run(dispatcher, at_once, seconds)
        size, rows = mean(dispatcher.database.sizes), dispatcher.database.first_commit
        events = sum(dispatcher.database.sizes)
    assert rows is not None
    raw = await _raw(place, rows, max(round(size), 1), seconds / 4)
    aim = f" (aim {AIM:,})" if at_once == AIM_AT else ""
    stored = f"{events / elapsed:7,.0f} events/s in transactions of {size:5.1f} (raw {raw:8,.0f}, {raw * elapsed / events:4.1f} ×)"
    cost = f"{busy / orders * 1e6:4.0f} µs CPU of the loop's thread an order"
    showing.line(f"  {at_once:5} at once: {orders / elapsed:6,.0f} orders/s{aim}; {stored}; {cost}")


async def run(dispatcher: Trading, at_once: int, seconds: float) -> tuple[int, float, float]:
    """Orders that were filled, in how long, and the CPU time of the event loop's thread."""
    filled, began, busy = 0, time.perf_counter(), time.thread_time()

    async def keep_trading() -> None:
        nonlocal filled
        while time.perf_counter() - began < seconds:
            await dispatcher.trade(*dispatcher.next_line())
            filled += 1

    await asyncio.gather(*(keep_trading() for _ in range(at_once)))
    return filled, time.perf_counter() - began, time.thread_time() - busy


async def _raw(place: Place, rows: Transaction, size: int, seconds: float) -> float:
    floor = await floor_at(place)
    began, stored = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        floor.commit_events(rows, size)
        stored += size
    floor.close()
    return stored / elapsed
