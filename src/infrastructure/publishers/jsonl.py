"""Confirmations as lines of a file, each synced to disk before it counts as published."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

from liveorder.application.outbox.publisher import Confirmation
from liveorder.infrastructure.private_files import make_folder, open_private, sync

_TAIL = 1 << 20
"""In bytes. No line is longer."""


class JsonLinesPublisher:
    """Appends `{"message_id": …, order and outcome}` lines. A line left unfinished by a crash is cut off and written again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_whole = False

    @property
    def name(self) -> str:
        return f"jsonl:{self._path.name}"

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        lines = "".join(f"{_line(confirmation)}\n" for confirmation in confirmations)
        await asyncio.to_thread(self._append, lines.encode())

    def _append(self, lines: bytes) -> None:
        if not self._is_whole:
            make_folder(self._path.parent)
            _cut_unfinished_line(self._path)
        self._is_whole = False  # until these lines are complete on the disk
        with open_private(self._path, "ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._is_whole = True


def _line(confirmation: Confirmation) -> str:
    return json.dumps({"message_id": confirmation.message_id} | confirmation.view.to_dict())


def _cut_unfinished_line(path: Path) -> None:
    """Cut off the last line if it has no newline, and make the file's entry in its folder durable."""
    with open_private(path, "a+b") as file:
        end = file.seek(0, os.SEEK_END)
        start = file.seek(max(end - _TAIL, 0))
        file.truncate(start + file.read().rfind(b"\n") + 1)
    sync(path.parent)
