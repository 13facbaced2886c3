"""Trading sessions from `exchange_calendars`, with special sessions and closures from the settings.

The library brings pandas, which takes most of a second to import, so it is imported for the first calendar that needs it, and
each calendar is kept as sorted lists of epoch seconds. It has no calendar of the NSE; XBOM has the same cash hours.
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.domain.errors import InvalidInput

Hours: TypeAlias = tuple[datetime, datetime]
Overrides: TypeAlias = Mapping[str, Mapping[date, Hours | None]]
"""By calendar and session day: the hours (open, close; timezone-aware) that hold instead, or None for no session."""


_INDIAN = {"NSE": "XBOM", "NFO": "XBOM", "BFO": "XBOM"}
"""Names that the library does not know; cash and derivatives of both exchanges have the same days."""


class _Timetable(Protocol):
    """One calendar; moments in epoch seconds."""

    def session_of(self, at: float) -> date: ...

    def is_open(self, at: float) -> bool: ...

    def open_seconds_until(self, at: float) -> float: ...

    def next_open(self, at: float) -> float: ...


class ExchangeCalendars:
    """A `TradingCalendar`. The first question about a calendar builds it, which takes about 0.1 s; the very first about 1 s."""

    def __init__(self, overrides: Overrides | None = None) -> None:
        self._overrides = overrides or {}
        self._timetables: dict[str, _Timetable] = {ALWAYS_OPEN: _AlwaysOpen()}

    def session_of(self, calendar_name: str, at: datetime) -> date:
        return self._timetable(calendar_name).session_of(_seconds(at))

    def is_open(self, calendar_name: str, at: datetime) -> bool:
        return self._timetable(calendar_name).is_open(_seconds(at))

    def open_seconds_between(self, calendar_name: str, start: datetime, end: datetime) -> float:
        timetable = self._timetable(calendar_name)
        return max(0.0, timetable.open_seconds_until(_seconds(end)) - timetable.open_seconds_until(_seconds(start)))

    def next_open(self, calendar_name: str, at: datetime) -> datetime:
        return datetime.fromtimestamp(self._timetable(calendar_name).next_open(_seconds(at)), UTC)

    def last_session(self, calendar_name: str) -> date | None:
        """The last day of which anything is known; None for a market that never closes."""
        timetable = self._timetable(calendar_name)
        return timetable.days[-1] if isinstance(timetable, _Sessions) else None

    def _timetable(self, calendar_name: str) -> _Timetable:
        known = self._timetables.get(calendar_name)
        if known is None:
            known = self._timetables[calendar_name] = _load(calendar_name, tuple(self._overrides.get(calendar_name, {}).items()))
        return known


def calendar_of_exchange(exchange: str) -> str | None:
    """Where the exchange's name tells it; None where it is only a way to several markets, or unknown."""
    import exchange_calendars

    name = _INDIAN.get(exchange, exchange)
    if name not in exchange_calendars.get_calendar_names(include_aliases=True):
        return None
    return str(exchange_calendars.resolve_alias(name))


class _AlwaysOpen:
    def session_of(self, at: float) -> date:
        return datetime.fromtimestamp(at, UTC).date()

    def is_open(self, at: float) -> bool:
        return True

    def open_seconds_until(self, at: float) -> float:
        return at

    def next_open(self, at: float) -> float:
        return at


@dataclass(frozen=True, slots=True)
class _Sessions:
    """Sorted lists: the session days with their starts, and the spans between breaks in which the market is open."""

    name: str
    days: list[date]
    day_starts: list[float]
    opens: list[float]
    closes: list[float]
    seconds_before: list[float]
    """Open seconds before each span."""
    ends: float
    """Nothing is known from here on."""

    def session_of(self, at: float) -> date:
        self._last_opened(at)
        return self.days[bisect_right(self.day_starts, at) - 1]

    def is_open(self, at: float) -> bool:
        return at < self.closes[self._last_opened(at)]

    def open_seconds_until(self, at: float) -> float:
        span = self._last_opened(at)
        return self.seconds_before[span] + min(at, self.closes[span]) - self.opens[span]

    def next_open(self, at: float) -> float:
        span = self._last_opened(at)
        if at < self.closes[span]:
            return at
        if span + 1 == len(self.opens):
            raise self._unknown(self.ends)
        return self.opens[span + 1]

    def _last_opened(self, at: float) -> int:
        if not self.opens[0] <= at < self.ends:
            raise self._unknown(at)
        return bisect_right(self.opens, at) - 1

    def _unknown(self, at: float) -> InvalidInput:
        moment = datetime.fromtimestamp(at, UTC)
        problem = f"{self.name} knows no session around {moment:%Y-%m-%d}, only {self.days[0]} to {self.days[-1]}"
        return InvalidInput("calendar", problem, "upgrade exchange_calendars and restart")


_Span: TypeAlias = tuple[float, float]


@cache
def _load(name: str, overrides: tuple[tuple[date, Hours | None], ...]) -> _Sessions:
    """Once in a process: it takes a tenth of a second and never changes."""
    calendar = _calendar(name)
    spans = {day.date(): _spans(*nanos) for day, *nanos in _rows(calendar)}
    spans |= {day: _special(hours) for day, hours in overrides}
    return _sessions(name, calendar.tz, sorted(item for item in spans.items() if item[1]))


def _calendar(name: str) -> Any:
    import exchange_calendars

    with warnings.catch_warnings():
        # What the library uses of pandas is for the two of them to settle.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return exchange_calendars.get_calendar(name)
        except exchange_calendars.errors.InvalidCalendarName:
            problem, remedy = f"{name} is unknown", f"use {ALWAYS_OPEN} or a name that exchange_calendars knows"
            raise InvalidInput("calendar", problem, remedy) from None


def _rows(calendar: Any) -> Iterator[tuple[Any, ...]]:
    columns = (calendar.opens_nanos, calendar.break_starts_nanos, calendar.break_ends_nanos, calendar.closes_nanos)
    return zip(calendar.sessions, *(column.tolist() for column in columns), strict=True)


def _spans(opens: int, break_starts: int, break_ends: int, closes: int) -> list[_Span]:
    """In seconds, from nanoseconds; a day without a break has negative ones there."""
    bounds = [opens, break_starts, break_ends, closes] if break_starts > 0 else [opens, closes]
    seconds = [nanos / 1e9 for nanos in bounds]
    return list(zip(seconds[::2], seconds[1::2], strict=True))


def _special(hours: Hours | None) -> list[_Span]:
    if hours is None:
        return []
    opens, closes = map(_seconds, hours)
    if closes <= opens:
        raise InvalidInput("calendar", f"a session cannot end at {hours[1]} before it starts", "give open, then close")
    return [(opens, closes)]


def _sessions(name: str, zone: tzinfo, sessions: list[tuple[date, list[_Span]]]) -> _Sessions:
    days = [day for day, _ in sessions]
    spans = [span for _, of_day in sessions for span in of_day]
    return _Sessions(
        name=name,
        days=days,
        day_starts=[min(_midnight(day, zone), of_day[0][0]) for day, of_day in sessions],
        opens=[opens for opens, _ in spans],
        closes=[closes for _, closes in spans],
        seconds_before=list(accumulate((closes - opens for opens, closes in spans), initial=0.0)),
        ends=max(_midnight(days[-1] + timedelta(days=1), zone), spans[-1][1]),
    )


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time.min, zone).timestamp()


def _seconds(at: datetime) -> float:
    if at.tzinfo is None:
        raise InvalidInput("at", f"{at} has no timezone", "give the moment in UTC")
    return at.timestamp()
