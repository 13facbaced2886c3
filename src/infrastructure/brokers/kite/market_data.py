"""Prices, each with its own time. Kite allows one such question a second, for up to hundreds of instruments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.infrastructure.brokers.kite.fields import Row, moment, price
from liveorder.infrastructure.brokers.kite.session import KiteSession, understood
from liveorder.infrastructure.brokers.kite.shared_question import SharedQuestion

SECONDS_BETWEEN = 1.0
MOST_AT_ONCE = 500


class KiteMarketData:
    """A `MarketData`. None if Kite has neither an offer nor a trade of today. A plan without prices leads to `BrokerRefusal`.

    Kite's `ltp` is not used: it reports no time, so its price cannot be known to be fresh.
    """

    def __init__(self, session: KiteSession, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self._quotes: SharedQuestion[Quote | None] = SharedQuestion(self._ask, self._next_second, MOST_AT_ONCE)
        self._not_before = 0.0

    async def latest(self, instrument: Instrument) -> Quote | None:
        return await self._quotes.ask(f"{instrument.exchange}:{instrument.symbol}")

    async def _next_second(self) -> None:
        await self._clock.sleep(max(self._not_before - self._clock.monotonic(), 0.0))
        self._not_before = self._clock.monotonic() + SECONDS_BETWEEN

    async def _ask(self, names: Sequence[str]) -> Mapping[str, Quote | BrokerError | None]:
        quotes = await self._session.ask(_quotes, "quote", *names)
        return {name: quotes.get(name) for name in names}


def _quotes(answer: Any) -> dict[str, Quote | BrokerError | None]:
    return {name: _readable(row) for name, row in answer.items()}


def _readable(row: Any) -> Quote | BrokerError | None:
    """An unreadable row becomes an error in its own place, so that the other prices of the answer are kept."""
    try:
        return None if row is None else understood(_quote, row)
    except BrokerError as error:
        return error


def _quote(row: Row) -> Quote | None:
    """The best bid and ask come from the depth and carry the time of the whole quote. Kite reports 0 for an empty side."""
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
