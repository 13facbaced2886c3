"""Of orders that wait an earlier one counts against a later one, never the reverse: of two that exclude each other one goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.limit_tables import LimitTable, NarrowLimits
from liveorder.domain.order import LiveOrder
from liveorder.testing.venue.settings import VenueAccount
from tests.engine.scenes import LAX, NOON, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, code_of, holding
from tests.engine.test_waiting_exits import BY_HAND, an_exit, fills, held
from tests.engine.test_waiting_orders import AGED, THE_OPEN, at_the_open, comes_back, goes_away

D = Decimal
TARGET: dict[str, Any] = {"side": None, "quantity": None}
TAKE_PROFIT = LIMIT | {"role": "TAKE_PROFIT"}
NEARLY_OPEN = THE_OPEN - timedelta(seconds=30)


async def known(engine: Engine, orders: Sequence[LiveOrder]) -> list[LiveOrder]:
    return [await engine.orders.get(each.order_id) for each in orders]


async def judged(engine: Engine, orders: Sequence[LiveOrder]) -> list[LiveOrder]:
    """As they are once none of them waits any more."""
    for order in orders:
        await until(lambda each=order: not ((now := engine.orders.unfinished_with(each.order_id)) and now.is_waiting))
    await asyncio.sleep(5)
    return await known(engine, orders)


@pytest.mark.parametrize("sizes", [[10, 10], [None, None], [10, None], [None, 10]])
@pytest.mark.parametrize("roles", [["STOP_LOSS", "TAKE_PROFIT"], ["TAKE_PROFIT", "STOP_LOSS"]])
async def test_of_two_guards_that_wait_for_one_entry_the_stop_loss_goes_out(
    tmp_path: Path, roles: list[str], sizes: list[int | None]
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        guards = {}
        for role, quantity in zip(roles, sizes, strict=True):
            way = STOP if role == "STOP_LOSS" else TAKE_PROFIT
            guards[role] = await engine.execute.execute(an_exit(role, **way | {"quantity": quantity}))
        assert all(each.is_waiting for each in guards.values())
        await fills(scene, engine, entry, 10)
        stop, profit = await judged(engine, [guards["STOP_LOSS"], guards["TAKE_PROFIT"]])
        assert (stop.status, stop.quantity) == ("SUBMITTED", D(10))
        assert (await code_of(scene, profit), profit.is_refused_exit) == ("already_closing", True)
        assert str(stop.order_id) in (profit.error_message or "")


async def test_guards_that_fit_side_by_side_both_go_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        ways = [TAKE_PROFIT | {"quantity": 4}, STOP | {"quantity": 3}, TAKE_PROFIT | {"quantity": 3}]
        guards = [await engine.execute.execute(an_exit(str(n), **way)) for n, way in enumerate(ways)]
        await fills(scene, engine, entry, 10)
        assert [(each.status, each.quantity) for each in await judged(engine, guards)] == [
            ("SUBMITTED", D(4)), ("SUBMITTED", D(3)), ("SUBMITTED", D(3)),
        ]  # fmt: skip


@pytest.mark.parametrize("quantity", [10, None])
@pytest.mark.parametrize("wait", ["entry", "broker", "open"])
async def test_of_exits_that_wait_the_first_closes_and_the_others_say_so(tmp_path: Path, quantity: int | None, wait: str) -> None:
    start, limits = NEARLY_OPEN if wait == "open" else NOON, AGED.model_copy(update={"allow_closed_market": True})
    async with a_scene(tmp_path, BY_HAND, limits=limits, start=start) as scene, scene.living() as engine:
        fields: dict[str, Any] = {"quantity": quantity}
        if wait == "entry":
            entry = await engine.execute.execute(a_limit("in", quantity=20))
            await fills(scene, engine, entry, 10)
        else:
            await holding(scene, engine)
        if wait == "broker":
            await goes_away(scene, engine)
        if wait == "open":
            fields |= {"hours": "next_open"}
        exits = [await engine.execute.execute(an_exit(f"out {n}", timestamp=scene.clock.now(), **fields)) for n in range(3)]
        assert exits[0].is_waiting
        if wait == "broker":
            await comes_back(scene, engine)
        if wait == "open":
            await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds())
        first, *others = await judged(engine, exits)
        assert (first.status, first.quantity) == ("SUBMITTED", D(10))
        assert [await code_of(scene, each) for each in others] == ["already_closing"] * 2
        assert all(scene.venue_orders(each) == [] for each in others)


@pytest.mark.parametrize("wait", ["broker", "open"])
@pytest.mark.parametrize(("before", "targets"), [(0, [10, 20]), (0, [20, 10]), (0, [10, 10]), (10, [0, 0]), (10, [20, 4, 7])])
async def test_of_targets_that_wait_the_newest_counts_and_the_others_name_it(
    tmp_path: Path, before: int, targets: list[int], wait: str
) -> None:
    start, limits = NEARLY_OPEN if wait == "open" else NOON, AGED.model_copy(update={"allow_closed_market": True})
    async with a_scene(tmp_path, limits=limits, start=start) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("known", strategy_name="other", quantity=1))
        if before:
            await engine.execute.execute(a_signal("before", quantity=before))
        await until(lambda: engine.is_quiet)
        fields: dict[str, Any] = TARGET | ({"hours": "next_open"} if wait == "open" else {})
        if wait == "broker":
            await goes_away(scene, engine)
        orders = [
            await engine.execute.execute(a_signal(f"t{n}", target_quantity=units, timestamp=scene.clock.now(), **fields))
            for n, units in enumerate(targets)
        ]
        assert all(each.is_waiting for each in orders)
        if wait == "broker":
            await comes_back(scene, engine)
        else:
            await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds())
        *older, newest = await judged(engine, orders)
        assert newest.status == "FILLED"
        assert await held(engine) == targets[-1] + 1
        for each in older:
            assert await code_of(scene, each) == "superseded"
            assert str(newest.order_id) in (each.error_message or "")
            assert scene.venue_orders(each) == []


def of_trend(**limits: Any) -> dict[str, Any]:
    return {"account_terms": {"tables": (LimitTable.of(NarrowLimits(**limits), LAX, strategy_name="trend"),)}}


def under(**limits: Any) -> dict[str, Any]:
    return {"limits": AGED.model_copy(update=limits)}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (under(max_open_orders=1), "open_order_count"),
        (under(max_daily_trades=1), "daily_trade_count"),
        (under(max_position_size=D(7500)), "position_value"),
        (under(max_portfolio_exposure=D(7500)), "portfolio_exposure"),
        (under(repeat_window_seconds=60.0), "repeated"),
        (under(max_positions=1), "position_count"),
        (of_trend(max_open_orders=1), "open_order_count"),
        (of_trend(max_daily_trades=1), "daily_trade_count"),
        (of_trend(max_position_size=D(7500)), "position_value"),
        (of_trend(repeat_window_seconds=60.0), "repeated"),
        (of_trend(max_positions=1), "position_count"),
        ({"cash": D(7500)}, "buying_power"),
    ],
    ids=lambda value: value if isinstance(value, str) else "table" if "account_terms" in value else "account",
)
@pytest.mark.parametrize("symbols", [("SPY", "SPY"), ("SPY", "AAPL")], ids=["one instrument", "two"])
async def test_where_there_is_room_for_one_of_those_that_wait_for_the_open_one_goes_out(
    tmp_path: Path, settings: dict[str, Any], code: str, symbols: tuple[str, str]
) -> None:
    """Each is worth 5000."""
    if (code, symbols[0] == symbols[1]) in {("repeated", False), ("position_count", True)}:
        return
    settings, venue = dict(settings), BY_HAND
    if (cash := settings.pop("cash", None)) is not None:
        venue = BY_HAND.model_copy(update={"accounts": (VenueAccount(cash=cash, is_limited=True),)})
    async with a_scene(tmp_path, venue, start=NEARLY_OPEN, **settings) as scene, scene.living() as engine:
        orders = []
        for n, symbol in enumerate(symbols):
            more: dict[str, Any] = {"symbol": symbol, "quantity": 10 if symbol == "SPY" else 25}
            orders.append(await engine.execute.execute(at_the_open(f"in {n}", strategy_name="trend", **more)))
            await asyncio.sleep(5)
        assert all(each.is_waiting for each in orders)
        await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds())
        first, second = await judged(engine, orders)
        assert (first.status, await code_of(scene, second)) == ("SUBMITTED", code)


async def test_what_an_earlier_one_does_not_take_after_all_is_there_for_the_next(tmp_path: Path) -> None:
    """They are judged one after the other."""
    limits = AGED.model_copy(update={"max_position_size": D(7500), "max_order_quantity": 20, "repeat_window_seconds": 60.0})
    async with a_scene(tmp_path, BY_HAND, start=NEARLY_OPEN, limits=limits) as scene, scene.living() as engine:
        orders = [await engine.execute.execute(at_the_open(f"in {n}", quantity=n)) for n in (21, 10, 9)]
        await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds())
        assert [await code_of(scene, each) for each in await judged(engine, orders)] == ["order_quantity", "", "repeated"]


@pytest.mark.parametrize("out", [{}, {"quantity": 10}, {"role": "ENTRY", "quantity": 10}], ids=["all", "sized", "sale"])
async def test_what_waits_to_close_takes_nothing_of_what_another_strategy_holds(tmp_path: Path, out: dict[str, Any]) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(a_limit("theirs", quantity=10, strategy_name="other"))
        stop = await engine.execute.execute(an_exit("stop", strategy_name="other", **STOP | {"quantity": 10}))
        assert stop.is_waiting
        exit_ = await engine.execute.execute(an_exit(**out))
        assert (exit_.status, exit_.quantity) == ("SUBMITTED", D(10))


async def test_after_a_restart_the_first_counts_against_the_second_too(tmp_path: Path) -> None:
    limits = AGED.model_copy(update={"max_open_orders": 1})
    async with a_scene(tmp_path, BY_HAND, start=NEARLY_OPEN, limits=limits) as scene:
        engine = scene.engine()
        await engine.start()
        orders = [await engine.execute.execute(at_the_open(name, quantity=1)) for name in ("first", "second")]
        await scene.dies(engine)
        await asyncio.sleep((THE_OPEN - NEARLY_OPEN).total_seconds() + 60)
        async with scene.living() as again:
            first, second = await judged(again, orders)
            assert (first.status, await code_of(scene, second)) == ("SUBMITTED", "open_order_count")
