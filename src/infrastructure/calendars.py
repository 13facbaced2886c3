"""Trading sessions from `exchange_calendars`, with corrections from our own dated list and from the settings.

The library imports pandas, which takes most of a second, so it is imported for the first calendar that needs it. Each calendar is
kept as sorted lists of epoch seconds. The library has no calendar of the NSE; XBOM has the same cash hours.
"""

from __future__ import annotations

import asyncio
import tomllib
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeAlias

from liveorder.application.ports.calendar import ALWAYS_OPEN, TradingCalendar
from liveorder.domain.errors import InvalidInput
from liveorder.domain.values import TradingHours

Hours: TypeAlias = Sequence[tuple[time, time]]
Overrides: TypeAlias = Mapping[str, Mapping[date, Hours]]
"""By calendar and session day: the open spans that apply instead, in the exchange's own time. No span means closed."""

_SHIPPED = Path(__file__).with_name("special_sessions.toml")
_DAILY_BREAKS: Mapping[str, tuple[time, time]] = {"CMES": (time(16), time(17)), "us_futures": (time(17), time(18))}
"""Daily breaks, in the exchange's own time: Globex is down for maintenance, but the library treats it as open."""
_EXTENDED: Mapping[str, tuple[timedelta, timedelta]] = {"XNYS": (timedelta(hours=5, minutes=30), timedelta(hours=4))}
"""Extended trading before the open and after the close: 04:00 to 20:00 in New York, to 17:00 on short days."""

_INDIAN = {"NSE": "XBOM", "NFO": "XBOM", "BFO": "XBOM"}
"""Names that the library does not know. Cash and derivatives of both exchanges have the same days."""


_LOADING = Lock()
"""One calendar at a time: the library and pandas set aside warnings of their own while they build one, for the whole process, and
two at once would put each other's back.
"""


class _Timetable(Protocol):
    """One calendar. Times in epoch seconds."""

    def session_of(self, at: float) -> date: ...

    def is_open(self, at: float) -> bool: ...

    def open_seconds_until(self, at: float) -> float: ...

    def next_open(self, at: float) -> float: ...


class ExchangeCalendars(TradingCalendar):
    """The first question about a calendar that was not prepared builds it, which takes about 0.1 s; the very first about 1 s."""

    def __init__(self, overrides: Overrides | None = None, *, in_threads: bool = False) -> None:
        """`in_threads`: calendars are prepared there. Else nothing is prepared, which suits programs without an event loop."""
        self._overrides, self._in_threads = overrides or {}, in_threads
        for name in self._overrides:
            _calendar(name)
        self._timetables: dict[str, _Timetable] = {ALWAYS_OPEN: _AlwaysOpen()}
        self._prepared = {ALWAYS_OPEN}

    async def prepare(self, calendar_names: Iterable[str]) -> None:
        for name in calendar_names:
            if self._in_threads and name not in self._prepared:
                with suppress(InvalidInput):
                    for hours in TradingHours:
                        await asyncio.to_thread(self._timetable, name, hours)
                    self._prepared.add(name)

    def session_of(self, calendar_name: str, at: datetime) -> date:
        return self._timetable(calendar_name).session_of(_seconds(at))

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        return self._timetable(calendar_name, hours).is_open(_seconds(at))

    def open_seconds_between(
        self, calendar_name: str, start: datetime, end: datetime, hours: TradingHours = TradingHours.REGULAR
    ) -> float:
        timetable = self._timetable(calendar_name, hours)
        return max(0.0, timetable.open_seconds_until(_seconds(end)) - timetable.open_seconds_until(_seconds(start)))

    def next_open(self, calendar_name: str, at: datetime) -> datetime:
        return datetime.fromtimestamp(self._timetable(calendar_name).next_open(_seconds(at)), UTC)

    def last_session(self, calendar_name: str) -> date | None:
        """The last known day. None for a market that never closes."""
        timetable = self._timetable(calendar_name)
        return timetable.days[-1] if isinstance(timetable, _Sessions) else None

    def _timetable(self, calendar_name: str, hours: TradingHours = TradingHours.REGULAR) -> _Timetable:
        key = self._key(calendar_name, hours)
        known = self._timetables.get(key)
        if known is None:
            around = _EXTENDED[calendar_name] if key != calendar_name else _NOT_AROUND
            special = {**_shipped().get(calendar_name, {}), **self._overrides.get(calendar_name, {})}
            days = tuple((day, tuple(special[day])) for day in special)
            with _LOADING:
                known = self._timetables[key] = _load(calendar_name, days, around)
        return known

    @staticmethod
    def _key(calendar_name: str, hours: TradingHours) -> str:
        return f"{calendar_name} {hours}" if hours is TradingHours.EXTENDED and calendar_name in _EXTENDED else calendar_name


def calendar_of_exchange(exchange: str) -> str | None:
    """The calendar of an exchange. None for an unknown name, or one that stands for several markets."""
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
    """Sorted lists: the session days with their starts, and the spans in which the market is open."""

    name: str
    days: list[date]
    day_starts: list[float]
    opens: list[float]
    closes: list[float]
    seconds_before: list[float]
    """Open seconds before each span."""
    ends: float
    """From here on, nothing is known."""

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
            raise self._unknown(at)
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
_NOT_AROUND = (timedelta(), timedelta())


@cache
def _load(name: str, special: tuple[tuple[date, Hours], ...], around: tuple[timedelta, timedelta]) -> _Sessions:
    """Cached for the process: loading takes a tenth of a second, and the result never changes."""
    calendar = _calendar(name)
    spans = {day.date(): _spans(*nanos) for day, *nanos in _rows(calendar)}
    if (pause := _DAILY_BREAKS.get(name)) is not None:
        spans = {day: _without(_at(day, pause, calendar.tz), of_day) for day, of_day in spans.items()}
    first, last = min(spans), max(spans)  # nothing else is known of days beyond these
    spans |= {day: [_at(day, span, calendar.tz) for span in hours] for day, hours in special if first <= day <= last}
    before, after = (each.total_seconds() for each in around)
    days = [(day, _widened(of_day, before, after)) for day, of_day in sorted(spans.items()) if of_day]
    return _sessions(name, calendar.tz, days)


@cache
def _shipped() -> Overrides:
    """Our own list of special sessions."""
    tables = tomllib.loads(_SHIPPED.read_text(encoding="utf-8"))
    return {
        name: {date.fromisoformat(day): tuple(span_of(span) for span in spans) for day, spans in days.items()}
        for name, days in tables.items()
    }


def span_of(text: str) -> tuple[time, time]:
    """
    >>> span_of("09:15-15:30")
    (datetime.time(9, 15), datetime.time(15, 30))

    Raises `ValueError` for what is no open and close of one day.
    """
    opens, _, closes = text.partition("-")
    span = time.fromisoformat(opens.strip()), time.fromisoformat(closes.strip())
    if span[0] >= span[1]:
        raise ValueError(f"{text} ends before it begins")
    return span


def _calendar(name: str) -> Any:
    import exchange_calendars

    with warnings.catch_warnings():
        # The library's use of deprecated pandas functions is not our concern.
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
    """Spans in seconds, from nanoseconds. For a day without a break, the library has negative break times."""
    bounds = [opens, break_starts, break_ends, closes] if break_starts > 0 else [opens, closes]
    seconds = [nanos / 1e9 for nanos in bounds]
    return list(zip(seconds[::2], seconds[1::2], strict=True))


def _at(day: date, span: tuple[time, time], zone: tzinfo) -> _Span:
    opens, closes = (datetime.combine(day, moment, zone).timestamp() for moment in span)
    return opens, closes


def _without(pause: _Span, spans: list[_Span]) -> list[_Span]:
    """The spans without the pause."""
    begins, ends = pause
    parts = [part for opens, closes in spans for part in ((opens, min(closes, begins)), (max(opens, ends), closes))]
    return [(opens, closes) for opens, closes in parts if opens < closes]


def _widened(spans: list[_Span], before: float, after: float) -> list[_Span]:
    """The spans with an earlier first open and a later last close. Breaks between them stay."""
    first, last = spans[0], spans[-1]
    if len(spans) == 1:
        return [(first[0] - before, last[1] + after)]
    return [(first[0] - before, first[1]), *spans[1:-1], (last[0], last[1] + after)]


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
