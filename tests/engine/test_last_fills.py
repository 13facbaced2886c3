"""A broker tells of an order's end before it tells of its last fill: an exit is of that fill too."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.orders.last_fills import LATEST_SECONDS
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Filled
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import LAX, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_positions_at_exits import SHORTS, an_exit, at_venue, notices_of
from tests.engine.test_store_failures import allow_reading_only, allow_writing, holds, losing_replies

D = Decimal
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
NO_LOOKS: dict[str, Any] = {"poll_seconds": 3600.0, "reconcile_seconds": 3600.0}
"""Nothing but an answer to a question of its own tells of a fill whose report is late."""
EXITS = pytest.mark.parametrize(
    "exit_",
    [
        {},
        {"quantity": D(10)},
        {"quantity": None, "percent": D(100)},
        {"position_effect": None},
        {"position_effect": None, "side": None, "target_quantity": D(0)},
    ],
    ids=["close", "sized close", "percent", "no size", "target"],
)


async def filled_late(scene: Scene, order: LiveOrder, quantity: int) -> None:
    """So much of what rests is filled, and reported after everything that the test looks at."""
    await scene.control.lay(Fault(kind=FaultKind.REPORT_LATE, on=Point.REPORT, seconds=30.0))
    await scene.control.fill(order.broker_order_id or "", D(quantity), D(500))


def count_finds(scene: Scene) -> list[str]:
    """The orders that are asked for singly, from now on."""
    asked: list[str] = []
    find = scene.witness._broker.find

    async def counted(client_order_id: str, *rest: Any) -> Any:
        asked.append(client_order_id)
        return await find(client_order_id, *rest)

    scene.witness.answers["find"] = counted
    return asked


async def closed(scene: Scene, engine: Engine, order: LiveOrder) -> LiveOrder:
    """What rests of it is filled by the venue's people, as often as it takes."""
    async with asyncio.timeout(60):
        while not (now := await engine.orders.get(order.order_id)).status.is_closed:
            for each in scene.venue_orders(order):
                if each["state"] == "WORKING":
                    await scene.control.fill(now.broker_order_id or "", D(str(each["quantity"])), D(500))
            await asyncio.sleep(0.05)
    return now


@EXITS
async def test_an_exit_that_has_its_entry_cancelled_closes_what_that_filled_at_last(tmp_path: Path, exit_: dict[str, Any]) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        out = await closed(scene, engine, await engine.execute.execute(an_exit(**exit_)))
        assert (out.status, out.filled_quantity) == ("FILLED", D(4)), out.error_message
        assert (await engine.orders.get(entry.order_id)).filled_quantity == 4
        await asyncio.sleep(60)
        assert at_venue(scene) == 0
        assert [order.status for order in engine.orders.unfinished()] == []


@EXITS
@pytest.mark.parametrize("told", [0, 3], ids=["nothing told", "a part told"])
async def test_an_exit_that_comes_once_its_entry_ended_closes_what_that_filled_at_last(
    tmp_path: Path, told: int, exit_: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        if told:
            await scene.control.fill(entry.broker_order_id or "", D(told), D(500))
            await until(lambda: any(each.filled_quantity == told for each in engine.orders.unfinished()))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        await until(lambda: not engine.orders.unfinished(), seconds=1)
        assert (await engine.orders.get(entry.order_id)).filled_quantity == told
        fields = {**exit_, "quantity": D(told + 4)} if exit_.get("quantity") else exit_
        out = await closed(scene, engine, await engine.execute.execute(an_exit(**fields)))
        assert (out.status, out.filled_quantity, at_venue(scene)) == ("FILLED", D(told + 4), D(0)), out.error_message


async def test_a_target_buys_no_more_than_is_missing_with_what_was_filled_at_last(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        target = await engine.execute.execute(an_exit("to 10", side=None, position_effect=None, target_quantity=D(10)))
        await closed(scene, engine, target)
        assert at_venue(scene) == 10


async def test_a_short_is_bought_back_whole(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", side="SELL", quantity=D(10), limit_price="600", time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        out = await closed(scene, engine, await engine.execute.execute(an_exit(side="BUY")))
        assert (out.status, out.filled_quantity, at_venue(scene)) == ("FILLED", D(4), D(0))


async def test_a_stop_that_made_way_and_filled_at_last_is_not_sold_twice(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await scene.control.fill(entry.broker_order_id or "", D(10), D(500))
        await until(lambda: not engine.orders.unfinished())
        stop = await engine.execute.execute(
            a_signal(
                "stop", side="SELL", role="STOP_LOSS", order_type="STOP", stop_price="400", quantity=D(10), time_in_force="GTC"
            )
        )
        await filled_late(scene, stop, 4)
        out = await closed(scene, engine, await engine.execute.execute(an_exit()))
        assert (out.status, out.filled_quantity, at_venue(scene)) == ("FILLED", D(6), D(0))


async def test_only_the_strategy_whose_entry_it_was_closes_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC", strategy_name="a"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        other = await engine.execute.execute(an_exit("b", strategy_name="b"))
        assert other.status == "REJECTED"
        out = await closed(scene, engine, await engine.execute.execute(an_exit("a", strategy_name="a")))
        assert (out.filled_quantity, at_venue(scene)) == (D(4), D(0))


async def test_each_is_asked_for_once_and_nothing_is_asked_where_all_filled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        ended = list[str]()
        entries = [
            await engine.execute.execute(a_limit(f"in {number}", quantity=D(10), time_in_force="GTC")) for number in range(3)
        ]
        for left, entry in zip((2, 1, 0), entries, strict=True):
            if left < 2:
                await engine.cancel.cancel(entry.order_id)
            else:
                await scene.control.fill(entry.broker_order_id or "", D(10), D(500))
            await until(lambda left=left: len(engine.orders.unfinished()) == left)
            ended.append(entry.client_order_id)
        asked = count_finds(scene)
        for number in range(2):
            await closed(scene, engine, await engine.execute.execute(an_exit(f"out {number}", quantity=D(5))))
        assert sorted(asked) == sorted(ended[1:])


async def test_a_broker_that_does_not_answer_keeps_an_exit_no_longer_than_a_question_may(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)

        async def unanswered(*_: Any) -> Any:
            await asyncio.sleep(3600)

        scene.witness.answers["find"] = unanswered
        begun = scene.clock.monotonic()
        out = await engine.execute.execute(an_exit())
        assert scene.clock.monotonic() - begun == pytest.approx(LAX.exit_question_seconds, abs=0.2)
        assert out.status == "REJECTED"
        assert [kind for kind, _ in await notices_of(scene)] == ["exit_refused"]
        del scene.witness.answers["find"]
        again = await closed(scene, engine, await engine.execute.execute(an_exit("again")))
        assert (again.filled_quantity, at_venue(scene)) == (D(4), D(0))


async def test_what_ended_a_minute_ago_is_not_asked_for(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await engine.cancel.cancel(entry.order_id)
        await asyncio.sleep(LATEST_SECONDS + 1)
        asked = count_finds(scene)
        assert (await engine.execute.execute(an_exit())).status == "REJECTED"
        assert asked == []


async def test_where_the_last_fill_cannot_be_stored_nothing_is_sent_until_it_can(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        allow_reading_only(scene, engine)
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(an_exit())
        allow_writing(scene, engine)
        out = await closed(scene, engine, await engine.execute.execute(an_exit()))
        assert (out.filled_quantity, at_venue(scene)) == (D(4), D(0))


async def test_a_last_fill_that_was_stored_with_its_reply_lost_counts(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, Filled) and next(lost, False))
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(an_exit())
        out = await closed(scene, engine, await engine.execute.execute(an_exit()))
        assert (out.filled_quantity, at_venue(scene)) == (D(4), D(0))


OPENERS = pytest.mark.parametrize(
    "opens",
    [
        {"quantity": D(7)},
        {"notional": D(3500)},
        {"position_effect": "OPEN", "quantity": D(7)},
        {"quantity": None},
        {"quantity": D(7), "order_type": "LIMIT", "limit_price": "500"},
    ],
    ids=["sized", "by money", "open", "no size", "limit"],
)


@OPENERS
@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_what_opens_counts_what_was_filled_at_last(tmp_path: Path, side: str, opens: dict[str, Any]) -> None:
    limits = (LAX if side == "BUY" else SHORTS).model_copy(update={"max_position_size": D(5200), "position_size": D(3500)})
    price = "400" if side == "BUY" else "510"
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", side=side, quantity=D(10), limit_price=price, time_in_force="GTC"))
        assert entry.error_message is None
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        await until(lambda: not engine.orders.unfinished(), seconds=1)
        more = await engine.execute.execute(a_signal("more", side=side, **{"quantity": None} | opens))
        assert (more.status, at_venue(scene)) == ("REJECTED", D(4 if side == "BUY" else -4)), more.error_message


@OPENERS
async def test_limits_of_the_account_count_it_in_other_instruments(tmp_path: Path, opens: dict[str, Any]) -> None:
    limits = LAX.model_copy(update={"max_positions": 1, "position_size": D(3500)})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await filled_late(scene, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        await until(lambda: not engine.orders.unfinished(), seconds=1)
        more = await engine.execute.execute(a_signal("more", symbol="AAPL", **{"quantity": None} | opens))
        assert more.status == "REJECTED", at_venue(scene)


async def test_what_opens_asks_nothing_where_no_end_is_fresh(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(**NO_LOOKS) as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=D(10), time_in_force="GTC"))
        await engine.cancel.cancel(entry.order_id)
        asked = count_finds(scene)
        await engine.execute.execute(a_limit("again", quantity=D(10)))
        assert asked == [entry.client_order_id]
        await engine.execute.execute(a_limit("and again", quantity=D(10)))
        assert asked == [entry.client_order_id]
