"""Parsing of TWS's times. The client libraries misread some of them and cannot read others."""

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
"""Zone names of some TWS installations, from Java or Windows."""


class Times:
    """Parses times. `time_zone` applies to times that name no zone, except those with a dash between date and time, which are
    UTC.
    """

    def __init__(self, time_zone: str, log: ActivityLog) -> None:
        self._zone, self._log = ZoneInfo(time_zone), log
        self._unread: set[str | None] = set()

    def read(self, text: str) -> datetime | None:
        """None if the text cannot be read. That is logged once for each zone."""
        if text.isdecimal() and len("YYYYMMDD") < len(text) < len("YYYYMMDDHHMM"):
            return datetime.fromtimestamp(int(text), UTC)
        match = _FORM.fullmatch(text.strip())
        if match is not None:
            with suppress(ValueError, OSError, KeyError):
                return self._moment(match)
        self._warn(text, match[6] if match is not None else None)
        return None

    def _moment(self, match: re.Match[str]) -> datetime:
        """Raises `ValueError` for an invalid date, `KeyError` and others for an unknown zone."""
        year, month, day, mark, clock, name = match.groups()
        zone = ZoneInfo(_BY_OTHER_NAMES.get(name, name)) if name else UTC if mark == "-" else self._zone
        return datetime.fromisoformat(f"{year}-{month}-{day} {clock}").replace(tzinfo=zone).astimezone(UTC)

    def _warn(self, text: str, zone: str | None) -> None:
        if zone not in self._unread:
            self._unread.add(zone)
            self._log.write("WARNING", f"TWS reports a time as {text!r}, which cannot be read: such fills are booked without one")
