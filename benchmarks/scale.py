"""How much of everything is measured: one minute, some minutes, or as long as two million orders take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    samples: int
    """Of one order in flight, each beside one raw commit."""
    seconds: float
    """For one figure of throughput."""
    histories: tuple[int, ...]
    """Closed orders that a start has behind it."""
    rebuilt_orders: int
    listed_orders: int
    """Closed orders that lists and look-ups have behind them."""
    remembered_orders: int
    """Traded by the process whose memory is measured."""
    profiled_orders: int


QUICK = Scale(150, 1.0, (1_000, 10_000), 4_000, 20_000, 3_000, 1_000)
USUAL = Scale(1_000, 4.0, (1_000, 10_000, 100_000), 20_000, 100_000, 100_000, 4_000)
FULL = Scale(1_000, 4.0, (1_000, 10_000, 100_000, 2_000_000), 20_000, 1_000_000, 100_000, 4_000)


def chosen(environment: Mapping[str, str] = os.environ) -> Scale:
    """`QUICK=1` or `FULL=1`."""
    if environment.get("QUICK"):
        return QUICK
    return FULL if environment.get("FULL") else USUAL
