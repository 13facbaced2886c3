"""A sized STOP_LOSS or TAKE_PROFIT for what is held goes out at once, whatever entry is open beside it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.engine.scenes import Scene, a_limit, a_scene, until
from tests.engine.test_making_way import LIMIT, STOP, code_of, holding
from tests.engine.test_targets import in_doubt
from tests.engine.test_waiting_exits import BY_HAND, an_exit, fills
from tests.engine.test_waiting_orders import at_the_open

D = Decimal
TAKE_PROFIT = LIMIT | {"role": "TAKE_PROFIT"}


async def adds(scene: Scene, engine: Any, how: str) -> Any:
    """An order that would add 5 to what is held."""
    if how == "in doubt":
        return await in_doubt(scene, engine, a_limit("more", quantity=5))
    if how == "waiting":
        return await engine.execute.execute(at_the_open("more", quantity=5))
    return await engine.execute.execute(a_limit("more", 300, quantity=5, time_in_force="GTC"))


@pytest.mark.parametrize("how", ["resting", "in doubt", "waiting"])
@pytest.mark.parametrize("guard", [STOP | {"quantity": 10}, TAKE_PROFIT | {"quantity": 10}, STOP | {"quantity": 3}])
async def test_a_guard_of_what_is_held_waits_for_no_entry(tmp_path: Path, guard: dict[str, Any], how: str) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        if how == "waiting":
            asyncio.get_running_loop().pass_time(5 * 3600)  # type: ignore[attr-defined]  # of the virtual loop
            await asyncio.sleep(5)
        entry = await adds(scene, engine, how)
        assert entry.is_waiting is (how == "waiting")
        order = await engine.execute.execute(an_exit("guard", **guard))
        assert (order.is_waiting, order.quantity, order.is_sent) == (False, D(guard["quantity"]), True)
        assert not (await engine.orders.get(entry.order_id)).cancels


@pytest.mark.parametrize(
    ("guard", "waits"),
    [
        (STOP | {"quantity": 6}, False),
        (STOP | {"quantity": 7}, True),
        (STOP | {"quantity": 15}, True),
        (STOP, True),
        (STOP | {"percent": 50}, True),
        (TAKE_PROFIT | {"quantity": 7}, True),
        (STOP | {"quantity": 6, "role": "EXIT"}, True),
    ],
)
async def test_one_for_more_waits_and_so_does_one_without_a_size(tmp_path: Path, guard: dict[str, Any], waits: bool) -> None:
    """Four of the ten have an exit."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("other", quantity=4, **{**STOP, "stop_price": "290"}))
        await adds(scene, engine, "resting")
        assert (await engine.execute.execute(an_exit("guard", **guard))).is_waiting is waits


@pytest.mark.parametrize("stop", [{}, {"quantity": 20}, {"percent": 100}])
async def test_a_take_profit_of_what_is_held_goes_out_before_no_stop_loss_that_waits(tmp_path: Path, stop: dict[str, Any]) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=20))
        loss = await engine.execute.execute(an_exit("stop", **STOP | stop))
        profit = await engine.execute.execute(an_exit("profit", **TAKE_PROFIT | {"quantity": 10}))
        await fills(scene, engine, entry, 10)
        await asyncio.sleep(10)
        late = await engine.execute.execute(an_exit("late", **TAKE_PROFIT | {"quantity": 10}))
        assert all([(await engine.orders.get(each.order_id)).is_waiting for each in (loss, profit, late)])
        await engine.cancel.cancel(entry.order_id)
        await until(lambda: scene.venue_orders(loss) != [])
        assert (await engine.orders.get(loss.order_id)).quantity == D(10)
        await asyncio.sleep(10)
        assert [await code_of(scene, each) for each in (profit, late)] == ["already_closing"] * 2


async def test_one_that_waits_goes_out_once_so_much_of_its_entry_is_filled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=20))
        stop = await engine.execute.execute(an_exit("stop", **STOP | {"quantity": 10}))
        profit = await engine.execute.execute(an_exit("profit", **TAKE_PROFIT | {"quantity": 10}))
        await fills(scene, engine, entry, 6)
        await asyncio.sleep(10)
        assert all([(await engine.orders.get(each.order_id)).is_waiting for each in (stop, profit)])
        await fills(scene, engine, entry, 4)
        await until(lambda: scene.venue_orders(stop) != [])
        assert (await engine.orders.get(stop.order_id)).quantity == D(10)
        await asyncio.sleep(10)
        assert (await engine.orders.get(profit.order_id)).is_waiting
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(profit) != [])
        assert not (await engine.orders.get(entry.order_id)).cancels
        assert (await scene.event_names(stop)).count("WaitBegan") == 1
