"""The Kite adapter keeps the contract of the port: the vendor's client, against a server that speaks Kite's protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import SubmitRequest
from liveorder.application.ports.brokerage import Brokerage
from liveorder.domain.values import Product
from liveorder.infrastructure.brokers.kite.assembly import brokerage as kite_brokerage
from liveorder.infrastructure.brokers.kite.broker import CANNOT
from liveorder.infrastructure.brokers.simulated.venue.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms, Fills
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage
from tests.twins.kite import API_KEY, API_SECRET, USER_ID, kite_twin, venue_settings
from tests.twins.kite.client import ACCOUNT, access_to, section_of
from tests.worlds import RememberedLog


class KiteStage(Stage):
    def request(self, **changes: Any) -> SubmitRequest:
        """Kite takes no order without a product."""
        return super().request(**{"product": Product.CNC} | changes)


class TestKite(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        terms = AccountTerms(account_id=USER_ID, currency="INR", cash=Decimal(1_000_000), is_limited=True)
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
