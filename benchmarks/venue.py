"""The simulated venue in memory as the broker: honest work on the other side, in the same process and on the same loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from benchmarks.engines import ACCOUNT, CLOCK
from liveorder.application.ports.broker import SubmitRequest
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Side, TimeInForce
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import PriceSource, VenueSettings

SETTINGS = VenueSettings(prices=PriceSource(volatility=0.0))
ALONE = 1_000


@asynccontextmanager
async def venue_broker() -> AsyncIterator[tuple[SimulatedBroker, float]]:
    """The broker, and how many orders a second it takes and fills when nobody else does anything."""
    alone = await _alone()
    async with _open() as broker:
        yield broker, alone


@asynccontextmanager
async def _open() -> AsyncIterator[SimulatedBroker]:
    floor = Floor(open_venue(SETTINGS, CLOCK.now()), SETTINGS, CLOCK)
    try:
        yield SimulatedBroker(InProcess(floor, CLOCK), account_id=ACCOUNT)
    finally:
        floor.close()


async def _alone() -> float:
    async with _open() as broker:
        await broker.connect()
        began = time.perf_counter()
        for number in range(ALONE):
            await broker.submit(broker.prepare(_request(number)))
        return ALONE / (time.perf_counter() - began)


def _request(number: int) -> SubmitRequest:
    return SubmitRequest(
        client_order_id=f"K{number:019d}",
        account_id=ACCOUNT,
        instrument=Instrument(symbol="SPY", exchange="ARCA"),
        side=Side.BUY if number % 2 else Side.SELL,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        quantity=Decimal(100),
    )
