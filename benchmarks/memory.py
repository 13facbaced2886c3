"""What a process holds after so many orders: `python -m benchmarks.memory 100000`, in a process of its own."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from benchmarks import showing
from benchmarks.engines import Trading, trading
from benchmarks.places import Place
from liveorder.interfaces.tuning import tune_process

_AT_ONCE = 256
_WARM_UP = 1_000


async def run_apart(orders: int) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.memory", str(orders))
    if await child.wait():
        raise RuntimeError("the process whose memory was to be measured failed")


async def _measure(orders: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with trading(Place("SQLite", Path(folder))) as dispatcher:
            await _trade(dispatcher, _WARM_UP)
            before = _resident_bytes()
            await _trade(dispatcher, orders)
            after = _resident_bytes()
    grown = (after - before) / orders
    told = f"{before / 1e6:.0f} MB at work, {after / 1e6:.0f} MB after {orders:,} more orders: {grown:.0f} bytes an order"
    showing.line(f"SQLite, inline: {told}")


async def _trade(dispatcher: Trading, orders: int) -> None:
    left = iter(range(orders))

    async def keep_trading() -> None:
        for _ in left:
            await dispatcher.trade(*dispatcher.next_line())

    await asyncio.gather(*(keep_trading() for _ in range(_AT_ONCE)))


def _resident_bytes() -> int:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text()
    return int(next(row for row in status.splitlines() if row.startswith("VmRSS")).split()[1]) * 1024


if __name__ == "__main__":
    tune_process()
    asyncio.run(_measure(int(sys.argv[1])))
