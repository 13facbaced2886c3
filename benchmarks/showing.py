"""Lines of figures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

_PACE_LOOPS = 200_000


def title(text: str) -> None:
    """With what the machine was like then: nothing slows these figures so much as what else it does."""
    head = f"{text}  ({_pace():.0f} million loops/s of plain Python, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
    line(f"\n{head}\n{'-' * len(head)}")


def _pace() -> float:
    began, total = time.perf_counter(), 0
    for number in range(_PACE_LOOPS):
        total += number
    return _PACE_LOOPS / (time.perf_counter() - began) / 1e6


def line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def micros(values: Sequence[float]) -> str:
    """The 10th, 50th and 99th percentile of seconds."""
    return "  ".join(f"p{round(share * 100)} {quantile(values, share) * 1e6:6.0f} µs" for share in (0.1, 0.5, 0.99))
