"""What became of trials, kept as lines of JSON so that an interrupted campaign goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from liveorder.infrastructure.brokers.simulated.venue.faults import Point
from tests.crash.cases import Case
from tests.crash.verdict import Verdict

COUNTING, MATRIX, BEYOND, DEFECTS = "counting", "matrix", "beyond the declared bound", "defects"


@dataclass
class Results:
    """Verdicts by section and number. With a file, what it holds already is taken in."""

    file: Path | None = None
    verdicts: dict[tuple[str, int], Verdict] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    """Of each run that added to them: when, where, how long."""

    def __post_init__(self) -> None:
        for line in self.file.read_text().splitlines() if self.file is not None and self.file.exists() else ():
            self._take(json.loads(line))

    def _take(self, line: dict[str, Any]) -> None:
        if "run" in line:
            self.runs.append(line["run"])
            return
        case = line["verdict"].pop("case")
        case["point"] = Point(case["point"])
        self.verdicts[line["section"], line["number"]] = Verdict(Case(**case), **line["verdict"])

    def add(self, section: str, number: int, verdict: Verdict) -> None:
        """Which boundaries a life passed is kept of lives that count them."""
        if section != COUNTING:
            verdict = replace(verdict, boundaries=[], later_boundaries=[])
        self.verdicts[section, number] = verdict
        self._write({"section": section, "number": number, "verdict": asdict(verdict)})

    def note_run(self, run: dict[str, Any]) -> None:
        self.runs.append(run)
        self._write({"run": run})

    def _write(self, line: dict[str, Any]) -> None:
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as lines:
                lines.write(json.dumps(line) + "\n")

    def has(self, section: str, number: int) -> bool:
        return (section, number) in self.verdicts

    def of(self, *sections: str) -> list[Verdict]:
        return [verdict for (section, _), verdict in self.verdicts.items() if section in sections]

    def kills(self, section: str) -> int:
        return sum(verdict.deaths for verdict in self.of(section))

    def broken(self) -> Iterator[Verdict]:
        """Promises that were not kept, where all that was assumed was so."""
        return (verdict for verdict in self.of(COUNTING, MATRIX) if verdict.violations)
