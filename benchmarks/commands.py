"""CPU of a command from start to end, on a small SQLite store, beside a bare interpreter."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

RUNS = 7
BARE = ("-c", "pass")
SUBMIT = ("submit", '{"signal_id":"a","symbol":"ETH/USD","side":"BUY","quantity":"0.1"}')
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
    SUBMIT,
    ("kill",),
)
"""What looks, then what owns the store for a moment where no service runs."""


class Spent(NamedTuple):
    """Seconds of CPU, of the process and the system together."""

    least: float
    median: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> Spent:
        return cls(min(runs), median(runs))


def _once(arguments: tuple[str, ...], folder: Path) -> float:
    """Raises `CalledProcessError` where the command fails: what fails early costs little."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True, env=_environment())  # noqa: S603 - ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment() -> dict[str, str]:
    """As a user has it: what was compiled once is kept."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def measured(runs: int = RUNS) -> dict[str, Spent]:
    """By command, all of them in turns, so that what else the machine does meets each of them alike."""
    tried = {"python -c pass": BARE} | {f"liveorder {' '.join(each)}"[:44]: ("-m", "liveorder", *each) for each in COMMANDS}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _once(("-m", "liveorder", *SUBMIT), folder)
        for arguments in tried.values():
            _once(arguments, folder)  # what is compiled now is not compiled in the first turn
        turns = [{name: _once(arguments, folder) for name, arguments in tried.items()} for _ in range(runs)]
    return {name: Spent.of([turn[name] for turn in turns]) for name in tried}


def report() -> list[str]:
    """One line a command: least CPU, median, and how many bare interpreters and how many `--help` the least is."""
    found = measured()
    bare, helped = found["python -c pass"], found["liveorder --help"]
    return [
        f"{name:<44} {spent.least:6.3f} s  {spent.median:6.3f} s  {spent.least / bare.least:5.1f} x bare"
        f"  {spent.least / helped.least:4.1f} x help"
        for name, spent in found.items()
    ]


if __name__ == "__main__":
    print("\n".join(report()))  # noqa: T201 - what it is for
