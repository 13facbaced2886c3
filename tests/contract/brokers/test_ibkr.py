"""Interactive Brokers keeps the contract of the port, as far as it goes there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, TimeInForce, TradingMode
from liveorder.infrastructure.brokers.ibkr.assembly import brokerage
from liveorder.infrastructure.brokers.ibkr.capabilities import CANNOT
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings.sections import Ibkr
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from liveorder.testing.trials import TinyOrder
from liveorder.testing.venue.settings import VenueAccount
from tests.contract.brokers.test_certification import certified, differing
from tests.twins.ibkr import ACCOUNT, CATALOGUE, TwsTwin, tws_twin
from tests.unit.ibkr.quiet_log import QuietLog


def without_auctions(declared: BrokerCapabilities) -> BrokerCapabilities:
    """The venue has none."""
    return replace(declared, times_in_force=declared.times_in_force - {TimeInForce.OPG})


@asynccontextmanager
async def ibkr_stage(instrument: Instrument, price: str, cash: int = 100_000, call_seconds: float = 0.5) -> AsyncIterator[Stage]:
    """`call_seconds`: how long a call may take; long where none of them is to run out of time."""
    account = VenueAccount(account_id=ACCOUNT, cash=Decimal(cash), is_limited=True)
    async with open_exchange(stage_settings(account, catalogue_file=CATALOGUE)) as exchange, tws_twin(exchange) as twin:
        await exchange.control.post_price(instrument.key, Decimal(price))

        async def reopened() -> Brokerage:
            access = AccountAccess("ibkr", TradingMode.PAPER, "USD", call_seconds, without_auctions, SystemClock(), QuietLog())
            return brokerage(access, Ibkr(host="127.0.0.1", port=twin.port))

        stage = Stage(
            brokerage=await reopened(),
            account_id="ibkr",
            venue=exchange.control,
            instrument=instrument,
            price=Decimal(price),
            reopened=reopened,
            cannot=CANNOT,
            venue_account=ACCOUNT,
            unreachable=lambda stage: nightly_restart(twin, stage),
        )
        async with on_stage(stage):
            yield stage


@asynccontextmanager
async def nightly_restart(twin: TwsTwin, stage: Stage) -> AsyncIterator[None]:
    """From when the adapter has noticed."""

    async def noticed() -> bool | None:
        try:
            await stage.broker.open_orders()
        except BrokerConnectionError:
            return True
        return None

    async with twin.down():
        await stage.within(noticed)
        yield


class TestIbkr(BrokerContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with ibkr_stage(BUILT_IN.listed("NASDAQ:AAPL").instrument, "200") as stage:
            yield stage


class TestIbkrInCents(BrokerContract):
    """Corn futures, whose prices are a hundredth of their currency."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        corn = BUILT_IN.with_file(CATALOGUE).listed("CBOT:ZC:2027-12-14").instrument
        async with ibkr_stage(corn, "450.25", cash=10_000_000) as stage:
            yield stage


@pytest.mark.parametrize(
    ("key", "price", "query"),
    [
        ("NASDAQ:AAPL", "200", InstrumentQuery("AAPL", "NASDAQ")),
        ("CBOT:ZC:2027-12-14", "450.25", InstrumentQuery("ZC", "CBOT", expiry=date(2027, 12, 14))),
    ],
)
async def test_it_is_certified(key: str, price: str, query: InstrumentQuery) -> None:
    async with ibkr_stage(BUILT_IN.with_file(CATALOGUE).listed(key).instrument, price, call_seconds=20) as stage:
        stage.broker._connection.session._ib.client.MaxRequests = 0  # type: ignore[attr-defined]  # out of time there is no pace
        findings = await certified(stage, TinyOrder(Decimal(30_000)), query, TradingMode.PAPER)
    assert differing(findings) == []
    rest = {kind for kind in OrderType if not kind.traits.meets_the_market} - {OrderType.LIMIT}
    assert {findings[f"a {kind} order"].measured for kind in rest} == {"taken: Submitted"}
    assert findings["an order for extended hours"].agrees
    assert findings["a price off the grid"].measured.startswith("refused at once: TWS 201: Order rejected")
