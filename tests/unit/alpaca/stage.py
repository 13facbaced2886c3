"""The adapter on the twin, and payloads as Alpaca documents them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from liveorder.application.ports.broker import CancelRequest, ReplaceRequest, SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.values import OrderType, Side, TimeInForce
from liveorder.infrastructure.brokers.alpaca.assembly import brokerage
from liveorder.infrastructure.brokers.alpaca.broker import AlpacaBroker
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.testing.exchange import Exchange, open_exchange
from liveorder.testing.stage import stage_settings
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.settings import VenueAccount
from tests.twins.alpaca.customer import ACCOUNT, Lines, access, section
from tests.twins.alpaca.server import COIN_FEES, COINS, AlpacaTwin, alpaca_twin

AAPL = BUILT_IN.listed("NASDAQ:AAPL").instrument
BTC, ETH = (BUILT_IN.with_file(COINS).listed(f"CRYPTO:{coin}/USD").instrument for coin in ("BTC", "ETH"))
KEY = "ABCDEFGHIJKLMNOPQRST"
PATIENCE_SECONDS = 20
"""For what must come over a socket; passing tests never wait for it."""


def order_of(**fields: Any) -> SubmitRequest:
    """Ten AAPL at 150 for the day, which rests, but for what is said otherwise."""
    usual: dict[str, Any] = {
        "client_order_id": KEY,
        "account_id": ACCOUNT,
        "instrument": AAPL,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(10),
        "limit_price": Decimal(150),
    }
    return SubmitRequest(**usual | fields)


def order_json(**fields: Any) -> dict[str, Any]:
    """An order as Alpaca tells it."""
    return {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": KEY,
        "created_at": "2021-03-16T18:38:01.942282Z",
        "updated_at": "2021-03-16T18:38:01.942282123-04:00",
        "submitted_at": "2021-03-16T18:38:01.937734Z",
        "replaced_by": None,
        "replaces": None,
        "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "10",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "order_type": "limit",
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "150",
        "stop_price": None,
        "status": "new",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    } | fields


_BESIDE = ("execution_id", "previous_execution_id", "price")


def event_json(name: str, **fields: Any) -> dict[str, Any]:
    """An event of the stream; `fields` are the order's, and `_BESIDE` and `quantity` those of this event alone."""
    beside: dict[str, Any] = {each: fields.pop(each) for each in _BESIDE if each in fields}
    if "quantity" in fields:
        beside["qty"] = fields.pop("quantity")
    return {"event": name, "timestamp": "2021-03-16T18:38:02.123456789Z", "order": order_json(**fields)} | beside


@dataclass
class Live:
    brokerage: Brokerage
    twin: AlpacaTwin
    exchange: Exchange
    log: Lines
    pushed: list[ExecutionReport] = field(default_factory=list)

    @property
    def broker(self) -> AlpacaBroker:
        assert isinstance(self.brokerage.broker, AlpacaBroker)
        return self.brokerage.broker

    @property
    def venue(self) -> VenueControl:
        return self.exchange.control

    async def submit(self, request: SubmitRequest | None = None) -> list[ExecutionReport]:
        return list(await self.broker.submit(self.broker.prepare(request or order_of())))

    async def cancel(self, order_id: str | None) -> list[ExecutionReport]:
        return list(await self.broker.cancel(self.broker.prepare(CancelRequest(KEY, order_id, ACCOUNT))))

    async def replace(self, order_id: str | None, number: int = 1, **terms: Any) -> list[ExecutionReport]:
        return list(await self.broker.replace(self.broker.prepare(ReplaceRequest(KEY, order_id, ACCOUNT, number, **terms))))

    async def found(self, order_id: str | None = None) -> OrderSnapshot:
        answer = await self.broker.find(KEY, order_id, {})
        assert isinstance(answer, OrderSnapshot), answer
        return answer

    async def next_reports(self, count: int) -> list[ExecutionReport]:
        """What is pushed next."""
        told = self.broker.reports()
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await anext(told) for _ in range(count)]


@asynccontextmanager
async def live(
    *, counts_fills: bool = False, carries_fills: bool | None = None, timeout_seconds: float = 20, **venue: Any
) -> AsyncIterator[Live]:
    """Connected. `carries_fills`: what Alpaca does; `counts_fills`: what the operator says that it does."""
    log, carries = Lines(), counts_fills if carries_fills is None else carries_fills
    usual: dict[str, Any] = {"commission": COIN_FEES, "catalogue_file": COINS}
    settings = stage_settings(VenueAccount(account_id=ACCOUNT), **usual | venue)
    async with open_exchange(settings) as exchange, alpaca_twin(exchange, carries_fills=carries) as twin:
        here = Live(brokerage(access(log, timeout_seconds), section(twin, counts_fills=counts_fills)), twin, exchange, log)
        try:
            await here.broker.connect()
            yield here
        finally:
            await here.broker.close()
