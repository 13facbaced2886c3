"""Signals that wait before they are judged: for their broker, for the open. Durably, and each ends once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.reporting.views import verdict_view
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from tests.engine.scenes import ACCOUNT, LAX, STILL, Scene, a_scene, a_signal, until

AWAY = BrokerConnectionError("no route to host")
EARLY = datetime(2025, 3, 10, 13, 20, tzinfo=UTC)
"""Ten minutes before New York opens."""
THE_OPEN = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)
MINUTE = 60.0
AGED = LAX.model_copy(update={"max_signal_age_seconds": 600.0})


def at_the_open(signal_id: str = "sig-1", **fields: Any) -> Signal:
    return a_signal(signal_id, **({"hours": "next_open"} | fields))


async def goes_away(scene: Scene, engine: Engine) -> None:
    """The broker cannot be reached from now on, and the account is halted for it."""
    scene.witness.will_raise("connect", *[AWAY] * 10_000)
    await scene.control.drop_streams()
    await until(lambda: engine.halts.now.is_waiting_for_broker(ACCOUNT))


async def comes_back(scene: Scene, engine: Engine) -> None:
    scene.witness.errors.clear()
    await until(lambda: engine.halts.now.stands_for(ACCOUNT) is None)


@asynccontextmanager
async def a_lost_connection(folder: Path) -> AsyncIterator[tuple[Scene, Engine]]:
    """One instrument was traded before, so that it is known."""
    async with a_scene(folder, limits=AGED) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("before"))
        await goes_away(scene, engine)
        yield scene, engine


async def ended(engine: Engine, order: LiveOrder) -> LiveOrder:
    await until(lambda: not any(each.order_id == order.order_id for each in engine.orders.unfinished()))
    return await engine.orders.get(order.order_id)


async def test_a_signal_waits_for_its_broker_and_is_sized_when_that_is_back(tmp_path: Path) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):
        order = await engine.execute.execute(a_signal("meanwhile", quantity=None, timestamp=scene.clock.now()))
        assert (order.is_waiting, order.status) == (True, "PENDING")
        assert await scene.event_names(order) == ["Requested", "WaitBegan"]
        await asyncio.sleep(60)
        assert (await engine.orders.get(order.order_id)).is_waiting
        await scene.control.post_price("ARCA:SPY", Decimal(250))
        await comes_back(scene, engine)
        done = await ended(engine, order)
        assert (done.status, done.quantity) == ("FILLED", LAX.position_size // 250)
        assert (await scene.event_names(order))[:5] == [
            "Requested", "WaitBegan", "WaitEnded", "Approved", "SubmissionStarted",
        ]  # fmt: skip
        assert len(scene.venue_orders(order)) == 1


async def test_a_signal_that_comes_again_while_it_waits_is_the_same_order(tmp_path: Path) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):
        signal = a_signal("meanwhile", timestamp=scene.clock.now())
        first, again = [await engine.execute.execute(signal) for _ in range(2)]
        assert first.order_id == again.order_id
        await comes_back(scene, engine)
        await ended(engine, first)
        third = await engine.execute.execute(signal)
        assert (third.order_id, len(scene.venue_orders(first))) == (first.order_id, 1)


async def test_a_wait_for_the_broker_ends_with_the_signals_age(tmp_path: Path) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):
        others: dict[str, Any] = {"timestamp": scene.clock.now(), "strategy_name": "other"}
        order = await engine.execute.execute(a_signal("meanwhile", **others))
        short = await engine.execute.execute(a_signal("short", **others, valid_until=scene.clock.now() + timedelta(seconds=30)))
        exit_ = await engine.execute.execute(a_signal("out", side="SELL", role="EXIT", quantity=1, timestamp=scene.clock.now()))
        await asyncio.sleep(32)
        assert (await engine.orders.get(short.order_id)).cancel_reason is CancelReason.STALE
        assert (await engine.orders.get(order.order_id)).is_waiting
        await asyncio.sleep(600)
        assert (await engine.orders.get(order.order_id)).cancel_reason is CancelReason.STALE
        assert (await engine.orders.get(exit_.order_id)).is_waiting, "a late exit is better than none"
        await comes_back(scene, engine)
        assert (await ended(engine, exit_)).status == "FILLED"
        assert scene.venue_orders(order) == scene.venue_orders(short) == []


async def test_a_signal_too_old_to_wait_is_refused_at_once(tmp_path: Path) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):
        old = await engine.execute.execute(a_signal("old", timestamp=scene.clock.now() - timedelta(hours=1)))
        assert old.status == "REJECTED"


async def test_an_instrument_that_was_never_looked_up_cannot_wait_and_says_so(tmp_path: Path) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):

        async def resolve(query: object) -> Any:
            raise AWAY

        engine.gateways[ACCOUNT].instruments.resolve = resolve  # type: ignore[method-assign]  # as where its connection is lost
        known = await engine.execute.execute(a_signal("known", timestamp=scene.clock.now()))
        assert known.is_waiting
        with pytest.raises(UnusableSignal, match="could not be looked up"):
            await engine.execute.execute(a_signal("new", symbol="MSFT", exchange=None, timestamp=scene.clock.now()))


@pytest.mark.parametrize("halt", ["person", "kill"])
async def test_another_halt_is_not_waited_for(tmp_path: Path, halt: str) -> None:
    async with a_lost_connection(tmp_path) as (scene, engine):
        order = await engine.execute.execute(a_signal("meanwhile", timestamp=scene.clock.now()))
        if halt == "kill":
            await engine.kill_all.kill("enough", "person:ann", wait_seconds=1)
            assert (await engine.orders.get(order.order_id)).status.is_closed
        else:
            await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
            assert (await ended(engine, order)).status == "REJECTED"
        late = await engine.execute.execute(a_signal("late", timestamp=scene.clock.now()))
        assert late.status == "REJECTED"
        assert scene.venue_orders(order) == []


async def test_a_signal_waits_for_the_open_and_is_judged_by_the_price_of_then(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(quantity=None, timestamp=EARLY))
        assert order.is_waiting
        assert "2025-03-10T13:30" in (order.error_message or "")
        await asyncio.sleep((THE_OPEN - scene.clock.now()).total_seconds() - 1)
        assert scene.venue_orders(order) == []
        await scene.control.post_price("ARCA:SPY", Decimal(250))
        done = await ended(engine, order)
        assert (done.status, done.quantity) == ("FILLED", LAX.position_size // 250)
        assert done.submitted_at is not None
        assert THE_OPEN <= done.submitted_at < THE_OPEN + timedelta(seconds=5)


async def test_in_session_the_next_open_is_now(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await ended(engine, await engine.execute.execute(at_the_open()))
        assert order.status == "FILLED"
        assert "WaitBegan" not in await scene.event_names(order)


async def test_without_asking_for_it_nothing_waits_for_the_open(tmp_path: Path) -> None:
    async with a_scene(tmp_path, start=EARLY) as scene, scene.living() as engine:
        refused = await engine.execute.execute(a_signal())
        assert (refused.error_message or "").startswith("ARCA is closed")


async def test_a_wait_survives_a_crash_and_a_restart_sends_it_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        await scene.dies(engine)
        await asyncio.sleep((THE_OPEN - EARLY).total_seconds() - 60)
        async with scene.living() as again:
            assert (await again.orders.get(order.order_id)).is_waiting
            assert (await ended(again, order)).status == "FILLED"
        assert len(scene.venue_orders(order)) == 1


async def test_an_open_that_was_missed_by_more_than_the_age_is_not_traded(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        await scene.dies(engine)
        await asyncio.sleep((THE_OPEN - EARLY).total_seconds() + 700)
        async with scene.living() as again:
            late = await ended(again, order)
            assert (late.status, late.cancel_reason) == ("CANCELLED", CancelReason.STALE)
        assert scene.venue_orders(order) == []


async def test_a_waiting_order_is_cancelled_without_asking_anybody(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(timestamp=EARLY))
        after = await engine.cancel.cancel(order.order_id)
        assert (after.status, after.is_waiting) == ("CANCELLED", False)
        await asyncio.sleep((THE_OPEN - EARLY).total_seconds() + 60)
        assert scene.venue_orders(order) == []


async def test_what_waits_for_the_open_waits_for_its_broker_then_and_no_longer_than_its_age(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene, scene.living() as engine:
        orders = [await engine.execute.execute(at_the_open(each, timestamp=EARLY)) for each in ("back in time", "too late")]
        await asyncio.sleep((THE_OPEN - EARLY).total_seconds() - MINUTE)
        await goes_away(scene, engine)
        await engine.cancel.cancel(orders[1].order_id)
        await asyncio.sleep(2 * MINUTE)
        waiting = await engine.orders.get(orders[0].order_id)
        assert waiting.wait is not None
        assert waiting.wait.reason == "CONNECTION"
        await comes_back(scene, engine)
        assert (await ended(engine, waiting)).status == "FILLED"


async def test_a_limit_that_is_used_up_by_then_refuses_it(tmp_path: Path) -> None:
    limits = AGED.model_copy(update={"max_daily_trades": 1})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("before"))
        await goes_away(scene, engine)
        order = await engine.execute.execute(a_signal("meanwhile", timestamp=scene.clock.now()))
        assert order.is_waiting
        await comes_back(scene, engine)
        assert (await ended(engine, order)).status == "REJECTED"
        assert "daily_trade_count" in str(await scene.events(order))


async def test_waiting_orders_do_not_use_up_what_they_are_judged_by(tmp_path: Path) -> None:
    """An order is not counted against itself."""
    limits = AGED.model_copy(
        update={
            "max_open_orders": 1,
            "max_positions": 1,
            "max_position_size": Decimal(1000),
            "position_size": Decimal(1000),
            "repeat_window_seconds": 3600.0,
        }
    )
    async with a_scene(tmp_path, STILL, limits=limits, start=EARLY) as scene, scene.living() as engine:
        order = await engine.execute.execute(at_the_open(quantity=None, timestamp=EARLY))
        assert order.is_waiting
        await asyncio.sleep((THE_OPEN - EARLY).total_seconds() - 30)
        assert (await ended(engine, order)).status == "FILLED"


async def test_what_a_signal_would_wait_for_is_told_and_nothing_stands_in_its_way(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=AGED, start=EARLY) as scene, scene.living() as engine:
        told = verdict_view(*await engine.execute.appraise(at_the_open(timestamp=EARLY)))
        assert (told.is_approved, told.refusals) == (True, ())
        assert told.notes == (
            "it would wait for the open of its market at 2025-03-10T13:30:00+00:00, and be sized and judged then",
        )
        now = verdict_view(*await engine.execute.appraise(a_signal(timestamp=EARLY)))
        assert (now.is_approved, now.notes) == (False, ())
