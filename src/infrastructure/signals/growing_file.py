"""An open file that others append to, and how to recognise it again."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Self

from liveorder.infrastructure.signals.lines import CHUNK_BYTES, LineSplitter, SourceLine
from liveorder.infrastructure.signals.one_document import goes_on

_OLD_PROOF_BYTES, _OLD_PROOF_DIGITS = 64, 16


@dataclass(frozen=True, slots=True)
class FilePlace:
    """How far a file was read, and the SHA-256 of everything before. If any of that differs, it is another file.

    Nothing else identifies a file. Lines from one template have the same length and end, inode numbers are reused, and a file can
    be truncated and rewritten in place. A copy with the same lines is the same file: none of its lines is new.
    """

    offset: int
    digest: str
    """In hexadecimal. Up to version 0.2.0, the first 16 digits of the digest of the last 64 bytes."""

    @classmethod
    def from_text(cls, text: str) -> FilePlace:
        offset, _, digest = text.partition(" ")
        return cls(int(offset), digest)

    def __str__(self) -> str:
        return f"{self.offset} {self.digest}"

    @property
    def is_of_old_form(self) -> bool:
        return len(self.digest) == _OLD_PROOF_DIGITS


class _Prefix:
    """The part of a file that was read: its length, its lines, its digest, and its first and last bytes for a quick check."""

    def __init__(self) -> None:
        self.length, self.lines, self.first, self.last = 0, 0, bytearray(), bytearray()
        self._digest = hashlib.sha256()

    def take(self, content: bytes) -> None:
        self.length += len(content)
        self.lines += content.count(b"\n")
        self._digest.update(content)
        self.first += content[: CHUNK_BYTES - len(self.first)]
        self.last += content
        del self.last[:-CHUNK_BYTES]

    @property
    def place(self) -> FilePlace:
        return FilePlace(self.length, self._digest.hexdigest())

    def fits(self, place: FilePlace) -> bool:
        if place.is_of_old_form:
            proof = hashlib.sha256(self.last[-_OLD_PROOF_BYTES:]).hexdigest()[:_OLD_PROOF_DIGITS]
            return (self.length, proof) == (place.offset, place.digest)
        return self.place == place


BEGINNING = _Prefix().place


def end_of(path: Path) -> FilePlace | None:
    """The place after the last complete line. The beginning if there is no file, None if it cannot be read."""
    try:
        with GrowingFile(path, None) as file:
            return file.place
    except FileNotFoundError:
        return BEGINNING
    except OSError:
        return None


def lines_before(path: Path, place: FilePlace) -> int:
    """The number of complete lines before the place. Reads all of them. Raises `OSError`."""
    with path.open("rb") as file:
        left, lines = place.offset, 0
        while chunk := file.read(min(left, CHUNK_BYTES)):
            left, lines = left - len(chunk), lines + chunk.count(b"\n")
        return lines


def begins_document(path: Path) -> bool:
    """Whether its first line begins a JSON document that continues on the next. Raises `OSError`."""
    with GrowingFile(path, BEGINNING) as file:
        return any(goes_on(line.content) for line, _ in islice(file.new_lines(), 1))


def _version(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class GrowingFile:
    """Yields complete lines as they arrive. A read error yields none, and reading continues where it was."""

    def __init__(self, path: Path, place: FilePlace | None) -> None:
        """Opens the file at `place`, or at the beginning if `place` belongs to another file. None: after the last complete line.
        Raises `OSError`.

        Reads everything before the place. A last line without newline counts as not yet read. Closed at the end of a `with` block,
        or with its last reference if it was never read.
        """
        self._path, self._file = path, path.open("rb", buffering=0)
        self._close = weakref.finalize(self, self._file.close)
        self._as_opened = _version(os.fstat(self._file.fileno()))
        self._known = self._found = self._read_to(self._last_newline() if place is None else place.offset)
        if place is not None and not self._known.fits(place):
            self._known = self._read_to(0)
        self._lines = LineSplitter(self._known.length, self._known.lines)
        self._first = next(LineSplitter().feed(bytes(self._known.first)), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def goes_on_with(self, former: GrowingFile) -> bool:
        """Whether it was opened after everything read of `former`, as a copy is. If so, it takes over the unfinished line."""
        if self.place != former.place:
            return False
        self._lines = former._lines
        return True

    def is_start_of(self, former: GrowingFile) -> bool:
        """Whether its content when opened is the beginning of `former`, and shorter than what was read of that.

        Content after the first 64 KiB is compared if `former` still has it and was not truncated in place.
        """
        found, read = self._found, former._known
        if found.length >= read.length or not read.first.startswith(found.first):
            return False
        try:
            return former.was_rewritten or former._read_to(found.length).place == found.place
        except OSError:
            return True

    @property
    def is_as_opened(self) -> bool:
        """Whether its name still leads to it and it was not written since."""
        try:
            return _version(self._path.stat()) == self._as_opened
        except OSError:
            return False

    @property
    def size(self) -> int:
        """The number of bytes it held when opened, up to the requested place."""
        return self._found.length

    def is_inside_document(self, line: SourceLine) -> bool:
        """Whether the line is inside a JSON document that the file's first line began. False for that first line itself."""
        self._first = self._first or line
        return line is not self._first and goes_on(self._first.content)

    @property
    def place(self) -> FilePlace:
        """The place after the last line yielded, or after everything read once there are no more lines."""
        return self._known.place

    @property
    def was_rewritten(self) -> bool:
        """Whether content that was read is gone: the file was truncated, or truncated and rewritten.

        Compares its first and last 64 KiB, the longest possible signal. A restart compares everything.
        """
        first, last = self._known.first, self._known.last
        try:
            return self._at(0, len(first)) != first or self._at(self._known.length - len(last), len(last)) != last
        except OSError:
            return False

    @property
    def was_replaced(self) -> bool:
        """Whether another, non-empty file has its name. Until then, its writer may still write to this one."""
        try:
            named = self._path.stat()
            return named.st_size > 0 and not os.path.samestat(named, os.fstat(self._file.fileno()))
        except OSError:
            return False

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(os.fstat(self._file.fileno()).st_mtime, UTC)

    def new_lines(self) -> Iterator[tuple[SourceLine, FilePlace]]:
        """All lines up to the present end, each with the place after it."""
        while chunk := self._read():
            start = self._known.length
            for line in self._lines.feed(chunk):
                self._known.take(chunk[self._known.length - start : line.end - start])
                yield line, self.place
            self._known.take(chunk[self._known.length - start :])

    def unfinished_line(self) -> Iterator[tuple[SourceLine, FilePlace]]:
        """The last line, if nothing will complete it."""
        for line in self._lines.end():
            yield line, self.place

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK_BYTES)
        except OSError:
            return b""

    def _read_to(self, offset: int) -> _Prefix:
        """Reads from the beginning up to `offset`, or to the file's end."""
        known = _Prefix()
        self._file.seek(0)
        while chunk := self._file.read(min(offset - known.length, CHUNK_BYTES)):
            known.take(chunk)
        return known

    def _at(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)

    def _last_newline(self) -> int:
        size = os.fstat(self._file.fileno()).st_size
        end = os.pread(self._file.fileno(), CHUNK_BYTES, max(0, size - CHUNK_BYTES))
        return size - len(end) + end.rfind(b"\n") + 1
