"""One exit in flight: from a signal's text to the broker called, with the question what the account holds and without it.

Both take turns in the same engine, so that whatever else the machine does slows both. Where the broker and its prices answer at
once, the difference is what the question costs us; where they take as long as a network does, it is what an exit waits for.
`python -m benchmarks.exits` measures this alone.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks import scale, showing
from benchmarks.engines import ACCOUNT, Trading, trading
from benchmarks.instant_broker import InstantBroker, StillMarket
from benchmarks.places import Place, places
from liveorder.interfaces.tuning import tune_process

WARM_UP = 20
ANSWERS_AFTER = (0.0, 0.02)
"""Seconds that a question takes."""


async def measure(place: Place, samples: int) -> None:
    for seconds in ANSWERS_AFTER:
        asked, unasked = await _samples(place, samples, seconds)
        showing.line(f"{place.name:26} questions take {seconds * 1000:.0f} ms")
        for name, share in (("p10", 0.1), ("p25", 0.25), ("p50", 0.5)):
            one, other = showing.quantile(asked, share) * 1e6, showing.quantile(unasked, share) * 1e6
            showing.line(f"{'':26} {name}: asked {one:6.0f} µs  not asked {other:6.0f} µs  ratio {one / other:.2f}")


async def _samples(place: Place, samples: int, seconds: float) -> tuple[list[float], list[float]]:
    broker, called = InstantBroker(ACCOUNT, answers_after=seconds), [0.0]
    broker.on_call = lambda: called.__setitem__(0, time.perf_counter())
    asked, unasked = list[float](), list[float]()
    async with trading(place, broker, market=StillMarket(seconds)) as dispatcher:
        positions: Any = dispatcher.engine.execute._positions
        question = positions.confirm
        for number in range(WARM_UP + samples):
            for name, told, took in (("asked", question, asked), ("not", _no_question, unasked)):
                await dispatcher.trade(*_line(f"in-{name}-{number}", quantity=100))
                positions.confirm = told
                signal_id, line = _line(f"out-{name}-{number}", side="SELL", position_effect="CLOSE")
                began = time.perf_counter()
                await dispatcher.trade(signal_id, line)
                took.append(called[0] - began)
        await _is_flat(dispatcher)
    return asked[WARM_UP:], unasked[WARM_UP:]


async def _no_question(*_: object) -> None:
    """Our own book decides at once."""


async def _is_flat(dispatcher: Trading) -> None:
    if any(held.quantity for held in dispatcher.engine.risk.positions(ACCOUNT).values()):
        raise RuntimeError("an exit that was measured closed nothing")


def _line(signal_id: str, **fields: object) -> tuple[str, str]:
    named = {"signal_id": signal_id, "symbol": "SPY", "side": "BUY", "strategy_name": "trend"}
    return signal_id, json.dumps(named | fields | {"timestamp": datetime.now(UTC).isoformat()})


async def _alone() -> None:
    async with places() as found:
        showing.title("One exit in flight, with and without the question what the account holds")
        await measure(found[0], scale.chosen().samples)


if __name__ == "__main__":
    tune_process()
    asyncio.run(_alone())
