"""The adapter on a twin, and rows as Kite documents them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from liveorder.application.ports.broker import SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Product, Side, TimeInForce
from liveorder.infrastructure.brokers.kite.assembly import brokerage
from liveorder.infrastructure.brokers.kite.broker import KiteBroker
from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import Fills, VenueAccount
from tests.harness.worlds import RememberedLog
from tests.twins.kite import USER_ID, KiteTwin, kite_twin, venue_settings
from tests.twins.kite.client import ACCOUNT, access_to, section_of

KEY = "LIVEORDERKEYOFATESTX"
RELIANCE = Instrument(symbol="RELIANCE", exchange="NSE", currency="INR", tick_size=Decimal("0.05"), calendar="XBOM")


def order(**changes: Any) -> SubmitRequest:
    """A resting buy of ten, but for what is said otherwise."""
    fields: dict[str, Any] = {
        "client_order_id": KEY,
        "account_id": ACCOUNT,
        "instrument": RELIANCE,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(10),
        "limit_price": Decimal(1260),
        "product": Product.CNC,
    }
    return SubmitRequest(**fields | changes)


@dataclass
class Scene:
    twin: KiteTwin
    parts: Brokerage
    log: RememberedLog = field(default_factory=RememberedLog)

    @property
    def broker(self) -> KiteBroker:
        assert isinstance(self.parts.broker, KiteBroker)
        return self.parts.broker

    async def submit(self, **changes: Any) -> str:
        """Kite's id of a new order."""
        (accepted,) = await self.broker.submit(self.broker.prepare(order(**changes)))
        return str(accepted.broker_order_id)


@asynccontextmanager
async def scene(
    *,
    positions: dict[str, Any] | None = None,
    capabilities: dict[str, Any] | None = None,
    lag_seconds: float = 0.0,
    rejection_probability: float = 0.0,
    **options: Any,
) -> AsyncIterator[Scene]:
    """Connected; `options` are settings of the kite section, `positions` what was held this morning. Fills are by hand."""
    terms = VenueAccount(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000), positions=positions or {})
    settings = venue_settings(terms, lag_seconds, fills=Fills(automatic=False), rejection_probability=rejection_probability)
    log = RememberedLog()
    async with open_exchange(settings) as exchange, kite_twin(exchange, settings) as twin:
        built = Scene(twin, brokerage(access_to(log, **capabilities or {}), section_of(twin, **options)), log)
        await built.broker.connect()
        try:
            yield built
        finally:
            await built.broker.close()


def order_row(**changes: Any) -> dict[str, Any]:
    """A complete order, with numbers as our session reads them: integers, and exact decimals."""
    return {
        "account_id": "AB1234",
        "placed_by": "AB1234",
        "order_id": "1912345678901234567",
        "exchange_order_id": "1300000012345678",
        "parent_order_id": None,
        "status": "COMPLETE",
        "status_message": None,
        "order_timestamp": "2026-11-20 09:16:39",
        "exchange_update_timestamp": "2026-11-20 09:16:40",
        "exchange_timestamp": "2026-11-20 09:16:39",
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "instrument_token": 738561,
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "validity": "DAY",
        "product": "CNC",
        "quantity": 10,
        "disclosed_quantity": 0,
        "price": Decimal("1400.05"),
        "trigger_price": 0,
        "average_price": Decimal("1400.05"),
        "filled_quantity": 10,
        "pending_quantity": 0,
        "cancelled_quantity": 0,
        "market_protection": 0,
        "meta": {},
        "tag": KEY,
        "tags": [KEY],
        "guid": "01XqVwZrKgAUyTs",
    } | changes


def trade_row(**changes: Any) -> dict[str, Any]:
    return {
        "trade_id": "70123456",
        "order_id": "1912345678901234567",
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "instrument_token": 738561,
        "product": "CNC",
        "average_price": Decimal("1400.05"),
        "quantity": 10,
        "exchange_order_id": "1300000012345678",
        "transaction_type": "BUY",
        "fill_timestamp": "2026-11-20 09:16:40",
        "order_timestamp": "09:16:40",
        "exchange_timestamp": "2026-11-20 09:16:40",
    } | changes
