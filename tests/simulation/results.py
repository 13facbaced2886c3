"""What became of histories, kept as lines of JSON: an interrupted run goes on where it was, as long as the code is the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.harness.results_file import ResultsFile
from tests.simulation.coverage import Cell

CHUNK = 25
ROOT = Path(__file__).parents[2]
_CODE = ("src", "tests/harness", "tests/simulation")


@dataclass
class Tally:
    """Of a run of seeds."""

    seeds: int = 0
    cells: Counter[Cell] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    """Code by seed."""
    reports: list[str] = field(default_factory=list)
    traces: int = 0
    """Of all histories: the sum of their digests, so that their order does not matter."""

    def add(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.cells.update(other.cells)
        self.figures.update(other.figures)
        self.failures |= other.failures
        self.reports += other.reports
        self.traces = (self.traces + other.traces) % 2**64

    def to_json(self) -> dict[str, Any]:
        cells = [[kind, state, number] for (kind, state), number in self.cells.items()]
        return self.__dict__ | {"cells": cells}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Tally:
        cells = Counter({(kind, state): number for kind, state, number in line["cells"]})
        failures = {int(seed): code for seed, code in line["failures"].items()}
        return cls(**line | {"cells": cells, "figures": Counter(line["figures"]), "failures": failures})


@dataclass(frozen=True)
class RangeResult:
    tally: Tally
    seconds: float
    """Since the one before it, of all processes."""


@dataclass
class HistoryResults:
    """By range of seeds, of this code. Lines of other code, or that were cut off, count for nothing."""

    file: Path | None = None
    ranges: dict[range, RangeResult] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in ResultsFile(self.file).lines():
            if line["code"] == code():
                self.ranges[range(*line["seeds"])] = RangeResult(Tally.from_json(line["outcome"]), line["seconds"])

    def add(self, seeds: range, result: RangeResult) -> None:
        self.ranges[seeds] = result
        line = {"code": code(), "seeds": [seeds.start, seeds.stop], "seconds": result.seconds}
        ResultsFile(self.file).add(line | {"outcome": result.tally.to_json()})

    def total(self, seeds: range) -> RangeResult:
        """Of these seeds, whichever run simulated them."""
        total, seconds = Tally(), 0.0
        for part in chunks(seeds):
            if part in self.ranges:
                total.add(self.ranges[part].tally)
                seconds += self.ranges[part].seconds
        return RangeResult(total, seconds)


def chunks(seeds: range) -> list[range]:
    """As they are simulated and kept."""
    return [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]


@cache
def code() -> str:
    """Which code simulates the histories: a digest of the product's files, the simulation's and the harness's."""
    digest = hashlib.sha256()
    for file in sorted(file for part in _CODE for file in (ROOT / part).rglob("*.py")):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
