"""The adapter of docs/writing-a-broker.md keeps the contract, as its page says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from examples.writing_a_broker.corner import CornerExchange
from examples.writing_a_broker.twin import corner_twin

from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from liveorder.testing.venue.settings import VenueAccount
from tests.contract.brokers.test_certification import certified, differing

TOKEN = "a-token-of-corner"  # noqa: S105 - of a made-up exchange
PRICE = Decimal(200)
CANNOT: Mapping[str, str] = {
    "an_immediate_order_that_finds_no_match_is_closed": "orders are for the day",
    "after_a_disconnection_reports_are_pushed_again": "nothing is pushed",
    "a_bust_takes_the_fill_back": "its fills never change",
    "a_correction_stands_in_place_of_the_fill": "its fills never change",
    "a_replace_changes_the_terms_under_the_same_key": "orders cannot be changed",
    "a_replaced_order_can_be_replaced_filled_and_cancelled": "orders cannot be changed",
    "a_replace_whose_answer_is_lost_is_not_known": "orders cannot be changed",
}


class OnePrice:
    """A `MarketData` of somebody else's: Corner Exchange has none."""

    async def latest(self, instrument: Instrument) -> Quote | None:
        return Quote(last=Price(PRICE, datetime.now(UTC)))


@asynccontextmanager
async def corner_stage() -> AsyncIterator[Stage]:
    settings = stage_settings(VenueAccount(account_id="ME", cash=Decimal(100_000), is_limited=True))
    async with open_exchange(settings) as exchange, corner_twin(exchange, "ME", TOKEN) as address:

        async def brokerage() -> Brokerage:
            broker = CornerExchange(address, TOKEN, "ME", timeout_seconds=2.0)
            return Brokerage(broker, OnePrice(), SimulatedInstruments())

        stage = Stage(
            brokerage=await brokerage(),
            account_id="ME",
            venue=exchange.control,
            instrument=BUILT_IN.listed("NASDAQ:AAPL").instrument,
            price=PRICE,
            reopened=brokerage,
            cannot=CANNOT,
            secrets=(TOKEN,),
        )
        async with on_stage(stage):
            yield stage


class TestCornerExchange(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with corner_stage() as stage:
            yield stage

    async def test_it_is_certified(self, stage: Stage) -> None:
        findings = await certified(stage, mode=TradingMode.PAPER)
        assert differing(findings) == []
        assert findings["a replace"].measured == "not tried"
