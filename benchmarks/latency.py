"""One order in flight: from a signal's text to the broker called, beside one raw durable commit of the same rows.

The two take turns, so that whatever else the machine does slows both.
"""

from __future__ import annotations

import time

from benchmarks import showing
from benchmarks.engines import ACCOUNT, trading
from benchmarks.floor import floor_at
from benchmarks.instant_broker import InstantBroker
from benchmarks.places import Place
from liveorder.infrastructure.eventstore.sqlite import Placement

WARM_UP = 20


async def measure(place: Place, samples: int) -> None:
    floors, ours = await _samples(place, samples)
    raw, order = showing.quantile(floors, 0.5), showing.quantile(ours, 0.5)
    aim = 2.2 if place.is_postgres or place.placement is Placement.THREAD else 1.6
    showing.line(f"{place.name:26} raw commit {showing.micros(floors)}   signal to broker {showing.micros(ours)}")
    low = showing.quantile(ours, 0.1) / showing.quantile(floors, 0.1)
    tail, above = showing.quantile(ours, 0.99) / showing.quantile(floors, 0.99), (order - raw) * 1e6
    showing.line(f"{'':26} ratio p10 {low:.2f}  p50 {order / raw:.2f} (aim {aim})  p99 {tail:.2f}; above the floor {above:.0f} µs")


async def _samples(place: Place, samples: int) -> tuple[list[float], list[float]]:
    broker, called = InstantBroker(ACCOUNT), [0.0]
    broker.on_call = lambda: called.__setitem__(0, time.perf_counter())
    floors, ours = [], []
    floor = await floor_at(place)
    async with trading(place, broker) as dispatcher:
        for _ in range(WARM_UP + samples):
            signal_id, line = dispatcher.next_line()
            began = time.perf_counter()
            await dispatcher.trade(signal_id, line)
            ours.append(called[0] - began)
            rows = dispatcher.database.first_commit
            assert rows is not None
            began = time.perf_counter()
            floor.commit_order(rows)
            floors.append(time.perf_counter() - began)
    floor.close()
    return floors[WARM_UP:], ours[WARM_UP:]
