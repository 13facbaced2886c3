"""Prices from TWS. Each instrument that is asked about gets a subscription, which is kept for the next question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerRateLimitError, BrokerTimeoutError
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Quote
from liveorder.infrastructure.brokers.ibkr.connection import TwsConnection
from liveorder.infrastructure.brokers.ibkr.contracts import Contracts
from liveorder.infrastructure.brokers.ibkr.prices import Prices

KINDS = {"live": 1, "frozen": 2, "delayed": 3, "delayed-frozen": 4}
PATIENCE_SECONDS = 2.0
"""Maximum wait for the first ticks. Shorter if the call's time-out is below twice this."""
IDLE_SECONDS = 300.0
"""A subscription that is not used for this long is cancelled."""
MOST_LINES = 80
"""Maximum number of simultaneous subscriptions. A login has about 100 market data lines, shared with the windows of TWS."""


@dataclass(slots=True)
class _Subscription:
    prices: Prices
    since: datetime
    end: Callable[[], None]
    idle: asyncio.TimerHandle


class IbkrMarketData:
    """A `MarketData`."""

    def __init__(self, connection: TwsConnection, contracts: Contracts, clock: Clock) -> None:
        self._connection, self._contracts, self._clock = connection, contracts, clock
        self._patience_seconds = min(PATIENCE_SECONDS, connection.timeout_seconds / 2)
        self._lines: dict[str, _Subscription] = {}
        """By instrument, the least recently used first."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        prices = self._asked_about(instrument).prices
        try:
            quote = await prices.settled(self._patience_seconds)
        except BrokerRateLimitError:
            self._end_oldest()
            raise
        if quote is None:
            raise BrokerTimeoutError(
                f"TWS reported no price of {instrument.key} within {self._patience_seconds:g} s; look in TWS whether it is quoted "
                "now, and whether the login has its market data ([ibkr] market_data)"
            )
        return quote

    def _asked_about(self, instrument: Instrument) -> _Subscription:
        """The instrument's subscription. A silent one is made again, because TWS sends the current prices at once to a new
        subscription.
        """
        session, key = self._connection.session, instrument.key
        session.demand_link()
        line, before = self._lines.get(key), None
        if line is not None and self._is_silent(line):
            before = line.prices.known if line.prices.failure is None else None
            self._end(key)
            line = None
        if line is None:
            while len(self._lines) >= MOST_LINES:
                self._end_oldest()
            line = self._made(instrument, before)
        else:
            line.idle.cancel()
            line.idle = self._timer_of(key)
            del self._lines[key]
        self._lines[key] = line
        return line

    def _is_silent(self, line: _Subscription) -> bool:
        if line.prices.failure is not None:
            return True
        is_new = self._clock.now() - line.since < timedelta(seconds=self._patience_seconds)
        return not is_new and not line.prices.are_fresh

    def _made(self, instrument: Instrument, before: Quote | None) -> _Subscription:
        prices = Prices(self._clock, before)
        end = self._connection.session.subscribe(self._contracts.of(instrument), prices)
        return _Subscription(prices, self._clock.now(), end, self._timer_of(instrument.key))

    def _timer_of(self, key: str) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end, key)

    def _end_oldest(self) -> None:
        if self._lines:
            self._end(next(iter(self._lines)))

    def _end(self, key: str) -> None:
        line = self._lines.pop(key)
        line.idle.cancel()
        line.end()
