"""Signals from a file that grows, as `tail -F` reads it: across rotation, truncation and our own restarts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.infrastructure.signals.lines import CHUNK_BYTES, Line, LineSplitter

_PROOF_BYTES = 64


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read, and a digest of the bytes just before: a file in which they differ is another file.

    That holds where inode numbers do not: they are reused, and a file can be cut and written again in place.
    """

    offset: int
    proof: str

    @classmethod
    def in_file(cls, file: BinaryIO, offset: int) -> Place:
        begin = max(0, offset - _PROOF_BYTES)
        return cls(offset, hashlib.sha256(os.pread(file.fileno(), offset - begin, begin)).hexdigest()[:16])

    @classmethod
    def from_text(cls, text: str) -> Place:
        offset, _, proof = text.partition(" ")
        return cls(int(offset), proof)

    def __str__(self) -> str:
        return f"{self.offset} {self.proof}"

    def has_gone_from(self, file: BinaryIO) -> bool:
        """Whether the file was cut or written anew. An error that may pass does not say so."""
        try:
            return Place.in_file(file, self.offset) != self
        except OSError:
            return False


_BEGINNING = Place(0, hashlib.sha256(b"").hexdigest()[:16])


class FollowedFile:
    """Endless. Begins at the file's end the first time, and afterwards where it was acknowledged.

    A file that is not there yet is waited for and read from its beginning, and so is one that takes its place. A last line
    without newline waits to be completed, unless its file was rotated away. Not seen are lines of a file that was rotated
    away while nobody read.

    A line counts as published when the file was last written: an old line may look younger than it is, never older. Where
    that matters the signal must carry a timestamp.
    """

    finite = False

    def __init__(self, path: Path, bookmarks: Bookmarks, clock: Clock, poll_seconds: float = 0.5) -> None:
        self.name = f"follow:{path.resolve()}"
        self._path, self._bookmarks, self._clock, self._poll_seconds = path, bookmarks, clock, poll_seconds

    async def messages(self) -> AsyncIterator[SourceMessage]:
        place = await self._first_place()
        while True:
            if (file := self._opened()) is not None:
                with file:
                    async for message in self._follow(file, _BEGINNING if place.has_gone_from(file) else place):
                        yield message
                place = _BEGINNING
            await self._clock.sleep(self._poll_seconds)

    async def acknowledge(self, message: SourceMessage) -> None:
        await self._bookmarks.save_checkpoint(self._bookmark, str(message.receipt))

    @property
    def _bookmark(self) -> str:
        return f"signal_source:{self.name}"

    async def _first_place(self) -> Place:
        """Where to begin. The end that a first start begins at is saved at once, or a restart would skip what came between."""
        if (saved := await self._bookmarks.checkpoint(self._bookmark)) is not None:
            return Place.from_text(saved)
        place = self._end()
        await self._bookmarks.save_checkpoint(self._bookmark, str(place))
        return place

    def _end(self) -> Place:
        """Behind the last complete line: one that is being written belongs to what comes."""
        file = self._opened()
        if file is None:
            return _BEGINNING
        with file:
            size = os.fstat(file.fileno()).st_size
            tail = os.pread(file.fileno(), CHUNK_BYTES, max(0, size - CHUNK_BYTES))
            return Place.in_file(file, size - len(tail) + tail.rfind(b"\n") + 1)

    def _opened(self) -> BinaryIO | None:
        try:
            return self._path.open("rb", buffering=0)
        except OSError:
            return None

    async def _follow(self, file: BinaryIO, place: Place) -> AsyncIterator[SourceMessage]:
        """What one open file holds behind `place`, until another takes its place or it is written anew."""
        splitter = LineSplitter(place.offset)
        file.seek(place.offset)
        while not place.has_gone_from(file):
            was_replaced = self._was_replaced(file)
            while chunk := _read(file):
                for line in splitter.feed(chunk):
                    yield self._message(file, line)
            if was_replaced:
                break
            place = Place.in_file(file, file.tell())
            await self._clock.sleep(self._poll_seconds)
        for line in splitter.end():
            yield self._message(file, line)

    def _was_replaced(self, file: BinaryIO) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(file.fileno()))
        except OSError:
            return False

    def _message(self, file: BinaryIO, line: Line) -> SourceMessage:
        written_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
        return SourceMessage(self.name, str(line.start), line.content, written_at, Place.in_file(file, line.end))


def _read(file: BinaryIO) -> bytes:
    """The next bytes; none at the end, and none while the disk fails."""
    try:
        return file.read(CHUNK_BYTES)
    except OSError:
        return b""
