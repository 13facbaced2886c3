"""Ours held against the broker's."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.recovery.reconcile import LOOK_AGAIN_SECONDS
from liveorder.domain.errors import DecisionRefused, InvalidInput
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.reconciliation import Difference, DifferenceKind
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills, OpeningPosition, VenueAccount
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, a_limit, a_scene, a_signal, until

HOLDING = STILL.model_copy(
    update={"accounts": (VenueAccount(positions={SPY: OpeningPosition(quantity=Decimal(-65), price=Decimal(450))}),)}
)
SHORT = LAX.model_copy(update={"allow_short_selling": True})


async def differences(engine: Engine) -> tuple[Difference, ...]:
    return (await engine.reconcile.reconcile(ACCOUNT)).differences


async def test_a_position_that_differs_is_shown_and_its_symbol_alone_is_not_traded(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING, limits=SHORT) as scene, scene.living() as engine:
        assert await differences(engine) == (Difference(DifferenceKind.POSITION, SPY, "0", "-65"),)
        refused = await engine.execute.execute(a_signal())
        assert "is not the broker's" in (refused.error_message or "")
        assert (await engine.execute.execute(a_signal("other", symbol="AAPL"))).is_sent
        assert engine.risk.positions(ACCOUNT).get(SPY) is None


async def test_a_position_that_a_person_adopts_agrees_and_is_traded_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING, limits=SHORT) as scene:
        async with scene.living() as engine:
            order = await engine.adopt.adopt_position(ACCOUNT, "SPY", None, Decimal(-65), Decimal(450), "statement", "person:ann")
            assert (order.status, order.terms.side, order.filled_quantity) == (OrderStatus.FILLED, Side.SELL, Decimal(65))
            assert await differences(engine) == ()
            assert engine.risk.unreconciled(ACCOUNT) == frozenset()
            assert (await engine.execute.execute(a_signal())).is_sent
        async with scene.living() as engine:
            assert await differences(engine) == ()
        assert any("agrees with the broker" in line for line in scene.log.of("RECONCILE"))


async def test_adopting_by_the_same_name_twice_books_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING) as scene, scene.living() as engine:
        terms = (ACCOUNT, "SPY", "ARCA", Decimal(-65), Decimal(450), "statement", "person:ann", "command-1")
        first = await engine.adopt.adopt_position(*terms)
        assert (await engine.adopt.adopt_position(*terms)).order_id == first.order_id
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(-65)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ((ACCOUNT, "SPY", None, Decimal(0)), "quantity"),
        (("elsewhere", "SPY", None, Decimal(1)), "account_id"),
        ((ACCOUNT, "NONE", None, Decimal(1)), "symbol"),
    ],
)
async def test_a_position_that_cannot_be_adopted_says_why(
    tmp_path: Path, terms: tuple[str, str, str | None, Decimal], field: str
) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        with pytest.raises(InvalidInput, match=field):
            await engine.adopt.adopt_position(*terms, Decimal(1), "statement", "person:ann")
        assert await scene.count("Requested") == 0


@pytest.mark.parametrize("lost", [False, True], ids=["its report comes", "its report is lost"])
async def test_a_fill_between_the_questions_is_no_difference(tmp_path: Path, *, lost: bool) -> None:
    """The broker is asked for executions first and for positions then; what fills in between is in the second answer alone."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        if lost:
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        positions = scene.witness.positions

        async def filled_first() -> object:
            await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(450))
            del scene.witness.answers["positions"]
            return await positions()

        scene.witness.answers["positions"] = filled_first
        assert await differences(engine) == ()
        assert engine.risk.unreconciled(ACCOUNT) == frozenset()
        assert (await engine.execute.execute(a_signal("next"))).is_sent
        assert not scene.log.of("RECONCILE")


async def test_an_answer_from_before_a_fill_that_is_booked_is_no_difference(tmp_path: Path) -> None:
    """The broker answered, then the order filled and its report came, then the answer came."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        positions = scene.witness.positions

        async def delayed() -> object:
            answer = await positions()
            del scene.witness.answers["positions"]
            await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(450))
            await until(lambda: engine.risk.position(ACCOUNT, SPY) is not None)
            return answer

        scene.witness.answers["positions"] = delayed
        assert await differences(engine) == ()
        assert (await engine.execute.execute(a_signal("next"))).is_sent
        assert not scene.log.of("RECONCILE")


async def test_fills_at_every_look_are_no_difference(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        positions, left = scene.witness.positions, [1, 2, 3]

        async def filled_first() -> object:
            if left:
                await scene.control.fill(order.broker_order_id or "", Decimal(left.pop()), Decimal(450))
            return await positions()

        scene.witness.answers["positions"] = filled_first
        assert await differences(engine) == ()


async def test_a_difference_that_stays_the_same_is_one_although_an_order_could_explain_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORT) as scene, scene.living() as engine:
        await engine.execute.execute(a_limit("rests"))
        await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(5))
        assert await differences(engine) == (Difference(DifferenceKind.POSITION, SPY, "0", "5"),)
        assert engine.risk.unreconciled(ACCOUNT) == {SPY}


async def test_no_new_risk_goes_out_while_the_broker_takes_its_time_over_the_second_question(tmp_path: Path) -> None:
    """A sale by hand that an exit of ours, which rests, could explain; the second answer never comes."""
    async with a_scene(tmp_path, limits=SHORT) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("own"))
        await until(lambda: engine.is_quiet)
        await engine.execute.execute(a_limit("rests", side="SELL", price=600, quantity=10))
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(10))
        positions, asked = scene.witness.positions, list[int]()

        async def first_alone() -> object:
            asked.append(1)
            if len(asked) > 1:
                await asyncio.sleep(1e6)
            return await positions()

        scene.witness.answers["positions"] = first_alone
        reconciling = asyncio.create_task(engine.reconcile.reconcile(ACCOUNT))
        await asyncio.sleep(2 * LOOK_AGAIN_SECONDS + 0.1)
        assert not reconciling.done()
        assert "is not the broker's" in ((await engine.execute.execute(a_signal("more", side="SELL"))).error_message or "")
        report = await reconciling
        assert (report.unanswered, engine.risk.unreconciled(ACCOUNT)) == (("positions",), frozenset({SPY}))


@pytest.mark.parametrize("resting", [{"side": "BUY", "price": 400}, {"side": "SELL", "price": 600, "quantity": 10}])
async def test_a_difference_that_no_fill_explains_stops_new_risk_at_once(tmp_path: Path, resting: dict[str, Any]) -> None:
    """Sold elsewhere: neither a buy of ours that rests nor a sale of fewer units can have done it."""
    async with a_scene(tmp_path, limits=SHORT) as scene, scene.living() as engine:
        await engine.execute.execute(a_limit("rests", **resting))
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(65))
        before = scene.clock.monotonic()
        assert len(await differences(engine)) == 1
        assert (scene.clock.monotonic(), engine.risk.unreconciled(ACCOUNT)) == (before, frozenset({SPY}))


async def test_questions_that_failed_are_named_and_nothing_is_concluded_from_them(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        for point in (Point.EXECUTIONS, Point.OPEN_ORDERS, Point.POSITIONS):
            await scene.lay(FaultKind.QUERY_FAILED, point, None)
        report = await engine.reconcile.reconcile(ACCOUNT)
        assert report.unanswered == ("executions", "open orders", "positions")
        assert report.differences == ()
        assert not report.is_clean
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(10)
        assert engine.risk.unreconciled(ACCOUNT) == frozenset()


async def test_a_refusal_for_a_difference_outlives_questions_that_fail_and_ends_when_it_is_gone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING, limits=SHORT) as scene, scene.living() as engine:
        await scene.lay(FaultKind.QUERY_FAILED, Point.POSITIONS, None)
        await engine.reconcile.reconcile(ACCOUNT)
        assert engine.risk.unreconciled(ACCOUNT) == {SPY}
        await scene.control.clear_faults()
        await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(65))
        await asyncio.sleep(61)
        assert engine.risk.unreconciled(ACCOUNT) == frozenset()


async def test_an_order_of_ours_that_the_broker_does_not_know_any_more_is_shown(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.floors[ACCOUNT].gateway.venue._book.orders.clear()
        scene.floors[ACCOUNT].gateway.venue._book._live.clear()
        (found,) = await differences(engine)
        assert (found.kind, found.key, found.theirs) == (DifferenceKind.MISSING_ORDER, str(order.order_id), "not found")
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED


async def test_an_order_in_doubt_is_shown(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        order = await engine.execute.execute(a_limit())
        (found,) = await differences(engine)
        assert (found.kind, found.key, found.theirs) == (DifferenceKind.MISSING_ORDER, str(order.order_id), "in doubt")


async def test_an_order_placed_elsewhere_is_shown_while_it_lives_and_kept_in_memory_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        outside = await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(5), Decimal(400))
        for _ in range(50):
            (found,) = await differences(engine)
            assert (found.kind, found.key, found.theirs) == (DifferenceKind.UNKNOWN_ORDER, outside, "WORKING")
        assert len(engine.unmatched.waiting_for(ACCOUNT, outside)) <= 2
        await scene.control.close_order(outside)
        assert await differences(engine) == ()


async def test_a_liquidation_by_the_broker_shows_as_an_order_and_a_position_of_its_own(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORT) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(10))
        assert await differences(engine) == (Difference(DifferenceKind.POSITION, SPY, "10", "0"),)
        assert await scene.count("UnmatchedReportNoted") >= 1
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(10)


async def test_an_adopted_order_is_ours_with_its_fills_and_can_be_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"fills": Fills(automatic=False)})) as scene, scene.living() as engine:
        outside = await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(5), Decimal(400))
        await scene.control.fill(outside, Decimal(2), Decimal(400))
        await asyncio.sleep(1)
        order = await engine.adopt.adopt_order(ACCOUNT, outside, "placed by phone", "person:ann", "trend")
        assert (order.status, order.terms.side, order.quantity) == (OrderStatus.PARTIAL, Side.BUY, Decimal(5))
        assert order.intent.strategy_name == "trend"
        assert order.filled_quantity == Decimal(2)
        assert (order.broker_order_id, order.limit_price, order.needs_review) == (outside, Decimal(400), False)
        assert await differences(engine) == ()
        assert (await engine.adopt.adopt_order(ACCOUNT, outside, "again", "person:ann")).order_id == order.order_id
        await scene.control.fill(outside, Decimal(1), Decimal(400))
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        assert (order.filled_quantity, order.needs_review) == (Decimal(3), False)
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, Decimal(3))
        assert await differences(engine) == ()


async def test_only_a_live_order_that_the_broker_describes_can_be_adopted(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        with pytest.raises(DecisionRefused, match="lists no open order V9"):
            await engine.adopt.adopt_order(ACCOUNT, "V9", "typed", "person:ann")

        async def vaguely() -> list[OrderSnapshot]:
            return [OrderSnapshot(broker_order_id="V9", status=BrokerStatus.WORKING, symbol="SPY", quantity=Decimal(5))]

        scene.witness.answers["open_orders"] = vaguely
        with pytest.raises(DecisionRefused, match="does not tell side"):
            await engine.adopt.adopt_order(ACCOUNT, "V9", "typed", "person:ann")
        assert await scene.count("Requested") == 0


async def test_an_adopted_order_that_rests_is_submitted_and_counts_as_no_trade_of_ours(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_daily_trades": 1})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        outside = await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(5), Decimal(400))
        order = await engine.adopt.adopt_order(ACCOUNT, outside, "placed by phone", "person:ann")
        assert (order.status, order.is_acknowledged) == (OrderStatus.SUBMITTED, True)
        assert (await engine.execute.execute(a_signal())).is_sent
