"""Bytes into lines, with the place of each, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from liveorder.domain.signal import MAX_SIGNAL_BYTES

CHUNK_BYTES = 64 * 1024
"""Read at once: tens of microseconds from the page cache, so a file is read on the loop; a thread's hand-over costs as much."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """`start` and `end` are byte offsets; `end` is behind the newline. `content` is without it and without CR."""

    start: int
    end: int
    content: bytes


@dataclass(slots=True)
class LineSplitter:
    """Gives complete lines and keeps the rest. Of a line that is too long, one byte more than allowed is kept, which tells."""

    start: int = 0
    """Byte offset at which the line now being read begins."""
    _size: int = field(default=0, init=False)
    _kept: bytearray = field(default_factory=bytearray, init=False)

    def feed(self, chunk: bytes) -> Iterator[SourceLine]:
        """The lines that `chunk` completes, blank ones left out."""
        *completed, rest = chunk.split(b"\n")
        for part in completed:
            self._extend(part)
            yield from self._finish(newline=1)
        self._extend(rest)

    def end(self) -> Iterator[SourceLine]:
        """What stands behind the last newline, when there is nothing more to come."""
        yield from self._finish(newline=0)

    def _extend(self, part: bytes) -> None:
        self._size += len(part)
        self._kept += part[: MAX_SIGNAL_BYTES + 1 - len(self._kept)]

    def _finish(self, newline: int) -> Iterator[SourceLine]:
        line = SourceLine(self.start, self.start + self._size + newline, bytes(self._kept).rstrip(b"\r"))
        self.start, self._size = line.end, 0
        self._kept.clear()
        if line.content.strip():
            yield line
