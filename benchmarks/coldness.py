"""How much dearer the same code is straight after a disk sync than in a tight loop.

A sync puts the processor to other work, and what it had at hand of ours is gone. One order in flight pays that with every commit,
many side by side hardly ever: this is most of what keeps one order's latency above the sum of what its parts cost hot.
"""

from __future__ import annotations

import time

from benchmarks import showing
from benchmarks.engines import ACCOUNT, trading
from benchmarks.floor import floor_at
from benchmarks.instant_broker import InstantBroker
from benchmarks.places import Place
from liveorder.domain.signal import Signal

_TIMES = 300


async def measure(place: Place) -> None:
    floor = await floor_at(place)
    async with trading(place, InstantBroker(ACCOUNT)) as dispatcher:
        signal_id, line = dispatcher.next_line()
        await dispatcher.trade(signal_id, line)
        rows = dispatcher.database.first_commit
        assert rows is not None
        hot = [_read(line) for _ in range(_TIMES)]
        cold = []
        for _ in range(_TIMES):
            floor.commit_order(rows)
            cold.append(_read(line))
    floor.close()
    once, after = showing.quantile(hot, 0.5), showing.quantile(cold, 0.5)
    told = f"{once * 1e6:.0f} µs in a tight loop, {after * 1e6:.0f} µs after a durable commit: {after / once:.1f} ×"
    showing.line(f"{'reading a signal':26} {told}")


def _read(line: str) -> float:
    began = time.perf_counter()
    assert Signal.parse(line).fingerprint
    return time.perf_counter() - began
