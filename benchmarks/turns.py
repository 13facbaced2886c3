"""Two versions of the package in turns, in one run: what an order costs with each, and the ratio.

    python -m benchmarks.turns OTHER [rounds]

`OTHER` is a checkout of the other version (`git worktree add ../other COMMIT`), which is measured by its own benchmark: that knows
its package. See that both trade alike (`Trading.next_line`). Other work on the machine slows both, so the figures are of the best
tenth of short slices. `TMPDIR` must be a real disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import quantiles

from benchmarks import showing
from benchmarks.engines import trading
from benchmarks.places import places
from benchmarks.throughput import run
from liveorder.interfaces.tuning import tune_process

HERE = Path(__file__).parent.parent
AT_ONCE = (1, 256)
SLICES, SLICE_SECONDS = 6, 0.5
Figures = dict[str, list[tuple[float, float]]]
"""By what was measured: CPU microseconds an order, and orders a second, of each slice."""


def compare(other: Path, rounds: int) -> None:
    taken: tuple[Figures, Figures] = ({}, {})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "liveorder").symlink_to((other / "src").resolve())
        versions = list(zip(taken, (other, HERE), (folder, ""), strict=True))
        for number in range(rounds):
            for figures, checkout, path in reversed(versions) if number % 2 else versions:
                for name, slices in _measured(checkout, path).items():
                    figures.setdefault(name, []).extend(slices)
    for name, before in taken[0].items():
        (cost, rate), (cost_now, rate_now) = _best(before), _best(taken[1][name])
        showing.line(f"{name}: {cost:5.0f} -> {cost_now:5.0f} µs CPU an order, ratio {cost_now / cost:5.3f}")
        showing.line(f"{' ' * len(name)}  {rate:5,.0f} -> {rate_now:5,.0f} orders/s, ratio {rate_now / rate:5.3f}")


def _best(slices: list[tuple[float, float]]) -> tuple[float, float]:
    costs, rates = zip(*slices, strict=True)
    return quantiles(costs, n=10)[0], quantiles(rates, n=10)[-1]


def _measured(checkout: Path, path: str) -> Figures:
    """By a process of its own, with the benchmark of the checkout and the package that is found at `path`."""
    command = (sys.executable, "-m", "benchmarks.turns")
    done = subprocess.run(  # noqa: S603 -- this very module
        command, cwd=checkout, env=os.environ | {"PYTHONPATH": path}, check=True, capture_output=True, text=True
    )
    figures: Figures = json.loads(done.stdout)
    return figures


async def _measure() -> Figures:
    figures: Figures = {}
    async with places() as found:
        for place in (place for place in found if not place.is_in_thread):
            for at_once in AT_ONCE:
                async with trading(place) as dispatcher:
                    await run(dispatcher, at_once, SLICE_SECONDS)
                    slices = [await run(dispatcher, at_once, SLICE_SECONDS) for _ in range(SLICES)]
                costs = [(busy / orders * 1e6, orders / elapsed) for orders, elapsed, busy in slices]
                figures[f"{place.name}, {at_once:3} at once"] = costs
    return figures


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compare(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4)
    else:
        tune_process()
        sys.stdout.write(json.dumps(asyncio.run(_measure())))
