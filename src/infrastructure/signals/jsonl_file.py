"""Signals from a JSON Lines file, read once from beginning to end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from liveorder.application.ports.signal_source import SourceMessage
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.signals.lines import CHUNK_BYTES, LineSplitter, SourceLine
from liveorder.infrastructure.signals.one_document import opens_document, refusal


class JsonlFile:
    """Finite. Keeps no bookmark: a second reading finds every signal known.

    It does not say when a line was published. A person who runs a file now wants its signals now, unless they carry a timestamp.
    """

    finite = True

    def __init__(self, path: Path) -> None:
        """Raises `InvalidInput` if the path is not a readable file, or the file is not JSON Lines."""
        if not path.is_file():
            raise InvalidInput("signals", f"no file at {path}", "give the path of a JSON Lines file, or - for standard input")
        self.name = f"file:{path.resolve()}"
        self._path = path
        next(self._lines(), None)

    async def settle(self) -> str:
        return "from its beginning to its end"

    async def messages(self) -> AsyncIterator[SourceMessage]:
        for line in self._lines():
            yield SourceMessage(self.name, str(line.start), line.content, place=line.place)

    async def acknowledge(self, message: SourceMessage) -> None:
        """Keeps no bookmark."""

    def _lines(self) -> Iterator[SourceLine]:
        """The lines. The first is checked when the file is opened and again when it is read, which can be much later."""
        is_first = True
        for line in self._read():
            if is_first and opens_document(line.content):
                raise refusal(self._path)
            is_first = False
            yield line

    def _read(self) -> Iterator[SourceLine]:
        splitter = LineSplitter()
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield from splitter.feed(chunk)
        yield from splitter.end()
