"""Where prices come from."""

from __future__ import annotations

from typing import Protocol

from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Quote


class MarketData(Protocol):
    """Where a fresh price comes from when a signal has none."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        """The newest prices, however old; None when there are none. The caller judges their age.

        Raises `BrokerError` where the source cannot be asked: its words come to stand on the order.
        """
        ...
