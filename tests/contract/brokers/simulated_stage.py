"""The simulated broker over its socket, on a stage; also one that was made worse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.settings import Keys, VenueAccount

ACCOUNT = "SIM"


@asynccontextmanager
async def simulated_stage(
    kind: type[SimulatedBroker] = SimulatedBroker, support: KeySupport = KeySupport.UNIQUE
) -> AsyncIterator[Stage]:
    settings = stage_settings(VenueAccount(account_id=ACCOUNT, cash=Decimal(100_000), is_limited=True), keys=Keys(support=support))
    async with open_exchange(settings) as exchange, exchange.administered() as port:

        async def brokerage() -> Brokerage:
            transport = Tcp("127.0.0.1", port, SystemClock())
            broker = kind(transport, account_id=ACCOUNT, capabilities=capabilities_of(settings), request_timeout_seconds=0.5)
            return Brokerage(broker, SimulatedMarketData(transport), SimulatedInstruments())

        stage = Stage(
            brokerage=await brokerage(),
            account_id=ACCOUNT,
            venue=exchange.control,
            instrument=BUILT_IN.listed("NASDAQ:AAPL").instrument,
            price=Decimal(200),
            reopened=brokerage,
        )
        async with on_stage(stage):
            yield stage
