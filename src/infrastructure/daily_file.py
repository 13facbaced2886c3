"""Files of lines for ever: a new one every day, and what is old is put away and at last deleted."""

from __future__ import annotations

import fcntl
import math
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import IO

from liveorder.infrastructure.private_files import make_folder, open_private

MEGABYTE = 1_000_000
DAY_SECONDS = 86_400
_DATED = re.compile(r"(?P<name>.+)_\d{8}(-\d+)?\.log")
"""The name of a file that gets no more lines once its day is over."""
MOST_RUNS = 1000
"""Of one day; later ones are not told apart by file."""


class LineFile:
    """A file that lines are appended to. Unbuffered: an appended line survives the process, but perhaps not the machine.

    Several processes may append to one file, since a line is one write. A file that was renamed or deleted is left for a new one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._is_torn = False

    def append(self, line: bytes) -> None:
        """Raises `OSError`; the next call tries again. A line that was written in part is ended before the next one."""
        file = self._in_place()
        whole = b"\n" * self._is_torn + line
        self._is_torn = file.write(whole) < len(whole)
        if self._is_torn:
            raise OSError(f"no room for a whole line in {self.path}")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def _in_place(self) -> IO[bytes]:
        if self._file is None or not self._is_still_there(self._file):
            self.close()
            make_folder(self.path.parent)
            self._file, self._is_torn = open_private(self.path, "ab", buffering=0), False
        return self._file

    def _is_still_there(self, file: IO[bytes]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), os.lstat(self.path))
        except FileNotFoundError:
            return False


class DailyFile:
    """Appends to `PREFIX_YYYYMMDD.log`."""

    def __init__(self, directory: Path, prefix: str) -> None:
        self._directory, self._prefix = directory, prefix
        self._file: LineFile | None = None

    def append(self, day: date, line: bytes) -> None:
        """Raises `OSError`; the next call tries again."""
        path = self._directory / f"{self._prefix}_{day:%Y%m%d}.log"
        if self._file is None or self._file.path != path:
            self.close()
            self._file = LineFile(path)
        self._file.append(line)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


class CurrentFile:
    """Appends to a file whose name stays. What earlier days left in it is renamed to `NAME_YYYYMMDD.log`, by its first line's day.

    Every line begins with its day, as in `2024-11-24`.
    """

    def __init__(self, path: Path) -> None:
        self._file, self._path = LineFile(path), path
        self._day: date | None = None

    def append(self, day: date, line: bytes) -> None:
        """Raises `OSError`; the next call tries again."""
        if day != self._day and self._is_put_away(day):
            self._day = day
        self._file.append(line)

    def close(self) -> None:
        self._file.close()

    def _is_put_away(self, day: date) -> bool:
        """False while another process is doing it."""
        if not self._is_before(day):
            return True
        with _alone_in(self._path.parent) as is_alone:
            if is_alone and self._is_before(day):
                self._path.rename(self._free_place())
        return is_alone

    def _is_before(self, day: date) -> bool:
        first = self._first_day()
        return first is not None and first < day

    def _first_day(self) -> date | None:
        """None of a file that is empty, missing, or begins with something else. Raises `OSError` for a symbolic link."""
        try:
            with open_private(self._path, "rb") as file:
                return date.fromisoformat(file.read(10).decode("ascii", "replace"))
        except (FileNotFoundError, ValueError):
            return None

    def _free_place(self) -> Path:
        """Another run of a simulation may have had the same days."""
        dated = f"{self._path.stem}_{self._first_day():%Y%m%d}"
        places = (
            self._path.with_name(f"{dated}{ending}.log") for ending in ("", *(f"-{number}" for number in range(2, MOST_RUNS)))
        )
        return next((path for path in places if not path.exists()), self._path)


@contextmanager
def _alone_in(directory: Path) -> Iterator[bool]:
    """Whether no other process is in here. Never waits for one: it may be stopped."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def delete_old(directory: Path, names: Collection[str], now: datetime, keep_days: int | None, keep_megabytes: int | None) -> None:
    """Delete the files of earlier days that begin with one of `names`: those last written more than `keep_days` ago, then the
    oldest until they take no more than `keep_megabytes`. What was written within a day, and what is no regular file, stays. Raises
    `OSError`.
    """
    dated = sorted(_dated(directory, names))
    room = math.inf if keep_megabytes is None else keep_megabytes * MEGABYTE - sum(size for _, size, _ in dated)
    longest = math.inf if keep_days is None else keep_days * DAY_SECONDS
    for written_at, size, path in dated:
        age = now.timestamp() - written_at
        if age > longest or (room < 0 and age > DAY_SECONDS):
            Path(path).unlink(missing_ok=True)
            room += size


def _dated(directory: Path, names: Collection[str]) -> Iterator[tuple[float, int, str]]:
    """When each was last written, its size and its path."""
    with os.scandir(directory) as entries:
        for entry in entries:
            found = _DATED.fullmatch(entry.name)
            if found is not None and found["name"] in names and entry.is_file(follow_symlinks=False):
                about = entry.stat(follow_symlinks=False)
                yield about.st_mtime, about.st_size, entry.path
