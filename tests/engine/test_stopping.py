"""Once we are told to stop, nothing new is sent: what is decided by then is stored, and the next start takes it up."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from liveorder.domain.errors import BrokerConnectionError
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import STILL, a_limit, a_scene, a_signal, until

UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_what_is_decided_while_we_stop_is_sent_by_the_next_start_and_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        engine.send_no_more()
        order = await engine.execute.execute(a_signal("late"))
        assert (order.attempts, scene.venue_orders(order)) == (0, [])
        await engine.stop()
        async with scene.living() as again:
            await until(lambda: bool(scene.venue_orders(order)))
            await asyncio.sleep(60)
            assert len(scene.venue_orders(order)) == 1
            assert (await again.orders.get(order.order_id)).status == "FILLED"


async def test_an_attempt_that_failed_is_not_repeated_while_we_stop(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.will_raise("submit", BrokerConnectionError("connection refused"))
        executing = asyncio.create_task(engine.execute.execute(a_signal("refused")))
        await until(lambda: len(scene.witness.of("submit")) == 1)
        engine.send_no_more()
        order = await executing
        assert (order.attempts, scene.venue_orders(order), len(scene.witness.of("submit"))) == (1, [], 1)
        await engine.stop()
        async with scene.living():
            await until(lambda: len(scene.venue_orders(order)) == 1)


async def test_a_close_that_is_asked_again_is_the_order_that_it_became(tmp_path: Path) -> None:
    """A command whose answer was lost with its owner comes again: later, and perhaps when less is held."""
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await scene.control.fill(entry.broker_order_id or "", Decimal(10), Decimal(500))
        await until(lambda: engine.orders.unfinished_with(entry.order_id) is None)
        first = await engine.close_positions.close("c1", "ann", "SPY")
        await asyncio.sleep(5)
        again = await engine.close_positions.close("c1", "ann", "SPY")
        assert [order.order_id for order in again.orders] == [order.order_id for order in first.orders]
        assert (len(first.orders), again.failures) == (1, [])
