"""When markets trade, and to which session day a time belongs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Protocol

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, TradingHours

ALWAYS_OPEN = "24/7"
"""The calendar of a market that never closes; its session day is the UTC date."""


class TradingCalendar(Protocol):
    """Sessions of exchanges, by calendar name (`XNYS`, `XBOM`, `CMES`, `24/7`), and by instrument.

    Times are timezone-aware. A session includes its open and excludes its close; a lunch break is not open. A method that takes a
    calendar's name raises `InvalidInput` for an unknown calendar and for a time outside the years it covers: a market never counts
    as closed because its calendar ran out. An adapter inherits the methods that take an instrument.
    """

    async def prepare(self, calendar_names: Iterable[str]) -> None:
        """Make ready what takes long to build, without holding up the event loop. Unknown names are passed over: asking fails."""

    def session_of(self, calendar_name: str, at: datetime) -> date:
        """The session day to which `at` belongs.

        A day begins at its session's open, or at the exchange's midnight before it. So the hour before the open belongs to the
        session about to open; hours after the close and days without a session belong to the one that just ended.
        """
        ...

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        """Whether the market is open. If no extended hours are known, they are the regular ones."""
        ...

    def open_seconds_between(
        self, calendar_name: str, start: datetime, end: datetime, hours: TradingHours = TradingHours.REGULAR
    ) -> float:
        """Seconds of session time from `start` to `end`. 0 if `end` is not after `start`."""
        ...

    def next_open(self, calendar_name: str, at: datetime) -> datetime:
        """When the market opens next, in its regular hours; `at` itself while it is open."""
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
