"""A venue, a clock that moves only when told, and a broker on either transport."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from liveorder.application.ports.broker import CancelRequest, ReplaceRequest, SubmitRequest
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import OrderType, Side
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES, SimulatedBroker
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.orders import NewOrder
from liveorder.testing.venue.server import serve
from liveorder.testing.venue.settings import Fills, PriceSource, VenueSettings
from liveorder.testing.venue.venue import Venue

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
"""A Monday, ten in the morning in New York."""
AAPL = BUILT_IN.listed("NASDAQ:AAPL").instrument
STILL = PriceSource(volatility=0)
"""AAPL stays at 200 until another price is posted."""
BY_HAND = Fills(automatic=False)
PATIENCE_SECONDS = 20
"""For what must come over a socket; passing tests never wait for it."""


def venue_of(*, prices: PriceSource = STILL, data: Path | None = None, now: datetime = START, **settings: Any) -> Venue:
    return open_venue(VenueSettings(prices=prices, **settings), now, data)


def placed(key: str | None = "K1", quantity: str | None = "10", **fields: Any) -> NewOrder:
    """Buys 10 AAPL at market for the day, but for what is said otherwise."""
    fields = {"side": "BUY", "order_type": "MARKET", "time_in_force": "DAY", "instrument": AAPL.key, "account": "SIM"} | fields
    return NewOrder.model_validate({"client_order_id": key, "quantity": quantity, **fields})


def told(venue: Venue, *names: str) -> list[tuple[Any, ...]]:
    """The reports since the last call, as tuples of their kind and the named fields."""
    return [(report["report"], *(report.get(name) for name in names)) for report in venue.take_reports()]


def later(venue: Venue, seconds: float) -> None:
    venue.advance(venue.now + timedelta(seconds=seconds))


class VirtualClock:
    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._numbers), woken))
        await woken

    async def pass_time(self, seconds: float) -> None:
        end = self._now + timedelta(seconds=seconds)
        await _let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            await _let_others_run()
        self._now = end
        await _let_others_run()


async def _let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def market_order(key: str = "K1", quantity: str = "10", instrument: Instrument = AAPL, **fields: Any) -> SubmitRequest:
    terms = OrderTerms(side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(quantity), **fields)
    return SubmitRequest.of(terms, key, "SIM", instrument)


def limit_order(key: str = "K1", quantity: str = "10", limit_price: str = "150") -> SubmitRequest:
    """Rests, unless the price says otherwise."""
    terms = OrderTerms(side=Side.BUY, order_type=OrderType.LIMIT, quantity=Decimal(quantity), limit_price=Decimal(limit_price))
    return SubmitRequest.of(terms, key, "SIM", AAPL)


@dataclass
class Stage:
    clock: VirtualClock
    transport: Transport
    broker: SimulatedBroker
    control: VenueControl
    _reports: AsyncIterator[ExecutionReport] = field(init=False)

    def __post_init__(self) -> None:
        self._reports = self.broker.reports()

    async def submit(self, request: SubmitRequest) -> list[ExecutionReport]:
        return list(await self.broker.submit(self.broker.prepare(request)))

    async def cancel(self, key: str = "K1") -> list[ExecutionReport]:
        return list(await self.broker.cancel(self.broker.prepare(CancelRequest(key, None, "SIM"))))

    async def replace(self, key: str = "K1", number: int = 1, **terms: Any) -> list[ExecutionReport]:
        return list(await self.broker.replace(self.broker.prepare(ReplaceRequest(key, None, "SIM", number, **terms))))

    async def reports(self, number: int) -> list[ExecutionReport]:
        """The next reports that are pushed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [await anext(self._reports) for _ in range(number)]

    async def rest_of_reports(self) -> list[ExecutionReport]:
        """Those until the stream ends."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return [report async for report in self._reports]

    def listen_again(self) -> None:
        self._reports = self.broker.reports()

    async def orders_with(self, key: str = "K1") -> int:
        return len(await self.control.orders_by_key(key))


@asynccontextmanager
async def stage(reach: str, settings: VenueSettings | None = None, *, connects: bool = True, **broker: Any) -> AsyncIterator[Stage]:
    """`reach` is ``in_process`` or ``tcp``; the venue has the same clock either way."""
    settings, clock = settings or VenueSettings(prices=STILL), VirtualClock()
    broker = {"capabilities": SIMULATED_CAPABILITIES} | broker
    async with _reached(reach, settings, clock) as transport:
        built = Stage(clock, transport, SimulatedBroker(transport, **broker), VenueControl(transport))
        if connects:
            await built.broker.connect()
        try:
            yield built
        finally:
            await built.broker.close()


@asynccontextmanager
async def _reached(reach: str, settings: VenueSettings, clock: VirtualClock) -> AsyncIterator[Transport]:
    if reach == "in_process":
        floor = Floor(open_venue(settings, clock.now()), settings, clock)
        try:
            yield InProcess(floor, clock)
        finally:
            floor.close()
        return
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = asyncio.ensure_future(serve(settings, clock, announce=ready.set_result))
    host, _, port = (await ready).split()[-1].partition(":")
    try:
        yield Tcp(host, int(port), clock)
    finally:
        server.cancel()
        await asyncio.wait([server])
        await _let_others_run()
