"""Where an order's time goes, by name: a profile of many orders side by side, in shares of the whole.

The profiler makes every call dearer, small functions most of all: read shares and order, not times.
"""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from collections import defaultdict
from pathlib import Path

from benchmarks import showing
from benchmarks.engines import trading
from benchmarks.places import Place

TOP = 15
_AT_ONCE = 256


async def measure(place: Place, orders: int) -> None:
    async with trading(place) as dispatcher:
        left = iter(range(orders))

        async def keep_trading() -> None:
            for _ in left:
                await dispatcher.trade(*dispatcher.next_line())

        profile = cProfile.Profile()
        profile.enable()
        await asyncio.gather(*(keep_trading() for _ in range(_AT_ONCE)))
        profile.disable()
    _show(pstats.Stats(profile), orders)


def _show(stats: pstats.Stats, orders: int) -> None:
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = stats.stats  # type: ignore[attr-defined]  # it is there, and typeshed does not tell
    whole = sum(own for _, _, own, _, _ in entries.values())
    by_part: defaultdict[str, float] = defaultdict(float)
    for (file, _, name), (_, _, own, _, _) in entries.items():
        by_part[_part(file, name)] += own
    showing.line("by part:  " + "  ".join(f"{part} {own / whole:.0%}" for part, own in _largest(by_part)))
    costs = {f"{_part(file, name)}: {name}": (own, calls) for (file, _, name), (_, calls, own, _, _) in entries.items()}
    for name, (own, calls) in sorted(costs.items(), key=lambda item: -item[1][0])[:TOP]:
        showing.line(f"  {own / whole:5.1%}  {calls / orders:6.1f} calls an order  {name}")


def _largest(shares: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])[:TOP]


def _part(file: str, name: str) -> str:
    """A package of ours by its folder and module, any other by its name."""
    parts = Path(file).parts
    if "src" in parts or "liveorder" in parts:
        root = len(parts) - 1 - parts[::-1].index("src" if "src" in parts else "liveorder")
        return "/".join(parts[root + 1 :]).removesuffix(".py")
    if "benchmarks" in parts:
        return "benchmarks"
    if file == "~":
        return next((known for known in ("sqlite3", "pydantic_core", "asyncio") if known in name), "built-in")
    return next((known for known in ("asyncio", "json", "psycopg", "pydantic", "eventsourcing") if known in parts), parts[-1])
