"""Signals from a file that grows, as `tail -F` reads it: across rotation, truncation and our own restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.infrastructure.signals.growing_file import BEGINNING, GrowingFile, Place
from liveorder.infrastructure.signals.lines import Line


class FollowedFile:
    """Endless. Begins at the file's end the first time, and afterwards where it was acknowledged.

    A file that is not there yet is waited for and read from its beginning, and so is one that takes its place or is written
    anew. A last line without newline waits to be completed, unless its file was rotated away. Not seen are lines of a file
    that was rotated away while nobody read.

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
            if (file := self._opened(place)) is not None:
                with file:
                    async for message in self._follow(file):
                        yield message
                place = BEGINNING
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
        while (file := self._opened(None)) is None and self._is_there():
            await self._clock.sleep(self._poll_seconds)
        place = BEGINNING
        if file is not None:
            with file:
                place = file.place
        await self._bookmarks.save_checkpoint(self._bookmark, str(place))
        return place

    def _opened(self, place: Place | None) -> GrowingFile | None:
        try:
            return GrowingFile(self._path, place)
        except OSError:
            return None

    def _is_there(self) -> bool:
        return self._path.exists()

    async def _follow(self, file: GrowingFile) -> AsyncIterator[SourceMessage]:
        """What one file holds, until another takes its place or it is written anew."""
        while not file.was_rewritten:
            was_replaced = file.was_replaced
            for message in self._as_messages(file, file.new_lines()):
                yield message
            if was_replaced:
                break
            await self._clock.sleep(self._poll_seconds)
        for message in self._as_messages(file, file.unfinished_line()):
            yield message

    def _as_messages(self, file: GrowingFile, lines: Iterable[tuple[Line, Place]]) -> Iterator[SourceMessage]:
        for line, place in lines:
            yield SourceMessage(self.name, str(line.start), line.content, file.written_at, place)
