"""The emergency journal as a file of JSON Lines, each synced."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from liveorder.application.ports.emergency_journal import JournalEntry
from liveorder.infrastructure.private_files import make_folder, open_private, sync

_ENTRY: TypeAdapter[JournalEntry] = TypeAdapter(JournalEntry)
_REMEDY = "read it, check what is open at the brokers, move it away, then resume"


class FileEmergencyJournal:
    """One file. If it cannot be written either, the line goes to standard error; the halt or cancel is carried out in any case.

    So an incomplete line may describe something that was done, and counts as trouble. `former`: the file of an earlier version,
    which several stores may have shared; its content counts as trouble too.
    """

    def __init__(self, path: Path, former: Path | None = None) -> None:
        self.path, self._former = path, former
        self._aside = path.with_name(f"{path.name}.booked")

    def write(self, entry: JournalEntry) -> bool:
        line = _ENTRY.dump_json(entry)
        try:
            self._append(line)
        except OSError as error:
            with suppress(OSError, ValueError):  # standard error may be a file on the same full disk, or closed
                print(f"emergency journal not writable ({error}): {line.decode()}", file=sys.stderr)  # noqa: T201 - the last resort
            return False
        return True

    def _append(self, line: bytes) -> None:
        """Starts on a new line, since the previous one may be incomplete. Writes again if the file was set aside meanwhile."""
        make_folder(self.path.parent)
        is_set_aside = True
        while is_set_aside:
            self._make()
            with open_private(self.path, "ab") as file:
                file.write(b"\n" + line + b"\n")
                file.flush()
                os.fsync(file.fileno())
                is_set_aside = not _is_at(self.path, file)
        sync(self.path.parent)

    def _make(self) -> None:
        """Make the file. It belongs to the folder's owner, also if root makes it, so that the service can read it."""
        with suppress(OSError), open_private(self.path, "xb") as file:
            if os.geteuid() == 0:
                folder = self.path.parent.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)

    def read(self) -> Sequence[JournalEntry]:
        return [entry for path in (self._aside, self.path) for entry in _parsed(path)[0]]

    def trouble(self) -> str | None:
        for path in (self._aside, self.path):
            if (why := _parsed(path)[1]) is not None:
                return f"the emergency journal {path} cannot be read ({why}): {_REMEDY}"
        if self._former is not None and os.path.lexists(self._former):
            return f"the emergency journal {self._former} belongs to an earlier version, and perhaps to another store: {_REMEDY}"
        return None

    def clear(self, booked: Sequence[JournalEntry]) -> None:
        """Set the file aside before reading it a last time. A process that still writes to it notices, and writes again."""
        if self.trouble() is not None:
            return
        for _ in (self._aside, self.path):  # first what a crashed service left aside, then the file
            if not self._aside.exists():
                with suppress(FileNotFoundError):
                    self.path.rename(self._aside)
            entries, why = _parsed(self._aside)
            if why is not None or any(entry not in booked for entry in entries):
                return
            self._aside.unlink(missing_ok=True)


def _is_at(path: Path, file: IO[Any]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _parsed(path: Path) -> tuple[list[JournalEntry], str | None]:
    """The readable entries, and why they are not all."""
    entries: list[JournalEntry] = []
    why = None
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        lines = []
    except OSError as error:
        return [], error.strerror
    for number, line in enumerate(lines, 1):
        try:
            entries += [_ENTRY.validate_json(line)] if line else []
        except ValidationError:
            why = f"line {number} is incomplete, or of another version"
    return entries, why
