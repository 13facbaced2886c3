"""An order that was closed here as never received, and turns up at the venue all the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from liveorder.domain.lifecycle import OrderStatus
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from tests.harness.virtual_time import run_virtually
from tests.harness.worlds import STILL, a_signal, a_world, until

HELD_TOO_LONG = Fault(kind=FaultKind.REQUEST_HELD, on=Point.SUBMIT, nth=1, seconds=120.0)


def test_an_order_that_turns_up_after_a_person_settled_it_as_absent_is_cancelled_and_shown(tmp_path: Path) -> None:
    async def history() -> None:
        venue = STILL.model_copy(update={"faults": FaultPlan(faults=(HELD_TOO_LONG,))})
        patient = replace(SIMULATED_CAPABILITIES, delivery_bound_seconds=3600.0)
        async with a_world(tmp_path, venue, capabilities=patient) as world, world.living() as engine:
            sent = await engine.execute.execute(a_signal(order_type="LIMIT", limit_price=Decimal(400)))
            assert sent.is_in_doubt
            settled = await engine.doubts.settle_absent(sent.order_id, "the desk has no such order", "person:ann")
            assert settled.status is OrderStatus.CANCELLED
            await until(lambda: bool(world.venue_orders(sent)))
            await until(lambda: world.venue_orders(sent)[0]["state"] == "CANCELLED")
            await until(lambda: engine.is_quiet)
            order = await engine.orders.get(sent.order_id)
            assert order.status is OrderStatus.CANCELLED
            assert order.needs_review
            assert len(world.venue_orders(sent)) == 1

    run_virtually(history())
