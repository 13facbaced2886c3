"""When markets trade, and which session day a moment counts to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Protocol

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, TradingHours

ALWAYS_OPEN = "24/7"
"""The calendar of a market that never closes; its session day is the UTC date."""


class TradingCalendar(Protocol):
    """Sessions of exchanges, by calendar name (`XNYS`, `XBOM`, `CMES`, `24/7`), and by instrument.

    Moments are timezone-aware. A session includes its open and not its close; a lunch break is not open. What asks by name raises
    `InvalidInput` for a calendar that is unknown, and for a moment outside the years that it covers: a market is never taken
    for closed because its calendar ran out. An adapter inherits the methods by instrument.
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

    def session_for(self, instrument: Instrument, at: datetime) -> date:
        """The session date that the moment counts to: its UTC date where the calendar has ended, since exits must still go out."""
        try:
            return self.session_of(instrument.calendar, at)
        except InvalidInput:
            return at.astimezone(UTC).date()

    def is_open_for(self, instrument: Instrument, at: datetime, hours: TradingHours) -> bool:
        """Raises `InvalidInput` where the calendar has ended."""
        return self.is_open(instrument.calendar, at, _held(instrument, hours))

    def open_seconds_for(self, instrument: Instrument, start: datetime, end: datetime, hours: TradingHours) -> float:
        """Seconds of session time from `start` to `end`; all of them count where the calendar has ended."""
        try:
            return self.open_seconds_between(instrument.calendar, start, end, _held(instrument, hours))
        except InvalidInput:
            return (end - start).total_seconds()


def _held(instrument: Instrument, hours: TradingHours) -> TradingHours:
    """Only shares trade before the open and after the close; options of the same exchange do not."""
    return hours if instrument.asset_class is AssetClass.EQUITY else TradingHours.REGULAR
