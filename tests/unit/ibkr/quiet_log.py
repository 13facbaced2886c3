"""An `ActivityLog` that keeps its lines."""

from __future__ import annotations


class QuietLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self.lines.append(f"{category} {sentence} {fields}")
