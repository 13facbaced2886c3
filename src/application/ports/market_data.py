"""The port of market data."""

from __future__ import annotations

from typing import Protocol

from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Quote


class MarketData(Protocol):
    """Gives current prices for signals without one."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        """The newest prices, however old. None if there are none. The caller judges their age.

        Raises `BrokerError` if the source cannot be asked. The order shows its message.
        """
        ...
