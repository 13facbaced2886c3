"""Waits that double: between attempts of a request that surely was not received, and while anything else keeps failing."""

from __future__ import annotations

from dataclasses import dataclass

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts in all, and the wait before each but the first: `first_wait_seconds`, doubled, at most `longest_wait_seconds`.

    >>> [RetryPolicy(attempts=7).wait_after(n) for n in range(1, 7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    """

    attempts: int = 3
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0

    def allows_after(self, attempts_made: int) -> bool:
        return attempts_made < self.attempts

    def wait_after(self, attempts_made: int, error: BrokerError | None = None) -> float:
        """Seconds to wait after that many failed attempts; longer where the broker said how long."""
        own = min(self.first_wait_seconds * 2.0 ** min(attempts_made - 1, 30), self.longest_wait_seconds)
        return max(own, getattr(error, "retry_after_seconds", None) or 0.0)


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
