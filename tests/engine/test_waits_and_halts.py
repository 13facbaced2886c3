"""What waits, and what stops trading: a switch that refuses an order refuses it before it waits, and a kill ends what waits."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.emergency_journal import JournalledHalt
from liveorder.application.reporting.views import verdict_view
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.domain.trading_halt import EVERYTHING, HaltReason, account_scope
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_kill_switch import REFUSED
from tests.engine.test_making_way import sent
from tests.engine.test_restored_waits import pass_time
from tests.engine.test_reversals import APART, second
from tests.engine.test_waiting_exits import SHORTS
from tests.engine.test_waiting_orders import EARLY, THE_OPEN, at_the_open, comes_back, ended, goes_away

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
PERSON = "person:ann"


async def until_the_open(scene: Scene) -> None:
    await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() + 60)


async def fill(scene: Scene, engine: Engine, order: LiveOrder, quantity: int) -> None:
    before = await engine.orders.get(order.order_id)
    await scene.control.fill(before.broker_order_id or "", Decimal(quantity), Decimal(500))
    await until(lambda: _known(engine, order) != before.filled_quantity)


def _known(engine: Engine, order: LiveOrder) -> Decimal | None:
    known = engine.orders.unfinished_with(order.order_id)
    return None if known is None else known.filled_quantity


def a_stop(signal_id: str = "stop", **fields: Any) -> Signal:
    terms = {"side": "SELL", "role": "STOP_LOSS", "order_type": "STOP", "stop_price": "350", "quantity": None}
    return a_signal(signal_id, **(terms | fields))


HALTS = [HaltReason.KILL_SWITCH, HaltReason.CIRCUIT_BREAKER, HaltReason.RECONCILIATION, HaltReason.BROKER_AUTH]


@pytest.mark.parametrize("reason", HALTS)
async def test_what_a_halt_refuses_does_not_wait(tmp_path: Path, reason: HaltReason) -> None:
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        await engine.halts.halt(account_scope(ACCOUNT), reason, "enough", PERSON)
        told = verdict_view(*await engine.execute.appraise(at_the_open("asked", timestamp=EARLY)))
        assert [each.code for each in told.refusals] == ["kill_switch"]
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        assert (order.status, order.is_waiting) == ("REJECTED", False)
        await engine.halts.resume(account_scope(ACCOUNT), "ok", PERSON)
        await until_the_open(scene)
        assert scene.venue_orders(order) == []


async def test_an_exit_that_a_halt_refuses_does_not_wait_for_its_entry(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await fill(scene, engine, entry, 4)
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", PERSON)
        for signal in (a_signal("out", side="SELL", role="EXIT", quantity=None), a_stop()):
            assert (await engine.execute.execute(signal)).status == "REJECTED"
        assert not (await engine.orders.get(entry.order_id)).cancel_requested


@pytest.mark.parametrize("how", ["kill", "halt in the store alone"])
async def test_what_is_in_work_while_a_kill_runs_does_not_begin_to_wait(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        gateway = engine.gateways[ACCOUNT]
        asked, price = asyncio.Event(), gateway.price

        async def slow(*args: Any, **more: Any) -> Any:
            asked.set()
            await asyncio.sleep(3)
            return await price(*args, **more)

        monkeypatch.setattr(gateway, "price", slow)
        deciding = asyncio.create_task(engine.execute.execute(at_the_open(timestamp=EARLY)))
        await asked.wait()
        if how == "kill":
            await engine.kill_all.kill("enough", PERSON, wait_seconds=1)
        else:
            await scene.reading(lambda store: store.insert_halt(EVERYTHING, "KILL_SWITCH: enough", scene.clock.now()))
        order = await deciding
        assert (order.status, order.is_waiting) == ("REJECTED", False)
        await engine.halts.take_in_rows()
        await engine.halts.resume(EVERYTHING, "ok", PERSON)
        await until_the_open(scene)
        assert scene.venue_orders(order) == []


@pytest.mark.parametrize("resumed", ["later", "at once"])
async def test_a_journalled_kill_ends_what_waits(tmp_path: Path, resumed: str) -> None:
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        FileEmergencyJournal(scene.folder / "emergency.jsonl").write(JournalledHalt("enough", PERSON, scene.clock.now()))
        assert await engine.replay_journal.book() is None
        if resumed == "later":
            await asyncio.sleep(5)
        await engine.halts.resume(EVERYTHING, "ok", PERSON)
        assert (await ended(engine, order)).status == "REJECTED"
        await until_the_open(scene)
        assert scene.venue_orders(order) == []


async def test_a_kill_by_another_process_ends_what_waits(tmp_path: Path) -> None:
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        await scene.reading(lambda store: store.insert_halt(EVERYTHING, "KILL_SWITCH: enough", scene.clock.now()))
        await engine.halts.take_in_rows()
        assert (await ended(engine, order)).status == "REJECTED"


async def test_a_kill_ends_the_second_leg_of_a_reversal(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await fill(scene, engine, await engine.execute.execute(a_signal("in", quantity=20)), 20)
        first = await sent(engine, await engine.execute.execute(a_signal("turn", side="SELL", quantity=25)))
        follows = await second(engine)
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", PERSON)
        assert (await ended(engine, follows)).status == "REJECTED"
        await engine.halts.resume(EVERYTHING, "ok", PERSON)
        await fill(scene, engine, first, 20)
        await asyncio.sleep(30)
        assert scene.venue_orders(follows) == []


@pytest.mark.parametrize("reason", HALTS)
async def test_a_second_leg_does_not_begin_to_wait_behind_a_halt(tmp_path: Path, reason: HaltReason) -> None:
    """The halt stands in the store alone, as one that another process has just put there."""
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await fill(scene, engine, await engine.execute.execute(a_signal("in", quantity=20)), 20)
        await scene.reading(lambda store: store.insert_halt(EVERYTHING, f"{reason}: enough", scene.clock.now()))
        turn = await engine.execute.execute(a_signal("turn", side="SELL", quantity=25))
        assert (await ended(engine, turn)).status == "REJECTED"
        await engine.halts.take_in_rows()
        await engine.halts.resume(EVERYTHING, "ok", PERSON)
        await asyncio.sleep(30)
        assert (engine.orders.unfinished(), len(scene.witness.of("submit"))) == ([], 1)


async def test_a_halt_that_is_over_before_the_open_ends_nothing(tmp_path: Path) -> None:
    """As where a broker's credentials expire over night: only what still stands when the wait is over refuses."""
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        orders = [await engine.execute.execute(at_the_open(each, timestamp=EARLY)) for each in ("over", "standing")]
        await engine.halts.halt(account_scope(ACCOUNT), HaltReason.BROKER_AUTH, "expired", PERSON)
        await asyncio.sleep(60)
        assert all([(await engine.orders.get(each.order_id)).is_waiting for each in orders])
        await engine.halts.resume(account_scope(ACCOUNT), "logged in", PERSON)
        await until_the_open(scene)
        assert (await ended(engine, orders[0])).status == "FILLED"


async def test_with_auto_trading_off_nothing_begins_to_wait(tmp_path: Path) -> None:
    async with a_scene(tmp_path, start=EARLY, terms={"auto_trading_default": False}) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        assert order.status == "REJECTED"
        await engine.halts.switch_auto_trading(True, "", PERSON)
        await until_the_open(scene)
        assert scene.venue_orders(order) == []


async def test_with_auto_trading_off_a_stop_waits_for_its_entry_and_a_person_closes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await engine.halts.switch_auto_trading(False, "", PERSON)
        out = await engine.execute.execute(a_signal("out", side="SELL", role="EXIT", quantity=None))
        assert out.status == "REJECTED"
        stop = await engine.execute.execute(a_stop())
        assert stop.is_waiting
        await fill(scene, engine, entry, 10)
        await until(lambda: bool(scene.venue_orders(stop)))


async def test_what_waits_while_auto_trading_is_off_is_refused_when_its_wait_is_over(tmp_path: Path) -> None:
    """Switched on again before that, nothing was refused; once refused it stays so."""
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        await engine.halts.switch_auto_trading(False, "", PERSON)
        await until_the_open(scene)
        assert (await ended(engine, order)).status == "REJECTED"
        await engine.halts.switch_auto_trading(True, "", PERSON)
        await asyncio.sleep(60)
        assert scene.venue_orders(order) == []


@pytest.mark.parametrize("retried", [False, True])
@pytest.mark.parametrize("is_away", [False, True])
async def test_a_stop_that_waits_when_a_kill_comes_guards_what_has_filled(tmp_path: Path, is_away: bool, retried: bool) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await fill(scene, engine, entry, 4)
        stop = await engine.execute.execute(a_stop())
        if is_away:
            await goes_away(scene, engine)
            await comes_back(scene, engine)
        if retried:
            scene.witness.will_raise("submit", REFUSED)
        report = await engine.kill_all.kill("enough", PERSON, wait_seconds=5)
        assert (report.not_cancelled, report.cancelled) == ((), (entry.order_id,))
        await until(lambda: bool(scene.venue_orders(stop)))
        now = await engine.orders.get(stop.order_id)
        assert (now.quantity, now.terms.passes_halt, now.status) == (Decimal(4), True, "SUBMITTED")
        assert (await engine.execute.execute(a_stop("later"))).status == "REJECTED"


async def test_a_stop_that_waits_for_its_broker_when_a_kill_comes_is_placed_when_that_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await fill(scene, engine, entry, 4)
        await engine.cancel.cancel(entry.order_id)
        await goes_away(scene, engine)
        stop = await engine.execute.execute(a_stop())
        await engine.kill_all.kill("enough", PERSON, wait_seconds=1)
        await asyncio.sleep(10)
        assert (await engine.orders.get(stop.order_id)).is_waiting
        assert (await engine.execute.execute(a_stop("later"))).status == "REJECTED"
        scene.witness.errors.clear()
        await until(lambda: bool(scene.venue_orders(stop)))
        assert (await engine.orders.get(stop.order_id)).quantity == Decimal(4)


@pytest.mark.parametrize("more", [{"cancel_all": True}, {"flatten": True}])
async def test_a_kill_that_takes_the_guards_too_takes_those_that_wait(tmp_path: Path, more: dict[str, bool]) -> None:
    venue = STILL.model_copy(update={"fills": Fills(automatic=True)})
    async with a_scene(tmp_path, venue) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", 400, quantity=10))
        stop = await engine.execute.execute(a_stop())
        assert stop.is_waiting
        await engine.kill_all.kill("enough", PERSON, wait_seconds=5, **more)
        assert (await ended(engine, stop)).status in ("CANCELLED", "REJECTED")
        assert (await ended(engine, entry)).status == "CANCELLED"
        assert scene.venue_orders(stop) == []
        assert engine.risk.positions(ACCOUNT).get(SPY) is None


@pytest.mark.parametrize("is_dated", [True, False])
@pytest.mark.parametrize("hours", [2, 26])
async def test_a_wait_for_an_entry_makes_no_exit_stale(tmp_path: Path, hours: int, is_dated: bool) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene:
        now = scene.clock.now()
        dated: dict[str, Any] = {"timestamp": now, "time_in_force": "GTC"} if is_dated else {"time_in_force": "GTC"}
        async with scene.living() as engine:
            entry = await engine.execute.execute(a_limit("in", quantity=10, time_in_force="GTC"), published_at=now)
            stop = await engine.execute.execute(a_stop(**dated), published_at=now)
            ends = now + timedelta(hours=1)
            short = await engine.execute.execute(a_stop("short", valid_until=ends, **dated), published_at=now)
        pass_time(timedelta(hours=hours))
        async with scene.living() as engine:
            assert (await ended(engine, short)).cancel_reason == "STALE"
            assert (await engine.orders.get(stop.order_id)).is_waiting
            await fill(scene, engine, entry, 10)
            await until(lambda: bool(scene.venue_orders(stop)))
            assert (await engine.orders.get(stop.order_id)).quantity == Decimal(10)


async def test_an_exit_too_old_to_trade_does_not_wait_for_an_entry(tmp_path: Path) -> None:
    """Yesterday's file, read again by mistake: the wait must not make it young."""
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        now = scene.clock.now()
        await engine.execute.execute(a_limit("in", quantity=10, timestamp=now))
        late = await engine.execute.execute(a_stop("late", timestamp=now - timedelta(hours=2)))
        old = await engine.execute.execute(a_stop("old", timestamp=now - timedelta(hours=25)))
        assert (late.is_waiting, old.status) == (True, "REJECTED")
