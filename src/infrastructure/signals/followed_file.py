"""Signals from a file that grows, as `tail -F` reads it: across rotation, truncation and our own restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.signals.growing_file import BEGINNING, GrowingFile, Place, begins_document, lines_before
from liveorder.infrastructure.signals.lines import Line
from liveorder.infrastructure.signals.one_document import refusal


class FollowedFile:
    """Endless. Begins at `first` the first time, and afterwards where it was acknowledged.

    `first` is where the file ended when this process started: what is written while it starts, or stands by, is read. It is stored
    before anybody is told that the file is listened to; what is stored counts, whatever a later start finds.

    A file that is not there yet is waited for and read from its beginning. So is one that takes its place or is written anew: one
    whose bytes before the place where it was left are not those that were read. A last line without newline waits to be completed,
    unless its file was rotated away. Not seen are lines that were rotated or cut away before they were read. Of a file that is one
    JSON document the first line is delivered, as a line that cannot be used, and nothing else.

    A line counts as published when the file was last written: an old line may look younger than it is, never older. Where
    that matters the signal must carry a timestamp.
    """

    finite = False

    def __init__(self, path: Path, bookmarks: Bookmarks, clock: Clock, first: Place | None, poll_seconds: float = 0.5) -> None:
        """`first`: as `end_of` finds it, None where it cannot be read."""
        self.name = f"follow:{path.resolve()}"
        self._path, self._bookmarks, self._clock, self._poll_seconds = path, bookmarks, clock, poll_seconds
        self._first = first

    async def settle(self) -> str:
        if (stored := await self._stored()) is not None:
            return await self._goes_on(stored)
        first, lines = self._looked_at()
        await self._bookmarks.save_checkpoint(self._bookmark, str(first))
        if first == BEGINNING:
            return "from its beginning; nothing passed over"
        return f"from byte {first.offset}, its end when this process started; {lines} line{'s' * (lines != 1)} passed over"

    async def _goes_on(self, stored: Place) -> str:
        """Stores anew what an earlier version stored."""
        if (file := self._opened(stored)) is None:
            return f"from byte {stored.offset}, where it was left"
        with file:
            if stored.is_of_old_form:
                await self._bookmarks.save_checkpoint(self._bookmark, str(file.place))
            if file.place.offset == stored.offset:
                return f"from byte {stored.offset}, where it was left"
        return f"from its beginning: what is before byte {stored.offset}, where it was left, is not what was read"

    def _looked_at(self) -> tuple[Place, int]:
        """Where to begin, and how many lines are before it. Raises `InvalidInput` for what cannot be read or is no JSON Lines."""
        if self._first is None:
            raise InvalidInput("signals", f"{self._path} cannot be read", "give a file that this user may read")
        try:
            if begins_document(self._path):
                raise refusal(self._path)
            return self._first, lines_before(self._path, self._first)
        except FileNotFoundError:
            return self._first, 0
        except OSError as error:
            raise InvalidInput("signals", f"{self._path} cannot be read ({error.strerror})", "look at its disk") from None

    async def messages(self) -> AsyncIterator[SourceMessage]:
        await self.settle()
        place = await self._stored()
        while True:
            if (file := self._opened(place)) is not None:
                with file:
                    async for message in self._follow(file):
                        yield message
                place = BEGINNING
            await self._clock.sleep(self._poll_seconds)

    async def _stored(self) -> Place | None:
        saved = await self._bookmarks.checkpoint(self._bookmark)
        return None if saved is None else Place.from_text(saved)

    async def acknowledge(self, message: SourceMessage) -> None:
        await self._bookmarks.save_checkpoint(self._bookmark, str(message.receipt))

    @property
    def _bookmark(self) -> str:
        return f"signal_source:{self.name}"

    def _opened(self, place: Place | None) -> GrowingFile | None:
        try:
            return GrowingFile(self._path, place)
        except OSError:
            return None

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
            if not file.is_inside_document(line):
                yield SourceMessage(self.name, str(line.start), line.content, file.written_at, place)
