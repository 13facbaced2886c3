"""The adapter connected to a TWS of our own, with the venue behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from liveorder.application.ports.broker import Absence, CancelRequest, Prepared, ReplaceRequest, SubmitRequest
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Side, TimeInForce, TradingMode
from liveorder.infrastructure.brokers.ibkr.assembly import brokerage
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings.sections import Ibkr
from liveorder.testing.exchange import Exchange, open_exchange
from liveorder.testing.stage import stage_settings
from liveorder.testing.venue.settings import VenueAccount
from tests.twins.ibkr import ACCOUNT, CATALOGUE, TwsTwin, tws_twin
from tests.unit.ibkr.quiet_log import QuietLog

T = TypeVar("T")
AAPL = Instrument(symbol="AAPL", exchange="NASDAQ", calendar="XNYS")
PRICE = Decimal("180.5")


def submission(key: str = "KEY1", **changes: Any) -> SubmitRequest:
    """A resting buy of ten."""
    fields: dict[str, Any] = {
        "client_order_id": key,
        "account_id": "ibkr",
        "instrument": AAPL,
        "side": Side.BUY,
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.DAY,
        "quantity": Decimal(10),
        "limit_price": PRICE,
    }
    return SubmitRequest(**fields | changes)


def access(clock: Clock | None = None, seconds: float = 0.5, log: QuietLog | None = None) -> AccountAccess:
    return AccountAccess("ibkr", TradingMode.PAPER, "USD", seconds, lambda can: can, clock or SystemClock(), log or QuietLog())


def options(twin: TwsTwin, section: dict[str, Any]) -> Ibkr:
    return Ibkr.model_validate({"host": "127.0.0.1", "port": twin.port} | section)


class SetClock(SystemClock):
    """Tells the moment that it is set to."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Scene:
    exchange: Exchange
    twin: TwsTwin
    brokerage: Brokerage
    told: list[ExecutionReport] = field(default_factory=list)
    """What `reports()` gave, until it ended."""
    _reading: asyncio.Task[None] | None = None

    @property
    def broker(self) -> Any:
        return self.brokerage.broker

    async def connect(self) -> None:
        await self.broker.connect()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for report in self.broker.reports():
            self.told.append(report)

    async def reports_ended(self) -> None:
        assert self._reading is not None
        async with asyncio.timeout(5):
            await self._reading

    async def placed(self, key: str = "KEY1", **changes: Any) -> Prepared:
        prepared: Prepared = self.broker.prepare(submission(key, **changes))
        await self.broker.submit(prepared)
        return prepared

    async def cancel(self, prepared: Prepared, key: str = "KEY1") -> list[ExecutionReport]:
        request = CancelRequest(key, None, "ibkr", prepared.reference)
        return list(await self.broker.cancel(self.broker.prepare(request)))

    async def replace(self, prepared: Prepared, key: str = "KEY1", **terms: Decimal) -> list[ExecutionReport]:
        request = ReplaceRequest(key, None, "ibkr", 1, reference=prepared.reference, **terms)
        return list(await self.broker.replace(self.broker.prepare(request)))

    async def find(self, prepared: Prepared, key: str = "KEY1") -> OrderSnapshot | Absence:
        found: OrderSnapshot | Absence = await self.broker.find(key, None, prepared.reference)
        return found

    async def fill(self, key: str = "KEY1", quantity: int = 4, price: Decimal = PRICE) -> str:
        (order,) = await self.exchange.control.orders_by_key(key)
        return await self.exchange.control.fill(str(order.broker_order_id), Decimal(quantity), price)

    async def until(self, look: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(5):
            while not await look():  # noqa: ASYNC110 - between two sides of a socket there is no event to share
                await asyncio.sleep(0.01)

    async def until_told(self, kind: type[T], number: int = 1) -> list[T]:
        async def is_told() -> bool:
            return len(self.told_as(kind)) >= number

        await self.until(is_told)
        return self.told_as(kind)

    def told_as(self, kind: type[T]) -> list[T]:
        return [each for each in self.told if isinstance(each, kind)]

    async def another(self, **section: Any) -> Brokerage:
        """The same account under other settings."""
        return brokerage(access(), options(self.twin, section))


@asynccontextmanager
async def scene(clock: Clock | None = None, section: dict[str, Any] | None = None, **venue: Any) -> AsyncIterator[Scene]:
    """Not connected yet; closed at the end."""
    settings = stage_settings(VenueAccount(account_id=ACCOUNT), catalogue_file=CATALOGUE, **venue)
    async with open_exchange(settings) as exchange, tws_twin(exchange) as twin:
        played = Scene(exchange, twin, brokerage(access(clock), options(twin, section or {})))
        try:
            yield played
        finally:
            await played.broker.close()
