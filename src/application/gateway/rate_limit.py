"""A broker's request limit, kept by queueing. Cancels have room of their own: a burst of orders cannot lock them out."""

from __future__ import annotations

import asyncio
from collections import deque

from liveorder.application.ports.clock import Clock

FINEST_SECONDS = 0.001
"""Minimum sleep. A remainder below the clock's resolution would spin forever."""


class RequestWindow:
    """At most `limit` requests in any `period_seconds`, however it is laid; below one, that many periods for a request."""

    def __init__(self, limit: float, period_seconds: float, reserved_share: float) -> None:
        self._period_seconds = max(period_seconds, period_seconds / limit)
        self._limit = max(int(limit), 1)
        self._ordinary_limit = max(int(self._limit * (1 - reserved_share)), 1)
        self._taken: deque[float] = deque()

    def wait(self, now: float, *, is_urgent: bool) -> float:
        """Seconds until a request fits; 0 when it fits now."""
        taken = self._taken
        while taken and taken[0] + self._period_seconds <= now:
            taken.popleft()
        limit = self._limit if is_urgent else self._ordinary_limit
        return 0.0 if len(taken) < limit else taken[-limit] + self._period_seconds - now

    def take(self, now: float) -> None:
        self._taken.append(now)


class RateLimit:
    """One account's windows. `reserved_share` of each is kept for urgent requests (cancels)."""

    def __init__(self, clock: Clock, per_second: float, per_minute: float, reserved_share: float = 0.2) -> None:
        self._clock = clock
        self._windows = (RequestWindow(per_second, 1.0, reserved_share), RequestWindow(per_minute, 60.0, reserved_share))
        self._ordinary = asyncio.Lock()

    def has_room(self, *, is_urgent: bool = False) -> bool:
        """Whether a token is free now and nobody waits for it."""
        if not is_urgent and self._ordinary.locked():
            return False
        now = self._clock.monotonic()
        return not any(window.wait(now, is_urgent=is_urgent) for window in self._windows)

    def try_take(self, *, is_urgent: bool = False) -> bool:
        """Take a token if there is room."""
        if not self.has_room(is_urgent=is_urgent):
            return False
        now = self._clock.monotonic()
        for window in self._windows:
            window.take(now)
        return True

    async def take(self, *, is_urgent: bool = False) -> None:
        """Wait for a token: ordinary requests in the order in which they came, urgent ones past them."""
        if is_urgent:
            await self._wait(is_urgent=True)
        else:
            async with self._ordinary:
                await self._wait(is_urgent=False)

    async def _wait(self, *, is_urgent: bool) -> None:
        while True:
            now = self._clock.monotonic()
            seconds = max(window.wait(now, is_urgent=is_urgent) for window in self._windows)
            if seconds <= 0:
                break
            await self._clock.sleep(max(seconds, FINEST_SECONDS))
        for window in self._windows:
            window.take(now)
