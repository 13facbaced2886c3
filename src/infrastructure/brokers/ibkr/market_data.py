"""Prices from TWS, as snapshots."""

from __future__ import annotations

from datetime import datetime, timedelta

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.market_data import Price, Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.ibkr.connection import Connection
from liveorder.infrastructure.brokers.ibkr.contracts import Contracts
from liveorder.infrastructure.brokers.ibkr.prices import Prices

DELAY = timedelta(minutes=15)
"""How old delayed data is at least; some exchanges' is older."""
KINDS = {"live": 1, "frozen": 2, "delayed": 3, "delayed-frozen": 4}


class IbkrMarketData:
    """A `MarketData`. The last trade, or else the middle of bid and ask. Where TWS cannot be asked there is no price."""

    def __init__(self, connection: Connection, contracts: Contracts, clock: Clock) -> None:
        self._connection, self._contracts, self._clock = connection, contracts, clock

    async def latest(self, instrument: Instrument) -> Quote | None:
        try:
            prices = await self._connection.session.questions.prices(self._contracts.of(instrument))
        except BrokerError:
            return None
        return None if prices.price is None else Quote(last=Price(prices.price, self._made_at(prices)))

    def _made_at(self, prices: Prices) -> datetime:
        """When it was traded, where that was told; else now, or as long ago as delayed data is old."""
        if prices.traded_at is not None and prices.last is not None:
            return prices.traded_at
        return self._clock.now() - (DELAY if prices.is_delayed else timedelta())
