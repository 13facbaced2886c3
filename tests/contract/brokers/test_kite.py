"""The Kite adapter keeps the contract of the port: the vendor's client, against a server that speaks Kite's protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.values import Product, TradingMode
from liveorder.infrastructure.brokers.kite.assembly import brokerage as kite_brokerage
from liveorder.infrastructure.brokers.kite.broker import CANNOT
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage
from liveorder.testing.trials import TinyOrder
from liveorder.testing.venue.settings import Fills, VenueAccount
from tests.contract.brokers.test_certification import certified, differing
from tests.harness.worlds import RememberedLog
from tests.twins.kite import API_KEY, API_SECRET, USER_ID, kite_twin, venue_settings
from tests.twins.kite.client import ACCOUNT, access_to, section_of


class KiteStage(Stage):
    def request(self, **changes: Any) -> SubmitRequest:
        """Kite takes no order without a product."""
        return super().request(**{"product": Product.CNC} | changes)


@asynccontextmanager
async def kite_stage() -> AsyncIterator[Stage]:
    terms = VenueAccount(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000), is_limited=True)
    settings = venue_settings(terms, fills=Fills(automatic=False))
    log = RememberedLog()
    async with open_exchange(settings) as exchange, kite_twin(exchange, settings) as twin:

        async def brokerage() -> Brokerage:
            return kite_brokerage(access_to(log), section_of(twin))

        stage = KiteStage(
            brokerage=await brokerage(),
            account_id=ACCOUNT,
            venue=exchange.control,
            instrument=BUILT_IN.listed("NSE:RELIANCE").instrument,
            price=Decimal(1400),
            reopened=brokerage,
            cannot=CANNOT,
            secrets=(API_KEY, API_SECRET, twin.access_token),
            venue_account=USER_ID,
        )
        async with on_stage(stage):
            yield stage
        told = repr(log.lines)
        assert not any(secret in told for secret in stage.secrets)


class TestKite(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with kite_stage() as stage:
            yield stage


@pytest.mark.parametrize(
    ("query", "product"),
    [
        (InstrumentQuery("RELIANCE", "NSE"), Product.CNC),
        (InstrumentQuery("NIFTY26DEC24000CE", "NFO"), Product.NRML),
    ],
)
async def test_it_is_certified(query: InstrumentQuery, product: Product) -> None:
    async with kite_stage() as stage:
        findings = await certified(stage, TinyOrder(Decimal(20_000), product=product), query, TradingMode.PAPER)
    assert differing(findings) == []
    assert {findings[each].measured for each in ("a STOP order", "a STOP_LIMIT order")} == {"taken: TRIGGER PENDING"}
    assert findings["the key again, open"].measured == "taken, as another order"
    assert findings["a price off the grid"].measured.startswith("refused at once: kite: price")


async def test_an_order_that_the_adapter_does_not_take_is_told_in_its_words() -> None:
    async with kite_stage() as stage:
        findings = await certified(stage, TinyOrder(Decimal(2000)), InstrumentQuery("RELIANCE", "NSE"), TradingMode.PAPER)
    assert findings["a new order's key"].measured.startswith("not sent: product: Kite needs MIS, NRML, CNC or MTF")
    assert [*findings][-1] == "left at the end"
