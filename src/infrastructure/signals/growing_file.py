"""One opened file that others append to, and how to know it again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Self

from liveorder.infrastructure.signals.lines import CHUNK_BYTES, Line, LineSplitter
from liveorder.infrastructure.signals.one_document import goes_on

_PROOF_BYTES = 64


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read, and a digest of the bytes just before: a file in which they differ is another file.

    That holds where inode numbers do not: they are reused, and a file can be cut and written again in place.
    """

    offset: int
    proof: str

    @classmethod
    def behind(cls, content: bytes, offset: int) -> Place:
        """`content` ends at `offset`; its last 64 bytes count, or all that the file has before `offset`."""
        return cls(offset, hashlib.sha256(content[-_PROOF_BYTES:]).hexdigest()[:16])

    @classmethod
    def from_text(cls, text: str) -> Place:
        offset, _, proof = text.partition(" ")
        return cls(int(offset), proof)

    def __str__(self) -> str:
        return f"{self.offset} {self.proof}"


BEGINNING = Place.behind(b"", 0)


def end_of(path: Path) -> Place | None:
    """Behind the last complete line; the beginning where no file is, None where something is that cannot be read."""
    try:
        with GrowingFile(path, None) as file:
            return file.place
    except FileNotFoundError:
        return BEGINNING
    except OSError:
        return None


def lines_before(path: Path, place: Place) -> int:
    """How many are complete before it; reads all of them. Raises `OSError`."""
    with path.open("rb") as file:
        left, lines = place.offset, 0
        while chunk := file.read(min(left, CHUNK_BYTES)):
            left, lines = left - len(chunk), lines + chunk.count(b"\n")
        return lines


def begins_document(path: Path) -> bool:
    """Whether its first line begins a JSON document that goes on in the next. Raises `OSError`."""
    with GrowingFile(path, BEGINNING) as file:
        return any(goes_on(line.content) for line, _ in islice(file.new_lines(), 1))


class GrowingFile:
    """Gives complete lines as they come. An error while reading gives none, and reading goes on where it was."""

    def __init__(self, path: Path, place: Place | None) -> None:
        """At `place`, or at the beginning if it is not this file's; None: behind the last complete line. Raises `OSError`.

        A last line without newline belongs to what comes.
        """
        self._path, self._file = path, path.open("rb", buffering=0)
        offset = self._last_newline() if place is None else place.offset
        self._tail = self._before(offset)
        if place is not None and Place.behind(self._tail, offset) != place:
            offset, self._tail = 0, b""
        self._lines = LineSplitter(offset)
        self._first = next(LineSplitter().feed(os.pread(self._file.fileno(), min(CHUNK_BYTES, offset), 0)), None)
        self._file.seek(offset)
        self.place = Place.behind(self._tail, offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def is_inside_document(self, line: Line) -> bool:
        """Whether it is part of a JSON document that the file's first line began; that line itself, which tells so, is not."""
        self._first = self._first or line
        return line is not self._first and goes_on(self._first.content)

    @property
    def was_rewritten(self) -> bool:
        """Whether what was read is no longer there: the file was cut, or cut and written anew."""
        try:
            return Place.behind(self._before(self.place.offset), self.place.offset) != self.place
        except OSError:
            return False

    @property
    def was_replaced(self) -> bool:
        """Whether another file has its name now. Not while none has."""
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False

    @property
    def written_at(self) -> datetime:
        return datetime.fromtimestamp(os.fstat(self._file.fileno()).st_mtime, UTC)

    def new_lines(self) -> Iterator[tuple[Line, Place]]:
        """All up to the present end, each with the place behind it."""
        while chunk := self._read():
            known, start = self._tail + chunk, self.place.offset - len(self._tail)
            self.place = Place.behind(known, start + len(known))
            self._tail = known[-_PROOF_BYTES:]
            for line in self._lines.feed(chunk):
                yield line, Place.behind(known[: line.end - start], line.end)

    def unfinished_line(self) -> Iterator[tuple[Line, Place]]:
        """The last one, when nothing will complete it."""
        for line in self._lines.end():
            yield line, self.place

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK_BYTES)
        except OSError:
            return b""

    def _before(self, offset: int) -> bytes:
        begin = max(0, offset - _PROOF_BYTES)
        return os.pread(self._file.fileno(), offset - begin, begin)

    def _last_newline(self) -> int:
        size = os.fstat(self._file.fileno()).st_size
        end = os.pread(self._file.fileno(), CHUNK_BYTES, max(0, size - CHUNK_BYTES))
        return size - len(end) + end.rfind(b"\n") + 1
