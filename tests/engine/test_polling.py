"""How often a broker is asked for its whole list of open orders: seldom while its stream tells what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_limit, a_scene, until

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
GENTLE = replace(capabilities_of(BY_HAND), quiet_poll_seconds=15.0, requests_per_minute=200.0)
"""As Kite: polls may be a quarter of 200 a minute."""


@asynccontextmanager
async def counted(folder: Path) -> AsyncIterator[tuple[Scene, Engine, Callable[[], int]]]:
    """The last tells how often the list was asked for."""
    async with a_scene(folder, BY_HAND, capabilities=GENTLE, terms={"reconcile_seconds": 1e6}) as scene, scene.living() as engine:
        asked: list[float] = []

        async def open_orders() -> Sequence[OrderSnapshot]:
            asked.append(scene.clock.monotonic())
            return await scene.witness._broker.open_orders()

        scene.witness.answers["open_orders"] = open_orders
        yield scene, engine, lambda: len(asked)


async def in_a_minute(asked: Callable[[], int]) -> int:
    before = asked()
    await asyncio.sleep(60)
    return asked() - before


async def test_an_account_without_open_orders_is_not_polled(tmp_path: Path) -> None:
    async with counted(tmp_path) as (_, _, asked):
        assert await in_a_minute(asked) == 0


async def test_open_orders_are_polled_slowly_while_the_stream_lives(tmp_path: Path) -> None:
    async with counted(tmp_path) as (_, engine, asked):
        await engine.execute.execute(a_limit())
        assert await in_a_minute(asked) in (4, 5)


async def test_open_orders_are_polled_fast_while_the_stream_is_down(tmp_path: Path) -> None:
    async with counted(tmp_path) as (scene, engine, asked):
        await engine.execute.execute(a_limit())
        scene.witness.will_raise("connect", *([BrokerConnectionError("nobody listens")] * 99))
        await scene.control.drop_streams()
        assert await in_a_minute(asked) in (49, 50)
        scene.witness.errors.clear()
        await asyncio.sleep(60)
        assert await in_a_minute(asked) in (4, 5)


async def test_open_orders_are_polled_fast_while_a_request_has_no_answer(tmp_path: Path) -> None:
    async with counted(tmp_path) as (scene, engine, asked):
        await engine.execute.execute(a_limit("first"))
        await asyncio.sleep(5)
        await scene.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LATE, seconds=6))
        before = asked()
        await engine.execute.execute(a_limit("second"))
        assert asked() - before in (4, 5)


async def test_a_doubt_is_asked_about_by_itself_and_more_and_more_seldom(tmp_path: Path) -> None:
    """One that only a person can end may stand for hours."""
    async with counted(tmp_path) as (scene, engine, asked):
        await scene.control.lay(
            Fault(kind=FaultKind.REQUEST_LOST, on=Point.SUBMIT), Fault(kind=FaultKind.QUERY_FAILED, on=Point.FIND)
        )
        order = await engine.execute.execute(a_limit())
        assert order.is_in_doubt
        assert await in_a_minute(asked) in (4, 5)
        (doubt,) = engine.doubts.standing()
        assert doubt.asked >= 6


async def test_a_push_that_is_lost_is_found_by_the_slow_poll(tmp_path: Path) -> None:
    async with counted(tmp_path) as (scene, engine, _):
        order = await engine.execute.execute(a_limit())
        await scene.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        before = scene.clock.monotonic()
        await scene.control.fill(order.broker_order_id or "", Decimal(1), Decimal(400))
        await until(lambda: engine.orders.unfinished(ACCOUNT)[0].filled_quantity == 1)
        assert scene.clock.monotonic() - before <= 16
