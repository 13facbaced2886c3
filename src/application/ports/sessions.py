"""Exchange sessions of instruments: what a `TradingCalendar` answers for a calendar name, asked of an instrument."""

from __future__ import annotations

from datetime import UTC, date, datetime

from liveorder.application.ports.calendar import TradingCalendar
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, TradingHours


class Sessions:
    """The calendar, by instrument."""

    def __init__(self, calendar: TradingCalendar) -> None:
        self._calendar = calendar

    def session_of(self, instrument: Instrument, at: datetime) -> date:
        """The session date that the moment counts to: its UTC date where the calendar has ended, since exits must still go out."""
        try:
            return self._calendar.session_of(instrument.calendar, at)
        except InvalidInput:
            return at.astimezone(UTC).date()

    def is_open(self, instrument: Instrument, at: datetime, hours: TradingHours) -> bool:
        """Raises `InvalidInput` where the calendar has ended."""
        return self._calendar.is_open(instrument.calendar, at, _held(instrument, hours))

    def open_seconds_between(self, instrument: Instrument, start: datetime, end: datetime, hours: TradingHours) -> float:
        """Seconds of session time from `start` to `end`; all of them count where the calendar has ended."""
        try:
            return self._calendar.open_seconds_between(instrument.calendar, start, end, _held(instrument, hours))
        except InvalidInput:
            return (end - start).total_seconds()


def _held(instrument: Instrument, hours: TradingHours) -> TradingHours:
    """Only shares trade before the open and after the close; options of the same exchange do not."""
    return hours if instrument.asset_class is AssetClass.EQUITY else TradingHours.REGULAR
