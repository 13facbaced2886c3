"""Time and randomness, injected, so that a test can simulate days in milliseconds and repeat them exactly."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """UTC wall time, a monotonic counter, and waiting."""

    def now(self) -> datetime:
        """Timezone-aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point. Never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Randomness(Protocol):
    """A subset of `random.Random`; seeded in tests."""

    def getrandbits(self, k: int, /) -> int: ...

    def uniform(self, a: float, b: float) -> float: ...
