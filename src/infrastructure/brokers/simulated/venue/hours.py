"""When a DAY order ends: at the close of its exchange's day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_CLOSES = {"XNYS": (time(16), ZoneInfo("America/New_York")), "XBOM": (time(15, 30), ZoneInfo("Asia/Kolkata"))}


class DayEnds:
    """Weekends are observed, holidays and short days are not; calendars other than XNYS and XBOM end their day at 00:00 UTC."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, datetime]] = {}

    def after(self, calendar: str, at: datetime) -> datetime:
        """The first close later than `at`, UTC."""
        asked, end = self._known.get(calendar, (at, at))
        if not asked <= at < end:
            end = _end_after(calendar, at)
            self._known[calendar] = at, end
        return end


def _end_after(calendar: str, at: datetime) -> datetime:
    if calendar not in _CLOSES:
        return datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    close, zone = _CLOSES[calendar]
    end = datetime.combine(at.astimezone(zone).date(), close, zone)
    while end <= at or end.weekday() >= 5:
        end = datetime.combine(end.date() + timedelta(days=1), close, zone)
    return end.astimezone(UTC)
