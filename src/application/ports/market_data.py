"""Prices, with their age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from liveorder.domain.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Quote:
    """The last price of one unit, in the instrument's currency, and when it was made (UTC)."""

    price: Decimal
    at: datetime


class MarketData(Protocol):
    """Where a fresh price comes from when a signal has none."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        """The newest quote, however old; None when there is none. The caller judges its age."""
        ...
