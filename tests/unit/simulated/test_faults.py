"""Every fault, seen from the broker, with the venue in the same process and over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.domain.errors import BrokerConnectionError, BrokerError, BrokerRateLimitError, BrokerTimeoutError, OutcomeUnknown
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    Execution,
    ExecutionBusted,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderSnapshot,
)
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.settings import Fills, VenueSettings
from tests.unit.simulated.stage import PATIENCE_SECONDS, START, STILL, Stage, limit_order, market_order, stage

D = Decimal
UNANSWERED = [
    FaultKind.REQUEST_LOST,
    FaultKind.REQUEST_HELD,
    FaultKind.ACKNOWLEDGEMENT_LOST,
    FaultKind.ACKNOWLEDGEMENT_GARBLED,
    FaultKind.SERVER_ERROR,
    FaultKind.RESTART,
]


def next_submit(kind: FaultKind, **fields: Any) -> Fault:
    return Fault(kind=kind, on=Point.SUBMIT, nth=1, **fields)


async def outcome(stage: Stage, asked: Awaitable[Any], seconds: float = 10.0) -> Any:
    """What a request comes to while time passes."""
    task = asyncio.ensure_future(asked)
    for _ in range(PATIENCE_SECONDS * 1000):
        if task.done():
            break
        await asyncio.wait([task], timeout=0.001)
        await stage.clock.pass_time(seconds / 100)
    return await task


@pytest.mark.parametrize("kind", UNANSWERED)
async def test_a_request_without_a_readable_answer_has_an_unknown_outcome(reach: str, kind: FaultKind) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(kind))
        with pytest.raises(OutcomeUnknown):
            await live.submit(market_order())
        arrived = kind not in (FaultKind.REQUEST_LOST, FaultKind.REQUEST_HELD)
        assert await live.orders_with() == arrived


@pytest.mark.parametrize("kind", [FaultKind.REQUEST_LOST, FaultKind.ACKNOWLEDGEMENT_LOST])
async def test_a_silent_fault_leaves_the_caller_waiting_for_its_own_deadline(reach: str, kind: FaultKind) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(kind, silent=True))
        with pytest.raises(BrokerTimeoutError):
            await outcome(live, live.submit(market_order()))
        assert live.clock.now() >= START + timedelta(seconds=5)


async def test_a_held_request_is_delivered_after_the_caller_gave_up(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(FaultKind.REQUEST_HELD, seconds=30))
        with pytest.raises(OutcomeUnknown):
            await live.submit(market_order())
        await live.clock.pass_time(29)
        assert await live.broker.find("K1", None, {}) is Absence.ABSENT
        await live.clock.pass_time(1)
        accepted, fill = await live.reports(2)
        assert isinstance(accepted, Accepted)
        assert isinstance(fill, Execution)
        assert fill.occurred_at == START + timedelta(seconds=30)
        assert await live.orders_with() == 1


async def test_a_held_request_is_delivered_when_it_is_released(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(FaultKind.REQUEST_HELD))
        with pytest.raises(OutcomeUnknown):
            await live.submit(market_order())
        await live.clock.pass_time(3600)
        assert await live.orders_with() == 0
        assert await live.control.release() == 1
        assert await live.orders_with() == 1


@pytest.mark.parametrize("kind", [FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED])
async def test_a_request_that_was_turned_away_surely_did_not_arrive(reach: str, kind: FaultKind) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(kind, seconds=7))
        with pytest.raises((BrokerConnectionError, BrokerRateLimitError)) as turned_away:
            await live.submit(market_order())
        if isinstance(turned_away.value, BrokerRateLimitError):
            assert turned_away.value.retry_after_seconds == 7
        assert await live.orders_with() == 0
        assert isinstance((await live.submit(market_order()))[0], Accepted)


async def test_a_fill_can_come_before_the_acknowledgement(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(FaultKind.ACKNOWLEDGEMENT_LATE, seconds=2))
        submission = asyncio.ensure_future(live.submit(market_order()))
        reports = await live.reports(2)
        assert isinstance(reports[1], Execution)
        assert not submission.done()
        (answer,) = await outcome(live, submission, seconds=2)
        assert isinstance(answer, Accepted)


async def test_the_stream_can_drop_and_what_is_told_meanwhile_is_lost_but_not_untrue(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(FaultKind.STREAM_DROPPED, seconds=10))
        await live.submit(market_order())
        assert await live.rest_of_reports() == []
        live.listen_again()
        assert await live.rest_of_reports() == []
        await live.clock.pass_time(10)
        await live.broker.connect()
        live.listen_again()
        await live.submit(market_order("K2"))
        assert {report.client_order_id for report in await live.reports(2)} == {"K2"}
        fills = await live.broker.executions_since(START)
        assert [fill.client_order_id for fill in fills] == ["K1", "K2"]


async def test_streams_can_be_dropped_by_hand(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.drop_streams("SIM")
        assert await live.rest_of_reports() == []


async def test_a_restart_ends_streams_and_keeps_orders(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(next_submit(FaultKind.RESTART))
        with pytest.raises(OutcomeUnknown):
            await live.submit(limit_order())
        assert [type(report) for report in await live.rest_of_reports()] == [Accepted]
        found = await live.broker.find("K1", None, {})
        assert isinstance(found, OrderSnapshot)
        assert found.status is BrokerStatus.WORKING


@pytest.mark.parametrize("kind", [FaultKind.QUERY_FAILED, FaultKind.UNAVAILABLE, FaultKind.REQUEST_LOST])
async def test_a_failed_find_is_inconclusive_and_other_failed_queries_raise(reach: str, kind: FaultKind) -> None:
    async with stage(reach) as live:
        points = (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS, Point.POSITIONS, Point.ACCOUNT, Point.QUOTE)
        await live.control.lay(*(Fault(kind=kind, on=point) for point in points))
        assert await live.broker.find("K1", None, {}) is Absence.INCONCLUSIVE
        for ask in (live.broker.open_orders, live.broker.positions, live.broker.account):
            with pytest.raises(BrokerError):
                await ask()
        with pytest.raises(BrokerError):
            await live.broker.executions_since(START)
        await live.control.clear_faults()
        assert await live.broker.find("K1", None, {}) is Absence.ABSENT


async def test_connecting_can_fail(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(Fault(kind=FaultKind.UNAVAILABLE, on=Point.CONNECT))
        with pytest.raises(BrokerConnectionError):
            await live.broker.connect()


@pytest.mark.parametrize("point", [Point.CANCEL, Point.REPLACE])
async def test_a_cancel_or_replace_can_be_processed_without_an_answer(reach: str, point: Point) -> None:
    async with stage(reach) as live:
        await live.submit(limit_order())
        await live.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=point, nth=1))
        with pytest.raises(OutcomeUnknown):
            await (live.cancel() if point is Point.CANCEL else live.replace(quantity=D(20)))
        (order,) = await live.control.orders_by_key("K1")
        assert order.status is BrokerStatus.CANCELLED if point is Point.CANCEL else order.quantity == D(20)


async def reported(reach: str, fault: Fault, number: int) -> list[ExecutionReport]:
    """The reports of an order for 10 that is filled in two, with a fault on their way."""
    settings = VenueSettings(prices=STILL, fills=Fills(max_quantity=D(5)), faults=FaultPlan(faults=(fault,)))
    async with stage(reach, settings) as live:
        await live.submit(market_order())
        return await live.reports(number)


def names(reports: list[ExecutionReport]) -> list[str]:
    return [report.execution_id if isinstance(report, Execution) else type(report).__name__ for report in reports]


async def test_a_report_can_come_twice(reach: str) -> None:
    fault = Fault(kind=FaultKind.REPORT_DUPLICATED, on=Point.FILL_REPORT, nth=1)
    assert names(await reported(reach, fault, 4)) == ["Accepted", "X1", "X1", "X2"]


async def test_reports_can_come_out_of_order(reach: str) -> None:
    fault = Fault(kind=FaultKind.REPORT_OUT_OF_ORDER, on=Point.REPORT, nth=1)
    assert names(await reported(reach, fault, 3)) == ["X1", "Accepted", "X2"]


async def test_a_report_can_be_lost(reach: str) -> None:
    fault = Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT, nth=1)
    assert names(await reported(reach, fault, 2)) == ["Accepted", "X2"]


async def test_a_report_can_come_late(reach: str) -> None:
    settings = VenueSettings(prices=STILL)
    async with stage(reach, settings) as live:
        await live.control.lay(Fault(kind=FaultKind.REPORT_LATE, on=Point.FILL_REPORT, nth=1, seconds=60))
        await live.submit(market_order())
        await live.submit(market_order("K2"))
        assert names(await live.reports(3)) == ["Accepted", "Accepted", "X2"]
        await live.clock.pass_time(60)
        (late,) = await live.reports(1)
        assert names([late]) == ["X1"]
        assert late.occurred_at == START


async def test_a_fill_can_be_busted_by_plan(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(Fault(kind=FaultKind.BUST, on=Point.FILL, nth=1, seconds=5))
        await live.submit(market_order())
        assert names(await live.reports(2)) == ["Accepted", "X1"]
        await live.clock.pass_time(5)
        (bust,) = await live.reports(1)
        assert isinstance(bust, ExecutionBusted)
        assert bust.execution_id == "X1"
        assert await live.broker.positions() == []


async def test_a_fill_can_be_corrected_by_plan(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(Fault(kind=FaultKind.CORRECTION, on=Point.FILL, nth=1, price=D(199)))
        await live.submit(market_order())
        *_, correction = await live.reports(3)
        assert isinstance(correction, ExecutionCorrected)
        assert (correction.corrects, correction.quantity, correction.price) == ("X1", D(10), D(199))


async def test_a_fault_can_be_of_one_order_only_and_of_every_request(reach: str) -> None:
    async with stage(reach) as live:
        await live.control.lay(Fault(kind=FaultKind.UNAVAILABLE, client_order_id="K1"))
        for _ in range(3):
            with pytest.raises(BrokerConnectionError):
                await live.submit(market_order())
        assert isinstance((await live.submit(market_order("K2")))[0], Accepted)


async def struck(reach: str, seed: int) -> list[bool]:
    fault = Fault(kind=FaultKind.UNAVAILABLE, probability=0.5)
    async with stage(reach, VenueSettings(prices=STILL, seed=seed, faults=FaultPlan(faults=(fault,)))) as live:
        results = await asyncio.gather(*[live.submit(market_order(f"K{n}")) for n in range(20)], return_exceptions=True)
        return [isinstance(result, BrokerError) for result in results]


async def test_faults_by_probability_follow_the_seed() -> None:
    once, again, other = await struck("in_process", 1), await struck("in_process", 1), await struck("in_process", 2)
    assert once == again
    assert once != other
    assert 0 < sum(once) < 20


async def test_latency_delays_request_and_answer(reach: str) -> None:
    async with stage(reach, VenueSettings(prices=STILL)) as calm:
        assert isinstance((await calm.submit(market_order()))[0], Accepted)
    async with slow(reach) as live:
        submission = asyncio.ensure_future(live.submit(limit_order()))
        await outcome(live, submission, seconds=1)
        (order,) = await live.control.orders_by_key("K1")
        (cancelled,) = await outcome(live, live.cancel(), seconds=1)
        assert isinstance(cancelled, OrderClosed)
        assert live.clock.now() >= START + timedelta(seconds=4 * 0.4)
        assert order.status is BrokerStatus.WORKING


def slow(reach: str) -> Any:
    return stage(reach, VenueSettings(prices=STILL, latency_seconds=0.4), connects=False)
