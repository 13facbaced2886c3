"""Prices from the ticks of one subscription. A bid or ask is as old as its tick; a trade is as old as its trade time."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerError
from liveorder.domain.quotes import Price, Quote
from liveorder.infrastructure.brokers.ibkr import failures
from liveorder.infrastructure.brokers.ibkr.rows import number

_PRICES = {1: "bid", 66: "bid", 2: "ask", 67: "ask", 4: "last", 68: "last"}
_SIZES = {0: "bid", 69: "bid", 3: "ask", 70: "ask"}
_LAST_TRADED = (45, 88)
_DELAYED = (66, 67, 68)
"""Tick types of delayed data."""
_FROZEN = (2, 4)
"""Market data types whose bid and ask are those of the close. TWS does not report that time."""
_NO_PRICE = (-1, 0)
DELAY = timedelta(minutes=15)
"""Minimum age of delayed data. Some exchanges delay longer."""
FRESH = timedelta(seconds=5)


class Prices:
    """The prices of one subscription. `before` is the quote that was known when the subscription was made."""

    def __init__(self, clock: Clock, before: Quote | None = None) -> None:
        self._clock, self._before = clock, before
        self._quote = Quote()
        self.failure: BrokerError | None = None
        """Why the prices ended."""
        self._reservation: BrokerError | None = None
        self._traded_at: datetime | None = None
        self._untimed: Decimal | None = None
        """The first reported trade, until its time is known: it may be days old. Later trades are current."""
        self._delay, self._is_frozen = timedelta(), False
        self._changed = asyncio.Event()

    # --- messages ----------------------------------------------------------------------------------------------------------

    def tick(self, kind: int, price: float, size: float) -> None:
        """TWS sends -1, or a size of 0, when nobody bids or offers."""
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
        """An error about the subscription. If only a part is not subscribed to, the rest may still arrive."""
        error = failures.of_prices(code, text)
        if code in failures.PARTLY_SUBSCRIBED:
            self._reservation = error
        else:
            self.end(error)

    def end(self, why: BrokerError) -> None:
        self.failure = self.failure or why
        self._changed.set()

    def _note(self, name: str, price: Price | None) -> None:
        self._quote = replace(self._quote, **{name: price})
        self._changed.set()

    # --- queries -----------------------------------------------------------------------------------------------------------

    @property
    def known(self) -> Quote | None:
        """The latest quote. `before` until anything is reported on this subscription."""
        return self._before if self._quote == Quote() else self._quote

    @property
    def are_fresh(self) -> bool:
        """Whether bid and ask, or the last trade, are current."""
        bid, ask, last = (self._is_fresh(price) for price in (self._quote.bid, self._quote.ask, self._quote.last))
        return (bid and ask) or last

    def _is_fresh(self, price: Price | None) -> bool:
        return price is not None and self._clock.now() - price.at <= FRESH + self._delay

    async def settled(self, seconds: float) -> Quote | None:
        """The quote as soon as it is fresh, or what is known after `seconds`. Raises `BrokerError` if TWS refuses prices."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.failure is None and not self.are_fresh:
                    self._changed.clear()
                    await self._changed.wait()
        why = self.failure or (self._reservation if self.known is None else None)
        if why is not None:
            raise why
        return self.known
