"""The Alpaca adapter keeps the contract of the port, with alpaca-py, against a server that speaks Alpaca's wire protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.infrastructure.brokers.alpaca.assembly import brokerage
from liveorder.infrastructure.brokers.simulated.venue.catalogue import BUILT_IN
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from tests.twins.alpaca.customer import ACCOUNT, access, section
from tests.twins.alpaca.server import KEY, SECRET, alpaca_twin


@asynccontextmanager
async def alpaca_stage(cannot: dict[str, str], *, counts_fills: bool = False) -> AsyncIterator[Stage]:
    settings = stage_settings(AccountTerms(account_id=ACCOUNT, cash=Decimal(100_000), is_limited=True))
    async with open_exchange(settings) as exchange, alpaca_twin(exchange, carries_fills=counts_fills) as twin:

        async def reopened() -> Brokerage:
            return brokerage(access(), section(twin, counts_fills=counts_fills))

        def gone(stage: Stage) -> AbstractAsyncContextManager[None]:
            return twin.away()

        stage = Stage(
            brokerage=await reopened(),
            account_id=ACCOUNT,
            venue=exchange.control,
            instrument=BUILT_IN.listed("NASDAQ:AAPL").instrument,
            price=Decimal(200),
            reopened=reopened,
            cannot=cannot,
            secrets=(KEY, SECRET),
            unreachable=gone,
        )
        async with on_stage(stage):
            yield stage


class TestAlpaca(BrokerContract):
    """As it comes: nobody knows whether a replacement counts what was filled before it."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        reason = "a part-filled order is not replaced: the replacement may trade the whole again (Alpaca-API issue 165)"
        async with alpaca_stage({"a_replace_changes_the_terms_under_the_same_key": reason}) as stage:
            yield stage


class TestAlpacaWhoseReplacementsCountFills(BrokerContract):
    """As it is where the operator has seen that it does."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with alpaca_stage({}, counts_fills=True) as stage:
            yield stage
