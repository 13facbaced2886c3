"""Where exits leave entries alone (`exit_cancels_entry` is off) targets and reversals do too, and end where they were to end."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from tests.engine.scenes import Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP
from tests.engine.test_reversals import APART
from tests.engine.test_targets import in_doubt, target
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held

D = Decimal
STAY = SHORTS.model_copy(update={"exit_cancels_entry": False})
SIGN = {"BUY": 1, "SELL": -1}
OTHER = {"BUY": "SELL", "SELL": "BUY"}

WAYS: dict[str, tuple[dict[str, Any], int]] = {
    "flat": ({"target_quantity": 0}, 0),
    "flat, percent": ({"target_percent": 0}, 0),
    "less": ({"target_quantity": 4}, 4),
    "as held": ({"target_quantity": 10}, 10),
    "between": ({"target_quantity": 12}, 12),
    "other side": ({"target_quantity": -4}, -4),
    "open": ({"position_effect": "OPEN", "quantity": 5}, -5),
    "sized": ({"quantity": 25}, -10),
}
"""What a strategy of 10 orders beside an entry for 5 more, and what it holds in the end: the sized order sells 25 of 15."""


async def a_turn(engine: Engine, way: str, side: str, signal_id: str = "turn") -> LiveOrder:
    """As of a strategy that holds on `side`."""
    fields = dict(WAYS[way][0])
    if "target_quantity" in fields:
        fields["target_quantity"] *= SIGN[side]
    is_target = "target_quantity" in fields or "target_percent" in fields
    fields = {"quantity": None, "side": None if is_target else OTHER[side]} | fields
    return await engine.execute.execute(a_signal(signal_id, **fields))


async def holding(scene: Scene, engine: Engine, side: str) -> tuple[LiveOrder, LiveOrder]:
    """Ten, a stop for them, and an entry for five more."""
    await fills(scene, engine, await engine.execute.execute(a_signal("in", side=side, quantity=10)), 10)
    stop = STOP | {"stop_price": "300" if side == "BUY" else "700", "side": OTHER[side]}
    guard = await engine.execute.execute(an_exit("stop", **stop))
    price = 400 if side == "BUY" else 600
    return guard, await engine.execute.execute(a_limit("more", price, side=side, quantity=5, time_in_force="GTC"))


async def all_fill(scene: Scene, engine: Engine) -> None:
    for _ in range(6):
        await asyncio.sleep(5)
        for each in engine.orders.unfinished():
            if each.is_acknowledged and not each.cancel_requested and each.terms.order_type == "MARKET":
                await fills(scene, engine, each, int(each.remaining_quantity))


@pytest.mark.parametrize(
    ("venue", "ends", "restarted"),
    [(BY_HAND, "filled", False), (APART, "part", False), (BY_HAND, "cancelled", False), (APART, "filled", True)],
    ids=["filled", "part, two legs", "cancelled", "restart, two legs"],
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_it_waits_until_the_entry_has_ended_and_goes_by_what_is_held_then(
    tmp_path: Path, side: str, way: str, ends: str, venue: Any, restarted: bool
) -> None:
    """What guards the position stands as long."""
    async with a_scene(tmp_path, venue, limits=STAY) as scene:
        engine = scene.engine()
        await engine.start()
        guard, more = await holding(scene, engine, side)
        order = await a_turn(engine, way, side)
        assert order.is_waiting
        if restarted:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await asyncio.sleep(10)
        assert not (await engine.orders.get(more.order_id)).cancels
        assert not (await engine.orders.get(guard.order_id)).cancels
        filled = {"filled": 5, "part": 2, "cancelled": 0}[ends]
        if filled:
            await fills(scene, engine, more, filled)
        if ends != "filled":
            await engine.cancel.cancel(more.order_id)
        await all_fill(scene, engine)
        end = WAYS[way][1] if way != "sized" else 10 + filled - 25
        assert await held(engine) == D(end * SIGN[side])
        assert (await engine.orders.get(more.order_id)).cancel_reason != "MADE_WAY"
        await engine.stop()


async def test_with_the_setting_on_the_entry_is_cancelled_and_the_same_is_held_in_the_end(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        _, more = await holding(scene, engine, "BUY")
        await a_turn(engine, "flat", "BUY")
        await all_fill(scene, engine)
        assert (await engine.orders.get(more.order_id)).cancel_reason == "MADE_WAY"
        assert await held(engine) == 0


@pytest.mark.parametrize("limits", [STAY, STAY.model_copy(update={"allow_short_selling": False})], ids=["shorts", "long only"])
async def test_the_newest_target_counts_all_the_same(tmp_path: Path, limits: RiskLimits) -> None:
    """What an older target placed is no entry of a signal's own."""
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        older = await target(engine, 10, "older", order_type="LIMIT", limit_price="400")
        await fills(scene, engine, older, 4)
        entry = await engine.execute.execute(a_limit("more", quantity=5, time_in_force="GTC"))
        newer = await target(engine, 0, "newer")
        await asyncio.sleep(10)
        assert (await engine.orders.get(older.order_id)).cancel_reason == "MADE_WAY"
        assert not (await engine.orders.get(entry.order_id)).cancels
        assert (await engine.orders.get(newer.order_id)).is_waiting
        await engine.cancel.cancel(entry.order_id)
        await all_fill(scene, engine)
        assert await held(engine) == 0


async def test_exits_that_lead_away_from_a_target_make_way_all_the_same(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=STAY) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in", quantity=10)), 10)
        limit = await engine.execute.execute(an_exit("limit", order_type="LIMIT", limit_price="600"))
        sale = await engine.execute.execute(a_limit("sale", 600, side="SELL", quantity=10))
        order = await target(engine, 20)
        await until(lambda: scene.venue_orders(order) != [])
        assert [(await engine.orders.get(each.order_id)).cancel_reason for each in (limit, sale)] == ["MADE_WAY"] * 2


async def test_a_target_of_zero_waits_for_entries_on_both_sides_until_one_of_them_closes_what_the_other_opened(
    tmp_path: Path,
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=STAY) as scene, scene.living() as engine:
        buy = await engine.execute.execute(a_limit("buy", quantity=10))
        sell = await engine.execute.execute(a_limit("sell", 600, side="SELL", quantity=4))
        order = await target(engine, 0)
        assert order.is_waiting
        await asyncio.sleep(30)
        assert not any([(await engine.orders.get(each.order_id)).cancels for each in (buy, sell)])
        await fills(scene, engine, buy, 10)
        await all_fill(scene, engine)
        assert (await engine.orders.get(sell.order_id)).cancel_reason == "MADE_WAY"
        assert await held(engine) == 0


async def test_an_entry_in_doubt_is_waited_for_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=STAY) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in", quantity=10)), 10)
        doubt = await in_doubt(scene, engine, a_limit("lost", quantity=5))
        order = await target(engine, 0)
        assert order.is_waiting
        await scene.control.clear_faults()
        await until(lambda: (known := engine.orders.unfinished_with(doubt.order_id)) is not None and known.is_acknowledged, 3600)
        await asyncio.sleep(10)
        assert not (await engine.orders.get(doubt.order_id)).cancels
        await engine.cancel.cancel(doubt.order_id)
        await all_fill(scene, engine)
        assert await held(engine) == 0
