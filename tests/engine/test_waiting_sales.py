"""A sized sale without an effect, where nothing may be short: it waits for what is being bought, and has none of it cancelled."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Refused
from liveorder.domain.signal import Signal
from tests.engine.scenes import LAX, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP
from tests.engine.test_waiting_exits import BY_HAND, fills, held
from tests.engine.test_waiting_orders import ended


def a_sale(quantity: int, signal_id: str = "sale") -> Signal:
    return a_signal(signal_id, side="SELL", quantity=Decimal(quantity))


async def code(scene: Scene, order: LiveOrder) -> str:
    (refused,) = [event for event in await scene.events(order) if isinstance(event, Refused)]
    return refused.code


async def bought(scene: Scene, engine: Engine, filled: int) -> LiveOrder:
    """Ten are, and so many are filled."""
    entry = await engine.execute.execute(a_limit("in", quantity=10))
    if filled:
        await fills(scene, engine, entry, filled)
    return entry


@pytest.mark.parametrize("filled", [0, 4])
async def test_a_sale_waits_until_what_it_sells_is_bought_whatever_life_it_is(tmp_path: Path, filled: int) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        entry = await bought(scene, engine, filled)
        sale = await engine.execute.execute(a_sale(10))
        assert sale.is_waiting
        assert str(entry.order_id) in (sale.error_message or "")
        await asyncio.sleep(30)
        await scene.dies(engine)
        async with scene.living() as again:
            assert not (await again.orders.get(entry.order_id)).cancels
            await fills(scene, again, entry, 10 - filled)
            await until(lambda: scene.venue_orders(sale) != [])
            await fills(scene, again, await again.orders.get(sale.order_id), 10)
            assert await held(again) == 0


async def test_a_sale_of_a_part_waits_for_no_more_than_that(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await bought(scene, engine, 0)
        sale = await engine.execute.execute(a_sale(4))
        await fills(scene, engine, entry, 4)
        await until(lambda: scene.venue_orders(sale) != [])
        entry = await engine.orders.get(entry.order_id)
        assert (entry.status, entry.cancels) == ("PARTIAL", 0)


@pytest.mark.parametrize("cancels", [True, False])
async def test_the_entry_that_a_sale_waited_for_stays_when_a_stop_makes_way_for_it(tmp_path: Path, cancels: bool) -> None:
    limits = LAX.model_copy(update={"exit_cancels_entry": cancels})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await bought(scene, engine, 10)
        await engine.execute.execute(a_signal("stop", side="SELL", quantity=None, **STOP))
        entry = await engine.execute.execute(a_limit("more", quantity=5))
        sale = await engine.execute.execute(a_sale(12))
        assert (sale.is_waiting, sale.wait is not None and sale.wait.reason) == (True, "ENTRY")
        await fills(scene, engine, entry, 2)
        await until(lambda: scene.venue_orders(sale) != [])
        entry = await engine.orders.get(entry.order_id)
        assert (entry.status, entry.cancels) == ("PARTIAL", 0)


async def test_a_sale_of_more_than_is_being_bought_is_refused_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await bought(scene, engine, 4)
        sale = await engine.execute.execute(a_sale(11))
        assert (sale.status, await code(scene, sale)) == ("REJECTED", "short_selling")


async def test_a_sale_of_what_is_not_bought_after_all_is_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await bought(scene, engine, 4)
        sale = await engine.execute.execute(a_sale(10))
        await engine.cancel.cancel(entry.order_id)
        sale = await ended(engine, sale)
        assert (sale.status, await code(scene, sale)) == ("REJECTED", "short_selling")
        assert scene.venue_orders(sale) == []


async def test_a_sale_waits_no_longer_than_a_signal_may_be_old(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10, time_in_force="GTC"))
        sale = await engine.execute.execute(a_signal("sale", side="SELL", quantity=Decimal(10), timestamp=scene.clock.now()))
        await asyncio.sleep(50)
        assert (await engine.orders.get(sale.order_id)).is_waiting
        await asyncio.sleep(15)
        sale = await engine.orders.get(sale.order_id)
        assert (sale.status, sale.reason) == ("CANCELLED", "STALE")
        assert not (await engine.orders.get(entry.order_id)).cancels


async def test_resting_exits_make_room_for_a_sale_that_trades_at_once_and_for_no_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await bought(scene, engine, 10)
        stop = {"side": "SELL", "order_type": "STOP", "stop_price": Decimal(300), "role": "STOP_LOSS", "quantity": Decimal(10)}
        guard = await engine.execute.execute(a_signal("guard", **stop))
        resting = await engine.execute.execute(a_limit("dear", side="SELL", quantity=10, limit_price=Decimal(600)))
        assert (resting.status, await code(scene, resting)) == ("REJECTED", "short_selling")
        sale = await engine.execute.execute(a_sale(10))
        assert sale.is_waiting
        assert (await ended(engine, guard)).status == "CANCELLED"
        await until(lambda: scene.venue_orders(sale) != [])
        await fills(scene, engine, await engine.orders.get(sale.order_id), 10)
        assert await held(engine) == 0


A_WAY_OUT = pytest.mark.parametrize(
    "fields",
    [
        {"role": "EXIT"},
        {"position_effect": "CLOSE"},
        {},
        {"quantity": 10},
        {"role": "STOP_LOSS", **STOP},
        {"side": None, "target_quantity": 0},
    ],
    ids=["exit", "close", "no size", "sized", "stop-loss", "target"],
)


@A_WAY_OUT
async def test_a_sale_that_waits_for_its_own_entry_keeps_no_other_strategy_from_its_exit(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    """B's sale will be of what B buys, and of nothing that A holds."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_limit("in", quantity=10, strategy_name="A")), 10)
        entry = await engine.execute.execute(a_limit("b in", quantity=10, strategy_name="B"))
        sale = await engine.execute.execute(a_signal("b out", side="SELL", quantity=10, strategy_name="B"))
        assert sale.is_waiting
        out = await engine.execute.execute(a_signal("out", **({"side": "SELL", "quantity": None, "strategy_name": "A"} | fields)))
        await until(lambda: scene.venue_orders(out) != [])
        out = await engine.orders.get(out.order_id)
        assert (out.quantity, out.error_message) == (Decimal(10), None)
        await fills(scene, engine, out, 10)
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(sale) != [])
        assert (await engine.orders.get(sale.order_id)).quantity == 10
