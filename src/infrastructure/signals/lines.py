"""Splitting bytes into lines with their offsets, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from liveorder.domain.signal import MAX_SIGNAL_BYTES

CHUNK_BYTES = 64 * 1024
"""Bytes per read. This takes tens of microseconds from the page cache, no more than handing over to a thread, so files are read on
the loop.
"""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line. `start` and `end` are byte offsets; `end` is after the newline. `content` excludes the newline and a CR before it."""

    start: int
    end: int
    content: bytes
    number: int
    """From 1, blank lines counted, as an editor has it."""

    @property
    def place(self) -> str:
        return f"line {self.number}"


@dataclass(slots=True)
class LineSplitter:
    """Yields complete lines and keeps the rest. Of a line that is too long it keeps one byte more than allowed, so that it is
    recognised.
    """

    start: int = 0
    """Byte offset of the line now being read."""
    lines: int = 0
    """The number of lines before it."""
    _size: int = field(default=0, init=False)
    _kept: bytearray = field(default_factory=bytearray, init=False)

    def feed(self, chunk: bytes) -> Iterator[SourceLine]:
        """The lines that `chunk` completes, without blank ones."""
        *completed, rest = chunk.split(b"\n")
        for part in completed:
            self._extend(part)
            yield from self._finish(newline=1)
        self._extend(rest)

    def end(self) -> Iterator[SourceLine]:
        """The unfinished line after the last newline, at the end of the input."""
        yield from self._finish(newline=0)

    def _extend(self, part: bytes) -> None:
        self._size += len(part)
        self._kept += part[: MAX_SIGNAL_BYTES + 1 - len(self._kept)]

    def _finish(self, newline: int) -> Iterator[SourceLine]:
        self.lines += 1
        line = SourceLine(self.start, self.start + self._size + newline, bytes(self._kept).rstrip(b"\r"), self.lines)
        self.start, self._size = line.end, 0
        self._kept.clear()
        if line.content.strip():
            yield line
