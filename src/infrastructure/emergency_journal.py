"""Halts and cancels written down beside a store that cannot be written: JSON Lines, synced line by line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from liveorder.application.ports.emergency_journal import JournalEntry
from liveorder.infrastructure.private_files import make_folder, open_private

_ENTRY: TypeAdapter[JournalEntry] = TypeAdapter(JournalEntry)


class FileEmergencyJournal:
    """One file. Where even that cannot be written, the line goes to standard error: what it speaks of is done all the same."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, entry: JournalEntry) -> bool:
        line = _ENTRY.dump_json(entry).decode()
        try:
            self._append(line)
        except OSError as error:
            print(f"emergency journal not writable ({error}): {line}", file=sys.stderr)  # noqa: T201 - the last place left
            return False
        return True

    def _append(self, line: str) -> None:
        make_folder(self._path.parent)
        with open_private(self._path, "a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Sequence[JournalEntry]:
        """Whole lines only: a torn last line speaks of something whose process died before it was done."""
        if not self._path.exists():
            return []
        return [entry for line in self._path.read_text(encoding="utf-8").split("\n")[:-1] for entry in _read(line)]

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def _read(line: str) -> list[JournalEntry]:
    try:
        return [_ENTRY.validate_json(line)]
    except ValidationError:
        return []
