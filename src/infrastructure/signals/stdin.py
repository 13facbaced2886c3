"""Signals from standard input."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from liveorder.application.ports.signal_source import SourceMessage
from liveorder.infrastructure.signals.lines import CHUNK_BYTES, LineSplitter, SourceLine
from liveorder.infrastructure.signals.one_document import opens_document, refusal

STDIN = 0


class StandardInput:
    """Finite: ends with the input. Each line is delivered as soon as it is complete.

    Piping the same content again finds every signal known and adds no dead letter, because offsets count from the first byte.
    """

    finite = True
    name = "stdin"

    def __init__(self, descriptor: int = STDIN) -> None:
        self._descriptor = descriptor

    async def settle(self) -> str:
        return "as it comes, until it ends"

    async def messages(self) -> AsyncIterator[SourceMessage]:
        """Raises `InvalidInput` if the input is one JSON document."""
        is_first = True
        async for line in self._lines():
            if is_first and opens_document(line.content):
                raise refusal("standard input")
            is_first = False
            yield SourceMessage(self.name, str(line.start), line.content, place=line.place)

    async def _lines(self) -> AsyncIterator[SourceLine]:
        splitter = LineSplitter()
        while chunk := await self._chunk():
            for line in splitter.feed(chunk):
                yield line
        for line in splitter.end():
            yield line

    async def acknowledge(self, message: SourceMessage) -> None:
        """Keeps no bookmark: a pipe cannot be read again."""

    async def _chunk(self) -> bytes:
        await self._until_readable()
        return os.read(self._descriptor, CHUNK_BYTES)

    async def _until_readable(self) -> None:
        """Wait for input without a thread, which could not be cancelled while it reads, and without non-blocking mode, which a
        terminal would share with our output.
        """
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._descriptor, readable.set)
        except PermissionError:
            return  # a plain file: always readable, and epoll will not watch it
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
