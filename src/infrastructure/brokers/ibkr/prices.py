"""One snapshot of an instrument's prices, as its ticks come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from liveorder.infrastructure.brokers.ibkr.rows import number

_BID, _ASK, _LAST = (1, 66), (2, 67), (4, 68)
"""Kinds of ticks; the second of each is of delayed data."""
_LAST_TRADED = (45, 88)
_DELAYED = (3, 4)


@dataclass(slots=True)
class Prices:
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None
    traded_at: datetime | None = None
    is_delayed: bool = False

    def tick(self, kind: int, price: float) -> None:
        """TWS sends -1 where there is no price."""
        told = number(price) if price != -1 else None
        if kind in _BID:
            self.bid = told
        elif kind in _ASK:
            self.ask = told
        elif kind in _LAST:
            self.last = told

    def tick_text(self, kind: int, text: str) -> None:
        if kind in _LAST_TRADED and text.isdecimal():
            self.traded_at = datetime.fromtimestamp(int(text), UTC)

    def of_kind(self, market_data_kind: int) -> None:
        self.is_delayed = market_data_kind in _DELAYED

    @property
    def price(self) -> Decimal | None:
        """The last trade, or else the middle of bid and ask."""
        if self.last is not None:
            return self.last
        return (self.bid + self.ask) / 2 if self.bid is not None and self.ask is not None else None
