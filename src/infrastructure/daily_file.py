"""A file of lines with a new file every day."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import IO

from liveorder.infrastructure.private_files import make_folder, open_private


class DailyFile:
    """Appends to `PREFIX_YYYYMMDD.SUFFIX`. Unbuffered: an appended line survives the process, but perhaps not the machine.

    Several processes may append to one file, since a line is one write.
    """

    def __init__(self, directory: Path, prefix: str, suffix: str) -> None:
        self._directory, self._prefix, self._suffix = directory, prefix, suffix
        self._file: IO[bytes] | None = None
        self._day: date | None = None
        self._is_torn = False

    def append(self, day: date, line: bytes) -> None:
        """Raises `OSError`; the next call tries again. A line that was written in part is ended before the next one."""
        file = self._of(day)
        whole = b"\n" * self._is_torn + line
        self._is_torn = file.write(whole) < len(whole)
        if self._is_torn:
            raise OSError(f"no room for a whole line in {self._path(day)}")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _of(self, day: date) -> IO[bytes]:
        if self._file is None or day != self._day:
            self.close()
            make_folder(self._directory)
            self._file, self._day = open_private(self._path(day), "ab", buffering=0), day
        return self._file

    def _path(self, day: date) -> Path:
        return self._directory / f"{self._prefix}_{day:%Y%m%d}{self._suffix}"
