"""A stop made way for an exit, and that ends without having closed everything: an alert says what is left without an exit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerConnectionError, OrderValidationError
from liveorder.domain.events import PERSON
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import LeftUnguarded
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import Scene, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, holding, sent, unguarded
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills, held
from tests.engine.test_waiting_orders import comes_back, ended, goes_away

D = Decimal


async def by_a_person(scene: Scene, engine: Engine, exit_: LiveOrder) -> None:
    await engine.cancel.cancel(exit_.order_id)


async def by_a_kill(scene: Scene, engine: Engine, exit_: LiveOrder) -> None:
    await engine.kill_all.kill("enough", PERSON)


async def by_its_timeout(scene: Scene, engine: Engine, exit_: LiveOrder) -> None:
    await asyncio.sleep(70)


def by_its_broker(cause: str) -> Callable[[Scene, Engine, LiveOrder], Awaitable[None]]:
    async def closes(scene: Scene, engine: Engine, exit_: LiveOrder) -> None:
        await scene.control.close_order(exit_.broker_order_id or "", cause, "it says so")

    return closes


WAYS = [by_a_person, by_a_kill, by_its_timeout, *map(by_its_broker, ("BY_BROKER", "EXPIRED"))]
NAMES = ["person", "kill", "timeout", "broker", "expired"]


async def stopped_and_leaving(engine: Engine, **exit_: Any) -> tuple[LiveOrder, LiveOrder]:
    """A stop of all that is held, which has made way for an exit that is at its broker."""
    stop = await engine.execute.execute(an_exit("stop", **STOP))
    out = await engine.execute.execute(an_exit(**exit_))
    return stop, await sent(engine, out)


@pytest.mark.parametrize("filled", [0, 4])
@pytest.mark.parametrize("ends", WAYS, ids=NAMES)
async def test_an_exit_that_ends_short_of_what_the_stop_guarded_says_what_is_left(tmp_path: Path, ends: Any, filled: int) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop, exit_ = await stopped_and_leaving(engine)
        if filled:
            await fills(scene, engine, exit_, filled)
        await ends(scene, engine, exit_)
        await ended(engine, exit_)
        found = await unguarded(scene, exit_)
        assert [(event.quantity, event.orders) for event in found] == [(D(10 - filled), (stop.order_id,))]


async def test_an_exit_that_sold_everything_leaves_nothing_to_say(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        _, exit_ = await stopped_and_leaving(engine)
        await fills(scene, engine, exit_, 4)
        await fills(scene, engine, exit_, 6)
        await ended(engine, exit_)
        assert await scene.count("LeftUnguarded") == 0


@pytest.mark.parametrize(("filled", "more"), [(4, []), (1, [D(3)]), (0, [D(4)])])
async def test_a_sized_exit_says_at_its_end_only_what_it_did_not_say_before(
    tmp_path: Path, filled: int, more: list[Decimal]
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        _, exit_ = await stopped_and_leaving(engine, quantity=4)
        if filled:
            await fills(scene, engine, exit_, filled)
        if more:
            await engine.cancel.cancel(exit_.order_id)
        await ended(engine, exit_)
        assert [event.quantity for event in await unguarded(scene, exit_)] == [D(6), *more]


async def test_units_that_another_exit_takes_are_not_left(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        _, exit_ = await stopped_and_leaving(engine, quantity=4)
        await engine.execute.execute(an_exit("stop again", **STOP))
        await engine.cancel.cancel(exit_.order_id)
        await ended(engine, exit_)
        assert [event.quantity for event in await unguarded(scene, exit_)] == [D(6), D(4)]
        rest = await engine.execute.execute(an_exit("rest", **STOP))
        assert rest.quantity == D(4)


@pytest.mark.parametrize("late", [9, 20], ids=["before it is given up", "after that"])
@pytest.mark.parametrize("how", ["person", "kill", "valid_until"])
async def test_an_exit_that_ends_while_it_waits_says_what_was_cancelled_for_it(tmp_path: Path, how: str, late: float) -> None:
    """Of two stops one is gone by then, and the cancel of the other is on its way."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        first, second = [await engine.execute.execute(an_exit(name, quantity=5, **STOP)) for name in ("first", "second")]
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, nth=2, seconds=late)
        until_then: dict[str, Any] = {"valid_until": scene.clock.now() + timedelta(seconds=5)} if how == "valid_until" else {}
        exit_ = await engine.execute.execute(an_exit(**until_then))
        await until(lambda: engine.orders.unfinished_with(first.order_id) is None)
        if how == "person":
            await engine.cancel.cancel(exit_.order_id)
        elif how == "kill":
            await engine.kill_all.kill("enough", PERSON, wait_seconds=0)
        await ended(engine, exit_)
        assert [(event.quantity, event.orders) for event in await unguarded(scene, exit_)] == [(D(5), (first.order_id,))]
        await ended(engine, second)
        assert [event.quantity for event in await unguarded(scene, second)] == [D(5)]


@pytest.mark.parametrize("is_gone", [True, False], ids=["before the stop", "after the stop"])
async def test_a_life_that_dies_owes_the_next_nothing(tmp_path: Path, is_gone: bool) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        if is_gone:
            await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, nth=1, seconds=20)
            exit_ = await engine.execute.execute(an_exit())
            await until(lambda: scene.witness.of("cancel") != [])
            await engine.cancel.cancel(exit_.order_id)
        else:
            exit_ = await sent(engine, await engine.execute.execute(an_exit()))
        await scene.dies(engine)
        if not is_gone:
            await by_its_broker("EXPIRED")(scene, engine, exit_)
        async with scene.living() as again:
            await ended(again, stop)
            await ended(again, exit_)
        says_so = stop if is_gone else exit_
        assert [event.quantity for event in await unguarded(scene, says_so)] == [D(10)]
        assert await scene.count("LeftUnguarded") == 1


async def test_the_end_of_the_exit_and_of_its_stop_that_are_stored_at_once_miss_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        held_back, append = asyncio.Event(), engine.store.append

        async def append_later(commit: Any) -> Any:
            if any(item.event.shown_name == "Cancelled" for item in commit.events):
                await held_back.wait()
            return await append(commit)

        engine.store.append = append_later  # type: ignore[method-assign]  # both are under way at once
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: scene.witness.of("cancel") != [])
        cancelling = asyncio.create_task(engine.cancel.cancel(exit_.order_id))
        await asyncio.sleep(1)
        held_back.set()
        await cancelling
        await ended(engine, stop)
        await ended(engine, exit_)
        said = [*await unguarded(scene, stop), *await unguarded(scene, exit_)]
        assert [event.quantity for event in said] == [D(10)]


async def test_what_waits_for_the_same_stop_keeps_an_exit_that_ends_from_an_alert(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", **STOP))
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, nth=1, seconds=5)
        first, second = [await engine.execute.execute(an_exit(name, quantity=5)) for name in ("one", "two")]
        assert (first.is_waiting, second.is_waiting) == (True, True)
        await engine.cancel.cancel(first.order_id)
        assert await scene.count("LeftUnguarded") == 0
        await until(lambda: scene.venue_orders(second) != [])
        await fills(scene, engine, await sent(engine, second), 5)
        assert await scene.count("LeftUnguarded") == 1
        assert [event.quantity for event in await unguarded(scene, second)] == [D(5)]


async def test_what_another_strategy_holds_is_not_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        theirs = await engine.execute.execute(a_signal("theirs", quantity=7, strategy_name="other"))
        await fills(scene, engine, theirs, 7)
        _, exit_ = await stopped_and_leaving(engine)
        await fills(scene, engine, exit_, 10)
        await ended(engine, exit_)
        assert await scene.count("LeftUnguarded") == 0


@pytest.mark.parametrize("is_rejected", [True, False], ids=["rejected", "gone unsent"])
async def test_an_exit_that_does_not_come_to_its_broker_says_what_was_cancelled_for_it(tmp_path: Path, is_rejected: bool) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop = await engine.execute.execute(an_exit("stop", **STOP))
        scene.witness.will_raise("submit", OrderValidationError("not today") if is_rejected else BrokerConnectionError("no line"))
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: scene.witness.of("cancel") != [])
        if not is_rejected:
            await until(lambda: not scene.witness.errors["submit"])
            await engine.kill_all.kill("enough", PERSON)
        await ended(engine, exit_)
        found = await unguarded(scene, exit_)
        assert [(event.quantity, event.orders) for event in found] == [(D(10), (stop.order_id,))]


async def test_an_exit_that_made_way_unsent_leaves_what_was_cancelled_for_it_to_the_next(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        first, second = [await engine.execute.execute(an_exit(name, quantity=5, **STOP)) for name in ("first", "second")]
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, nth=2, seconds=5)
        limit = await engine.execute.execute(an_exit("limit", **LIMIT))
        await until(lambda: engine.orders.unfinished_with(first.order_id) is None)
        exit_ = await engine.execute.execute(an_exit())
        await ended(engine, limit)
        exit_ = await sent(engine, exit_)
        assert await scene.count("LeftUnguarded") == 0
        await engine.cancel.cancel(exit_.order_id)
        await ended(engine, exit_)
        (said,) = await unguarded(scene, exit_)
        assert (said.quantity, {*said.orders}) == (D(10), {first.order_id, second.order_id})
        assert await scene.count("LeftUnguarded") == 1


# --- the stops are gone, and the exit has to wait on ------------------------------------------------------------------------------

CLOSING = datetime(2025, 3, 10, 19, 58, tzinfo=UTC)
"""Two minutes before New York closes."""
TO_LEAVE: dict[str, dict[str, Any]] = {
    "all": {},
    "sized": {"quantity": 4},
    "target": {"role": "ENTRY", "side": None, "target_quantity": 4},
    "turns": {"role": "ENTRY", "side": None, "target_quantity": -4},
}
SOLD = {"all": 10, "sized": 4, "target": 6, "turns": 14}
KEPT_STOP = STOP | {"time_in_force": "GTC"}


async def waits_on_for(
    reason: str, scene: Scene, engine: Engine, leave: str, happens: Callable[[], Awaitable[None]]
) -> tuple[LiveOrder, LiveOrder]:
    """What `happens` between the end of the stop and the judgement of the exit keeps that waiting."""
    stop, gathered = await engine.execute.execute(an_exit("stop", **KEPT_STOP)), engine.execute.gathered

    async def gathered_late(*asked: Any, **how: Any) -> Any:
        if how.get("waited") is not None:
            engine.execute.gathered = gathered  # type: ignore[method-assign]  # once
            await happens()
        return await gathered(*asked, **how)

    engine.execute.gathered = gathered_late  # type: ignore[method-assign]  # between two looks at the account
    exit_ = await engine.execute.execute(an_exit(hours="next_open", **TO_LEAVE[leave]))

    def waits_on() -> bool:
        known = engine.orders.unfinished_with(exit_.order_id)
        return known is not None and known.wait is not None and known.wait.reason == reason

    await until(waits_on, 600)
    return stop, exit_


async def waits_for_the_open(scene: Scene, engine: Engine, leave: str) -> tuple[LiveOrder, LiveOrder]:
    return await waits_on_for("OPEN", scene, engine, leave, lambda: asyncio.sleep(180))


async def waits_for_its_broker(scene: Scene, engine: Engine, leave: str) -> tuple[LiveOrder, LiveOrder]:
    return await waits_on_for("CONNECTION", scene, engine, leave, lambda: goes_away(scene, engine))


@pytest.mark.parametrize("leave", TO_LEAVE)
@pytest.mark.parametrize("restarted", [False, True], ids=["", "restart"])
async def test_an_exit_that_waits_for_the_open_says_what_is_without_a_stop_until_then(
    tmp_path: Path, leave: str, restarted: bool
) -> None:
    async with a_scene(tmp_path, BY_HAND, start=CLOSING, limits=SHORTS) as scene:
        engine = scene.engine()
        await engine.start()
        await holding(scene, engine)
        stop, exit_ = await waits_for_the_open(scene, engine, leave)
        assert [(event.quantity, event.orders) for event in await unguarded(scene, exit_)] == [(D(10), (stop.order_id,))]
        if restarted:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await asyncio.sleep(60)
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        assert await scene.count("LeftUnguarded") == 1, "it is said once"
        await engine.stop()


@pytest.mark.parametrize("leave", TO_LEAVE)
async def test_an_exit_that_waits_for_its_broker_says_what_is_without_a_stop_until_then(tmp_path: Path, leave: str) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine)
        stop, exit_ = await waits_for_its_broker(scene, engine, leave)
        assert [(event.quantity, event.orders) for event in await unguarded(scene, exit_)] == [(D(10), (stop.order_id,))]
        await comes_back(scene, engine)
        await until(lambda: bool(scene.venue_orders(exit_)), 600)
        order = await sent(engine, exit_)
        assert order.quantity == D(SOLD[leave])
        await fills(scene, engine, order, SOLD[leave])
        assert await scene.count("LeftUnguarded") == 1, "it is said once"


@pytest.mark.parametrize("ends", [by_a_person, by_a_kill], ids=["person", "kill"])
@pytest.mark.parametrize("waits", [waits_for_the_open, waits_for_its_broker])
async def test_where_it_ends_while_it_waits_on_nothing_is_said_twice(tmp_path: Path, waits: Any, ends: Any) -> None:
    async with a_scene(tmp_path, BY_HAND, start=CLOSING) as scene, scene.living() as engine:
        await holding(scene, engine)
        _, exit_ = await waits(scene, engine, "all")
        await ends(scene, engine, exit_)
        await ended(engine, exit_)
        assert [event.quantity for event in await unguarded(scene, exit_)] == [D(10)]
        assert await held(engine) == 10


async def test_the_alert_of_a_wait_goes_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, start=CLOSING) as scene, scene.living() as engine:
        await holding(scene, engine)
        _, exit_ = await waits_for_the_open(scene, engine, "all")
        (said,) = await unguarded(scene, exit_)
        assert (said.notice, said.category) == ("unguarded", "WARNING")


def test_a_stop_that_made_way_says_so_of_itself() -> None:
    assert "this one made way" in LeftUnguarded(quantity=D(5), orders=()).sentence()
