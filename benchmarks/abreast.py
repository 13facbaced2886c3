"""Two processes at work at the same time, an account and a store each: what the machine stores when no one process bounds it.

One process has one event loop and so one core. `python -m benchmarks.abreast NAME SECONDS` is one of the two: it says when it is
ready, begins when it is told to, and says how many orders a second it filled.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks import showing
from benchmarks.engines import trading
from benchmarks.places import Place, places
from benchmarks.throughput import AIM, AIM_AT, run
from liveorder.interfaces.tuning import tune_process

PROCESSES = 2
_READY = b"ready\n"


async def measure(place: Place, seconds: float) -> None:
    children = [await _child(place, seconds) for _ in range(PROCESSES)]
    for child in children:
        assert child.stdout is not None
        if await child.stdout.readline() != _READY:
            raise RuntimeError("a process that was to be measured failed")
    rates = [float(told) for told, _ in await asyncio.gather(*(child.communicate(b"begin\n") for child in children))]
    each = ", ".join(f"{rate:,.0f}" for rate in rates)
    showing.line(f"  {AIM_AT:5} at once in each of {PROCESSES} processes: {sum(rates):6,.0f} orders/s (aim {AIM:,}); each {each}")


async def _child(place: Place, seconds: float) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "benchmarks.abreast", place.name, str(seconds))
    return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)


async def _trade(name: str, seconds: float) -> None:
    async with places() as found:
        place = next(place for place in found if place.name == name)
        async with trading(place) as dispatcher:
            await run(dispatcher, AIM_AT, seconds / 4)
            sys.stdout.write(_READY.decode())
            sys.stdout.flush()
            sys.stdin.readline()
            filled, elapsed, _ = await run(dispatcher, AIM_AT, seconds)
    sys.stdout.write(f"{filled / elapsed}\n")


if __name__ == "__main__":
    tune_process()
    asyncio.run(_trade(sys.argv[1], float(sys.argv[2])))
