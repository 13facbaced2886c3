"""Ids of signals that are made here: nobody else may give them, and where somebody did in an older release, nothing is lost."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import InvalidInput
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_waiting_exits import SHORTS, held
from tests.engine.test_waiting_orders import AGED, EARLY, THE_OPEN, ended
from tests.field_cases.evidence import held_at_venue

D = Decimal
FLAT = "flatten-2025-03-10-ARCA:SPY-1"


async def of_an_older_release(engine: Engine, signal_id: str, **fields: Any) -> LiveOrder:
    """An order whose signal somebody gave this id, when that was allowed."""
    said: dict[str, Any] = {"symbol": "AAPL", "price": 100, "quantity": 3, "time_in_force": "GTC"}
    given = a_limit("given", **said | fields)
    return await engine.execute.execute(given.model_copy(update={"signal_id": signal_id}))


@pytest.mark.parametrize("state", ["open", "not cancelled", "filled", "refused"])
async def test_a_kill_closes_though_a_signal_has_the_id_of_its_order(tmp_path: Path, state: str) -> None:
    async with a_scene(tmp_path, STILL, limits=SHORTS) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("in", quantity=20))
            price = 100 if state in ("open", "not cancelled") else 1000
            theirs = await of_an_older_release(engine, FLAT, price=price, quantity=D(3) if state != "refused" else D("0.1"))
            await until(lambda: price == 100 or engine.is_quiet)
        async with scene.living() as engine:
            if state == "not cancelled":
                await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, None, seconds=60)
            report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
            await until(lambda: engine.is_quiet, 120)
            assert await held(engine) == held_at_venue(scene) == 0
            assert report.is_flat is (state != "not cancelled")
            assert (await engine.orders.get(theirs.order_id)).terms.quantity == theirs.terms.quantity


@pytest.mark.parametrize("state", ["open", "filled"])
async def test_a_position_is_adopted_though_a_signal_has_the_id_of_the_adoption(tmp_path: Path, state: str) -> None:
    async with a_scene(tmp_path, STILL, limits=SHORTS) as scene, scene.living() as engine:
        theirs = await of_an_older_release(engine, "adopted-position-c1", price=100 if state == "open" else 1000)
        await until(lambda: state == "open" or engine.is_quiet)
        adopted = [await adopts_seven(engine, name) for name in ("c1", "c1", "c1~2", "c1~2")]
        assert adopted[0].order_id == adopted[1].order_id != theirs.order_id
        assert adopted[2].order_id == adopted[3].order_id != adopted[0].order_id
        assert engine.risk.positions(ACCOUNT)["ARCA:SPY"].quantity == 14


async def adopts_seven(engine: Engine, name: str) -> LiveOrder:
    return await engine.adopt.adopt_position(ACCOUNT, "SPY", None, D(7), D(500), "it is there", "person:ann", name)


async def test_an_order_is_adopted_though_a_signal_has_the_id_of_the_adoption(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL, limits=SHORTS) as scene, scene.living() as engine:
        broker_id = await scene.control.place(ACCOUNT, "ARCA:SPY", Side.BUY, D(9), D(400))
        theirs = await of_an_older_release(engine, f"adopted-order-{broker_id}")
        adopted = [await engine.adopt.adopt_order(ACCOUNT, broker_id, "it is mine", "person:ann") for _ in range(2)]
        assert {each.order_id for each in adopted} == {adopted[0].order_id}
        assert adopted[0].order_id != theirs.order_id
        assert (adopted[0].broker_order_id, adopted[0].quantity) == (broker_id, D(9))


@pytest.mark.parametrize("signal_id", ["x:opens", FLAT, "adopted-order-7", "adopted-position-c1"])
async def test_what_waits_under_such_an_id_outlives_an_upgrade(tmp_path: Path, signal_id: str) -> None:
    async with a_scene(tmp_path, STILL, limits=AGED, start=EARLY) as scene:
        async with scene.living() as engine:
            given = a_signal("given", hours="next_open", quantity=D(3)).model_copy(update={"signal_id": signal_id})
            order = await engine.execute.execute(given)
            assert order.is_waiting
            with pytest.raises(InvalidInput, match="give another id"):
                Signal.model_validate_json(given.to_json())
        async with scene.living() as engine:
            await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds())
            assert (await ended(engine, order)).status is OrderStatus.FILLED


async def test_the_ids_that_are_made_here_are_those_that_nobody_may_give(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL, limits=SHORTS) as scene, scene.living() as engine:
        made = [await adopts_seven(engine, "c1")]
        broker_id = await scene.control.place(ACCOUNT, "ARCA:SPY", Side.BUY, D(9), D(400))
        made.append(await engine.adopt.adopt_order(ACCOUNT, broker_id, "it is mine", "person:ann"))
        await engine.execute.execute(a_signal("in", quantity=20))
        await engine.kill_all.kill("enough", "person:ann", flatten=True)
        made += [order async for order in flattening(scene, engine)]
        assert len(made) > 2
        for order in made:
            with pytest.raises(InvalidInput, match="give another id"):
                a_signal(order.intent.signal_id)


async def flattening(scene: Scene, engine: Engine) -> Any:
    async for page in engine.store.log():
        for each in page:
            if each.event.shown_name == "Requested" and each.event.strategy_name == "flatten":  # type: ignore[attr-defined]  # of an order
                yield await engine.orders.get(each.event.order_id)  # type: ignore[attr-defined]  # of an order
