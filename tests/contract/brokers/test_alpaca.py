"""The Alpaca adapter keeps the contract of the port, with alpaca-py, against a server that speaks Alpaca's wire protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerRefusal, InvalidInput
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.values import OrderType, Side, TradingMode
from liveorder.infrastructure.brokers.alpaca.assembly import CANNOT, brokerage
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.certification import Certification
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from liveorder.testing.trials import TinyOrder
from liveorder.testing.venue.settings import VenueAccount
from tests.contract.brokers.test_certification import QuickClock, certified, differing
from tests.twins.alpaca.customer import ACCOUNT, access, section
from tests.twins.alpaca.server import KEY, SECRET, alpaca_twin
from tests.unit.alpaca.stage import KEY as ORDER_KEY
from tests.unit.alpaca.stage import order_of


@asynccontextmanager
async def alpaca_stage(cannot: Mapping[str, str], *, counts_fills: bool = False) -> AsyncIterator[Stage]:
    settings = stage_settings(VenueAccount(account_id=ACCOUNT, cash=Decimal(100_000), is_limited=True))
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
        async with alpaca_stage(CANNOT) as stage:
            yield stage


class TestAlpacaWhoseReplacementsCountFills(BrokerContract):
    """As it is where the operator has seen that it does."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with alpaca_stage({}, counts_fills=True) as stage:
            yield stage


async def test_it_is_certified() -> None:
    async with alpaca_stage({}) as stage:
        findings = await certified(stage, mode=TradingMode.PAPER, query=InstrumentQuery("AAPL"))
    assert differing(findings) == []
    tried = (
        "a STOP order",
        "a STOP_LIMIT order",
        "a TRAILING_STOP order",
        "an order for extended hours",
        "a price in steps of 0.0001",
    )
    assert {findings[each].measured for each in tried} == {"taken: new"}
    assert findings["a price off the grid"].measured.startswith("refused at once: alpaca: price: ")
    assert "refused at once: alpaca: position intent mismatch" in findings["an order that only reduces"].measured


@pytest.mark.parametrize("is_confirmed", [True, False])
async def test_an_account_that_turns_out_to_have_real_money_is_tried_only_where_that_was_confirmed(is_confirmed: bool) -> None:
    order = TinyOrder(max_value=Decimal(200), may_be_live=is_confirmed)
    settings = stage_settings(VenueAccount(account_id=ACCOUNT))
    async with open_exchange(settings) as exchange, alpaca_twin(exchange, is_paper=False) as twin:
        made = brokerage(access(), section(twin))
        certification = Certification(made, ACCOUNT, TradingMode.LIVE, QuickClock())
        with nullcontext() if is_confirmed else pytest.raises(InvalidInput, match=r"^TRADING_MODE: SIM is LIVE; .+paper account"):
            assert [each async for each in certification.findings(InstrumentQuery("AAPL"), order)]
        assert bool(await exchange.control.orders()) is is_confirmed
        assert not any("position_intent" in (body or {}) for _, _, body in twin.requests)
        await made.broker.close()


async def test_a_twin_that_restarts_tells_the_same(tmp_path: Path) -> None:
    settings = stage_settings(VenueAccount(account_id=ACCOUNT))
    told = []
    for life in (1, 2):
        async with open_exchange(settings, tmp_path / "venue.db") as exchange, alpaca_twin(exchange) as twin:
            broker = brokerage(access(), section(twin)).broker
            await broker.connect()
            if life == 1:
                await broker.submit(broker.prepare(order_of()))
                (order,) = await exchange.control.orders()
                await exchange.control.fill(order.broker_order_id or "", Decimal(4), Decimal(150))
            found = await broker.find(ORDER_KEY, None, {})
            assert isinstance(found, OrderSnapshot)
            fills = await broker.executions_since(datetime.now(UTC) - timedelta(hours=1))
            told.append((found.broker_order_id, found.filled_quantity, fills))
            await broker.close()
    assert told[0] == told[1]
    assert told[0][1] == 4


async def test_what_is_to_close_never_opens() -> None:
    """However our book and the account came to differ: Alpaca compares the order with what it holds."""
    async with alpaca_stage({}) as stage:
        market = {"order_type": OrderType.MARKET, "limit_price": None}
        with pytest.raises(BrokerRefusal, match="position intent mismatch, inferred: sell_to_open"):
            await stage.submit(stage.request(side=Side.SELL, reduces_only=True, **market))
        bought = await stage.submit(stage.request(**market))
        await stage.fill(bought, 10)
        sold = await stage.submit(stage.request(side=Side.SELL, reduces_only=True, **market))
        assert len(await stage.taken(sold)) == 1
