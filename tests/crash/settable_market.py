"""A calendar by which every market is closed until a test opens it: then each has its hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from liveorder.domain.values import TradingHours
from liveorder.infrastructure.calendars import ExchangeCalendars

_LATER = timedelta(hours=1)


class SettableMarket(ExchangeCalendars):
    """Its session days are the real ones."""

    def __init__(self, *, is_closed: bool) -> None:
        super().__init__()
        self.is_closed = is_closed

    def is_open(self, calendar_name: str, at: datetime, hours: TradingHours = TradingHours.REGULAR) -> bool:
        return not self.is_closed and super().is_open(calendar_name, at, hours)

    def next_open(self, calendar_name: str, at: datetime) -> datetime:
        return at + _LATER if self.is_closed else super().next_open(calendar_name, at)
