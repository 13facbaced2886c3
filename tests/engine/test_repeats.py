"""`repeat_window_seconds`: the same again too soon is refused, across restarts and side by side; an exit never is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Refused
from liveorder.domain.values import Side
from tests.engine.scenes import ACCOUNT, LAX, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_limit_tables import of_spy, of_trend
from tests.engine.test_making_way import STOP
from tests.engine.test_reversals import FILLS_BY_ITSELF, WAYS

WINDOW = LAX.model_copy(update={"repeat_window_seconds": 60.0, "allow_short_selling": True})


async def code_of(scene: Scene, order: LiveOrder) -> str | None:
    """Of the rule that refused it."""
    return next((event.code for event in await scene.events(order) if isinstance(event, Refused)), None)


async def test_the_same_again_is_refused_until_exactly_the_window_has_passed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=WINDOW) as scene, scene.living() as engine:
        first = await engine.execute.execute(a_signal("one"))
        await asyncio.sleep(59.999)
        again = await engine.execute.execute(a_signal("two"))
        assert (again.status, await code_of(scene, again)) == (OrderStatus.REJECTED, "repeated")
        assert again.error_message == (
            f"default ordered a BUY of SPY 59.999 s ago, order {first.order_id}; 0.001 s of repeat_window_seconds are left; "
            "send it again after that if it is meant"
        )
        await asyncio.sleep(0.001)
        assert (await engine.execute.execute(a_signal("three"))).is_sent
        assert await code_of(scene, await engine.execute.execute(a_signal("four"))) == "repeated"


@pytest.mark.parametrize(
    "other",
    [
        {"side": "SELL"},
        {"symbol": "AAPL"},
        {"strategy_name": "trend"},
        {"account_id": "OTHER"},
        {"side": "SELL", "role": "EXIT"},
        {"side": "SELL", "role": "STOP_LOSS"},
    ],
)
async def test_another_side_symbol_strategy_account_or_an_exit_is_no_repeat(tmp_path: Path, other: dict[str, Any]) -> None:
    async with a_scene(tmp_path, limits=WINDOW, accounts=(ACCOUNT, "OTHER")) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("one"))
        await until(lambda: engine.is_quiet)
        assert (await engine.execute.execute(a_signal("two", **other))).is_sent


@pytest.mark.parametrize(
    "exit_", [{"role": "EXIT"}, {"position_effect": "CLOSE"}, {}], ids=["by role", "by effect", "what only reduces"]
)
async def test_an_exit_may_follow_an_exit_at_once(tmp_path: Path, exit_: dict[str, Any]) -> None:
    async with a_scene(tmp_path, limits=WINDOW) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("one", quantity=10))
        await until(lambda: engine.is_quiet)
        for signal_id in ("half", "rest"):
            assert (await engine.execute.execute(a_signal(signal_id, side="SELL", quantity=5, **exit_))).is_sent


async def test_of_two_at_once_one_passes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=WINDOW) as scene, scene.living() as engine:
        both = await asyncio.gather(*(engine.execute.execute(a_signal(each)) for each in ("one", "two")))
        assert sorted([str(await code_of(scene, order)) for order in both]) == ["None", "repeated"]
        assert len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "filled"])
async def test_the_window_goes_on_over_a_restart(tmp_path: Path, is_open: bool) -> None:
    async with a_scene(tmp_path, limits=WINDOW) as scene:
        async with scene.living() as engine:
            first = await engine.execute.execute(a_limit("one") if is_open else a_signal("one"))
            await asyncio.sleep(1)
            assert (await engine.orders.get(first.order_id)).status.is_closed is not is_open
        await asyncio.sleep(20)
        async with scene.living() as engine:
            again = await engine.execute.execute(a_signal("two"))
            assert await code_of(scene, again) == "repeated"
            assert str(first.order_id) in (again.error_message or "")
            await asyncio.sleep(60)
            assert (await engine.execute.execute(a_signal("three"))).is_sent


async def test_it_counts_from_orders_before_the_setting_was_there(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("one"))
            await until(lambda: engine.is_quiet)
        scene.limits = WINDOW
        async with scene.living() as engine:
            assert await code_of(scene, await engine.execute.execute(a_signal("two"))) == "repeated"


async def test_the_window_of_an_order_that_waited_counts_from_when_it_was_sent(tmp_path: Path) -> None:
    early = datetime(2025, 3, 10, 13, 20, tzinfo=UTC)
    async with a_scene(tmp_path, start=early, limits=WINDOW) as scene, scene.living() as engine:
        waiting = [await engine.execute.execute(a_signal(each, hours="next_open")) for each in ("one", "two")]
        await asyncio.sleep(630)
        orders = [await engine.orders.get(order.order_id) for order in waiting]
        assert sorted([str(await code_of(scene, order)) for order in orders]) == ["None", "repeated"]
        assert await code_of(scene, await engine.execute.execute(a_signal("three"))) == "repeated"
        await asyncio.sleep(31)
        assert (await engine.execute.execute(a_signal("four"))).is_sent


async def test_a_refused_signal_is_no_order_to_repeat(tmp_path: Path) -> None:
    limits = WINDOW.model_copy(update={"max_order_quantity": 10})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        assert (await engine.execute.execute(a_signal("large", quantity=11))).status is OrderStatus.REJECTED
        assert (await engine.execute.execute(a_signal("small", quantity=10))).is_sent


async def test_without_the_setting_nothing_is_a_repeat(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        for signal_id in ("one", "two"):
            assert (await engine.execute.execute(a_signal(signal_id))).is_sent


# --- in a reversal ---------------------------------------------------------------------------------------------------------------

LEGS = {"one order": STILL, "two legs": FILLS_BY_ITSELF}
SHORTS = LAX.model_copy(update={"allow_short_selling": True})


def turning(way: str, side: Side) -> dict[str, Any]:
    """From 20 to 5 on the other side."""
    sign = 1 if side is Side.BUY else -1
    if way == "target":
        return WAYS[way] | {"target_quantity": 5 * sign}
    return WAYS[way] | {"side": side} | ({"stop_loss": 500 - 100 * sign} if way == "risk" else {})


async def long_of_20_and_a_stop(engine: Engine, side: Side, **fields: Any) -> LiveOrder:
    """Or short. 25 of it were, and 5 are closed just now."""
    await engine.execute.execute(a_signal("in", side=side, quantity=25, **fields))
    await until(lambda: engine.is_quiet)
    await asyncio.sleep(100)
    await engine.execute.execute(a_signal("part", side=side.opposite, quantity=5, **fields))
    await until(lambda: engine.is_quiet)
    stop = STOP | {"stop_price": "300" if side is Side.BUY else "700"}
    return await engine.execute.execute(a_signal("stop", side=side.opposite, quantity=20, **stop | fields))


@pytest.mark.parametrize(
    ("way", "of_table"),
    [*((way, None) for way in WAYS), ("sized", of_trend), ("target", of_spy)],
    ids=[*WAYS, "sized, of a strategy", "target, of a symbol"],
)
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("legs", LEGS)
async def test_a_reversal_that_repeats_is_refused_whole(tmp_path: Path, legs: str, side: Side, way: str, of_table: Any) -> None:
    """Nothing is closed and nothing cancelled, in however many orders it would go. After the window it goes."""
    limits, tables = (WINDOW, {}) if of_table is None else (SHORTS, of_table(repeat_window_seconds=60.0))
    async with a_scene(tmp_path, LEGS[legs], limits=limits, account_terms=tables) as scene, scene.living() as engine:
        stop = await long_of_20_and_a_stop(engine, side, strategy_name="trend")
        fields = turning(way, side.opposite) | {"strategy_name": "trend"}
        verdict = await engine.execute.appraise(a_signal("turn", **fields))
        assert [each.code for each in verdict.refusals] == ["repeated"]
        order = await engine.execute.execute(a_signal("turn", **fields))
        assert (order.status, await code_of(scene, order)) == (OrderStatus.REJECTED, "repeated")
        await asyncio.sleep(5)
        assert [each.order_id for each in engine.orders.unfinished()] == [stop.order_id]
        assert not (await engine.orders.get(stop.order_id)).cancels
        await asyncio.sleep(55)
        await engine.execute.execute(a_signal("again", **fields))
        await until(lambda: engine.is_quiet and not engine.orders.unfinished())
        held = sum(each.quantity for each in engine.risk.positions(ACCOUNT).values())
        assert held == (-5 if side is Side.BUY else 5)


@pytest.mark.parametrize("legs", LEGS)
@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("order_quantity", {"max_order_quantity": 4}),
        ("order_value", {"max_order_value": 2499}),
        ("allowed_symbols", {"allowed_symbols": ["AAPL"]}),
        ("signal_score", {"require_score": True}),
    ],
)
@pytest.mark.parametrize("way", WAYS)
async def test_what_would_refuse_the_opening_leg_in_any_case_refuses_the_reversal(
    tmp_path: Path, way: str, code: str, limit: dict[str, Any], legs: str
) -> None:
    async with a_scene(tmp_path, LEGS[legs], limits=SHORTS) as scene:
        async with scene.living() as engine:
            stop = await long_of_20_and_a_stop(engine, Side.BUY)
        scene.limits = type(SHORTS).model_validate(SHORTS.model_dump() | limit)
        async with scene.living() as engine:
            order = await engine.execute.execute(a_signal("turn", **turning(way, Side.SELL)))
            assert (order.status, await code_of(scene, order)) == (OrderStatus.REJECTED, code)
            await asyncio.sleep(5)
            assert [each.order_id for each in engine.orders.unfinished()] == [stop.order_id]
