"""Cancels written down beside a store that cannot be written: JSON Lines, synced line by line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from liveorder.application.ports.emergency_journal import JournalledCancel


class FileEmergencyJournal:
    """One file. Where even that cannot be written, the line goes to standard error: the cancel is sent all the same."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, entry: JournalledCancel) -> None:
        line = json.dumps(
            {
                "order_id": str(entry.order_id),
                "request_id": entry.request_id,
                "reason": entry.reason,
                "actor": entry.actor,
                "at": entry.at.isoformat(),
            }
        )
        try:
            self._append(line)
        except OSError as error:
            print(f"emergency journal not writable ({error}): {line}", file=sys.stderr)  # noqa: T201 - the last place left

    def _append(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Sequence[JournalledCancel]:
        """Whole lines only: a torn last line was a cancel whose process died before it was sent."""
        if not self._path.exists():
            return []
        lines = self._path.read_text(encoding="utf-8").split("\n")[:-1]
        return [_entry(json.loads(line)) for line in lines if line]

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


def _entry(fields: dict[str, str]) -> JournalledCancel:
    return JournalledCancel(
        UUID(fields["order_id"]),
        fields["request_id"],
        fields["reason"],
        fields["actor"],
        datetime.fromisoformat(fields["at"]),
    )
