"""What certification says of a broker that keeps its word, of one that does not, and what it leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest

from liveorder.application.ports.broker import BrokerCapabilities, KeySupport
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import InvalidInput
from liveorder.domain.execution_report import BrokerStatus
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker
from liveorder.infrastructure.brokers.simulated.venue.faults import Fault, FaultKind, Point
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.certification import Certification, Finding, TinyOrder
from liveorder.testing.stage import Stage
from tests.contract.brokers.simulated_stage import simulated_stage

AAPL = TinyOrder(InstrumentQuery(symbol="AAPL", exchange="NASDAQ"), max_value=Decimal(200))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with simulated_stage() as stage:
        yield stage


async def certified(stage: Stage, order: TinyOrder | None = AAPL) -> dict[str, Finding]:
    certification = Certification(stage.brokerage, stage.account_id, SystemClock())
    return {finding.question: finding async for finding in certification.findings(order)}


async def nothing_is_left(stage: Stage) -> bool:
    live = (BrokerStatus.PENDING, BrokerStatus.WORKING)
    return not any(order.status in live for order in await stage.venue.orders(stage.account_id))


async def test_a_broker_that_keeps_its_word_agrees_in_everything(stage: Stage) -> None:
    findings = await certified(stage)
    assert [finding.question for finding in findings.values() if finding.agrees is False] == []
    assert findings["the key again, open"].measured == "refused"
    assert findings["the key again, cancelled"].measured == "refused"
    assert findings["a replace"].agrees
    assert findings["order"].measured == "buy 1 NASDAQ:AAPL at 180.0"
    assert len(await stage.venue.orders(stage.account_id)) == 1
    assert await nothing_is_left(stage)


async def test_of_what_is_traded_in_parts_one_unit_is_bought_where_that_is_allowed(stage: Stage) -> None:
    coin = TinyOrder(InstrumentQuery(symbol="ETH/USD"), max_value=Decimal(5000))
    assert (await certified(stage, coin))["order"].measured.startswith("buy 1 CRYPTO:ETH/USD")
    assert (await certified(stage, replace(coin, max_value=Decimal(200))))["order"].measured.startswith("buy 0.0001 CRYPTO:ETH/USD")


async def test_without_an_order_nothing_is_sent(stage: Stage) -> None:
    assert len(await certified(stage, None)) == 4
    assert await stage.venue.orders(stage.account_id) == []


class SaysThatKeysAreUnique(SimulatedBroker):
    @property
    def capabilities(self) -> BrokerCapabilities:
        return replace(super().capabilities, key_support=KeySupport.UNIQUE)


async def test_a_declaration_that_is_not_true_is_found_out_and_what_came_of_it_is_cancelled() -> None:
    async with simulated_stage(SaysThatKeysAreUnique, KeySupport.SEARCHABLE) as stage:
        findings = await certified(stage)
        assert (findings["the key again, open"].measured, findings["the key again, open"].agrees) == (
            "taken, as another order",
            False,
        )
        assert len(await stage.venue.orders(stage.account_id)) == 3
        assert await nothing_is_left(stage)


async def test_an_order_whose_answer_was_lost_is_cancelled_in_the_end(stage: Stage) -> None:
    await stage.venue.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, nth=1))
    findings = await certified(stage)
    assert "OutcomeUnknown" in findings["a new order's key"].measured
    assert findings["left at the end"].agrees
    assert await nothing_is_left(stage)


async def test_questions_that_fail_are_findings(stage: Stage) -> None:
    await stage.venue.lay(*(Fault(kind=FaultKind.QUERY_FAILED, on=point, nth=1) for point in (Point.OPEN_ORDERS, Point.FIND)))
    findings = await certified(stage)
    assert findings["open orders"].agrees is False
    assert findings["a key that never was"].measured == "inconclusive"


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (replace(AAPL, query=InstrumentQuery(symbol="NOSUCHTHING")), "symbol"),
        (replace(AAPL, max_value=Decimal(179)), "max_value"),
    ],
)
async def test_an_order_that_cannot_be_or_is_worth_too_much_is_refused_before_anything_is_sent(
    stage: Stage, order: TinyOrder, field: str
) -> None:
    with pytest.raises(InvalidInput, match=field):
        await certified(stage, order)
    assert await stage.venue.orders(stage.account_id) == []
