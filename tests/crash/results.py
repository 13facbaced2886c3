"""What became of trials, kept as lines of JSON so that an interrupted campaign goes on where it was."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from liveorder.testing.venue.faults import Point
from tests.crash.cases import Case
from tests.crash.matrix import POSITIONS, Place, kind_of_row, strikable
from tests.crash.process_crash_point import places_of
from tests.crash.verdict import Verdict
from tests.harness.results_file import ResultsFile

COUNTING, MATRIX, BEYOND, DEFECTS = "counting", "matrix", "beyond the declared bound", "defects"


@dataclass
class TrialResults:
    """Verdicts by section and number, those that the file holds already included."""

    file: Path | None = None
    verdicts: dict[tuple[str, int], Verdict] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    """Of each run that added to them: when, where; how long, how many kills, and the highest load so far."""
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for line in ResultsFile(self.file).lines():
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        if "run" in line:
            self.runs.append({"seconds": 0, "kills": 0, "load": 0.0} | line["run"])
            return
        case = line["verdict"].pop("case")
        case["point"] = Point(case["point"])
        self._keep(line["section"], line["number"], Verdict(Case(**case), **line["verdict"]), line["at"])

    def add(self, section: str, number: int, verdict: Verdict) -> None:
        """Which boundaries a life passed is kept of lives that count them."""
        if section != COUNTING:
            verdict = replace(verdict, boundaries=[], later_boundaries=[])
        at = {"seconds": round(time.monotonic() - self._began), "load": round(os.getloadavg()[0], 1)}
        self._keep(section, number, verdict, at)
        ResultsFile(self.file).add({"section": section, "number": number, "at": at, "verdict": asdict(verdict)})

    def _keep(self, section: str, number: int, verdict: Verdict, at: dict[str, Any]) -> None:
        self.verdicts[section, number] = verdict
        if self.runs:
            run = self.runs[-1]
            run["kills"] += verdict.deaths if section == MATRIX else 0
            run.update(seconds=at["seconds"], load=max(run["load"], at["load"]))

    def begin_run(self, run: dict[str, Any]) -> None:
        """What is added from now on is of this run."""
        self._began = time.monotonic()
        self._take({"run": run})
        ResultsFile(self.file).add({"run": run})

    def has(self, section: str, number: int, case: Case) -> bool:
        """Not where a file has another case under this number: it is of a matrix that was drawn otherwise."""
        known = self.verdicts.get((section, number))
        return known is not None and known.case == case

    def of(self, *sections: str) -> list[Verdict]:
        return [verdict for (section, _), verdict in self.verdicts.items() if section in sections]

    def kills(self, section: str) -> int:
        return sum(verdict.deaths for verdict in self.of(section))

    def next_number(self, section: str, at_least: int) -> int:
        """That no trial has yet."""
        return max([at_least, *(number + 1 for known, number in self.verdicts if known == section)])

    def passed(self, kind: str) -> set[Place]:
        """Boundaries that lives of rows of this kind went by which counted them; of plays, those that are struck at all."""
        lives = [each for each in self.of(COUNTING) if kind_of_row(each.case.operation) == kind]
        if kind == POSITIONS:
            return {place for each in lives for place in strikable(each.case, each.boundaries, each.later_boundaries)}
        labels = (label for each in lives for label in (*each.boundaries, *each.later_boundaries))
        return {place for label in labels for place in places_of(label)}

    def struck(self, kind: str) -> Counter[Place]:
        """How often a life was ended at each boundary."""
        lives = (each for each in self.of(MATRIX) if kind_of_row(each.case.operation) == kind)
        return Counter(place for each in lives for label in each.struck for place in places_of(label))

    def seldom_struck(self, kind: str, at_least: int = 1) -> list[tuple[Place, int]]:
        """Boundaries that were passed, and struck less often than that; with how often they were."""
        struck = self.struck(kind)
        return [(place, struck[place]) for place in sorted(self.passed(kind)) if struck[place] < at_least]

    def broken(self) -> Iterator[Verdict]:
        """Promises that were not kept, where all that was assumed was so."""
        return (verdict for verdict in self.of(COUNTING, MATRIX) if verdict.violations)
