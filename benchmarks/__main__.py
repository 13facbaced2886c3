"""Everything that `make bench` prints is measured while it runs; compare its ratios, not figures of different runs.

`QUICK=1` takes about a minute, `FULL=1` adds a start behind two million orders. `TMPDIR` must be a real disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import platform
from collections.abc import Sequence

from benchmarks import (
    abreast,
    coldness,
    commands,
    costs,
    exits,
    latency,
    lists,
    memory,
    rebuilding,
    recovery,
    scale,
    serving,
    showing,
    throughput,
)
from benchmarks.places import Place, places
from liveorder.interfaces.tuning import tune_process


async def main() -> None:
    settled = scale.chosen()
    async with places() as found:
        stores = [place for place in found if not place.is_in_thread]
        showing.line(f"{platform.python_implementation()} {platform.python_version()}, built with {platform.python_compiler()}.")
        showing.line("Logs are off. The broker is one that acknowledges and fills at once, unless the venue is named.")
        if not any(place.is_postgres for place in found):
            showing.line("PostgreSQL is not measured: no server answers; name one in LIVEORDER_TEST_POSTGRES.")
        showing.title("One order in flight: signal in, durable, broker called")
        for place in found:
            await latency.measure(place, settled.samples)
        await coldness.measure(found[0])
        showing.title("One exit in flight, with and without the question what the account holds")
        await exits.measure(found[0], settled.samples)
        showing.title("Durable orders side by side: signal in, filled")
        for place in found:
            await throughput.measure(place, settled.seconds)
            await abreast.measure(place, settled.seconds)
        showing.title("The service beside the engine alone")
        for place in stores:
            await serving.measure(place)
        await _measure_reading(stores, settled)
        await _measure_costs(stores, settled)


async def _measure_reading(stores: Sequence[Place], settled: scale.Scale) -> None:
    showing.title("Start with ten unfinished orders")
    for place in stores:
        for orders in settled.histories:
            await recovery.measure(place, orders)
    showing.title("Replay and rebuild")
    for place in stores:
        await rebuilding.measure(place, settled.rebuilt_orders)
    showing.title("Lists and look-ups")
    for place in stores:
        await lists.measure(place, settled.listed_orders)


async def _measure_costs(stores: Sequence[Place], settled: scale.Scale) -> None:
    showing.title("Memory")
    await memory.run_apart(settled.remembered_orders)
    showing.title("CPU of a command on a small SQLite store, in turns: least, median, ratio to a bare interpreter and to --help")
    for line in await asyncio.to_thread(commands.report):
        showing.line(line)
    showing.title("Costs of 256 orders side by side, by the profiler")
    for place in stores:
        showing.line(place.name)
        await costs.measure(place, settled.profiled_orders)


tune_process()
with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
