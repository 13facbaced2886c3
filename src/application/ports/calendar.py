"""When markets trade, and which session day a moment counts to."""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from liveorder.domain.values import TradingHours

ALWAYS_OPEN = "24/7"
"""The calendar of a market that never closes; its session day is the UTC date."""


class TradingCalendar(Protocol):
    """Sessions of exchanges, by calendar name (`XNYS`, `XBOM`, `CMES`, `24/7`).

    Moments are timezone-aware. A session includes its open and not its close; a lunch break is not open. Every method raises
    `InvalidInput` for a calendar that is unknown, and for a moment outside the years that it covers: a market is never taken
    for closed because its calendar ran out.
    """

    def session_of(self, calendar_name: str, at: datetime) -> date:
        """The session day that `at` counts to.

        A day begins at its session's open, or at the exchange's midnight before it: the hour before the open counts to the
        session that is about to open, hours after the close and days without a session to the one that just ended.
        """
        ...

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        """Extended hours are the regular ones where no others are known."""
        ...

    def open_seconds_between(
        self, calendar_name: str, start: datetime, end: datetime, hours: TradingHours = TradingHours.REGULAR
    ) -> float:
        """Seconds of session time from `start` to `end`; 0 when `end` is not after `start`."""
        ...
