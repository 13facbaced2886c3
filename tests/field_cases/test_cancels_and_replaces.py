"""Requests about an order that stands: each has one outcome, and what trades meanwhile is booked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.domain.errors import DecisionRefused
from liveorder.domain.lifecycle import OrderStatus
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills, VenueCommission
from tests.engine.scenes import ACCOUNT, STILL, a_limit, a_scene, until
from tests.field_cases.evidence import all_at_venue, at_venue, held_at_venue, sent_keys, stored

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
WORKING = [("WORKING", Decimal(0))]


async def test_a_replace_during_a_disconnect_is_in_doubt_and_keeps_the_next_from_going_out(tmp_path: Path) -> None:
    """Case 3 (nautilus#4564): an order was modified while disconnected, and again, and two live orders were left at the broker."""
    pessimistic = replace(SIMULATED_CAPABILITIES, atomic_replace=False)
    async with a_scene(tmp_path, BY_HAND, capabilities=pessimistic) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.lay(FaultKind.REQUEST_HELD, Point.REPLACE, seconds=4.0)
        await scene.control.drop_streams(seconds=10)
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20), limit_price=Decimal(401))
        assert (order.is_in_doubt, order.worst_case_quantity(atomic_replace=False)) == (True, Decimal(30))
        with pytest.raises(DecisionRefused, match="in doubt"):
            await engine.replace.replace(order.order_id, quantity=Decimal(15))
        instead = await engine.execute.execute(a_limit("instead"))
        assert (instead.is_waiting, len(all_at_venue(scene))) == (True, 1)
        await engine.cancel.cancel(instead.order_id)
        await until(lambda: not engine.doubts.standing(), seconds=30)
        (live,) = all_at_venue(scene)
        assert (live["state"], live["quantity"], live["limit_price"]) == ("WORKING", "20", "401")
        await until(lambda: not engine.halts.standing())
        await engine.replace.replace(order.order_id, quantity=Decimal(15))
        await asyncio.sleep(2)
        (live,) = all_at_venue(scene)
        known = await stored(scene, order)
        assert (live["state"], live["quantity"]) == ("WORKING", "15")
        assert (known.quantity, known.limit_price, known.requests) == (Decimal(15), Decimal(401), {})
        assert len(scene.witness.of("replace")) == 2


async def test_a_cancel_that_is_refused_because_the_order_filled_books_the_fill_before_it_answers(tmp_path: Path) -> None:
    """Case 5 (passivbot#514): the cancel failed because the order had filled; the bot saw no fill and bought again."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(poll_seconds=60.0) as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        answered = await engine.cancel.cancel(order.order_id)
        assert (answered.status, answered.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
        assert engine.risk.positions(ACCOUNT)["ARCA:SPY"].quantity == held_at_venue(scene) == Decimal(10)
        await asyncio.sleep(120)
        assert (await engine.execute.execute(a_limit(time_in_force="GTC"))).order_id == order.order_id
        assert (len(sent_keys(scene)), len(all_at_venue(scene))) == (1, 1)
        names = await scene.event_names(order)
        assert names[3:] == ["Acknowledged", "CancelRequested", "CancelRefused", "Filled"]


async def test_a_fill_while_a_replace_is_under_way_is_booked_and_counts_in_the_new_quantity(tmp_path: Path) -> None:
    """Case 24 (Lean.TradeStation#84): a fill during an in-flight modify was thrown away."""
    slow = BY_HAND.model_copy(update={"replace_delay_seconds": 5.0, "commission": VenueCommission(per_unit=Decimal("0.01"))})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, Point.REPLACE, seconds=4.0)
        replacing = asyncio.create_task(engine.replace.replace(order.order_id, quantity=Decimal(20)))
        await asyncio.sleep(1)
        executed = await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        in_flight = await stored(scene, order)
        assert (in_flight.replace_requested, in_flight.filled_quantity) == (True, Decimal(4))
        assert list(in_flight.executions.reported) == [executed]
        await replacing
        await asyncio.sleep(10)
        known = await stored(scene, order)
        assert (known.quantity, known.filled_quantity, known.commission) == (Decimal(20), Decimal(4), Decimal("0.04"))
        assert (known.status, known.replace_requested, known.replace_pending) == (OrderStatus.PARTIAL, False, False)
        assert at_venue(scene, order) == [("WORKING", Decimal(4))]


@pytest.mark.parametrize("ending", ["cancelled", "filled first", "restarted"])
async def test_a_pending_cancel_of_a_partial_fill_is_settled_by_whatever_is_told_next(tmp_path: Path, ending: str) -> None:
    """Case 32 (nautilus#4787): partly filled, then cancelled, and for ever in pending cancel."""
    slow = BY_HAND.model_copy(update={"cancel_delay_seconds": 20.0})
    async with a_scene(tmp_path, slow) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        order = await engine.cancel.cancel(order.order_id)
        assert (order.status, order.cancel_pending) == (OrderStatus.PARTIAL, True)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        if ending == "filled first":
            await scene.control.fill(order.broker_order_id or "", Decimal(6), Decimal(400))
        if ending == "restarted":
            await scene.dies(engine)
            await asyncio.sleep(30)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await until(lambda: engine.is_quiet, seconds=60)
        known = await stored(scene, order)
        whole = ending == "filled first"
        assert (known.status, known.filled_quantity) == (
            (OrderStatus.FILLED, Decimal(10)) if whole else (OrderStatus.CANCELLED, Decimal(4))
        )
        assert (known.cancel_pending, known.requests) == (False, {})
        assert at_venue(scene, order) == [("FILLED", Decimal(10)) if whole else ("CANCELLED", Decimal(4))]
        assert held_at_venue(scene) == known.filled_quantity
        await engine.stop()
