"""What was asked last counts: a close of all ends what its strategy has waiting to open, the legs of a reversal among it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerError, InvalidInput, LiveOrderError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import Scene, a_limit, a_scene, a_signal
from tests.engine.test_making_way import STOP, code_of, sent
from tests.engine.test_reversals import APART, WAYS, holding, second, turns
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import EARLY, THE_OPEN, ended
from tests.field_cases.evidence import held_at_venue

D = Decimal
AGED = SHORTS.model_copy(update={"max_signal_age_seconds": 600.0})
Ask = Callable[[Engine, str], Awaitable[Any]]
NO_EFFECT: dict[str, Any] = {"role": "ENTRY", "position_effect": None}


def by_signal(**fields: Any) -> Ask:
    async def ask(engine: Engine, side: str) -> LiveOrder:
        named = fields if "side" in fields else {"side": side} | fields
        return await engine.execute.execute(an_exit(**named))

    return ask


async def by_hand(engine: Engine, side: str) -> LiveOrder:
    (order,) = (await engine.close_positions.close("by hand", "ann", "SPY")).orders
    return order


CLOSES: dict[str, Ask] = {
    "exit": by_signal(),
    "exit, no side": by_signal(side=None, position_effect="CLOSE", role="ENTRY"),
    "no effect": by_signal(**NO_EFFECT),
    "all of it": by_signal(quantity=20),
    "more": by_signal(quantity=30),
    "percent": by_signal(percent=100),
    "a limit": by_signal(order_type="LIMIT", limit_price="500"),
    "by hand": by_hand,
}
TARGETS: dict[str, Ask] = {
    "flat": by_signal(side=None, target_quantity=0, **NO_EFFECT),
    "flat percent": by_signal(side=None, target_percent=0, **NO_EFFECT),
}
ASKS = pytest.mark.parametrize("ask", [*CLOSES.values(), *TARGETS.values()], ids=[*CLOSES, *TARGETS])


def turning(way: str, side: str) -> dict[str, Any]:
    return WAYS[way] | ({"target_quantity": -5 if side == "SELL" else 5} if way == "target" else {"side": side})


async def held_against(scene: Scene, engine: Engine, side: str) -> None:
    entry = await engine.execute.execute(a_signal("in", side="BUY" if side == "SELL" else "SELL", quantity=20))
    await fills(scene, engine, entry, 20)


async def all_fills(scene: Scene, engine: Engine) -> None:
    """Everything that works is filled, until nothing is left that could do anything."""
    async with asyncio.timeout(120):
        await asyncio.sleep(5)
        while unfinished := [*engine.orders.unfinished()]:
            for order in unfinished:
                for each in scene.venue_orders(order):
                    if each["state"] == "WORKING" and order.broker_order_id is not None:
                        with suppress(BrokerError):
                            await scene.control.fill(order.broker_order_id, D(str(each["quantity"])), D(500))
            await asyncio.sleep(1)


async def is_flat(scene: Scene, engine: Engine) -> None:
    await all_fills(scene, engine)
    assert {await held(engine), held_at_venue(scene)} == {D(0)}


@ASKS
@pytest.mark.parametrize(("way", "side"), [("sized", "SELL"), ("open", "BUY"), ("target", "BUY"), ("target", "SELL")])
async def test_a_close_while_the_first_leg_works_ends_the_second(tmp_path: Path, way: str, side: str, ask: Ask) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await held_against(scene, engine, side)
        await sent(engine, await turns(engine, **turning(way, side)))
        leg = await second(engine)
        last = await ask(engine, side)
        over = await ended(engine, leg)
        assert (over.status, over.cancel_reason) == (OrderStatus.CANCELLED, "MADE_WAY")
        assert (over.error_message or "") != ""
        await is_flat(scene, engine)
        assert scene.venue_orders(leg) == []
        assert (await engine.orders.get(last.order_id)).status.is_closed


@ASKS
@pytest.mark.parametrize("way", WAYS)
async def test_a_close_while_the_first_leg_waits_ends_both(tmp_path: Path, way: str, ask: Ask) -> None:
    """A stop is being cancelled for the reversal meanwhile: the close goes out in place of it."""
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", **STOP))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        first = await turns(engine, **WAYS[way])
        assert first.is_waiting
        await ask(engine, "SELL")
        await is_flat(scene, engine)


@ASKS
@pytest.mark.parametrize("when", ["before", "after"])
async def test_it_does_so_beside_a_restart(tmp_path: Path, when: str, ask: Ask) -> None:
    """Between the legs, with the first filled while nothing runs; it is asked before that or after it."""
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene:
        engine = scene.engine()
        await engine.start(wait_for_lease=True)
        await holding(scene, engine)
        first = await sent(engine, await turns(engine, **WAYS["sized"]))
        leg = await second(engine)
        if when == "before":
            await ask(engine, "SELL")
            await scene.dies(engine)
            await scene.control.fill(first.broker_order_id or "", D(20), D(500))
            async with scene.living() as engine:
                await is_flat(scene, engine)
        else:
            await scene.dies(engine)
            async with scene.living() as engine:
                await ask(engine, "SELL")
                await is_flat(scene, engine)
        assert scene.venue_orders(leg) == []


@pytest.mark.parametrize("ask", [*CLOSES.values()][:4], ids=[*CLOSES][:4])
async def test_the_second_leg_does_not_leave_while_what_ends_it_is_being_stored(tmp_path: Path, ask: Ask) -> None:
    """The first is filled at every instant of that."""
    for moment in range(8):
        folder = tmp_path / str(moment)
        folder.mkdir()
        async with a_scene(folder, APART, limits=SHORTS) as scene, scene.living() as engine:
            await holding(scene, engine)
            first = await sent(engine, await turns(engine, **WAYS["sized"]))
            await second(engine)

            async def fill(at: int = moment, order: LiveOrder = first) -> None:
                for _ in range(at * 3):
                    await asyncio.sleep(0)
                await scene.control.fill(order.broker_order_id or "", D(20), D(500))

            with suppress(LiveOrderError):
                await asyncio.gather(ask(engine, "SELL"), fill())
            await all_fills(scene, engine)
            at_venue = held_at_venue(scene)
            assert at_venue == await held(engine)
            leg = next(iter(scene.venue_orders((await second_ever(engine)).client_order_id)), None)
            assert at_venue == 0, (moment, leg)


async def second_ever(engine: Engine) -> LiveOrder:
    async for page in engine.store.log():
        for each in page:
            if each.event.shown_name == "Requested" and each.event.signal_id == "turn:opens":  # type: ignore[attr-defined]  # of an order
                return await engine.orders.get(each.event.order_id)  # type: ignore[attr-defined]  # of an order
    raise AssertionError("there is none")


@pytest.mark.parametrize("ask", [name for name in [*CLOSES, *TARGETS] if name not in ("no effect", "by hand")])
async def test_a_close_ends_a_second_leg_that_was_just_sent(tmp_path: Path, ask: str) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await fills(scene, engine, await sent(engine, await turns(engine, **WAYS["sized"])), 20)
        leg = await sent(engine, await second(engine))
        await (CLOSES | TARGETS)[ask](engine, "SELL")
        over = await ended(engine, leg)
        assert (over.status, over.cancel_reason) == (OrderStatus.CANCELLED, "MADE_WAY")
        await is_flat(scene, engine)


WORKS = pytest.mark.parametrize("filled", [0, 10, 25], ids=["nothing", "a part", "all before the cancel"])


@WORKS
@ASKS
@pytest.mark.parametrize(("way", "side"), [("sized", "SELL"), ("sized", "BUY"), ("open", "SELL"), ("target", "SELL")])
async def test_a_close_while_one_order_turns_the_position_ends_flat(
    tmp_path: Path, way: str, side: str, ask: Ask, filled: int
) -> None:
    """What has filled of it, or fills before the cancel comes, may have turned the position by then: that is closed too."""
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await held_against(scene, engine, side)
        order = await sent(engine, await turns(engine, **turning(way, side)))
        if filled == 25:
            await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        elif filled:
            await fills(scene, engine, order, filled)
        last = await ask(engine, side)
        if filled == 25:
            await scene.control.fill(order.broker_order_id or "", D(25), D(500))
        await is_flat(scene, engine)
        assert (await engine.orders.get(last.order_id)).status is OrderStatus.FILLED


async def test_a_close_of_a_part_leaves_an_order_that_turns_the_position(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        order = await sent(engine, await turns(engine, **WAYS["sized"]))
        part = await engine.execute.execute(an_exit("part", quantity=19))
        assert await code_of(scene, part) == "already_closing"
        await fills(scene, engine, order, 25)
        assert await held(engine) == -5


async def test_a_person_who_closes_what_is_not_held_is_told_of_what_may_open_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        with pytest.raises(InvalidInput, match="see `liveorder positions`"):
            await engine.close_positions.close("before", "ann", "SPY")
        await holding(scene, engine)
        await fills(scene, engine, await sent(engine, await turns(engine, **WAYS["sized"])), 20)
        leg = await sent(engine, await second(engine))
        for symbol in ("SPY", None):
            with pytest.raises(InvalidInput, match=f"order {leg.order_id} may still trade: cancel it"):
                await engine.close_positions.close("now", "ann", symbol)
        with pytest.raises(InvalidInput, match="see `liveorder positions`"):
            await engine.close_positions.close("another", "ann", "QQQ")


WAITING: dict[str, dict[str, Any]] = {
    "more": {"side": "BUY", "quantity": 5},
    "beyond": {"side": "SELL", "quantity": 25},
    "open": {"side": "SELL", "quantity": 5, "position_effect": "OPEN"},
    "target beyond": {"side": None, "quantity": None, "target_quantity": -5},
    "target above": {"side": None, "quantity": None, "target_quantity": 30},
    "target below": {"side": None, "quantity": None, "target_quantity": 4},
}


LATEST: dict[str, dict[str, Any]] = {
    "exit": {},
    "exit, no side": {"side": None, "position_effect": "CLOSE", "role": "ENTRY"},
    "no effect": NO_EFFECT,
    "all of it": {"quantity": 20},
}


@pytest.mark.parametrize("crosses", [True, False])
@pytest.mark.parametrize("waiting", WAITING)
async def test_whatever_waits_for_the_open_ends_for_a_close_that_came_last(tmp_path: Path, waiting: str, crosses: bool) -> None:
    venue = BY_HAND if crosses else APART
    async with a_scene(tmp_path, venue, limits=AGED, start=EARLY) as scene, scene.living() as engine:
        for name, fields in LATEST.items():
            await fills(scene, engine, await engine.execute.execute(a_limit(f"in {name}", quantity=20, hours="extended")), 20)
            order = await engine.execute.execute(a_signal(f"waits {name}", hours="next_open", **WAITING[waiting]))
            assert order.is_waiting
            last = await engine.execute.execute(an_exit(name, hours="extended", order_type="LIMIT", limit_price="500", **fields))
            over = await ended(engine, order)
            assert (over.status, over.cancel_reason) == (OrderStatus.CANCELLED, "MADE_WAY")
            await all_fills(scene, engine)
            assert (await engine.orders.get(last.order_id)).status is OrderStatus.FILLED
            assert await held(engine) == 0
        assert scene.clock.now() < THE_OPEN


async def test_a_sized_close_of_a_part_leaves_the_second_leg(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("limit", quantity=4, order_type="LIMIT", limit_price="600"))
        first = await sent(engine, await turns(engine, **WAYS["sized"]))
        leg = await second(engine)
        guard = await engine.execute.execute(an_exit("stop", quantity=5, **STOP))
        assert await code_of(scene, guard) == "already_closing"
        await asyncio.sleep(5)
        assert (await engine.orders.get(leg.order_id)).is_waiting
        await fills(scene, engine, first, 20)
        await sent(engine, leg)


async def test_a_kill_ends_the_second_leg(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await sent(engine, await turns(engine, **WAYS["sized"]))
        leg = await second(engine)
        await engine.kill_all.kill("enough", "person:ann")
        assert (await ended(engine, leg)).status.is_closed
        assert scene.venue_orders(leg) == []


async def test_flattening_ends_the_second_leg(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        await sent(engine, await turns(engine, **WAYS["sized"]))
        leg = await second(engine)
        flattening = asyncio.ensure_future(engine.kill_all.kill("enough", "person:ann", flatten=True))
        assert (await ended(engine, leg)).status.is_closed
        await all_fills(scene, engine)
        await flattening
        assert held_at_venue(scene) == 0
        assert scene.venue_orders(leg) == []
