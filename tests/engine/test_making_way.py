"""Resting exits make way for an order that closes, with evidence before it leaves; exits that trade at once share what is held."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import OrderNotFound
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Cancelled, CancelRequested, LeftUnguarded, Refused
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import LAX, Scene, a_scene, a_signal, until
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import ended

D = Decimal
STOP = {"order_type": "STOP", "stop_price": "300", "role": "STOP_LOSS"}
LIMIT = {"order_type": "LIMIT", "limit_price": "600"}


async def holding(scene: Scene, engine: Engine, units: int = 10) -> None:
    entry = await engine.execute.execute(a_signal("in", quantity=units))
    await fills(scene, engine, entry, units)


async def code_of(scene: Scene, order: LiveOrder) -> str:
    return next((event.code for event in await scene.events(order) if isinstance(event, Refused)), "")


async def sent(engine: Engine, order: LiveOrder) -> LiveOrder:
    """As it is once its broker has acknowledged it."""
    await until(lambda: (known := engine.orders.unfinished_with(order.order_id)) is not None and known.is_acknowledged)
    return await engine.orders.get(order.order_id)


async def unguarded(scene: Scene, order: LiveOrder) -> list[LeftUnguarded]:
    return [event for event in await scene.events(order) if isinstance(event, LeftUnguarded)]


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
@pytest.mark.parametrize(
    "way", [{}, {"role": "ENTRY"}, {"role": "ENTRY", "position_effect": "CLOSE"}], ids=["exit", "side", "close"]
)
async def test_a_close_of_all_leaves_once_every_resting_exit_is_surely_over(
    tmp_path: Path, limits: Any, way: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        resting = [
            await engine.execute.execute(an_exit("stop", quantity=6, **STOP)),
            await engine.execute.execute(an_exit("limit", quantity=4, **LIMIT)),
        ]
        exit_ = await engine.execute.execute(an_exit(**way))
        assert exit_.is_waiting
        assert all(str(each.order_id) in (exit_.error_message or "") for each in resting)
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == D(10)
        for each in resting:
            over = await ended(engine, each)
            assert (over.status, over.cancel_reason) == ("CANCELLED", "MADE_WAY")
            (asked,) = [event for event in await scene.events(each) if isinstance(event, CancelRequested)]
            assert asked.made_way_for == exit_.order_id
            assert str(exit_.order_id) in asked.sentence()
        assert await unguarded(scene, exit_) == []
        await fills(scene, engine, await sent(engine, exit_), 10)
        assert await held(engine) == 0


async def test_while_the_end_of_a_resting_exit_is_not_known_nothing_leaves(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_LOST, on=Point.CANCEL, nth=1))
        exit_ = await engine.execute.execute(an_exit())
        await asyncio.sleep(5)
        assert scene.venue_orders(exit_) == []
        await fills(scene, engine, stop, 7)
        await until(lambda: scene.venue_orders(exit_) != [], 3600)
        assert (await engine.orders.get(exit_.order_id)).quantity == D(3), "what the stop left"


@pytest.mark.parametrize(
    ("closing", "cancelled", "units", "left"),
    [
        ({"quantity": 3}, ["small"], 3, 1),
        ({"quantity": 4}, ["small"], 4, 0),
        ({"quantity": 5}, ["large"], 5, 1),
        ({"quantity": 8}, ["small", "large"], 8, 2),
        ({"position_effect": "CLOSE", "percent": 60}, ["large"], 6, 0),
        ({"quantity": 25}, ["small", "large"], 10, 0),
    ],
)
async def test_a_sized_close_has_no_more_cancelled_than_it_needs_and_says_what_is_left_unguarded(
    tmp_path: Path, closing: dict[str, Any], cancelled: list[str], units: int, left: int
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stops = {name: await engine.execute.execute(an_exit(name, quantity=n, **STOP)) for name, n in (("small", 4), ("large", 6))}
        exit_ = await engine.execute.execute(an_exit(**closing))
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == D(units)
        gone = {name for name, stop in stops.items() if (await engine.orders.get(stop.order_id)).status == "CANCELLED"}
        assert gone == set(cancelled)
        found = await unguarded(scene, exit_)
        assert [(event.quantity, set(event.orders)) for event in found] == (
            [(D(left), {stops[name].order_id for name in cancelled})] if left else []
        )


async def test_a_limit_exit_goes_before_a_stop_loss(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", quantity=5, **STOP))
        limit = await engine.execute.execute(an_exit("limit", quantity=5, **LIMIT))
        exit_ = await engine.execute.execute(an_exit(quantity=5))
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(limit.order_id)).status == "CANCELLED"
        assert not (await engine.orders.get(stop.order_id)).cancels


@pytest.mark.parametrize("second", [{}, {"quantity": 4}, {"position_effect": "CLOSE", "percent": 10}], ids=["all", "sized", "part"])
async def test_an_exit_that_trades_at_once_is_cancelled_by_no_other(tmp_path: Path, second: dict[str, Any]) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        first = await engine.execute.execute(an_exit("first"))
        again = await engine.execute.execute(an_exit("again", **second))
        assert await code_of(scene, again) == "already_closing"
        assert str(first.order_id) in (again.error_message or "")
        await asyncio.sleep(10)
        assert not (await engine.orders.get(first.order_id)).cancels


async def test_closes_of_all_that_come_at_once_while_a_stop_rests_close_it_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", **STOP))
        orders = await asyncio.gather(*(engine.execute.execute(an_exit(f"out {n}")) for n in range(4)))
        late = await engine.execute.execute(an_exit("late"))
        assert await code_of(scene, late) == "already_closing"
        await until(lambda: sum(len(scene.venue_orders(each)) for each in orders) > 0)
        await asyncio.sleep(10)
        gone_out = [each for each in orders if scene.venue_orders(each)]
        assert len(gone_out) == 1
        await fills(scene, engine, await sent(engine, gone_out[0]), 10)
        await asyncio.sleep(5)
        assert await held(engine) == 0
        assert all([(await engine.orders.get(each.order_id)).status.is_closed for each in orders])


async def test_of_resting_exits_for_all_the_last_stays_and_none_cancels_another_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        orders = await asyncio.gather(*(engine.execute.execute(an_exit(f"limit {n}", **LIMIT)) for n in range(3)))
        await asyncio.sleep(60)
        live = [each for each in [await engine.orders.get(each.order_id) for each in orders] if not each.status.is_closed]
        assert len(live) == 1
        assert not live[0].is_waiting
        assert sum(each.cancels for each in [await engine.orders.get(each.order_id) for each in orders]) <= 2


@pytest.mark.parametrize("role", ["STOP_LOSS", "TAKE_PROFIT"])
async def test_what_guards_a_position_has_nothing_cancelled(tmp_path: Path, role: str) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        limit = await engine.execute.execute(an_exit("limit", **LIMIT))
        guard = await engine.execute.execute(an_exit("guard", **{**STOP, "role": role}))
        assert await code_of(scene, guard) == "already_closing"
        assert not (await engine.orders.get(limit.order_id)).cancels


async def test_for_an_exit_that_is_refused_nothing_is_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await engine.halts.switch_auto_trading(False, "enough", "person:ann")
        exit_ = await engine.execute.execute(an_exit())
        assert await code_of(scene, exit_) == "auto_trading"
        await asyncio.sleep(5)
        assert not (await engine.orders.get(stop.order_id)).cancels


async def test_an_exit_of_another_strategy_makes_no_way(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        entry = await engine.execute.execute(a_signal("other in", quantity=5, strategy_name="other"))
        await fills(scene, engine, entry, 5)
        theirs = await engine.execute.execute(an_exit("theirs", strategy_name="other", **STOP))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.quantity == D(10)
        assert not (await engine.orders.get(theirs.order_id)).cancels


async def test_a_wait_for_exits_survives_a_crash(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=20))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.is_waiting
        await scene.dies(engine)
        async with scene.living() as again:
            await until(lambda: scene.venue_orders(exit_) != [])
            assert (await again.orders.get(exit_.order_id)).quantity == D(10)
            assert (await again.orders.get(stop.order_id)).status == "CANCELLED"
        assert len(scene.venue_orders(exit_)) == 1


async def test_an_order_that_was_waited_for_and_never_stored_keeps_nothing_waiting(tmp_path: Path) -> None:
    """It counted while its commit was under way, and that failed."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.is_waiting
        get = engine.orders.get

        async def knows_no_stop(order_id: UUID) -> LiveOrder:
            if order_id == stop.order_id:
                raise OrderNotFound(order_id)
            return await get(order_id)

        engine.orders.get = knows_no_stop  # type: ignore[method-assign]  # for this test
        await until(lambda: scene.venue_orders(exit_) != [])


async def test_a_waiting_exit_that_rests_makes_way_unsent(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=8))
        limit = await engine.execute.execute(an_exit("limit", **LIMIT))
        assert limit.is_waiting
        exit_ = await engine.execute.execute(an_exit())
        over = await ended(engine, limit)
        (cancelled,) = [event for event in await scene.events(over) if isinstance(event, Cancelled)]
        assert cancelled.made_way_for == exit_.order_id
        await until(lambda: scene.venue_orders(exit_) != [])
        assert scene.venue_orders(limit) == []


@pytest.mark.parametrize("resting", [STOP, LIMIT], ids=["stop", "limit"])
@pytest.mark.parametrize("sided", [True, False], ids=["sided", "without a side"])
@pytest.mark.parametrize(("entry", "limits"), [("BUY", LAX), ("BUY", SHORTS), ("SELL", SHORTS)], ids=["long only", "long", "short"])
async def test_a_close_has_an_exit_cancelled_that_nothing_is_behind_after_a_bust(
    tmp_path: Path, entry: str, limits: Any, sided: bool, resting: dict[str, Any]
) -> None:
    side = "SELL" if entry == "BUY" else "BUY"
    far = {"BUY": {"stop_price": "700", "limit_price": "400"}, "SELL": {}}[side]
    fields = resting | {name: price for name, price in far.items() if name in resting} | {"side": side}
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_signal("in", side=entry, quantity=10))
            filled = await scene.control.fill(order.broker_order_id or "", D(10), D(500))
            await until(lambda: engine.orders.unfinished_with(order.order_id) is None)
            rests = await engine.execute.execute(an_exit("rests", **fields))
            await scene.control.bust(filled)
            await asyncio.sleep(5)
            assert await held(engine) == 0
        async with scene.living() as engine:
            for name in ("sized", "guard"):
                more = {"quantity": 10} if name == "sized" else STOP | {"stop_price": "300" if side == "SELL" else "700"}
                refused = await ended(engine, await engine.execute.execute(an_exit(name, **more | {"side": side})))
                assert await code_of(scene, refused) == "nothing_to_close"
            assert not (await engine.orders.get(rests.order_id)).cancels
            close = await engine.execute.execute(an_exit("close", side=side if sided else None))
            over = await ended(engine, rests)
            assert (over.status, over.cancel_reason) == ("CANCELLED", "MADE_WAY")
            close = await ended(engine, close)
            assert await code_of(scene, close) == "nothing_to_close"
            assert scene.venue_orders(close) == []
            assert await scene.count("LeftUnguarded") == 0
