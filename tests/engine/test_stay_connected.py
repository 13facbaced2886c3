"""A connection that is lost is made again; while it cannot be, nothing new is sent; and nobody has to lift that."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from liveorder.application.engine.engine import Engine
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerAuthenticationError, BrokerConnectionError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.trading_halt import EVERYTHING, HaltReason, account_scope, connection_scope
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import ACCOUNT, LAX, Scene, a_limit, a_scene, a_signal, until

AWAY = BrokerConnectionError("nobody listens")
PERSISTENT = {"retry": RetryPolicy(20), "breaker_failures": 99}


async def loses_the_connection(scene: Scene, attempts: int, error: Exception = AWAY) -> None:
    """For so many attempts, or for ever where they are more than will be made."""
    scene.witness.will_raise("connect", *([error] * attempts))
    await scene.control.drop_streams()


def halts(engine: Engine) -> list[tuple[str, HaltReason]]:
    return [(halt.scope, halt.reason) for halt in engine.halts.standing()]


async def test_a_stream_that_ends_is_followed_again_without_a_halt(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await loses_the_connection(scene, 2)
        await asyncio.sleep(10)
        assert not halts(engine)
        order = await engine.execute.execute(a_limit())
        await scene.control.lay(
            Fault(kind=FaultKind.QUERY_FAILED, on=Point.FIND), Fault(kind=FaultKind.QUERY_FAILED, on=Point.OPEN_ORDERS)
        )
        await scene.control.post_price(order.intent.instrument.key, Decimal(399))
        await until(lambda: engine.is_quiet)
        assert scene.witness.errors["connect"] == []
        assert [scene.log.of("HALT"), scene.log.of("BROKER")] == [[], ["Not connected: nobody listens"]]


async def test_three_attempts_that_fail_halt_the_account_until_one_succeeds(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=(ACCOUNT, "B")) as scene, scene.living() as engine:
        await loses_the_connection(scene, 5)
        await until(lambda: halts(engine) == [(connection_scope(ACCOUNT), HaltReason.CONNECTION_LOST)])
        waiting = await engine.execute.execute(a_signal("while away"))
        assert (waiting.status, waiting.is_waiting) == (OrderStatus.PENDING, True)
        assert (await engine.execute.execute(a_signal("elsewhere", account_id="B"))).is_sent
        await until(lambda: not halts(engine))
        assert (await engine.execute.execute(a_signal("again"))).is_sent


async def test_an_order_that_surely_is_not_there_waits_for_the_connection_and_goes_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=PERSISTENT) as scene, scene.living() as engine:
        order = await _never_arrived_before_the_connection_was_lost(scene, engine)
        assert (order.is_sent, order.is_at_broker, order.status.is_closed) == (True, False, False)
        scene.witness.errors["connect"].clear()
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_an_order_that_waits_for_the_connection_grows_stale(tmp_path: Path) -> None:
    strict = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, limits=strict, account_terms=PERSISTENT) as scene, scene.living() as engine:
        order = await _never_arrived_before_the_connection_was_lost(scene, engine)
        await asyncio.sleep(60)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")


async def test_an_order_that_waits_for_the_connection_ends_by_a_kill(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=PERSISTENT) as scene, scene.living() as engine:
        order = await _never_arrived_before_the_connection_was_lost(scene, engine)
        await engine.kill_all.kill("enough", "person:ann")
        await asyncio.sleep(5)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def _never_arrived_before_the_connection_was_lost(scene: Scene, engine: Engine) -> LiveOrder:
    scene.witness.will_raise("submit", *[AWAY] * 20)
    executing = asyncio.create_task(engine.execute.execute(a_limit(price=600, time_in_force="GTC")))
    await loses_the_connection(scene, 1000)
    await until(lambda: bool(halts(engine)))
    scene.witness.errors["submit"].clear()
    return await executing


async def test_a_connection_that_comes_back_lifts_no_other_halt(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await loses_the_connection(scene, 4)
        await until(lambda: bool(halts(engine)))
        await engine.kill_all.kill("enough", "person:ann")
        await asyncio.sleep(60)
        assert halts(engine) == [(EVERYTHING, HaltReason.KILL_SWITCH)]


async def test_a_life_that_connects_lifts_the_halt_of_the_one_before(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await loses_the_connection(scene, 1000)
            await until(lambda: bool(halts(engine)))
            await asyncio.sleep(1)
        scene.witness.errors.clear()
        async with scene.living() as engine:
            assert not halts(engine)


async def test_credentials_that_are_refused_meanwhile_wait_for_a_person(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await loses_the_connection(scene, 1, BrokerAuthenticationError("the token has expired"))
        await asyncio.sleep(60)
        assert halts(engine) == [(account_scope(ACCOUNT), HaltReason.BROKER_AUTH)]
        assert (await engine.execute.execute(a_signal())).reason == "RISK"


async def test_attempts_are_made_at_growing_intervals_for_ever(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await loses_the_connection(scene, 1000)
        await asyncio.sleep(600)
        attempts = 1000 - len(scene.witness.errors["connect"])
        assert 20 <= attempts <= 30
        assert len(scene.log.of("HALT")) == 1
        assert halts(engine)
