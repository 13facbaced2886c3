"""A source that is read beside a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from liveorder.application.ports.signal_source import SourceMessage
from liveorder.infrastructure.clock import SystemClock
from tests.harness.worlds import RememberedLog

ENOUGH_SECONDS = 60.0
"""Longer than anything takes on a slow machine."""


class HastyClock(SystemClock):
    """Waits are short, so that nothing is waited out."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        await asyncio.sleep(min(seconds, 0.02))

    def now(self) -> datetime:
        return datetime.now(UTC)


class Heard:
    """What came out of a source, acknowledged at once, or when the test says so."""

    def __init__(self, source: Any, *, acknowledges: bool) -> None:
        self.source, self.messages = source, list[SourceMessage]()
        self._acknowledges, self._changed = acknowledges, asyncio.Condition()

    @property
    def contents(self) -> list[str]:
        return [message.raw.decode() for message in self.messages]

    async def read(self) -> None:
        async with aclosing(self.source.messages()) as messages:
            async for message in messages:
                if self._acknowledges:
                    await self.source.acknowledge(message)
                async with self._changed:
                    self.messages.append(message)
                    self._changed.notify_all()

    async def until(self, count: int) -> list[SourceMessage]:
        async with asyncio.timeout(ENOUGH_SECONDS), self._changed:
            await self._changed.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    async def acknowledge(self, *numbers: int) -> None:
        for number in numbers:
            await self.source.acknowledge(self.messages[number])


@asynccontextmanager
async def heard(source: Any, *, acknowledges: bool = True) -> AsyncIterator[Heard]:
    found = Heard(source, acknowledges=acknowledges)
    reading = asyncio.create_task(found.read())
    try:
        yield found
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(ENOUGH_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nothing says when
            await asyncio.sleep(0.01)


async def until_logged(log: RememberedLog, part: str) -> None:
    async def is_logged() -> bool:
        return any(part in sentence for _, sentence in log.lines)

    await until(is_logged)
