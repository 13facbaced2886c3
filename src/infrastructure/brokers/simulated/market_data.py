"""Prices from the simulated venue."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.infrastructure.brokers.simulated import translation
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.infrastructure.brokers.simulated.wire import Message


class SimulatedMarketData:
    """A `MarketData`. The venue has one price per instrument, without a spread. None if it has none yet."""

    def __init__(self, transport: Transport, *, request_timeout_seconds: float = 5.0) -> None:
        self._transport, self._timeout = transport, request_timeout_seconds

    async def latest(self, instrument: Instrument) -> Quote | None:
        answer = await self._transport.ask(json.dumps({"verb": "quote", "instrument": instrument.key}), self._timeout)
        return translation.read(answer, _quote)


def _quote(answer: Message) -> Quote | None:
    if "price" not in answer:
        return None
    return Quote(last=Price(Decimal(answer["price"]), datetime.fromisoformat(answer["at"])))
