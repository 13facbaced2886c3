"""An order that surely never left, and that nobody takes to the broker any more, is taken up again while the service runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.lifecycle import OrderStatus
from tests.engine.scenes import a_scene, a_signal, until
from tests.engine.test_intake import Told


async def test_an_order_whose_next_attempt_met_a_store_that_was_away_is_sent_when_it_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerConnectionError("no line"))
        reading = asyncio.create_task(engine.intake.read(Told(a_signal())))
        await until(lambda: len(scene.witness.calls) == 1)
        scene.lock_store()
        await asyncio.sleep(3)
        scene.unlock_store()
        await reading
        await until(lambda: engine.is_quiet)
        order = await engine.execute.execute(a_signal())
        assert order.status is OrderStatus.FILLED
        assert len(scene.venue_orders(order)) == 1


async def test_an_order_that_somebody_drives_is_not_driven_twice(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerConnectionError("no line"))
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await until(lambda: len(scene.witness.calls) == 1)
        (waiting,) = engine.orders.unfinished()
        assert await engine.submit.resume(waiting) is waiting
        assert engine.recover.resubmit_unsent(engine.submit.submitting) == 0
        await executing
        assert len(scene.witness.calls) == 2
