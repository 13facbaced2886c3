"""TWS's times, of which the client libraries misread some and cannot read others."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from liveorder.application.ports.activity_log import ActivityLog

_FORM = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)([- ]) *(\d\d:\d\d:\d\d)(?:\.\d+)?(?: +(.+))?", re.ASCII)
_BY_OTHER_NAMES = {
    "US/Eastern": "America/New_York",
    "US/Central": "America/Chicago",
    "US/Mountain": "America/Denver",
    "US/Pacific": "America/Los_Angeles",
    "MEZ": "Europe/Berlin",
    "MESZ": "Europe/Berlin",
    "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
    "China Standard Time": "Asia/Shanghai",
}
"""Zones as some installations of TWS call them, by Java's or Windows' names."""


class Times:
    """`time_zone` is that of times which name none, unless they have a dash between date and time: those are UTC."""

    def __init__(self, time_zone: str, log: ActivityLog) -> None:
        self._zone, self._log = ZoneInfo(time_zone), log
        self._unread: set[str | None] = set()

    def read(self, text: str) -> datetime | None:
        """None for what cannot be read, which is logged once for each zone."""
        if text.isdecimal() and len("YYYYMMDD") < len(text) < len("YYYYMMDDHHMM"):
            return datetime.fromtimestamp(int(text), UTC)
        told = _FORM.fullmatch(text.strip())
        if told is not None:
            with suppress(ValueError, OSError, KeyError):
                return self._moment(told)
        self._warn(text, told[6] if told is not None else None)
        return None

    def _moment(self, told: re.Match[str]) -> datetime:
        """Raises `ValueError` for a date that is none, `KeyError` and others for a zone that is not known."""
        year, month, day, mark, clock, name = told.groups()
        zone = ZoneInfo(_BY_OTHER_NAMES.get(name, name)) if name else UTC if mark == "-" else self._zone
        return datetime.fromisoformat(f"{year}-{month}-{day} {clock}").replace(tzinfo=zone).astimezone(UTC)

    def _warn(self, text: str, zone: str | None) -> None:
        if zone not in self._unread:
            self._unread.add(zone)
            self._log.write("WARNING", f"TWS tells a time as {text!r}, which cannot be read: such fills are booked without one")
