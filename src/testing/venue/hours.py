"""When a DAY order ends: at the close of its exchange's day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from liveorder.domain.values import TradingHours

_CLOSES = {"XNYS": (time(16), ZoneInfo("America/New_York")), "XBOM": (time(15, 30), ZoneInfo("Asia/Kolkata"))}
_LATE_CLOSES = _CLOSES | {"XNYS": (time(20), ZoneInfo("America/New_York"))}
"""The closes of extended hours."""


class DayEnds:
    """Knows weekends, but no holidays and short days. Calendars other than XNYS and XBOM end their day at 00:00 UTC."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, TradingHours], tuple[datetime, datetime]] = {}

    def after(self, calendar: str, at: datetime, hours: TradingHours) -> datetime:
        """The first close after `at`, in UTC."""
        asked, end = self._known.get((calendar, hours), (at, at))
        if not asked <= at < end:
            end = _end_after(calendar, at, _LATE_CLOSES if hours is TradingHours.EXTENDED else _CLOSES)
            self._known[calendar, hours] = at, end
        return end


def _end_after(calendar: str, at: datetime, closes: Mapping[str, tuple[time, ZoneInfo]]) -> datetime:
    if calendar not in closes:
        return datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    close, zone = closes[calendar]
    end = datetime.combine(at.astimezone(zone).date(), close, zone)
    while end <= at or end.weekday() >= 5:
        end = datetime.combine(end.date() + timedelta(days=1), close, zone)
    return end.astimezone(UTC)
