"""Lines of JSON in a file that outlives a run: an interrupted campaign finds them again, but for one that was cut off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def kept_in(file: Path) -> list[dict[str, Any]]:
    """The whole lines; what was cut off is gone from the file too, so that the next line begins anew."""
    if not file.exists():
        return []
    whole, end, _ = file.read_text().rpartition("\n")
    file.write_text(whole + end)
    return [json.loads(line) for line in whole.splitlines()]


def keep(file: Path, line: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as lines:
        lines.write(json.dumps(line) + "\n")
