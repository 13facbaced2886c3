"""Lines of JSON in a file that outlives a run: an interrupted campaign finds its results again, but for a line that was cut off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ResultsFile:
    """Without a path nothing is kept."""

    path: Path | None = None

    def lines(self) -> list[dict[str, Any]]:
        """The whole lines. What was cut off is removed from the file too, so that the next line begins anew."""
        if self.path is None or not self.path.exists():
            return []
        whole, end, _ = self.path.read_text().rpartition("\n")
        self.path.write_text(whole + end)
        return [json.loads(line) for line in whole.splitlines()]

    def add(self, line: dict[str, Any]) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as lines:
            lines.write(json.dumps(line) + "\n")
