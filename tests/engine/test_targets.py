"""Targets: what leads away from one is cancelled first, with evidence; with something in doubt both outcomes are reckoned."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelRequested
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import LAX, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, code_of, holding, sent, unguarded
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import ended

D = Decimal


async def target(engine: Engine, units: int, signal_id: str = "t", **fields: Any) -> LiveOrder:
    return await engine.execute.execute(
        a_signal(signal_id, **({"quantity": None, "side": None, "target_quantity": units} | fields))
    )


@pytest.mark.parametrize(("units", "side", "quantity", "left"), [(20, "BUY", 10, 10), (4, "SELL", 6, 0)])
async def test_orders_that_lead_away_are_cancelled_first(tmp_path: Path, units: int, side: str, quantity: int, left: int) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        away = await engine.execute.execute(an_exit("limit", **LIMIT) if side == "BUY" else a_limit("more", quantity=5))
        order = await target(engine, units)
        assert order.is_waiting
        await until(lambda: scene.venue_orders(order) != [])
        order = await engine.orders.get(order.order_id)
        assert (order.terms.side, order.quantity) == (side, D(quantity))
        over = await engine.orders.get(away.order_id)
        assert (over.status, over.cancel_reason) == ("CANCELLED", "MADE_WAY")
        (asked,) = [event for event in await scene.events(away) if isinstance(event, CancelRequested)]
        assert asked.made_way_for == order.order_id
        assert [event.quantity for event in await unguarded(scene, order)] == ([D(left)] if left else [])


async def test_what_fills_while_its_cancel_is_under_way_counts(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        limit = await engine.execute.execute(an_exit("limit", **LIMIT))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        order = await target(engine, 20)
        await fills(scene, engine, limit, 4)
        await until(lambda: scene.venue_orders(order) != [])
        order = await engine.orders.get(order.order_id)
        assert (order.terms.side, order.quantity) == ("BUY", D(14))


async def test_where_nothing_is_left_to_do_what_leads_away_is_cancelled_all_the_same(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        more = await engine.execute.execute(a_limit("more", quantity=5))
        order = await ended(engine, await target(engine, 10))
        assert await code_of(scene, order) == "at_target"
        assert (await engine.orders.get(more.order_id)).status == "CANCELLED"
        assert scene.venue_orders(order) == []


async def test_a_target_that_is_repeated_leaves_the_stop_alone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await fills(scene, engine, await target(engine, 10, "first"), 10)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        for n in range(3):
            assert await code_of(scene, await target(engine, 10, f"again {n}")) == "at_target"
        more = await sent(engine, await target(engine, 12, "more"))
        assert (more.terms.side, more.quantity) == ("BUY", D(2))
        await asyncio.sleep(5)
        assert not (await engine.orders.get(stop.order_id)).cancels


@pytest.mark.parametrize(
    "fields", [{"target_quantity": 0}, {"target_quantity": None, "target_percent": 0}], ids=["units", "percent"]
)
@pytest.mark.parametrize("resting", [STOP, LIMIT], ids=["stop", "limit"])
@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
async def test_a_target_of_zero_closes_what_resting_exits_would_have_closed_later(
    tmp_path: Path, limits: Any, resting: dict[str, Any], fields: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        away = await engine.execute.execute(an_exit("rests", **resting))
        order = await target(engine, 0, **fields)
        await until(lambda: scene.venue_orders(order) != [])
        over = await ended(engine, away)
        assert (over.status, over.cancel_reason) == ("CANCELLED", "MADE_WAY")
        order = await sent(engine, order)
        assert (order.terms.side, order.quantity) == ("SELL", D(10))
        await fills(scene, engine, order, 10)
        assert await held(engine) == 0
        assert await scene.count("LeftUnguarded") == 0


async def test_while_automation_is_off_a_target_cancels_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        more = await engine.execute.execute(a_limit("more", quantity=5))
        await engine.halts.switch_auto_trading(False, "enough", "person:ann")
        for name, units in (("a", 10), ("b", 4)):
            assert await code_of(scene, await target(engine, units, name)) == "auto_trading"
        await asyncio.sleep(5)
        assert not (await engine.orders.get(more.order_id)).cancels


async def test_of_two_targets_the_last_one_counts(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(a_limit("more", quantity=5))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        first = await target(engine, 4, "first")
        assert first.is_waiting
        last = await target(engine, 7, "last")
        await until(lambda: scene.venue_orders(last) != [])
        assert (await ended(engine, first)).status == "CANCELLED"
        assert scene.venue_orders(first) == []
        await fills(scene, engine, await sent(engine, last), 3)
        assert await held(engine) == 7


async def in_doubt(scene: Scene, engine: Engine, signal: Any) -> LiveOrder:
    for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
        await scene.control.lay(Fault(kind=FaultKind.QUERY_FAILED, on=point))
    await scene.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.SUBMIT, nth=1))
    await scene.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
    order = await engine.execute.execute(signal)
    assert order.is_in_doubt
    return order


@pytest.mark.parametrize(
    ("side", "doubtful", "units", "way", "quantity"),
    [("BUY", 5, 20, "BUY", 5), ("SELL", 4, 2, "SELL", 4), ("SELL", 4, 20, "BUY", 10), ("BUY", 5, 4, "SELL", 6)],
)
async def test_where_both_outcomes_of_a_doubt_lead_the_same_way_the_smaller_step_goes(
    tmp_path: Path, side: str, doubtful: int, units: int, way: str, quantity: int
) -> None:
    """What leads away is cancelled all the same, and its end waited for."""
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        doubt = await in_doubt(scene, engine, a_limit("lost", price=400 if side == "BUY" else 600, side=side, quantity=doubtful))
        order = await target(engine, units)
        if way != side:
            assert order.is_waiting
            await scene.control.clear_faults()
            await ended(engine, doubt)
        await until(lambda: scene.venue_orders(order) != [])
        order = await engine.orders.get(order.order_id)
        assert (order.terms.side, order.quantity) == (way, D(quantity))


@pytest.mark.parametrize(("units", "code", "quantity"), [(15, "at_target", 0), (12, "", 2), (10, "at_target", 0)])
async def test_where_a_doubt_leaves_the_way_open_the_target_waits_until_it_is_settled(
    tmp_path: Path, units: int, code: str, quantity: int
) -> None:
    """Then the order is found to be open: it leads away from a lower target, and is cancelled for that."""
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        doubt = await in_doubt(scene, engine, a_limit("lost", quantity=5))
        order = await target(engine, units)
        assert order.is_waiting
        assert order.wait is not None
        assert order.wait.reason == "DOUBT"
        await asyncio.sleep(120)
        assert (await engine.orders.get(order.order_id)).is_waiting
        assert not (await engine.orders.get(doubt.order_id)).cancels
        await scene.control.clear_faults()
        await until(lambda: not engine.orders.unfinished_with(order.order_id) or bool(scene.venue_orders(order)), 3600)
        known = await engine.orders.get(order.order_id)
        assert await code_of(scene, known) == code
        assert (await engine.orders.get(doubt.order_id)).status == ("SUBMITTED" if units == 15 else "CANCELLED")
        if quantity:
            assert (known.terms.side, known.quantity) == ("BUY", D(quantity))


SMALL = {"max_order_quantity": D(5)}
FEW = {"max_order_value": D(3000)}
SCORED = {"min_buy_score": D(60)}


@pytest.mark.parametrize("side", [None, "BUY"])
@pytest.mark.parametrize(
    ("limits", "fields", "code"),
    [
        (SMALL, {}, "order_quantity"),
        (FEW, {}, "order_value"),
        (SMALL, {"order_type": "LIMIT", "limit_price": "450"}, "order_quantity"),
        (SCORED, {"score": "50"}, "signal_score"),
        (SMALL, {"target_quantity": None, "target_percent": 5}, "order_quantity"),
    ],
)
async def test_a_target_that_is_refused_whatever_became_of_a_doubt_is_refused_at_once(
    tmp_path: Path, limits: dict[str, Any], fields: dict[str, Any], code: str, side: str | None
) -> None:
    """It is reached, or an order for 10 is left to be sent."""
    async with a_scene(tmp_path, BY_HAND, account_terms={"equity": D(100_000)}) as scene:
        engine = scene.engine()
        await engine.start()
        await in_doubt(scene, engine, a_limit("lost", quantity=10))
        await scene.dies(engine)
        scene.limits = LAX.model_copy(update=limits)
        async with scene.living() as engine:
            order = await target(engine, 10, **{"side": side} | fields)
            assert await code_of(scene, order) == code


@pytest.mark.parametrize("units", [5, 8])
async def test_a_target_waits_for_a_doubt_where_one_of_its_outcomes_leaves_an_order_that_passes(tmp_path: Path, units: int) -> None:
    """Five more, or five less; eight more, which is too many, or two less."""
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        await in_doubt(scene, engine, a_limit("lost", quantity=10))
        await scene.dies(engine)
        scene.limits = LAX.model_copy(update=SMALL)
        async with scene.living() as engine:
            order = await target(engine, units)
            assert order.wait is not None
            assert order.wait.reason == "DOUBT"


async def test_an_older_target_goes_on_where_a_newer_one_is_refused_whatever_became_of_a_doubt(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        doubt = await in_doubt(scene, engine, a_limit("lost", quantity=10))
        await scene.dies(engine)
        scene.limits = LAX.model_copy(update=SMALL)
        async with scene.living() as engine:
            first = await target(engine, 5, "first")
            assert await code_of(scene, await target(engine, 10, "second")) == "order_quantity"
            await scene.control.clear_faults()
            await until(lambda: bool(scene.venue_orders(first)), 3600)
            assert (await engine.orders.get(doubt.order_id)).cancel_reason == "MADE_WAY"


# --- what only comes to the target if all of it fills -----------------------------------------------------------------------------

LEGS = replace(capabilities_of(BY_HAND), crosses_zero=False)


async def at_rest(scene: Scene, engine: Engine, seconds: float = 30.0) -> Decimal:
    """What is held once the venue's people have filled everything that is still wanted there."""
    for _ in range(4):
        await asyncio.sleep(seconds / 4)
        for each in engine.orders.unfinished():
            if each.is_acknowledged and not each.cancel_requested:
                await fills(scene, engine, each, int(each.remaining_quantity))
    return await held(engine)


@pytest.mark.parametrize("sells", [5, 4])
async def test_orders_on_both_sides_of_the_target_are_cancelled(tmp_path: Path, sells: int) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        both = (
            await engine.execute.execute(a_limit("more", quantity=5)),
            await engine.execute.execute(a_signal("less", side="SELL", quantity=sells, **LIMIT)),
        )
        assert all(each.is_sent for each in both)
        order = await ended(engine, await target(engine, 10))
        assert await code_of(scene, order) == "at_target"
        assert [(await engine.orders.get(each.order_id)).status for each in both] == ["CANCELLED", "CANCELLED"]


async def test_a_target_of_zero_leaves_no_entry_open(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        for entry in (a_limit("long", quantity=10), a_signal("short", side="SELL", quantity=10, **LIMIT)):
            assert (await engine.execute.execute(entry)).is_sent
        order = await ended(engine, await target(engine, 0))
        assert (await code_of(scene, order), engine.orders.unfinished()) == ("at_target", [])


async def test_after_a_bust_a_target_of_zero_has_the_entry_cancelled_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in", quantity=10))
        trade = await scene.control.fill(entry.broker_order_id or "", D(10), D(500))
        await until(lambda: not engine.orders.unfinished())
        await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.bust(trade)
        await until(lambda: len(engine.orders.unfinished()) == 2)
        order = await ended(engine, await target(engine, 0))
        assert (await code_of(scene, order), engine.orders.unfinished()) == ("at_target", [])


@pytest.mark.parametrize(("side", "code"), [("SELL", ""), (None, ""), ("BUY", "target_side")])
async def test_the_side_of_a_target_is_that_of_the_order_that_leads_to_it(tmp_path: Path, side: str | None, code: str) -> None:
    """An exit beyond the target works: it is cancelled for the order, and for no refusal."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine, 6)
        out = await sent(engine, await engine.execute.execute(an_exit()))
        order = await target(engine, 1, side=side)
        assert await at_rest(scene, engine) == (0 if code else 1)
        assert await code_of(scene, order) == code
        assert (await engine.orders.get(out.order_id)).status == ("FILLED" if code else "CANCELLED")


@pytest.mark.parametrize("units", [10, 4, 20])
@pytest.mark.parametrize("quantity", [None, 6])
async def test_an_exit_that_still_waits_is_cancelled_for_a_newer_target(tmp_path: Path, quantity: int | None, units: int) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", **STOP))
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=3.0)
        assert (await engine.execute.execute(an_exit("out", quantity=quantity))).is_waiting
        await target(engine, units)
        await asyncio.sleep(8)
        for _ in range(3):
            for each in engine.orders.unfinished():
                if each.is_acknowledged and each.terms.order_type == "MARKET":
                    await fills(scene, engine, each, int(each.remaining_quantity))
            await asyncio.sleep(4)
        assert await held(engine) == units


@pytest.mark.parametrize("again", [0, 3, -4, -6])
@pytest.mark.parametrize("first", [{"target_quantity": -4, "quantity": None, "side": None}, {"side": "SELL", "quantity": 25}])
@pytest.mark.parametrize("is_filled", [False, True], ids=["cancelled", "filled meanwhile"])
async def test_a_target_counts_that_comes_while_the_first_leg_of_a_reversal_works(
    tmp_path: Path, first: dict[str, Any], again: int, is_filled: bool
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS, capabilities=LEGS) as scene, scene.living() as engine:
        await holding(scene, engine)
        closing = await sent(engine, await engine.execute.execute(a_signal("turn", **first)))
        assert closing.quantity == 10
        if is_filled:
            await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=3.0)
        await target(engine, again)
        if is_filled:
            await fills(scene, engine, closing, 10)
        assert await at_rest(scene, engine, 60.0) == again


async def test_a_target_that_is_repeated_while_the_first_waits_is_not_lost_with_it(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await in_doubt(scene, engine, a_limit("theirs", strategy_name="other", timestamp=engine.clock.now()))
        first = await target(engine, 10, "t1", timestamp=engine.clock.now())
        assert first.is_waiting
        await asyncio.sleep(50)
        again = await target(engine, 10, "t2", timestamp=engine.clock.now())
        await asyncio.sleep(20)
        await scene.control.clear_faults()
        scene.witness.answers.clear()
        await until(lambda: bool(scene.venue_orders(again)), 60)
        assert scene.venue_orders(first) == []


async def test_a_stop_whose_replace_is_in_doubt_is_left_alone_by_a_target_that_enlarges(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.lay(FaultKind.REQUEST_LOST, Point.REPLACE)
        assert (await engine.replace.replace(stop.order_id, stop_price=D(310))).is_in_doubt
        order = await sent(engine, await target(engine, 20))
        assert (order.terms.side, order.quantity) == ("BUY", D(10))
        await asyncio.sleep(60)
        assert not (await engine.orders.get(stop.order_id)).cancels
