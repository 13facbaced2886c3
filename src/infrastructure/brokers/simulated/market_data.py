"""Prices from the simulated venue."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from liveorder.application.ports.market_data import Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.simulated.transport import Transport


class SimulatedMarketData:
    """A `MarketData`. A venue that cannot be asked, or does not list the instrument, has no price."""

    def __init__(self, transport: Transport, *, request_timeout_seconds: float = 5.0) -> None:
        self._transport, self._timeout = transport, request_timeout_seconds

    async def latest(self, instrument: Instrument) -> Quote | None:
        try:
            answer = await self._transport.ask(json.dumps({"verb": "quote", "instrument": instrument.key}), self._timeout)
        except BrokerError:
            return None
        if "price" not in answer:
            return None
        return Quote(Decimal(answer["price"]), datetime.fromisoformat(answer["at"]))
