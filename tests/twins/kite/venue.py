"""The exchange behind the twin: which venue it is, and its orders with the ids that Kite would give them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.instrument import Instrument
from liveorder.testing.exchange import Exchange
from liveorder.testing.venue.opening import catalogue_of
from liveorder.testing.venue.orders import Trade, VenueOrder
from liveorder.testing.venue.settings import Keys, PriceSource, VenueAccount, VenueSettings

CATALOGUE = Path(__file__).with_name("catalogue.toml")
EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "MCX")
STILL = PriceSource(
    volatility=0,
    start_prices={
        "RELIANCE": Decimal(1400),
        "INFY": Decimal(1500),
        "NIFTY26DEC24000CE": Decimal(200),
        "NIFTY26DECFUT": Decimal(24000),
        "CRUDEOIL26DECFUT": Decimal(6000),
    },
)
_FIRST_ORDER_ID = 1_900_000_000_000_000_000
_NO_ORDER = "V0"


def venue_settings(account: VenueAccount, lag_seconds: float = 0.0, **changes: Any) -> VenueSettings:
    """Of a venue that takes a second order with a key, as Kite does. Prices stand still unless `changes` say otherwise."""
    keys = Keys(support=KeySupport.SEARCHABLE, lookup_lag_seconds=lag_seconds)
    settings: dict[str, Any] = {"accounts": (account,), "keys": keys, "catalogue_file": CATALOGUE, "prices": STILL}
    return VenueSettings(**settings | changes)


def kite_id(venue_id: str) -> str:
    """19 digits, more than a float holds."""
    return str(_FIRST_ORDER_ID + int(venue_id.removeprefix("V")))


def venue_id(order_id: str) -> str:
    """An id that no order has where it is not of the form."""
    is_ours = re.fullmatch(r"19\d{17}", order_id) is not None
    return f"V{int(order_id) - _FIRST_ORDER_ID}" if is_ours else _NO_ORDER


def trade_id(trade: Trade) -> str:
    return str(70_000_000 + int(trade.execution_id.removeprefix("X")))


class Books:
    """One account's orders and trades, by Kite's days."""

    def __init__(self, exchange: Exchange, settings: VenueSettings) -> None:
        self.exchange, self.account = exchange, settings.accounts[0]
        self.catalogue = {listing.key: listing.instrument for listing in catalogue_of(settings)}
        self._keys = {(each.exchange, each.symbol): key for key, each in self.catalogue.items()}
        self._lag = timedelta(seconds=settings.keys.lookup_lag_seconds)
        self._positions_lag = timedelta(seconds=settings.positions_lag_seconds)
        self.day_began = datetime.min.replace(tzinfo=UTC)
        """Orders of before are forgotten; shares that were bought before are holdings."""

    @property
    def positions_until(self) -> datetime:
        """Later trades are missing from the positions."""
        return self.exchange.clock.now() - self._positions_lag

    def instrument_key(self, exchange: str, tradingsymbol: str) -> str:
        return self._keys.get((exchange, tradingsymbol), f"{exchange}:{tradingsymbol}")

    def instrument(self, order: VenueOrder) -> Instrument:
        return self.catalogue[order.placed.instrument]

    async def orders(self) -> list[VenueOrder]:
        """Every one that was ever taken, oldest first."""
        known = await self.exchange.control.orders(self.account.account_id)
        return [order for each in known if (order := self.exchange.order(each.broker_order_id or "")) is not None]

    async def todays(self) -> list[VenueOrder]:
        """Those that the list shows by now."""
        shown_until = self.exchange.clock.now() - self._lag
        return [order for order in await self.orders() if self.day_began <= order.accepted_at <= shown_until]
