"""Waits that double while anything keeps failing."""

from __future__ import annotations

from liveorder.application.ports.clock import Clock


class Backoff:
    """1, 2, 4 … seconds, at most `longest_seconds`."""

    def __init__(self, clock: Clock, longest_seconds: float = 30.0) -> None:
        self._clock, self._longest_seconds = clock, longest_seconds
        self._next_seconds = 1.0

    def reset(self) -> None:
        """It works again."""
        self._next_seconds = 1.0

    async def wait(self) -> None:
        seconds, self._next_seconds = self._next_seconds, min(2 * self._next_seconds, self._longest_seconds)
        await self._clock.sleep(seconds)
