"""When a request may leave: once there is room in the broker's rate, and while all of its time is left.

A deadline is the moment of the decision, an allowance for our own side (the commit, a paused process) and the whole time of the
call. It is stored with the request: a successor waits for it before an absence proves anything. A call begins only while all of its
time fits in before its deadline. So it always has its whole time, and what held it up before that was ours: such a call is not
begun, which is no attempt and no failure of the broker.
"""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import datetime, timedelta

from msgspec import Struct

from liveorder.application.ports.clock import Clock
from liveorder.domain.account_config import OWN_DELAY_SECONDS

FINEST_SECONDS = 0.001
"""Minimum sleep. A remainder below the clock's resolution would spin forever."""
LONGEST_OWN_DELAY_SECONDS = 60.0
"""Allowed at most: a successor waits for it too. Through a store that is slower than this nothing is sent but cancels."""
REMEMBERED_SECONDS = 3600.0
"""A decision that is older than this has no caller any more: it was never stored."""


# --- the broker's rate ---------------------------------------------------------------------------------------------------------


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

    def give_back(self) -> None:
        """What was taken last."""
        self._taken.pop()


class RateLimit:
    """A broker's request limit, kept by queueing. Cancels have room of their own: a burst of orders cannot lock them out.

    `reserved_share` of each is kept for them.
    """

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

    def give_back(self) -> None:
        """The token that was taken last: nothing was sent."""
        for window in self._windows:
            window.give_back()

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


# --- the deadline --------------------------------------------------------------------------------------------------------------


class _Decided(Struct, frozen=True):
    """At what count of the monotonic clock a request was decided, and how long our own side was allowed then. In seconds."""

    at: float
    allowed: float


class Deadlines:
    """Of one account's calls. The allowance is learned: twice the delay that was measured last, and halved by each start that was
    quicker, so that a store that is always slow trades, and one that was slow once is forgiven.
    """

    def __init__(self, clock: Clock, call_seconds: float, own_delay_seconds: float = OWN_DELAY_SECONDS) -> None:
        self._clock, self._call_seconds = clock, call_seconds
        self._least = self._allowed = own_delay_seconds
        self._decided: dict[str, _Decided] = {}

    def new(self, request_id: str) -> datetime:
        """The deadline to store with a request that is decided now."""
        now = self._clock.monotonic()
        self._forget_what_was_never_stored(now)
        self._decided.pop(request_id, None)
        self._decided[request_id] = _Decided(now, self._allowed)
        return self._clock.now() + timedelta(seconds=self._allowed + self._call_seconds)

    def _forget_what_was_never_stored(self, now: float) -> None:
        """Decisions stand in the order in which they were made."""
        while self._decided and self._decided[oldest := next(iter(self._decided))].at < now - REMEMBERED_SECONDS:
            del self._decided[oldest]

    def why_not_to_begin(self, request_id: str, deadline: datetime) -> str | None:
        """What of ours keeps this call from beginning now; None where it may begin.

        By the monotonic counter, which nobody sets, and by the wall clock, which is what a successor has.
        """
        decided = self._decided.pop(request_id, None)
        if decided is None:
            return "our own side decided it too long ago"
        seconds = self._clock.monotonic() - decided.at
        self._learn(seconds)
        if seconds > decided.allowed:
            return f"our own side (the store, or a paused process) took {seconds:.1f} s, and {decided.allowed:.1f} s were allowed"
        if self._clock.now() + timedelta(seconds=self._call_seconds) > deadline:
            return "our own side's clock was set forward after it was decided"
        return None

    def _learn(self, seconds: float) -> None:
        self._allowed = min(max(2 * seconds, self._allowed / 2, self._least), LONGEST_OWN_DELAY_SECONDS)
