"""Prices, each with its own time. Kite allows one such question a second, for hundreds of instruments."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.market_data import Price, Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.kite.fields import Row, moment, price
from liveorder.infrastructure.brokers.kite.session import KiteSession, understood

SECONDS_BETWEEN = 1.0
MOST_AT_ONCE = 500

_Answer: TypeAlias = Quote | BrokerError | None


class KiteMarketData:
    """A `MarketData`. Everybody who asks while a question is under way or due is answered by the next one, or told its error.

    None where Kite has neither an offer nor a trade of today. A plan without prices is a `BrokerRefusal`. Kite's `ltp` is not used:
    it tells no time, and a price without one cannot be called fresh.
    """

    def __init__(self, session: KiteSession, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._wanted: dict[str, list[asyncio.Future[_Answer]]] = {}
        self._asking = asyncio.Lock()
        self._not_before = 0.0

    async def latest(self, instrument: Instrument) -> Quote | None:
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._wait_for(f"{instrument.exchange}:{instrument.symbol}", answer)
        try:
            while not answer.done():
                async with self._asking:
                    if not answer.done():
                        await self._ask()
        finally:
            answer.cancel()
        told = answer.result()
        if isinstance(told, BrokerError):
            raise told
        return told

    def _wait_for(self, name: str, *answers: asyncio.Future[_Answer]) -> None:
        """Those of whom nobody waits any more are left out."""
        if waiting := [answer for answer in answers if not answer.done()]:
            self._wanted.setdefault(name, []).extend(waiting)

    async def _ask(self) -> None:
        await self._clock.sleep(max(self._not_before - self._clock.monotonic(), 0.0))
        self._not_before = self._clock.monotonic() + SECONDS_BETWEEN
        asked = {name: self._wanted.pop(name) for name in list(self._wanted)[:MOST_AT_ONCE]}
        quotes: Mapping[str, _Answer] = {}
        try:
            quotes = await self._session.ask(_quotes, "quote", *asked)
        except BrokerError as error:
            quotes = dict.fromkeys(asked, error)
        except asyncio.CancelledError:
            for name, answers in asked.items():
                self._wait_for(name, *answers)
            raise
        for name, answers in asked.items():
            for answer in answers:
                if not answer.done():
                    answer.set_result(quotes.get(name))


def _quotes(answer: Any) -> dict[str, _Answer]:
    return {name: _readable(row) for name, row in answer.items()}


def _readable(row: Any) -> _Answer:
    """The error in its place: nobody else's price is lost for one row that cannot be read."""
    try:
        return None if row is None else understood(_quote, row)
    except BrokerError as error:
        return error


def _quote(row: Row) -> Quote | None:
    """The best offers of the depth, which Kite tells as 0 where there is none, have the time of the whole quote."""
    depth, at = row.get("depth") or {}, moment(row, "timestamp")
    quote = Quote(
        bid=_best(depth.get("buy"), at),
        ask=_best(depth.get("sell"), at),
        last=_price(row, "last_price", moment(row, "last_trade_time")),
    )
    return quote if quote != Quote() else None


def _best(offers: Any, at: datetime | None) -> Price | None:
    return _price(offers[0], "price", at) if offers else None


def _price(row: Row, name: str, at: datetime | None) -> Price | None:
    amount = price(row, name)
    return Price(amount, at) if amount is not None and at is not None else None
