"""One writer: whoever lost the store neither stores nor sends, and whoever stops leaves it in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.engine.ownership import LOOK_SECONDS, stand_by, until_free
from liveorder.domain.errors import BrokerConnectionError, LeaseLost, StoreUnavailable
from liveorder.domain.lifecycle import OrderStatus
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.faults import FaultKind
from tests.engine.scenes import NOON, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.harness.crash_points import background_tasks


async def taken_over(scene: Scene) -> None:
    """Another process owns the store from here on, while this one did not look."""

    async def later() -> datetime:
        return scene.clock.now() + timedelta(hours=1)

    store = scene.store()
    await store.open()
    store._database.now = later  # type: ignore[method-assign]  # a fault of our own making
    assert await store.lease.acquire("another", 3600.0) is not None
    await store.close()


async def test_an_owner_that_lost_the_store_neither_stores_nor_sends_anything_more(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await taken_over(scene)
        for doing in (
            engine.execute.execute(a_signal("more")),
            engine.cancel.cancel(order.order_id),
            engine.replace.replace(order.order_id, quantity=Decimal(20)),
        ):
            with pytest.raises(LeaseLost):
                await doing
        assert [call.verb for call in scene.witness.calls] == ["submit"]
        await asyncio.wait_for(engine.ownership.lost.wait(), 5)
        assert not engine.dispatcher.is_taking_signals
        events = await scene.event_names(order)
        await engine.stop()
        assert await scene.event_names(order) == events
        assert any("Lost the store" in line for line in scene.log.of("LEASE"))


async def test_the_store_stays_its_owners_until_the_last_message_is_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine, standby = scene.engine(lease_seconds=3.0), scene.engine()
        await engine.start()
        starting = asyncio.create_task(standby.start(wait_for_lease=True))

        async def flush() -> None:
            await asyncio.sleep(20)
            assert not starting.done()

        await engine.stop(before_closing=flush)
        assert not engine.ownership.lost.is_set()
        assert scene.log.of("ERROR") == []
        await asyncio.wait_for(starting, 5)
        await standby.stop()


async def test_a_stop_ends_work_that_lost_its_first_cancellation(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        cancellations = 0

        async def loses_one() -> None:
            nonlocal cancellations
            while cancellations < 2:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    cancellations += 1

        engine.begin("loses one", loses_one)
        await asyncio.sleep(0)
        await asyncio.wait_for(engine.stop(), 30)
        assert (cancellations, background_tasks(engine)) == (2, [])


async def test_an_owner_that_lost_the_store_between_two_attempts_does_not_make_the_second(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.will_raise("submit", BrokerConnectionError("down"))
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(0.5)
        await taken_over(scene)
        with pytest.raises(LeaseLost):
            await executing
        assert len(scene.witness.of("submit")) == 1
        await engine.stop()


async def test_a_standby_takes_over_when_the_owner_dies_and_goes_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 0.5})) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        standby = scene.engine()
        starting = asyncio.create_task(standby.start(wait_for_lease=True))
        await asyncio.sleep(10)
        assert not starting.done()
        assert scene.log.of("LEASE") == ["Standing by: this store is owned by life-1"]
        await scene.dies(engine)
        died_at = scene.clock.monotonic()
        report = await starting
        assert scene.clock.monotonic() - died_at < 10
        assert report.unfinished == 1
        assert standby.orders.recorder.epoch == engine.orders.recorder.epoch + 1
        await standby.cancel.cancel(order.order_id)
        await until(lambda: standby.is_quiet)
        assert len(scene.venue_orders(order)) == 1
        await standby.stop()


async def held_for(scene: Scene, seconds: float) -> DatabaseOrderStore:
    """A store of another process, which has just taken the lease for so long."""
    store = scene.store()
    await store.open()
    assert await store.lease.acquire("another", seconds) is not None
    return store


async def test_a_dead_owners_lease_is_waited_out_to_its_end_and_said_so(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        other, ours = await held_for(scene, 15.0), scene.store()
        await ours.open()
        began = scene.clock.monotonic()
        await until_free(ours.lease, scene.clock, scene.log)
        assert 15 <= scene.clock.monotonic() - began <= 16
        (said,) = scene.log.of("LEASE")
        assert said.startswith(
            f"This store is owned by another until {NOON + timedelta(seconds=15):%H:%M:%S} UTC; waiting until then"
        )
        await other.close()
        await ours.close()


async def test_an_owner_that_renews_its_lease_is_left_alone_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        other, ours = await held_for(scene, 15.0), scene.store()
        await ours.open()
        waiting = asyncio.create_task(until_free(ours.lease, scene.clock, scene.log))
        await asyncio.sleep(5)
        assert not waiting.done()
        assert await other.lease.renew(15.0)
        await asyncio.sleep(LOOK_SECONDS * 2)
        with pytest.raises(LeaseLost, match="owned by another; stop it first"):
            waiting.result()
        await other.close()
        await ours.close()


async def test_an_owner_that_lets_go_is_followed_at_once_and_one_that_took_its_place_is_left_alone(tmp_path: Path) -> None:
    for takes_its_place in (False, True):
        folder = tmp_path / str(takes_its_place)
        folder.mkdir()
        async with a_scene(folder) as scene:
            other, ours = await held_for(scene, 15.0), scene.store()
            await ours.open()
            waiting = asyncio.create_task(until_free(ours.lease, scene.clock, scene.log))
            await asyncio.sleep(5)
            await other.lease.release()
            if takes_its_place:
                await (await held_for(scene, 15.0)).close()
            await asyncio.sleep(LOOK_SECONDS * 2)
            assert isinstance(waiting.exception(), LeaseLost if takes_its_place else type(None))
            await other.close()
            await ours.close()


async def test_a_standby_waits_for_an_owner_however_often_that_renews_its_lease(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        other, ours = await held_for(scene, 15.0), scene.store()
        await ours.open()
        waiting = asyncio.create_task(stand_by(ours.lease, scene.clock, scene.log))
        for _ in range(20):
            await asyncio.sleep(5)
            assert await other.lease.renew(15.0)
        assert not waiting.done()
        await other.lease.release()
        await asyncio.wait_for(waiting, 16)
        assert scene.log.of("LEASE") == ["Standing by: this store is owned by another"]
        await other.close()
        await ours.close()


async def test_a_store_that_nobody_owns_is_not_waited_for(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        store = scene.store()
        await store.open()
        began = scene.clock.monotonic()
        await until_free(store.lease, scene.clock, scene.log)
        assert (scene.clock.monotonic(), scene.log.of("LEASE")) == (began, [])
        await store.close()


async def test_a_standby_waits_out_a_store_that_is_locked_and_a_start_without_waiting_says_so(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        scene.lock_store()
        hasty = scene.engine()
        with pytest.raises(StoreUnavailable, match="locked"):
            await hasty.start()
        await hasty.stop()
        standby = scene.engine()
        starting = asyncio.create_task(standby.start(wait_for_lease=True))
        await asyncio.sleep(10)
        scene.unlock_store()
        await starting
        assert (await standby.execute.execute(a_signal())).is_sent
        await standby.stop()


async def test_two_engines_on_one_store_send_one_signal_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as owner:
        other = scene.engine()
        with pytest.raises(LeaseLost):
            await other.start()
        orders = await asyncio.gather(owner.execute.execute(a_signal()), other.execute.execute(a_signal()), return_exceptions=True)
        assert isinstance(orders[1], LeaseLost)
        assert len(scene.witness.of("submit")) <= 1
        await other.stop()


# --- an orderly end -------------------------------------------------------------------------------------------------------------


async def test_stopping_lets_calls_in_flight_end_and_begins_none(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 1.0})) as scene:
        engine = scene.engine()
        await engine.start()
        for n in range(3):
            await engine.dispatcher.post_signal(lambda n=n: engine.execute.execute(a_limit(f"s{n}", time_in_force="GTC")))  # type: ignore[misc]  # bound early
        await asyncio.sleep(2.5)
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0)
        await engine.dispatcher.post_signal(lambda: engine.execute.execute(a_limit("late")))
        assert await stopping == 0
        assert len(scene.witness.of("submit")) == 3
        async with scene.living() as again:
            assert [order.is_in_doubt for order in again.orders.unfinished()] == [False] * 3


async def test_what_has_not_ended_in_time_is_in_doubt_and_the_store_is_let_go(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 60.0}, terms={"drain_seconds": 5.0}) as scene:
        engine = scene.engine()
        await engine.start()
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, silent=True)
        scene.witness.answers["reports"] = _silence
        await engine.dispatcher.post_signal(lambda: engine.execute.execute(a_limit(time_in_force="GTC")))
        await asyncio.sleep(2)
        began = scene.clock.monotonic()
        await engine.stop()
        assert scene.clock.monotonic() - began <= 6
        store = scene.store()
        await store.open()
        state = await store.lease.state()
        assert state is not None
        assert not state.is_held
        ((order_id, _),) = (await store.unfinished()).items()
        await store.close()
        assert (await scene.event_names(order_id))[-1] in ("OutcomeUnknown", "Acknowledged")
        async with scene.living() as again:
            assert (await again.orders.get(order_id)).is_acknowledged
            assert len(scene.witness.of("submit")) == 1


async def _silence() -> AsyncIterator[None]:
    await asyncio.sleep(1e6)
    yield None


async def test_stopping_twice_and_stopping_what_never_started_do_no_harm(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.stop()
        engine = scene.engine()
        await engine.start()
        await engine.stop()
        await engine.stop()
        assert scene.log.of("ERROR") == []


async def test_a_background_task_that_fails_is_logged_and_begun_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        runs = []

        async def fails_once() -> None:
            runs.append(scene.clock.monotonic())
            if len(runs) == 1:
                raise ZeroDivisionError("once")

        engine.begin("odd job", fails_once)
        await asyncio.sleep(3)
        assert [round(at - runs[0]) for at in runs] == [0, 1]
        assert any("odd job failed: ZeroDivisionError" in line for line in scene.log.of("ERROR"))


# --- accounts -------------------------------------------------------------------------------------------------------------------


async def test_accounts_at_different_brokers_are_traded_side_by_side(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=("SIM", "B", "C")) as scene, scene.living() as engine:
        orders = await asyncio.gather(*(engine.execute.execute(a_signal("one", account_id=name)) for name in ("SIM", "B", "C")))
        await until(lambda: engine.is_quiet)
        for order in orders:
            account_id = order.intent.account_id
            assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
            assert len(scene.witnesses[account_id].of("submit")) == 1
            assert len(scene.venue_orders(order, account_id)) == 1
        reports = await engine.reconcile.reconcile_all()
        assert [report.account_id for report in reports if report.is_clean] == ["SIM", "B", "C"]


async def test_the_trouble_of_one_broker_is_not_the_others(tmp_path: Path) -> None:
    hasty = {"call_timeout_seconds": 5.0}
    async with a_scene(tmp_path, accounts=("SIM", "B"), account_terms=hasty) as scene, scene.living() as engine:
        scene.witness.answers["open_orders"] = lambda: asyncio.sleep(1e6)
        scene.witness.answers["submit"] = lambda prepared: asyncio.sleep(1e6)
        stuck = asyncio.create_task(engine.execute.execute(a_limit("stuck")))
        order = await engine.execute.execute(a_signal("fine", account_id="B"))
        await asyncio.sleep(1)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert (await stuck).is_in_doubt


async def test_a_standby_waits_for_a_broker_that_its_predecessor_is_still_connected_to(tmp_path: Path) -> None:
    """As Interactive Brokers has it: one connection for a client id, and a paused owner keeps it."""
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        scene.witness.will_raise("connect", *[BrokerConnectionError("client_id 1 is in use")] * 5)
        await engine.start(wait_for_lease=True)
        assert scene.witness.errors["connect"] == []
        assert scene.log.of("BROKER") == ["Not connected: client_id 1 is in use"]
        assert [len(scene.log.of("HALT")), engine.halts.standing()] == [2, []]
        assert (await engine.execute.execute(a_signal())).is_sent
        await engine.stop()


async def test_a_standby_that_loses_the_store_again_stops_asking_for_its_broker(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        scene.witness.will_raise("connect", *[BrokerConnectionError("client_id 1 is in use")] * 1000)
        starting = asyncio.create_task(engine.start(wait_for_lease=True))
        await asyncio.sleep(5)
        engine.ownership.lost.set()
        with pytest.raises(LeaseLost):
            await starting
        await engine.stop()


async def test_a_service_that_is_no_standby_says_at_once_that_its_broker_cannot_be_reached(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        scene.witness.will_raise("connect", BrokerConnectionError("nobody listens"))
        with pytest.raises(BrokerConnectionError):
            await engine.start()
        await engine.stop()
