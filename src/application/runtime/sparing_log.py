"""What would be logged again and again: written when it is new, then at growing intervals, with how often it came meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock

FIRST_INTERVAL_SECONDS = 60.0
LONGEST_INTERVAL_SECONDS = 900.0
QUIET_SECONDS = 300.0
"""A line that did not come for so long is new when it comes again."""


@dataclass(slots=True)
class _Line:
    """Moments are of the monotonic clock."""

    came_at: float
    due_at: float
    interval_seconds: float = FIRST_INTERVAL_SECONDS
    held_back: int = 0


class SparingLog:
    """An `ActivityLog` for what lasts: a broker that does not answer, a store that is away. Not for what happens once.

    Lines are the same when category, sentence and fields are.
    """

    def __init__(self, log: ActivityLog, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._lines: dict[tuple[str, ...], _Line] = {}
        self._looking = Lock()
        """Adapters may write from threads of their own."""

    def write(self, category: str, sentence: str, **fields: object) -> None:
        key = (category, sentence, *(f"{name}={value}" for name, value in fields.items()))
        with self._looking:
            held_back = self._held_back(key)
        if held_back is not None:
            repeated = f" (and {held_back} times more since this was written last)" if held_back else ""
            self._log.write(category, f"{sentence}{repeated}", **fields)

    def _held_back(self, key: tuple[str, ...]) -> int | None:
        """How many were held back before this line, if it is to be written now; else None."""
        now = self._clock.monotonic()
        line = self._lines.pop(key, None)
        self._forget_what_is_over(now)
        if line is None or now >= line.came_at + QUIET_SECONDS:
            self._lines[key] = _Line(now, now + FIRST_INTERVAL_SECONDS)
            return 0
        self._lines[key] = line
        line.came_at = now
        if now < line.due_at:
            line.held_back += 1
            return None
        held_back, line.held_back = line.held_back, 0
        line.interval_seconds = min(2 * line.interval_seconds, LONGEST_INTERVAL_SECONDS)
        line.due_at = now + line.interval_seconds
        return held_back

    def _forget_what_is_over(self, now: float) -> None:
        """Lines stand in the order in which they came last."""
        while self._lines and self._lines[oldest := next(iter(self._lines))].came_at + QUIET_SECONDS <= now:
            del self._lines[oldest]
