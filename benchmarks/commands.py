"""CPU of a command from start to end, on a small SQLite store, beside a bare interpreter."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

RUNS = 7
LOW = 0.25
"""Of a machine that does other work, the low quantiles say what a command needs."""
BARE = ("-c", "pass")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ("--help",),
    ("submit", "--help"),
    ("orders",),
    ("order", "a"),
    ("order-history",),
    ("positions",),
    ("fills",),
    ("signals",),
    ("summary",),
    ("status",),
    ("doubts",),
    ("schema",),
    ("doctor",),
    ("submit", '{"signal_id":"a","symbol":"ETH/USD","side":"BUY","quantity":"0.1"}'),
    ("kill",),
)
"""What looks, then what owns the store for a moment where no service runs."""


class Spent(NamedTuple):
    """Seconds of CPU, of the process and the system together."""

    least: float
    low: float

    @classmethod
    def by(cls, arguments: tuple[str, ...], folder: Path) -> Spent:
        runs = sorted(_once(arguments, folder) for _ in range(RUNS))
        return cls(runs[0], runs[int(LOW * (RUNS - 1))])


def _once(arguments: tuple[str, ...], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=False, env=_environment())  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment() -> dict[str, str]:
    """As a user has it: what was compiled once is kept."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def report() -> list[str]:
    """One line a command: least CPU, low quantile, and how many bare interpreters that is."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _once(("-m", "liveorder", *COMMANDS[-2]), folder)
        bare = Spent.by(BARE, folder)
        lines = [f"{'python -c pass':<44} {bare.least:6.3f} s  {bare.low:6.3f} s"]
        for command in COMMANDS:
            spent = Spent.by(("-m", "liveorder", *command), folder)
            name = f"liveorder {' '.join(command)}"[:44]
            lines.append(f"{name:<44} {spent.least:6.3f} s  {spent.low:6.3f} s  {spent.least / bare.least:5.1f} x bare")
        return lines
