"""What the ticks of one subscription tell. Each price is as old as the tick that told it, and a trade as old as it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerError
from liveorder.domain.quotes import Price, Quote
from liveorder.infrastructure.brokers.ibkr import failures
from liveorder.infrastructure.brokers.ibkr.rows import number

_PRICES = {1: "bid", 66: "bid", 2: "ask", 67: "ask", 4: "last", 68: "last"}
_SIZES = {0: "bid", 69: "bid", 3: "ask", 70: "ask"}
_LAST_TRADED = (45, 88)
_DELAYED = (66, 67, 68)
"""Kinds of ticks."""
_FROZEN = (2, 4)
"""Kinds of market data: bid and ask are those of the close, whose time is not told."""
_NO_PRICE = (-1, 0)
DELAY = timedelta(minutes=15)
"""How old delayed data is at least; some exchanges' is older."""
FRESH = timedelta(seconds=5)


class Prices:
    """`before` is what was known when the subscription was made."""

    def __init__(self, clock: Clock, before: Quote | None = None) -> None:
        self._clock, self._before = clock, before
        self._quote = Quote()
        self.failure: BrokerError | None = None
        """Why nothing is told any more."""
        self._reservation: BrokerError | None = None
        self._traded_at: datetime | None = None
        self._untimed: Decimal | None = None
        """The first trade that was told, as long as its time was not: it may be days old. What trades later is of now."""
        self._delay, self._is_frozen = timedelta(), False
        self._told = asyncio.Event()

    # --- what is told ------------------------------------------------------------------------------------------------------

    def tick(self, kind: int, price: float, size: float) -> None:
        """TWS sends -1, or a size of 0, where nobody bids or offers."""
        name = _PRICES.get(kind)
        if name is None:
            return
        self._delay = DELAY if kind in _DELAYED else timedelta()
        at, amount = self._clock.now() - self._delay, None if price in _NO_PRICE else number(price)
        if name == "last":
            if amount is not None and self._traded_at is None and self._untimed is None:
                self._untimed = amount
                return
            at = self._traded_at or at
        elif self._is_frozen or not size:
            amount = None
        self._note(name, None if amount is None else Price(amount, at))

    def tick_size(self, kind: int, size: float) -> None:
        if kind in _SIZES and not size:
            self._note(_SIZES[kind], None)

    def tick_text(self, kind: int, text: str) -> None:
        if kind in _LAST_TRADED and text.isdecimal() and int(text):
            self._traded_at = min(datetime.fromtimestamp(int(text), UTC), self._clock.now())
            last = self._quote.last.amount if self._quote.last is not None else self._untimed
            self._note("last", None if last is None else Price(last, self._traded_at))

    def of_kind(self, market_data_kind: int) -> None:
        self._is_frozen = market_data_kind in _FROZEN

    def said(self, code: int, text: str) -> None:
        """An error that names the subscription. Where only a part is not subscribed to, the rest may still come."""
        error = failures.of_prices(code, text)
        if code in failures.PARTLY_SUBSCRIBED:
            self._reservation = error
        else:
            self.end(error)

    def end(self, why: BrokerError) -> None:
        self.failure = self.failure or why
        self._told.set()

    def _note(self, name: str, price: Price | None) -> None:
        self._quote = replace(self._quote, **{name: price})
        self._told.set()

    # --- for those who ask -------------------------------------------------------------------------------------------------

    @property
    def known(self) -> Quote | None:
        """As far as anything was told; before, where nothing was since."""
        return self._before if self._quote == Quote() else self._quote

    @property
    def are_fresh(self) -> bool:
        """Whether bid and ask, or the last trade, are of this moment."""
        bid, ask, last = (self._is_fresh(price) for price in (self._quote.bid, self._quote.ask, self._quote.last))
        return (bid and ask) or last

    def _is_fresh(self, price: Price | None) -> bool:
        return price is not None and self._clock.now() - price.at <= FRESH + self._delay

    async def settled(self, seconds: float) -> Quote | None:
        """Once they are fresh; after that time what is known. Raises `BrokerError` where TWS refuses them."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.failure is None and not self.are_fresh:
                    self._told.clear()
                    await self._told.wait()
        why = self.failure or (self._reservation if self.known is None else None)
        if why is not None:
            raise why
        return self.known
