"""What became of histories, kept as lines of JSON: an interrupted run goes on where it was, as long as the code is the same."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.kept_lines import keep, kept_in
from tests.simulation.coverage import Cell

CHUNK = 25
ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """Of a run of seeds."""

    seeds: int = 0
    cells: Counter[Cell] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    """Code by seed."""
    reports: list[str] = field(default_factory=list)
    traces: int = 0
    """Of all histories: the sum of their digests, so that their order does not matter."""

    def add(self, other: Outcome) -> None:
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
    def from_json(cls, line: dict[str, Any]) -> Outcome:
        cells = Counter({(kind, state): number for kind, state, number in line["cells"]})
        failures = {int(seed): code for seed, code in line["failures"].items()}
        return cls(**line | {"cells": cells, "figures": Counter(line["figures"]), "failures": failures})


@dataclass(frozen=True)
class Lived:
    outcome: Outcome
    seconds: float
    """Since the one before it, of all processes."""


@dataclass
class Results:
    """What was lived of each range of seeds, on this code. Lines of other code, or that were cut off, count for nothing."""

    file: Path | None = None
    lived: dict[range, Lived] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in kept_in(self.file) if self.file is not None else ():
            if line["code"] == code():
                self.lived[range(*line["seeds"])] = Lived(Outcome.from_json(line["outcome"]), line["seconds"])

    def add(self, seeds: range, lived: Lived) -> None:
        self.lived[seeds] = lived
        if self.file is not None:
            line = {"code": code(), "seeds": [seeds.start, seeds.stop], "seconds": lived.seconds}
            keep(self.file, line | {"outcome": lived.outcome.to_json()})

    def total(self, seeds: range) -> Lived:
        """Of these seeds, whichever run lived them."""
        total, seconds = Outcome(), 0.0
        for part in chunks(seeds):
            if part in self.lived:
                total.add(self.lived[part].outcome)
                seconds += self.lived[part].seconds
        return Lived(total, seconds)


def chunks(seeds: range) -> list[range]:
    """As they are lived and kept."""
    return [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]


@cache
def code() -> str:
    """Which code lives the histories: a digest of the product's and the simulation's files."""
    digest = hashlib.sha256()
    for file in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "tests" / "simulation").rglob("*.py")]):
        digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
