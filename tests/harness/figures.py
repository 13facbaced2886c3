"""Measured figures on a page of the documentation: between two marks, with where they were measured."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

END = "<!-- end of figures -->"


def begin(command: str) -> str:
    """The mark before the figures that this command writes."""
    return f"<!-- figures: written by `{command}` -->"


def publish(page: Path, command: str, text: str) -> None:
    """In the place of what stood there; the prose around it is written by hand."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(begin(command))
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page} has no place for figures: {begin(command)} … {END}")
    page.write_text(f"{before}{mark}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> dict[str, Any]:
    """When and where figures are measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def described(where: Mapping[str, Any]) -> str:
    return f"{where['date']}, {where['cores']} cores, {where['system']}, Python {where['python']}, SQLite {where['sqlite']}"
