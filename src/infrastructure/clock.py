"""Clocks: real time, and an event loop's time, which a test can control with a loop of its own."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class LoopClock:
    """Starts at `start` when it is made, and continues with the running loop's time.

    A simulation of past signals runs at their dates. On a loop with virtual time, it simulates days in milliseconds.
    """

    def __init__(self, start: datetime) -> None:
        self._start, self._began = start, asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
