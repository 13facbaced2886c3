"""When a call of ours may still begin. Its stored deadline is what a successor waits for before an absence proves anything.

A deadline is the moment of the decision, an allowance for our own side (the commit, a paused process) and the whole time of the
call. A call begins only while all of its time fits in before its deadline. So it always has its whole time, and what held it up
before that was ours: such a call is not begun, which is no attempt and no failure of the broker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from liveorder.application.ports.clock import Clock

OWN_DELAY_SECONDS = 2.0
"""Allowed at least for our own side."""
LONGEST_OWN_DELAY_SECONDS = 60.0
"""Allowed at most: a successor waits for it too. Through a store that is slower than this nothing is sent but cancels."""
REMEMBERED_SECONDS = 3600.0
"""A decision that is older than this has no caller any more: it was never stored."""


@dataclass(frozen=True, slots=True)
class _Decided:
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
