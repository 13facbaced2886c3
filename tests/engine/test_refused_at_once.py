"""A signal that no waiting could help is refused when it comes, and nothing of ours is cancelled for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.domain.errors import OrderValidationError
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.engine.scenes import LAX, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, code_of, holding
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills

D = Decimal
SCORED = LAX.model_copy(update={"max_sell_score": D("-0.5")})


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
@pytest.mark.parametrize(
    "resting",
    [STOP, LIMIT, LIMIT | {"role": "TAKE_PROFIT"}, LIMIT | {"role": "ENTRY", "quantity": 10}],
    ids=["stop-loss", "exit", "take-profit", "sale"],
)
@pytest.mark.parametrize(
    "wrong",
    [{}, {"quantity": 10}, {"role": "ENTRY", "position_effect": "CLOSE"}, STOP | {"stop_price": "900"}],
    ids=["exit", "sized exit", "close", "guard"],
)
async def test_a_close_on_the_wrong_side_cancels_no_exit(
    tmp_path: Path, wrong: dict[str, Any], resting: dict[str, Any], limits: Any
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        guard = await engine.execute.execute(an_exit("rests", **resting))
        close = await engine.execute.execute(an_exit(**{"side": "BUY"} | wrong))
        assert await code_of(scene, close) == "close_would_add"
        await asyncio.sleep(10)
        assert not (await engine.orders.get(guard.order_id)).cancels


async def test_a_sale_that_may_turn_the_position_round_is_an_entry_of_what_a_buy_closes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine, 4)
        sale = await engine.execute.execute(a_limit("sale", 600, side="SELL", quantity=10))
        close = await engine.execute.execute(an_exit(side="BUY"))
        assert close.wait is not None
        assert close.wait.orders == (sale.order_id,)


# --- on the side that would enlarge what is held, beside an order that may turn that round ------------------------------

WRONG = [{}, {"quantity": 3}, {"role": "ENTRY", "position_effect": "CLOSE"}, STOP | {"stop_price": None}]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restart"])
@pytest.mark.parametrize("cancels", [True, False], ids=["", "entries stay"])
@pytest.mark.parametrize("wrong", WRONG, ids=["exit", "sized exit", "close", "guard"])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_an_exit_on_the_wrong_side_waits_for_the_order_that_turns_and_leaves_it_alone(
    tmp_path: Path, side: str, wrong: dict[str, Any], cancels: bool, restarted: bool
) -> None:
    """It closes nothing of what is held, and nothing is known yet of what it would close."""
    other, price, stop = ("SELL", 600, "510") if side == "BUY" else ("BUY", 400, "490")
    fields = {"side": side} | wrong | ({"stop_price": stop} if "stop_price" in wrong else {})
    limits = SHORTS.model_copy(update={"exit_cancels_entry": cancels})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene:
        engine = scene.engine()
        await engine.start()
        await fills(scene, engine, await engine.execute.execute(a_signal("in", side=side, quantity=4)), 4)
        turning = await engine.execute.execute(a_limit("turns", price, side=other, quantity=10, time_in_force="GTC"))
        exit_ = await engine.execute.execute(an_exit(**fields))
        if restarted:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await asyncio.sleep(30)
        assert not (await engine.orders.get(turning.order_id)).cancels
        await fills(scene, engine, await engine.orders.get(turning.order_id), 10)
        await until(lambda: scene.venue_orders(exit_) != [])
        sent = await engine.orders.get(exit_.order_id)
        assert (sent.terms.side, sent.quantity) == (side, D(3) if "quantity" in wrong else D(6))
        await engine.stop()


async def test_once_the_position_is_turned_the_rest_of_what_turned_it_is_an_entry_like_any_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await holding(scene, engine, 4)
        turning = await engine.execute.execute(a_limit("turns", 600, side="SELL", quantity=10, time_in_force="GTC"))
        exit_ = await engine.execute.execute(an_exit(side="BUY"))
        await fills(scene, engine, turning, 4)
        await asyncio.sleep(5)
        over = await engine.orders.get(turning.order_id)
        assert (over.status, over.cancel_reason) == ("CANCELLED", "MADE_WAY")
        assert await code_of(scene, await engine.orders.get(exit_.order_id)) == "nothing_to_close"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"quantity": "0.5"}, "invalid_quantity"),
        ({"order_type": "TRAILING_STOP", "trail_amount": "5"}, "OrderValidationError"),
        ({"score": "0.9"}, "signal_score"),
        ({"valid_for": -5}, "stale_signal"),
        ({"switch": "off"}, "auto_trading"),
        ({"switch": "halt"}, "kill_switch"),
    ],
)
async def test_an_exit_that_meets_its_entry_and_could_never_be_sent_leaves_that_alone(
    tmp_path: Path, fields: dict[str, Any], code: str
) -> None:
    """Whether anything is held yet or not."""
    async with a_scene(tmp_path, BY_HAND, limits=SCORED) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        takes_no_trail(scene)
        if switch := fields.pop("switch", ""):
            await switched(engine, switch)
        if seconds := fields.pop("valid_for", 0):
            fields |= {"valid_until": scene.clock.now() + timedelta(seconds=seconds)}
        for name in ("flat", "held"):
            exit_ = await engine.execute.execute(an_exit(f"out {name}", **fields))
            assert await code_of(scene, exit_) == code
            await asyncio.sleep(5)
            assert not (await engine.orders.get(entry.order_id)).cancels
            if name == "flat":
                await fills(scene, engine, entry, 4)


def takes_no_trail(scene: Scene) -> None:
    broker: Any = scene.witness._broker
    check = broker.check

    def without_trails(request: Any) -> None:
        if request.order_type == "TRAILING_STOP":
            raise OrderValidationError("order_type: no such orders here")
        check(request)

    broker.check = without_trails


async def switched(engine: Any, switch: str) -> None:
    if switch == "off":
        await engine.halts.switch_auto_trading(False, "enough", "person:ann")
    else:
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")


@pytest.mark.parametrize("exits", [[{}], [{"quantity": 10}, {"quantity": 10}], [STOP]], ids=["all", "two sized", "guard"])
async def test_an_entry_that_is_filled_is_not_waited_for_though_its_cancel_is_in_doubt(
    tmp_path: Path, exits: list[dict[str, Any]]
) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_LOST, on=Point.CANCEL))
        for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
            await scene.control.lay(Fault(kind=FaultKind.QUERY_FAILED, on=point))
        first = await engine.execute.execute(an_exit("first"))
        await until(lambda: (known := engine.orders.unfinished_with(entry.order_id)) is not None and known.is_in_doubt)
        await engine.cancel.cancel(first.order_id)
        waiting = await engine.execute.execute(an_exit("waits", **exits[0]))
        assert waiting.is_waiting
        await fills(scene, engine, entry, 10)
        assert (await engine.orders.get(entry.order_id)).is_in_doubt, "of its cancel"
        await until(lambda: scene.venue_orders(waiting) != [])
        assert (await engine.orders.get(waiting.order_id)).quantity == D(10)
        for number, each in enumerate(exits[1:]):
            late = await engine.execute.execute(an_exit(f"late {number}", **each))
            assert await code_of(scene, late) == "already_closing"


async def test_a_new_exit_does_not_wait_for_a_filled_entry_and_a_target_reckons_with_no_doubt_about_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_LOST, on=Point.CANCEL))
        for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
            await scene.control.lay(Fault(kind=FaultKind.QUERY_FAILED, on=point))
        await engine.cancel.cancel(entry.order_id)
        await fills(scene, engine, entry, 10)
        assert (await engine.orders.get(entry.order_id)).is_in_doubt
        down = await engine.execute.execute(a_signal("t", side=None, quantity=None, target_quantity=6))
        assert (down.is_waiting, down.quantity) == (False, D(4))
        exit_ = await engine.execute.execute(an_exit())
        assert (exit_.is_waiting, exit_.quantity) == (False, D(6))
