"""Signals from a growing file, read as by `tail -F`: across rotation, truncation and our own restarts."""

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

_OF_ANOTHER = "; if another file was there then, its lines after that byte are skipped"
"""Added if this cannot be known, because the present file, if any, proves nothing."""


class FollowedFile:
    """Endless. Begins at `first` the first time, and afterwards where it was acknowledged.

    `first` is where the file ended when this process first looked, so lines written while it recovers or stands by are read. It is
    stored before the source is announced. The stored value counts, whatever a later start finds.

    A missing file is waited for and read from its beginning. So is a file that replaces it, or that is rewritten, unless it is a
    copy. A copy contains all bytes that were read, and reading continues after them; while it contains only the first of them, it
    is waited for. A last line without newline waits to be completed, unless its file was rotated away. Lines are missed if they
    were cut away before they were read, or if their file was rotated away before it was opened or while the service was down.

    Of a file that is one JSON document, only the first line is delivered, as an unusable line.

    Its name is its path as written: if that path goes through a symbolic link, the link may change from file to file.

    A line counts as published when the file was last written. An old line may look newer than it is, never older. If that matters,
    the signal must carry a timestamp.
    """

    finite = False

    def __init__(
        self,
        path: Path,
        bookmarks: Bookmarks,
        clock: Clock,
        first: FilePlace | None,
        poll_seconds: float = 0.5,
        warn: Callable[[str], object] = lambda sentence: None,
    ) -> None:
        """`first`: the result of `end_of`, None if the file cannot be read. `warn`: takes a sentence for people."""
        self.name = f"follow:{os.path.abspath(path)}"  # noqa: PTH100 - a link that moves on stays the same source
        self._bookmark = f"signal_source:{self.name}"
        self._earlier_bookmark = f"signal_source:follow:{os.path.realpath(path)}"
        self._path, self._bookmarks, self._clock, self._poll_seconds = path, bookmarks, clock, poll_seconds
        self._first, self._warn = first, warn
        self._settled: tuple[GrowingFile | None, FilePlace] | None = None

    async def settle(self) -> str:
        """Also opens the file, so that everything before its place is read now, and not once orders wait.

        If the bookmark belongs to another file, it is kept until a line of this file was taken, so that a further start can report
        it again.
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
            return "from its beginning; nothing skipped"
        skipped = f"; {lines} line{'s' * (lines != 1)} skipped"
        return _in_words(wanted, file, "its end when this process first looked", "there", skipped)

    def _looked_at(self) -> tuple[FilePlace, int]:
        """Where to begin, and the number of lines before it. Raises `InvalidInput` if the file cannot be read or is not JSON
        Lines.
        """
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
        """The bookmark under this source's name, or under the name that earlier versions used: the path with links resolved."""
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
        """The complete lines of one file, until it is replaced or rewritten."""
        while not file.was_rewritten:
            was_replaced = file.was_replaced
            for message in self._as_messages(file, file.new_lines()):
                yield message
            if was_replaced:
                break
            await self._clock.sleep(self._poll_seconds)

    async def _successor_of(self, file: GrowingFile) -> GrowingFile:
        """The file that has the name now. Waits while there is none, or only a copy that is still growing."""
        was_warned = False
        while (successor := self._opened(file.place)) is None or successor.is_start_of(file):
            if successor is not None and successor.size > 0 and not was_warned:
                self._warn(_why_it_waits(self.name, successor.size, file.place.offset))
                was_warned = True
            await self._clock.sleep(self._poll_seconds)
            while successor is not None and successor.is_as_opened:
                await self._clock.sleep(self._poll_seconds)
        return successor

    def _as_messages(self, file: GrowingFile, lines: Iterable[tuple[SourceLine, FilePlace]]) -> Iterator[SourceMessage]:
        for line, place in lines:
            if not file.is_inside_document(line):
                yield SourceMessage(self.name, str(line.start), line.content, file.written_at, place, line.place)


def _in_words(wanted: FilePlace, file: GrowingFile | None, where: str, was: str, known: str) -> str:
    """The starting place as text. `known`: added if the file exists and is the same as before."""
    if file is None:
        return f"from byte {wanted.offset}, {where}, once it can be read{_OF_ANOTHER}"
    if file.place.offset != wanted.offset:
        return f"from its beginning: the content before byte {wanted.offset}, {where}, is not what was {was}{_OF_ANOTHER}"
    return f"from byte {wanted.offset}, {where}{known}"


def _why_it_waits(name: str, there: int, read: int) -> str:
    return (
        f"{name} waits: the file there holds only the first {there} of the {read} bytes that were read, like a copy that is still "
        "being written; reading continues after them, or from the beginning once it differs, or after a restart"
    )
