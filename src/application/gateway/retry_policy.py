"""How often a request that surely was not received is sent again, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

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
