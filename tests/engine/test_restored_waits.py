"""Orders that waited when a backup was made and were sent after it: what is put back asks about them before it sends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills, Keys
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_restored_stores import backed_up, restore
from tests.engine.test_waiting_orders import EARLY, THE_OPEN, ended
from tests.harness.virtual_time import VirtualLoop

RESTING = {
    support.value: STILL.model_copy(update={"keys": Keys(support=support), "fills": Fills(automatic=False)})
    for support in KeySupport
}
ASKABLE = [name for name in RESTING if name != KeySupport.NONE.value]
UNASKABLE = KeySupport.NONE.value
A_DAY = timedelta(days=1)
AN_HOUR = timedelta(hours=1)
A_TARGET = a_signal(
    "out", side="SELL", role="TAKE_PROFIT", order_type="LIMIT", limit_price="600", quantity=None, time_in_force="GTC"
)


def pass_time(span: timedelta) -> None:
    """While nothing runs."""
    cast(VirtualLoop, asyncio.get_running_loop()).pass_time(span.total_seconds())


async def resume_all(engine: Engine) -> None:
    for halt in list(engine.halts.standing()):
        await engine.halts.resume(halt.scope, "looked at", "person:ann")


def states(scene: Scene, order: LiveOrder) -> list[str]:
    return [str(each["state"]) for each in scene.venue_orders(order)]


async def sent_after_the_backup(scene: Scene, age: float | None = None) -> LiveOrder:
    """A limit order waits for the open; a backup is made; at the open it is sent, and rests. The backup is put back."""
    async with scene.living() as engine:
        order = await engine.execute.execute(a_limit("w", hours="next_open", timestamp=scene.clock.now(), time_in_force="GTC"))
        assert order.is_waiting
        await backed_up(scene)
        await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() + 30)
        assert (await engine.orders.get(order.order_id)).is_acknowledged
    await restore(scene)
    return order


@pytest.mark.parametrize("age", [None, 60.0])
@pytest.mark.parametrize("later", ["at once", "in the evening"])
@pytest.mark.parametrize("keys", RESTING)
async def test_what_waited_in_the_backup_and_was_sent_since_is_one_order(
    tmp_path: Path, keys: str, later: str, age: float | None
) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": age})
    async with a_scene(tmp_path, RESTING[keys], start=EARLY, limits=limits) as scene:
        order = await sent_after_the_backup(scene)
        if later == "in the evening":
            pass_time(11 * AN_HOUR)
        async with scene.living() as engine:
            await asyncio.sleep(30)
            await resume_all(engine)
            await asyncio.sleep(30)
        if later == "in the evening":
            pass_time(THE_OPEN + A_DAY - scene.clock.now() - timedelta(seconds=5))
        async with scene.living() as engine:
            await asyncio.sleep(120)
            now = await engine.orders.get(order.order_id)
            assert states(scene, order) == ["WORKING"]
            assert not now.is_waiting
            if keys == UNASKABLE:
                assert (now.is_in_doubt, now.status.is_closed) == (True, False)
                gone = await engine.doubts.settle_absent(order.order_id, "looked at the broker's list", "person:ann")
                assert gone.status == "CANCELLED"
            else:
                assert (now.status, now.is_in_doubt, now.error_message) == ("SUBMITTED", False, None)
                await engine.cancel.cancel(order.order_id)
                assert ((await ended(engine, now)).status, states(scene, order)) == ("CANCELLED", ["CANCELLED"])
        assert len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("keys", ASKABLE)
async def test_what_was_filled_since_is_found_filled(tmp_path: Path, keys: str) -> None:
    venue = RESTING[keys].model_copy(update={"fills": Fills()})
    async with a_scene(tmp_path, venue, start=EARLY) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_signal("w", hours="next_open", timestamp=scene.clock.now()))
            await backed_up(scene)
            await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() + 30)
            assert (await engine.orders.get(order.order_id)).status == "FILLED"
        await restore(scene)
        async with scene.living() as engine:
            await resume_all(engine)
            assert (await ended(engine, order)).status == "FILLED"
            assert [report.is_clean for report in await engine.reconcile.reconcile_all()] == [True]
        assert len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("filled", [0, 1, 8])
@pytest.mark.parametrize("keys", ASKABLE)
async def test_what_was_sent_since_is_of_the_size_that_was_sent(tmp_path: Path, keys: str, filled: int) -> None:
    """Its entry filled further after the backup was made."""
    async with a_scene(tmp_path, RESTING[keys]) as scene:
        async with scene.living() as engine:
            entry = await engine.execute.execute(a_limit("in", quantity=10, time_in_force="GTC"))
            await scene.control.fill(entry.broker_order_id or "", Decimal(5), Decimal(500))
            await until(lambda: bool(engine.orders.unfinished()[0].filled_quantity))
            exit_ = await engine.execute.execute(A_TARGET)
            await backed_up(scene)
            await scene.control.fill(entry.broker_order_id or "", Decimal(3), Decimal(500))
            await until(lambda: any(each.filled_quantity == 8 for each in engine.orders.unfinished()))
            await engine.cancel.cancel(entry.order_id)
            await until(lambda: bool(states(scene, exit_)))
            await asyncio.sleep(1)
            sent = await engine.orders.get(exit_.order_id)
            assert (sent.quantity, sent.is_acknowledged) == (Decimal(8), True)
            if filled:
                await scene.control.fill(sent.broker_order_id or "", Decimal(filled), Decimal(600))
        await restore(scene)
        async with scene.living() as engine:
            await asyncio.sleep(60)
            await resume_all(engine)
            now = await engine.orders.get(exit_.order_id)
            assert (now.filled_quantity, now.is_in_doubt, now.is_waiting) == (Decimal(filled), False, False)
            assert (now.status, now.remaining_quantity) == (
                {0: "SUBMITTED", 1: "PARTIAL", 8: "FILLED"}[filled],
                Decimal(8 - filled),
            )
            held = [each.quantity for each in engine.risk.holdings(ACCOUNT, SPY).values()]
            assert held == [Decimal(8 - filled)]
        assert len(scene.witness.of("submit")) == 2


@pytest.mark.parametrize("keys", ASKABLE)
async def test_what_had_not_been_sent_is_asked_about_and_then_goes_on(tmp_path: Path, keys: str) -> None:
    """Once: by the next life it is known that it was not sent."""
    async with a_scene(tmp_path, RESTING[keys], start=EARLY) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit("w", hours="next_open", timestamp=scene.clock.now(), time_in_force="GTC"))
            await backed_up(scene)
        await restore(scene)
        async with scene.living() as engine:
            await resume_all(engine)
            await asyncio.sleep(5)
            assert (await engine.orders.get(order.order_id)).is_waiting
            await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() + 120)
            now = await engine.orders.get(order.order_id)
            assert (now.is_waiting, now.is_acknowledged, states(scene, order)) == (False, True, ["WORKING"])
        names = await scene.event_names(order)
        assert names.count("SubmissionStarted") == 2
        assert names.count("OutcomeUnknown") == 1
        assert names.index("OutcomeUnknown") < names.index("WaitEnded")
        assert len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("keys", ASKABLE)
async def test_what_was_not_sent_and_is_too_late_ends_once_that_is_known(tmp_path: Path, keys: str) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, RESTING[keys], start=EARLY, limits=limits) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit("w", hours="next_open", timestamp=scene.clock.now(), time_in_force="GTC"))
            await backed_up(scene)
        await restore(scene)
        pass_time(AN_HOUR)
        async with scene.living() as engine:
            late = await ended(engine, order)
            assert (late.status, late.cancel_reason) == ("CANCELLED", CancelReason.STALE)
            assert "OutcomeUnknown" in await scene.event_names(order)
        assert scene.witness.of("submit") == []


@pytest.mark.parametrize("keys", RESTING)
async def test_an_exit_that_waited_for_its_entry_in_the_backup_goes_out_once(tmp_path: Path, keys: str) -> None:
    """The broker cannot say at first what became of either."""
    async with a_scene(tmp_path, RESTING[keys]) as scene:
        async with scene.living() as engine:
            entry = await engine.execute.execute(a_limit("in", quantity=10, time_in_force="GTC"))
            await scene.control.fill(entry.broker_order_id or "", Decimal(5), Decimal(500))
            await until(lambda: bool(engine.orders.unfinished()[0].filled_quantity))
            exit_ = await engine.execute.execute(A_TARGET)
            assert exit_.is_waiting
            await backed_up(scene)
            await engine.cancel.cancel(entry.order_id)
            await until(lambda: bool(states(scene, exit_)))
        await restore(scene)
        for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
            await scene.lay(FaultKind.QUERY_FAILED, point, nth=None)
        engine = scene.engine()
        await engine.start(wait_for_lease=True)
        await asyncio.sleep(5)
        await resume_all(engine)
        await scene.control.clear_faults()
        await asyncio.sleep(300)
        now = await engine.orders.get(exit_.order_id)
        assert states(scene, exit_) == ["WORKING"]
        assert now.is_waiting is False
        assert now.is_in_doubt is (keys == UNASKABLE)
        await engine.stop()


async def test_after_a_kill_what_waited_in_the_backup_is_ended(tmp_path: Path) -> None:
    async with a_scene(tmp_path, RESTING[ASKABLE[0]], start=EARLY) as scene:
        order = await sent_after_the_backup(scene)
        async with scene.living() as engine:
            await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
            await engine.kill_all.kill("enough", "person:ann", wait_seconds=5)
            await asyncio.sleep(30)
            assert engine.orders.unfinished(ACCOUNT) == []
            assert states(scene, order) == ["CANCELLED"]
