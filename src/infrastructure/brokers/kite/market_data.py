"""Prices, with the time of the trade that made them. Kite allows one such question a second, for hundreds of instruments."""

from __future__ import annotations

import asyncio
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.market_data import Price, Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.kite.fields import moment, price
from liveorder.infrastructure.brokers.kite.session import KiteSession

SECONDS_BETWEEN = 1.0
MOST_AT_ONCE = 500


class KiteMarketData:
    """A `MarketData`. Everybody who asks while a question is under way or due is answered by the next one.

    None where Kite has no trade of today, cannot be asked, or does not sell prices with this plan: the last is told once. Its
    `ltp` is not used: it tells no time, and a price without one cannot be called fresh.
    """

    def __init__(self, session: KiteSession, clock: Clock, log: EventLog) -> None:
        self._session, self._clock, self._log = session, clock, log
        self._wanted: dict[str, list[asyncio.Future[Quote | None]]] = {}
        self._asking = asyncio.Lock()
        self._not_before = 0.0
        self._told: set[str] = set()

    async def latest(self, instrument: Instrument) -> Quote | None:
        name = f"{instrument.exchange}:{instrument.symbol}"
        answer: asyncio.Future[Quote | None] = asyncio.get_running_loop().create_future()
        self._wanted.setdefault(name, []).append(answer)
        while not answer.done():
            async with self._asking:
                if not answer.done():
                    await self._ask()
        return answer.result()

    async def _ask(self) -> None:
        await self._clock.sleep(max(self._not_before - self._clock.monotonic(), 0.0))
        self._not_before = self._clock.monotonic() + SECONDS_BETWEEN
        asked = {name: self._wanted.pop(name) for name in list(self._wanted)[:MOST_AT_ONCE]}
        quotes: dict[str, Quote | None] = {}
        try:
            quotes = await self._session.ask(_quotes, "quote", *asked)
        except BrokerError as error:
            self._tell(str(error))
        finally:
            for name, answers in asked.items():
                _answer(answers, quotes.get(name))

    def _tell(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._log.write("WARNING", f"No prices: {sentence}")


def _quotes(answer: Any) -> dict[str, Quote | None]:
    return {name: _quote(row) for name, row in answer.items()}


def _quote(row: Any) -> Quote | None:
    last, at = price(row, "last_price"), moment(row, "last_trade_time")
    return Quote(last=Price(last, at)) if last is not None and at is not None else None


def _answer(answers: list[asyncio.Future[Quote | None]], quote: Quote | None) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_result(quote)
