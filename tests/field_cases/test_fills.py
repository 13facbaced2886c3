"""Fills, however late, lost, doubled or misnamed they come."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liveorder.application.ports.broker import Absence
from liveorder.application.reporting.order_log import OrderLog
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import Filled, FillInferred
from liveorder.domain.reconciliation import DifferenceKind
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, SPY, STILL, a_limit, a_scene, a_signal, until
from tests.field_cases.evidence import all_at_venue, at_venue, held_at_venue, retell, sent_keys, stored, without_key

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
QUESTIONS = (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS, Point.POSITIONS)


@pytest.mark.parametrize("names", ["our key", "its own id alone"])
async def test_a_fill_after_the_cancel_is_booked_and_reported_whoever_names_the_order(tmp_path: Path, names: str) -> None:
    """Case 11 (freqtrade#3647): the bot had cancelled the order, the exchange filled it, and nobody knew of the position."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        if names != "our key":
            retell(scene, without_key)
            await scene.control.drop_streams()
            await asyncio.sleep(2)
        engine.orders.listen(OrderLog(scene.log))
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        assert (await stored(scene, order)).status is OrderStatus.CANCELLED
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(2)
        known = await stored(scene, order)
        assert (known.status, known.filled_quantity) == (OrderStatus.CANCELLED, Decimal(4))
        assert "fill_after_close" in known.anomalies
        assert any("filled while CANCELLED" in line for line in scene.log.of("ANOMALY"))
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(4)
        await scene.control.fill(order.broker_order_id or "", Decimal(6), Decimal(400))
        await asyncio.sleep(2)
        assert (await stored(scene, order)).status is OrderStatus.FILLED
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        assert await scene.count("UnmatchedReportNoted") == 0


async def test_an_order_that_the_exchange_does_not_list_for_a_while_is_not_dead_and_fills_later(tmp_path: Path) -> None:
    """Case 13 (hummingbot#3374): orders that could not be found were called dead, and filled later."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(lease_seconds=300.0, poll_seconds=30.0) as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))

        async def nothing(*asked: Any) -> Any:
            return Absence.ABSENT if asked else []

        scene.witness.answers.update({"find": nothing, "open_orders": nothing})
        await asyncio.sleep(900)
        assert (await stored(scene, order)).status is OrderStatus.SUBMITTED
        missing = [each.key for each in engine.reconcile.latest[ACCOUNT].differences if each.kind is DifferenceKind.MISSING_ORDER]
        assert missing == [str(order.order_id)]
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await until(lambda: engine.is_quiet)
        assert (await stored(scene, order)).status is OrderStatus.FILLED
        assert (at_venue(scene, order), len(sent_keys(scene))) == ([("FILLED", Decimal(10))], 1)


async def test_an_order_whose_call_timed_out_is_in_doubt_and_its_late_fill_is_its_own(tmp_path: Path) -> None:
    """Case 16 (nautilus#4958): a time-out became REJECTED, and the fill a position that nobody owned."""
    delayed = STILL.model_copy(update={"fills": Fills(delay_seconds=30.0)})
    async with a_scene(tmp_path, delayed) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, silent=True)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        for point in QUESTIONS:
            await scene.lay(FaultKind.QUERY_FAILED, point, None)
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(60)
        known = await stored(scene, order)
        assert (known.status, known.is_in_doubt) == (OrderStatus.SUBMITTED, True)
        assert at_venue(scene, order) == [("FILLED", Decimal(10))]
        await scene.control.clear_faults()
        await until(lambda: engine.is_quiet, seconds=60)
        known = await stored(scene, order)
        assert (known.status, known.filled_quantity, known.anomalies) == (OrderStatus.FILLED, Decimal(10), frozenset())
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(10)
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        assert len(sent_keys(scene)) == 1


async def test_executions_are_asked_for_when_the_connection_is_back_and_none_is_lost(tmp_path: Path) -> None:
    """Case 22 (Lean.IB#249): what was executed while the gateway told error 1100 was lost, after 1101 and after 1102 alike."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        retell(scene, lambda told: replace(told, executions=()) if isinstance(told, OrderSnapshot) else told)
        asked: list[datetime] = []
        executions_since = scene.witness.answers["executions_since"]

        async def noted(since: datetime) -> Any:
            asked.append(since)
            return await executions_since(since)

        scene.witness.answers["executions_since"] = noted
        for point in QUESTIONS:
            await scene.lay(FaultKind.QUERY_FAILED, point, None)
        went = scene.clock.now()
        await scene.control.drop_streams(seconds=30)
        await asyncio.sleep(10)
        executed = [await scene.control.fill(order.broker_order_id or "", Decimal(quantity), Decimal(400)) for quantity in (3, 7)]
        await asyncio.sleep(10)
        asked.clear()
        await scene.control.clear_faults()
        scene.witness.answers["open_orders"] = lambda: asyncio.sleep(0, [])
        scene.witness.answers["find"] = lambda *_: asyncio.sleep(0, Absence.INCONCLUSIVE)
        await asyncio.sleep(15)
        assert asked
        assert asked[0] <= went
        events = await scene.events(order)
        assert [event.execution_id for event in events if isinstance(event, Filled)] == executed
        assert not [event for event in events if isinstance(event, FillInferred)]
        assert (await stored(scene, order)).status is OrderStatus.FILLED
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(10)


async def test_a_fill_of_an_order_that_is_not_known_yet_is_kept_reported_and_booked_when_it_is(tmp_path: Path) -> None:
    """Case 23 (Lean.IB#189): a fill came for an order id that nobody knew, and was dropped with an error."""
    async with a_scene(tmp_path) as scene, scene.living(poll_seconds=60.0) as engine:
        retell(scene, without_key)
        await scene.control.drop_streams()
        await asyncio.sleep(2)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, seconds=4.0)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(2)
        (order,) = engine.orders.unfinished()
        assert (await stored(scene, order)).filled_quantity == Decimal(0)
        assert await scene.count("UnmatchedReportNoted") >= 1
        assert any("an order that is not ours" in line for line in scene.log.of("UNMATCHED"))
        await executing
        await until(lambda: engine.is_quiet)
        known = await stored(scene, order)
        assert (known.status, known.filled_quantity, known.anomalies) == (OrderStatus.FILLED, Decimal(10), frozenset())
        assert await scene.count("UnmatchedReportResolved") == await scene.count("UnmatchedReportNoted")
        assert held_at_venue(scene) == Decimal(10)


async def test_one_frame_that_a_healthy_stream_drops_is_found_by_the_next_poll(tmp_path: Path) -> None:
    """Case 25 (Lean.TradeStation#101): the stream stayed up, lost one fill, and nothing ever asked."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.lay(FaultKind.REPORT_LOST, Point.FILL_REPORT, 2)
        name = order.broker_order_id or ""
        executed = [await scene.control.fill(name, Decimal(quantity), Decimal(400)) for quantity in (2, 3, 1)]
        await asyncio.sleep(0.6)
        known = await stored(scene, order)
        assert (known.status, known.filled_quantity) == (OrderStatus.PARTIAL, Decimal(6))
        assert sorted(known.executions.reported) == sorted(executed)
        assert at_venue(scene, order) == [("WORKING", Decimal(6))]


@pytest.mark.parametrize("tells", ["totals and executions", "totals first"])
async def test_what_a_broker_tells_as_a_total_is_never_added_to_what_it_told_before(tmp_path: Path, tells: str) -> None:
    """Case 26 (Lean#4014): the broker's cumulative quantity was read as that of the last fill, and positions grew too large."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        if tells == "totals first":
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
            retell(scene, lambda told: replace(told, executions=()) if isinstance(told, OrderSnapshot) else told)
        for quantity, price, so_far in ((3, 400, 3), (4, 398, 7), (2, 399, 9)):
            await scene.control.fill(order.broker_order_id or "", Decimal(quantity), Decimal(price))
            await asyncio.sleep(2)
            known = await stored(scene, order)
            assert (known.filled_quantity, at_venue(scene, order)) == (Decimal(so_far), [("WORKING", Decimal(so_far))])
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(9)
        assert (await scene.count("FillInferred") > 0) is (tells == "totals first")
        await scene.control.clear_faults()
        await engine.reconcile.reconcile(ACCOUNT)
        known = await stored(scene, order)
        assert (known.filled_quantity, known.average_price) == (Decimal(9), Decimal(3590) / 9)
        assert len(known.executions.reported) == await scene.count("Filled") == 3
        assert len(all_at_venue(scene)) == 1
