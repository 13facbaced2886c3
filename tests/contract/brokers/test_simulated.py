"""The simulated broker keeps the contract of the port, in process and over its socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.brokers.simulated.venue.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings

ACCOUNT = "SIM"


class TestSimulated(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        settings = stage_settings(AccountTerms(account_id=ACCOUNT, cash=Decimal(100_000), is_limited=True))
        async with open_exchange(settings) as exchange, exchange.administered() as port:

            async def brokerage() -> Brokerage:
                transport = Tcp("127.0.0.1", port, SystemClock())
                broker = SimulatedBroker(transport, account_id=ACCOUNT, request_timeout_seconds=0.5)
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
