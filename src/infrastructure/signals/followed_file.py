"""Signals from a file that grows, as `tail -F` reads it: across rotation, truncation and our own restarts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.signals.growing_file import BEGINNING, FilePlace, GrowingFile, begins_document, lines_before
from liveorder.infrastructure.signals.lines import SourceLine
from liveorder.infrastructure.signals.one_document import refusal

_OF_ANOTHER = "; if another file was there then, what it holds behind that byte is passed over"
"""Where nobody can know, since what is there now, if anything, proves nothing."""


class FollowedFile:
    """Endless. Begins at `first` the first time, and afterwards where it was acknowledged.

    `first` is where the file ended when this process first looked: what is written while it recovers, or stands by, is read. It is
    stored before anybody is told that the file is listened to; what is stored counts, whatever a later start finds.

    A file that is not there yet is waited for and read from its beginning. So is one that takes its place or is written anew, but
    for a copy: that holds all the bytes that were read, and is read on behind them; while it holds only the first of them it is
    waited for. A last line without newline waits to be completed, unless its file was rotated away. Not seen are lines that were
    cut away before they were read, and those of a file that was rotated away before it was opened, or while the service was down.
    Of a file that is one JSON document the first line is delivered, as a line that cannot be used, and nothing else.

    Its name is its path as it was written: where that leads through a symbolic link, the link may move on from file to file.

    A line counts as published when the file was last written: an old line may look younger than it is, never older. Where
    that matters the signal must carry a timestamp.
    """

    finite = False

    def __init__(
        self,
        path: Path,
        bookmarks: Bookmarks,
        clock: Clock,
        first: FilePlace | None,
        poll_seconds: float = 0.5,
        tell: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        """`first`: as `end_of` finds it, None where it cannot be read. `tell`: takes a sentence for people."""
        self.name = f"follow:{os.path.abspath(path)}"  # noqa: PTH100 - a link that moves on stays the same source
        self._bookmark = f"signal_source:{self.name}"
        self._earlier_bookmark = f"signal_source:follow:{os.path.realpath(path)}"
        self._path, self._bookmarks, self._clock, self._poll_seconds = path, bookmarks, clock, poll_seconds
        self._first, self._tell = first, tell
        self._settled: tuple[GrowingFile | None, FilePlace] | None = None

    async def settle(self) -> str:
        """Opens the file, too: what is before its place is read now, and not once orders wait.

        A bookmark that is not of this file is kept until something of this one was taken: a further start can say so again.
        """
        stored = await self._stored()
        wanted, lines = (stored, 0) if stored is not None else self._looked_at()
        file = self._opened(wanted)
        place = wanted if file is None else file.place
        await self._bookmarks.save_checkpoint(self._bookmark, str(place if wanted.is_of_old_form else wanted))
        self._settled = file, place
        if stored is not None:
            return _in_words(wanted, file, "where it was left", "read", "" if wanted.offset > 0 else _OF_ANOTHER)
        if place == wanted == BEGINNING:
            return "from its beginning; nothing passed over"
        passed_over = f"; {lines} line{'s' * (lines != 1)} passed over"
        return _in_words(wanted, file, "its end when this process first looked", "there", passed_over)

    def _looked_at(self) -> tuple[FilePlace, int]:
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
        if self._settled is None:
            await self.settle()
        assert self._settled is not None
        (file, place), self._settled = self._settled, None
        while file is None:
            await self._clock.sleep(self._poll_seconds)
            file = self._opened(place)
        while True:
            with file:
                async for message in self._follow(file):
                    yield message
                successor = await self._successor_of(file)
                if not successor.goes_on_with(file):
                    for message in self._as_messages(file, file.unfinished_line()):
                        yield message
            file = successor

    async def _stored(self) -> FilePlace | None:
        """Under its own name, or else under that which earlier versions gave it: of what its links lead to."""
        for name in (self._bookmark, self._earlier_bookmark):
            if (saved := await self._bookmarks.checkpoint(name)) is not None:
                return FilePlace.from_text(saved)
        return None

    async def acknowledge(self, message: SourceMessage) -> None:
        await self._bookmarks.save_checkpoint(self._bookmark, str(message.receipt))

    def _opened(self, place: FilePlace | None) -> GrowingFile | None:
        try:
            return GrowingFile(self._path, place)
        except OSError:
            return None

    async def _follow(self, file: GrowingFile) -> AsyncIterator[SourceMessage]:
        """The complete lines of one file, until another takes its place or it is written anew."""
        while not file.was_rewritten:
            was_replaced = file.was_replaced
            for message in self._as_messages(file, file.new_lines()):
                yield message
            if was_replaced:
                break
            await self._clock.sleep(self._poll_seconds)

    async def _successor_of(self, file: GrowingFile) -> GrowingFile:
        """What has its name now; waited for while nothing has, or only a start of what was read, as a copy that still grows."""
        was_told = False
        while (successor := self._opened(file.place)) is None or successor.is_start_of(file):
            if successor is not None and successor.size > 0 and not was_told:
                self._tell(_why_it_waits(self.name, successor.size, file.place.offset))
                was_told = True
            await self._clock.sleep(self._poll_seconds)
            while successor is not None and successor.is_as_opened:
                await self._clock.sleep(self._poll_seconds)
        return successor

    def _as_messages(self, file: GrowingFile, lines: Iterable[tuple[SourceLine, FilePlace]]) -> Iterator[SourceMessage]:
        for line, place in lines:
            if not file.is_inside_document(line):
                yield SourceMessage(self.name, str(line.start), line.content, file.written_at, place)


def _in_words(wanted: FilePlace, file: GrowingFile | None, where: str, was: str, known: str) -> str:
    """`known`: what is said where the file is there, and is the one that was there before."""
    if file is None:
        return f"from byte {wanted.offset}, {where}, once it can be read{_OF_ANOTHER}"
    if file.place.offset != wanted.offset:
        return f"from its beginning: what is before byte {wanted.offset}, {where}, is not what was {was}{_OF_ANOTHER}"
    return f"from byte {wanted.offset}, {where}{known}"


def _why_it_waits(name: str, there: int, read: int) -> str:
    return (
        f"{name} waits: the file there holds only the first {there} of the {read} bytes that were read, as a copy that is still "
        "being written; it is read on behind them, or from its beginning once it differs, or after a restart"
    )
