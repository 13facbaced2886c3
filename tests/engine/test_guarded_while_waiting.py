"""An exit waits for an entry, and a stop is in its way: what is held keeps its stop until the exit can take its place."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import LiveOrderError, OrderValidationError, StoreUnavailable
from liveorder.domain.events import PERSON
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, CancelRequested
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, LAX, SPY, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP
from tests.engine.test_store_failures import allow_reading_only, allow_writing, holds, losing_replies
from tests.engine.test_waiting_exits import BY_HAND, an_exit, fills

FOR_LONG = 130


async def held_with_a_stop(scene: Scene, engine: Engine) -> LiveOrder:
    entry = await engine.execute.execute(a_signal("in-20", quantity=20))
    await fills(scene, engine, entry, 20)
    return await engine.execute.execute(an_exit("stop", **STOP))


def is_live(scene: Scene, order: LiveOrder) -> bool:
    return bool(scene.venue_orders(order)[0]["state"].is_live)


async def test_a_stop_stands_while_the_entry_is_in_doubt(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
            await scene.lay(FaultKind.QUERY_FAILED, point, nth=None)
        await scene.lay(FaultKind.REQUEST_LOST, Point.SUBMIT)
        entry = await engine.execute.execute(a_limit("more", quantity=5))
        cancel = scene.witness._broker.cancel

        async def cancel_all_but_the_entry(prepared: Any) -> Any:
            if entry.client_order_id in prepared.payload:
                await asyncio.Event().wait()
            return await cancel(prepared)

        scene.witness.answers["cancel"] = cancel_all_but_the_entry
        exit_ = await engine.execute.execute(an_exit())
        await asyncio.sleep(FOR_LONG)
        assert entry.is_in_doubt
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        assert is_live(scene, stop)


async def test_a_stop_stands_where_exits_cancel_no_entry(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"exit_cancels_entry": False})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        await engine.execute.execute(a_limit("more", quantity=5, time_in_force="GTC"))
        exit_ = await engine.execute.execute(an_exit())
        await asyncio.sleep(FOR_LONG)
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        assert is_live(scene, stop)


@pytest.mark.parametrize("how", ["cancel", "kill"])
async def test_a_cancel_that_is_tried_again_ends_with_the_exit_that_it_makes_way_for(tmp_path: Path, how: str) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        await scene.lay(FaultKind.UNAVAILABLE, Point.CANCEL)
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: len(scene.witness.of("cancel")) == 1, 60)
        if how == "cancel":
            await engine.cancel.cancel(exit_.order_id)
        else:
            await engine.kill_all.kill("enough", PERSON, wait_seconds=0)
        await asyncio.sleep(FOR_LONG)
        assert (await engine.orders.get(exit_.order_id)).status.is_closed
        assert is_live(scene, stop)


@pytest.mark.parametrize("is_killed", [False, True], ids=["the same life", "the next life"])
async def test_a_lost_cancel_is_not_sent_again_for_an_exit_that_has_ended(tmp_path: Path, is_killed: bool) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        stop = await held_with_a_stop(scene, engine)
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: len(scene.witness.of("cancel")) == 1, 60)
        await engine.cancel.cancel(exit_.order_id)
        if is_killed:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await asyncio.sleep(FOR_LONG)
        stands = is_live(scene, stop)
        await engine.stop()
        assert stands


async def test_a_lost_cancel_is_sent_again_as_long_as_the_exit_waits(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: bool(scene.venue_orders(exit_)), 60)
        assert not is_live(scene, stop)


async def test_a_stop_stands_while_the_exit_cannot_be_stored(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        cancel, is_away = engine.cancel.cancel, list[bool]()

        async def cancel_once_the_store_is_away(*asked: Any, **how: Any) -> LiveOrder:
            if not is_away:
                is_away.append(True)
                allow_reading_only(scene, engine)
            return await cancel(*asked, **how)

        engine.cancel.cancel = cancel_once_the_store_is_away  # type: ignore[method-assign]  # between two commits
        exit_ = await engine.execute.execute(an_exit())
        await asyncio.sleep(45)
        assert is_live(scene, stop)
        allow_writing(scene, engine)
        await until(lambda: bool(scene.venue_orders(exit_)), 60)
        cancelled = (await engine.orders.get(stop.order_id)).cancel_reason
        assert (is_live(scene, stop), cancelled) == (False, CancelReason.MADE_WAY)


async def test_an_entry_that_cannot_be_named_yet_is_cancelled_soon_after_it_can(tmp_path: Path) -> None:
    """As at Kite: a cancel needs the broker's id, which a slow acknowledgement brings later."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await held_with_a_stop(scene, engine)
        prepare = scene.witness._broker.prepare

        def prepare_by_id_alone(request: Any) -> Any:
            if type(request).__name__ == "CancelRequest" and request.broker_order_id is None:
                raise OrderValidationError("broker_order_id: not known yet; ask again shortly")
            return prepare(request)

        scene.witness.answers["prepare"] = prepare_by_id_alone
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, Point.SUBMIT, seconds=3)
        await scene.lay(FaultKind.REPORT_LATE, Point.REPORT, nth=None, seconds=3)
        sending = asyncio.create_task(engine.execute.execute(a_limit("more", quantity=5)))
        await until(lambda: len(scene.witness.of("submit")) == 3)
        exit_ = await engine.execute.execute(an_exit())
        await sending
        named_at = scene.clock.monotonic()
        await until(lambda: bool(scene.venue_orders(exit_)), 300)
        assert scene.clock.monotonic() - named_at < 10


@pytest.mark.parametrize("seconds", [0, FOR_LONG])
@pytest.mark.parametrize(
    ("signal", "side", "quantity"),
    [
        ({"side": "SELL", "quantity": None}, Side.SELL, Decimal(20)),
        ({"side": None, "quantity": None, "target_quantity": Decimal(10)}, Side.SELL, Decimal(10)),
        ({"side": "SELL", "quantity": None, "role": "EXIT"}, Side.SELL, Decimal(20)),
    ],
    ids=["no size", "a target", "an exit"],
)
async def test_a_transfer_that_was_not_stored_takes_nothing(
    tmp_path: Path, signal: dict[str, Any], side: Side, quantity: Decimal, seconds: int
) -> None:
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in-20", quantity=20)), 20)
        allow_reading_only(scene, engine)
        with pytest.raises(LiveOrderError):
            await engine.transfer.transfer(ACCOUNT, SPY, "default", "other", Decimal(20), "a mistake", PERSON)
        allow_writing(scene, engine)
        await asyncio.sleep(seconds)
        order = await engine.orders.get((await engine.execute.execute(a_signal("next", **signal))).order_id)
        assert (order.terms.side, order.quantity) == (side, quantity)


async def test_what_a_transfer_brought_can_be_closed_though_the_reply_was_lost(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in-20", quantity=20)), 20)
        lost = iter([True])
        losing_replies(engine, lambda commit: next(lost, False))
        with pytest.raises(StoreUnavailable):
            await engine.transfer.transfer(ACCOUNT, SPY, "default", "other", Decimal(20), "meant so", PERSON)
        order = await engine.execute.execute(an_exit(strategy_name="other"))
        assert order.quantity == 20


async def test_a_cancel_whose_commit_lost_its_reply_is_asked_for_all_the_same(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        stop = await held_with_a_stop(scene, engine)
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, CancelRequested) and next(lost, False))
        exit_ = await engine.execute.execute(an_exit())
        await until(lambda: bool(scene.venue_orders(exit_)), 300)
        assert not is_live(scene, stop)
