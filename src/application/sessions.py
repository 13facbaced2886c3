"""Exchange sessions of instruments: what a `TradingCalendar` answers for a calendar name, asked of an instrument."""

from __future__ import annotations

from datetime import date, datetime

from liveorder.application.ports.calendar import TradingCalendar
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import TradingHours


class Sessions:
    """The calendar, by instrument."""

    def __init__(self, calendar: TradingCalendar) -> None:
        self._calendar = calendar

    def session_of(self, instrument: Instrument, at: datetime) -> date:
        """The session date that the moment counts to."""
        return self._calendar.session_of(instrument.calendar, at)

    def is_open(self, instrument: Instrument, at: datetime, hours: TradingHours) -> bool:
        return self._calendar.is_open(instrument.calendar, at, hours)

    def open_seconds_between(self, instrument: Instrument, start: datetime, end: datetime, hours: TradingHours) -> float:
        """Seconds of session time from `start` to `end`."""
        return self._calendar.open_seconds_between(instrument.calendar, start, end, hours)
