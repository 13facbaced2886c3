"""Exits of what is not held yet: beside an entry that waits, or a reversal that waits or is under way, in one order or in two."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP, code_of
from tests.engine.test_reversals import APART, WAYS, holding, turns
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import THE_OPEN

JUST_BEFORE = THE_OPEN - timedelta(seconds=20)
AGED = SHORTS.model_copy(update={"max_signal_age_seconds": 900.0})
OF_SHORT = {"side": "BUY", "order_type": "STOP", "stop_price": "700", "role": "STOP_LOSS"}
BRACKETS: dict[str, dict[str, Any]] = {
    "stop": OF_SHORT,
    "sized stop": OF_SHORT | {"quantity": 5},
    "profit": {"side": "BUY", "order_type": "LIMIT", "limit_price": "400", "role": "TAKE_PROFIT"},
}
CLOSES: dict[str, dict[str, Any]] = {
    "exit": {"side": "BUY"},
    "close": {"side": "BUY", "role": "ENTRY", "position_effect": "CLOSE"},
}


async def working(engine: Any, order: LiveOrder) -> LiveOrder:
    await until(lambda: (now := engine.orders.unfinished_with(order.order_id)) is not None and now.status.name == "SUBMITTED")
    found: LiveOrder = await engine.orders.get(order.order_id)
    return found


async def turns_round(scene: Scene, engine: Any) -> None:
    """All that turns it is filled, in whatever order it comes."""
    for _ in range(40):
        await asyncio.sleep(1)
        for order in [*engine.orders.unfinished()]:
            if order.terms.side == "SELL" and order.broker_order_id is not None and order.terms.role == "ENTRY":
                left = (order.quantity or 0) - order.filled_quantity
                await fills(scene, engine, order, int(left))


@pytest.mark.parametrize("sized", [{}, {"quantity": 10}], ids=["all", "sized"])
@pytest.mark.parametrize(
    "stop", [STOP, {"order_type": "LIMIT", "limit_price": "600", "role": "TAKE_PROFIT"}], ids=["stop", "profit"]
)
async def test_a_bracket_leaves_its_entry_that_waits_for_the_open(
    tmp_path: Path, stop: dict[str, Any], sized: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=AGED, start=JUST_BEFORE) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in", quantity=10, hours="next_open"))
        guard = await engine.execute.execute(an_exit("guard", **sized, **stop))
        assert (entry.is_waiting, guard.is_waiting) == (True, True)
        await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() + 5)
        await fills(scene, engine, await working(engine, entry), 10)
        assert (await working(engine, guard)).quantity == 10


@pytest.mark.parametrize("venue", [BY_HAND, APART], ids=["one order", "two legs"])
@pytest.mark.parametrize("when", ["waits", "works"])
@pytest.mark.parametrize("bracket", BRACKETS)
@pytest.mark.parametrize("way", ["sized", "open", "target"])
async def test_a_bracket_of_the_other_side_waits_until_it_has_turned(
    tmp_path: Path, way: str, bracket: str, when: str, venue: Any
) -> None:
    async with a_scene(tmp_path, venue, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        if when == "waits":  # for the end of a stop
            await engine.execute.execute(an_exit("stop", **STOP))
            await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        turn = await turns(engine, **WAYS[way])
        assert turn.is_waiting or when == "works"
        guard = await engine.execute.execute(an_exit("guard", **BRACKETS[bracket]))
        assert guard.is_waiting
        await turns_round(scene, engine)
        assert await held(engine) == -5
        guard = await working(engine, guard)
        assert guard.terms.side is Side.BUY
        assert guard.quantity == 5


@pytest.mark.parametrize("venue", [BY_HAND, APART], ids=["one order", "two legs"])
@pytest.mark.parametrize("when", ["waits", "works"])
@pytest.mark.parametrize("close", CLOSES)
async def test_an_exit_of_the_other_side_ends_flat(tmp_path: Path, close: str, when: str, venue: Any) -> None:
    """It closes what one order has turned the position into; of two legs it has the second cancelled, as any entry."""
    async with a_scene(tmp_path, venue, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        if when == "waits":
            await engine.execute.execute(an_exit("stop", **STOP))
            await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        await turns(engine, **WAYS["sized"])
        out = await engine.execute.execute(an_exit("out", **CLOSES[close]))
        assert out.is_waiting
        await turns_round(scene, engine)
        if venue is BY_HAND:
            out = await working(engine, out)
            assert out.terms.side is Side.BUY
            assert out.quantity == 5
            await fills(scene, engine, out, 5)
        assert await held(engine) == 0
        assert [each for each in engine.orders.unfinished() if each.terms.role == "ENTRY"] == []


@pytest.mark.parametrize("out", [*CLOSES.values(), OF_SHORT, OF_SHORT | {"quantity": 10}], ids=[*CLOSES, "stop", "sized stop"])
async def test_what_can_be_turned_no_more_is_waited_for_no_longer(tmp_path: Path, out: dict[str, Any]) -> None:
    """It waited for an entry that would open a short; a long position came in between, which that entry cannot turn round."""
    async with (
        a_scene(tmp_path, BY_HAND, limits=SHORTS.model_copy(update={"exit_cancels_entry": False})) as scene,
        scene.living() as engine,
    ):
        entry = await working(engine, await engine.execute.execute(a_limit("short", side="SELL", quantity=10, limit_price="600")))
        bought = await working(engine, await engine.execute.execute(a_signal("long", quantity=10)))
        leaves = await engine.execute.execute(an_exit("out", **out))
        assert leaves.is_waiting
        await fills(scene, engine, bought, 10)
        await until(lambda: engine.orders.unfinished_with(leaves.order_id) is None)
        assert await code_of(scene, leaves) == "close_would_add"
        assert not (await engine.orders.get(entry.order_id)).cancels


@pytest.mark.parametrize("venue", [BY_HAND, APART], ids=["one order", "two legs"])
async def test_a_reversal_that_the_count_of_trades_refuses_closes_nothing(tmp_path: Path, venue: Any) -> None:
    limits = SHORTS.model_copy(update={"max_daily_trades": 2})
    async with a_scene(tmp_path, venue, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        resting = await working(engine, stop)
        turn = await turns(engine, **WAYS["sized"])
        assert turn.status is OrderStatus.REJECTED
        assert await held(engine) == 20
        assert await code_of(scene, turn) == "daily_trade_count"
        assert (await engine.orders.get(resting.order_id)).status is OrderStatus.SUBMITTED
