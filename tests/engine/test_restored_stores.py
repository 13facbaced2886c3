"""Stores that come back wrong: restored, copied, emptied, cut short. Each starts halted, and sends nothing that was sent before."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from liveorder.application.ports.order_store import StoredCommand
from liveorder.application.reporting.order_log import OrderLog
from liveorder.application.reporting.projector import Projector
from liveorder.domain import trading_halt
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.trading_halt import EVERYTHING, HaltReason, TradingHalted, account_scope
from liveorder.infrastructure.eventstore.store_by_url import create_store
from liveorder.infrastructure.readmodels import views_at
from liveorder.testing.venue.settings import Keys
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_limit, a_scene, a_signal, until

UUID_OF_COMMAND = UUID(int=1)
KEYS = {support.value: STILL.model_copy(update={"keys": Keys(support=support)}) for support in KeySupport}
ASKABLE = [name for name in KEYS if name != KeySupport.NONE.value]


async def backed_up(scene: Scene) -> None:
    await scene.reading(lambda store: store.backup(str(scene.folder / "backup.db")))


async def restore(scene: Scene) -> None:
    """The backup, put in the store's place."""
    remove(scene)
    (scene.folder / "backup.db").rename(scene.path)


async def copy(scene: Scene) -> None:
    """A copy of the file made at the same moment, by other means."""
    remove(scene)
    shutil.copy(scene.folder / "copied.db", scene.path)


async def empty(scene: Scene) -> None:
    """Another store, made anew."""
    remove(scene)
    await create_store(
        f"sqlite:///{scene.path}",
        clock=scene.clock,
        namespace="test",
        default_account=ACCOUNT,
        mode="SIMULATION",
        account_ids=[ACCOUNT],
    )


def remove(scene: Scene) -> None:
    for path in (scene.path, scene.path.with_name("orders.db-wal"), scene.path.with_name("orders.db-shm")):
        path.unlink(missing_ok=True)


WRONGS: dict[str, Callable[[Scene], Awaitable[None]]] = {"restored": restore, "copied": copy, "emptied": empty}


async def traded_after_backup(scene: Scene) -> dict[str, LiveOrder]:
    """One order rests since before the backup; then one was filled and one rests that the backup does not know."""
    async with scene.living() as engine:
        known = await engine.execute.execute(a_limit("known", time_in_force="GTC"))
    await backed_up(scene)
    shutil.copy(scene.path, scene.folder / "copied.db")
    async with scene.living() as engine:
        filled = await engine.execute.execute(a_signal("filled"))
        resting = await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
        await until(lambda: len(engine.orders.unfinished()) == 2)
        return {"known": known, "filled": filled, "resting": resting}


def why(halts: list[TradingHalted]) -> str:
    assert {halt.reason for halt in halts} == {HaltReason.RESTORED_STORE}
    return " ".join(halt.detail for halt in halts)


@pytest.mark.parametrize("wrong", WRONGS)
@pytest.mark.parametrize("keys", ASKABLE)
async def test_a_store_that_came_back_wrong_is_halted_and_finds_by_key_what_it_had_sent(
    tmp_path: Path, wrong: str, keys: str
) -> None:
    async with a_scene(tmp_path, KEYS[keys]) as scene:
        sent = await traded_after_backup(scene)
        await WRONGS[wrong](scene)
        async with scene.living() as engine:
            halts = list(engine.halts.standing())
            assert "resume" in why(halts)
            # While it is halted and after, from wherever they come again.
            await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
            for halt in halts:
                await engine.halts.resume(halt.scope, "looked at", "person:ann")
            for signal in (a_signal("filled"), a_limit("resting", time_in_force="GTC"), a_limit("known", time_in_force="GTC")):
                await engine.execute.execute(signal)
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            for signal, status in (
                (a_signal("filled"), OrderStatus.FILLED),
                (a_limit("resting", time_in_force="GTC"), OrderStatus.SUBMITTED),
                (a_limit("known", time_in_force="GTC"), OrderStatus.SUBMITTED),
            ):
                order = await engine.execute.execute(signal)
                before = sent[signal.signal_id or ""]
                assert (order.status, order.broker_order_id) == (status, before.broker_order_id)
                assert len(scene.venue_orders(before)) == 1
            assert len(scene.witness.of("submit")) == 3
            assert all(report.is_clean for report in await engine.reconcile.reconcile_all())


@pytest.mark.parametrize("wrong", ["restored", "copied"])
async def test_a_store_that_was_killed_before_it_came_back_wrong_still_asks_before_it_sends(tmp_path: Path, wrong: str) -> None:
    """One halt hides the other, and whoever lifts it must not lift the suspicion."""
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
        await backed_up(scene)
        shutil.copy(scene.path, scene.folder / "copied.db")
        async with scene.living() as engine:
            await engine.halts.resume(EVERYTHING, "go on", "person:ann")
            sent = await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
        await WRONGS[wrong](scene)
        async with scene.living() as engine:
            assert "halted before: KILL_SWITCH" in why(list(engine.halts.standing()))
            for halt in engine.halts.standing():
                await engine.halts.resume(halt.scope, "looked at", "person:ann")
            again = await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            again = await engine.orders.get(again.order_id)
            assert again.broker_order_id == sent.broker_order_id
            assert len(scene.venue_orders(sent)) == len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("wrong", WRONGS)
async def test_where_keys_cannot_be_asked_for_what_was_sent_is_not_sent_again_and_a_person_is_told(
    tmp_path: Path, wrong: str
) -> None:
    """The filled one is refused, as long as positions differ; the broker's own report of its fill then asks for a review."""
    async with a_scene(tmp_path, KEYS[KeySupport.NONE.value]) as scene:
        sent = await traded_after_backup(scene)
        await WRONGS[wrong](scene)
        async with scene.living() as engine:
            for halt in engine.halts.standing():
                await engine.halts.resume(halt.scope, "looked at", "person:ann")
            filled = await engine.execute.execute(a_signal("filled"))
            await engine.reconcile.reconcile_all()
            resting = await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
            await asyncio.sleep(600)
            filled, resting = [await engine.orders.get(each.order_id) for each in (filled, resting)]
            assert (filled.needs_review, resting.is_in_doubt) == (True, True)
            assert [len(scene.venue_orders(each)) for each in sent.values()] == [1, 1, 1]


async def test_a_signal_from_after_the_resume_is_sent_at_once_and_one_from_before_is_asked_about_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_scene(tmp_path) as scene:
        await traded_after_backup(scene)
        await restore(scene)
        async with scene.living() as engine:
            await engine.halts.resume(EVERYTHING, "looked at", "person:ann")
            await engine.halts.resume(account_scope(ACCOUNT), "looked at", "person:ann")
            resumed_at = scene.clock.now()
            await engine.execute.execute(a_signal("filled"))
            await engine.reconcile.reconcile_all()
            await asyncio.sleep(1)
            new = await engine.execute.execute(a_limit("new", timestamp=scene.clock.now()))
            assert new.is_acknowledged
            engine.orders.listen(OrderLog(engine.log))
            old = await engine.execute.execute(a_limit("old", price=401, timestamp=resumed_at - timedelta(seconds=1)))
            assert (old.is_in_doubt, scene.venue_orders(old)) == (True, [])
            told = [sentence.split(":")[0] for _, sentence in scene.log.lines if sentence.endswith("BUY 10 SPY LIMIT")]
            assert told == ["Not placed before the broker was asked for it"]
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            assert len(scene.venue_orders(old)) == 1
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_limit("undated"))).is_in_doubt, "also in the next life"
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            monkeypatch.setattr(trading_halt, "SUSPICION", timedelta(seconds=1))
            assert (await engine.execute.execute(a_limit("undated, later"))).is_acknowledged


async def test_an_order_that_a_person_adopted_by_its_key_is_what_its_signal_finds(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        sent = await traded_after_backup(scene)
        await empty(scene)
        async with scene.living() as engine:
            broker_order_id = sent["resting"].broker_order_id or ""
            adopted = await engine.adopt.adopt_order(ACCOUNT, broker_order_id, "the broker's list", "person:ann")
            for halt in engine.halts.standing():
                await engine.halts.resume(halt.scope, "adopted", "person:ann")
            again = await engine.execute.execute(a_limit("resting", time_in_force="GTC"))
            assert (again.order_id, again.client_order_id) == (adopted.order_id, sent["resting"].client_order_id)
            assert len(scene.venue_orders(again)) == 1
        assert (await scene.reading(lambda store: store.check())).problems == ()


async def test_two_copies_of_one_store_that_are_both_used_halt_each_other(tmp_path: Path) -> None:
    """The copy because it is one; the original as soon as it hears of an order with a key of theirs that it did not send."""
    async with a_scene(tmp_path) as scene, scene.living() as original:
        other = tmp_path / "other"
        other.mkdir()
        shutil.copy(scene.path, other / "orders.db")
        shutil.copy(scene.path.with_name("orders.db-wal"), other / "orders.db-wal")
        copied = Scene(other, scene.clock, scene.floors, scene.venue)
        async with copied.living() as engine:
            (halt,) = engine.halts.standing()
            assert "copied, moved, restored or failed over" in halt.detail
            assert (await engine.execute.execute(a_signal("by the copy"))).is_in_doubt
            await until(lambda: not engine.doubts.standing())
            await engine.halts.resume(EVERYTHING, "sure", "person:ann")
            sent = await engine.execute.execute(a_limit("by the copy after all", time_in_force="GTC"))
            await until(lambda: bool(scene.venue_orders(sent)))
            await until(lambda: bool(original.halts.standing()))
            (halt,) = original.halts.standing()
            assert sent.client_order_id in halt.detail
            assert (await original.execute.execute(a_signal("more"))).is_in_doubt


async def test_what_a_copy_was_asked_to_do_long_ago_is_not_done(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        command = StoredCommand(UUID_OF_COMMAND, "submit", f'{{"signal": {a_signal().to_json()}}}', "person:ann", scene.clock.now())

        async def asked(store: object) -> None:
            await store.commands.insert(command)  # type: ignore[attr-defined]  # a store of the scene's

        await scene.reading(asked)
        await backed_up(scene)
        await asyncio.sleep(61)
        async with scene.living() as engine:
            await asyncio.sleep(5)
            assert engine.is_quiet
        answered = await scene.reading(lambda store: store.commands.find(UUID_OF_COMMAND))
        assert answered is not None
        assert "more than 60 s ago: not done" in (answered.answer or "")
        await restore(scene)
        answered = await scene.reading(lambda store: store.commands.find(UUID_OF_COMMAND))
        assert answered is not None
        assert "asked before a backup was made" in (answered.answer or "")
        assert scene.witness.calls == []


async def test_a_log_that_lost_its_end_is_found_out_by_the_read_models(tmp_path: Path) -> None:
    """As by a write-ahead log that somebody deleted, which SQLite cannot notice."""
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_limit("known", time_in_force="GTC"))
        before = scene.path.read_bytes()
        async with scene.living() as engine:
            assert engine.identity is not None
            await engine.execute.execute(a_limit("lost", time_in_force="GTC"))
            views = views_at(f"sqlite:///{tmp_path / 'views.db'}", clock=scene.clock, is_inline=True)
            projector = Projector(engine.store, views, scene.clock, _raise)
            projector.follow(engine.identity.store_id)
            assert await projector.catch_up() > 0
        scene.path.write_bytes(before)
        engine = scene.engine()
        projector = Projector(engine.store, views, scene.clock, _raise)

        async def compare() -> None:
            assert engine.identity is not None
            projector.follow(engine.identity.store_id)
            await projector.look_before_trading()

        await engine.start(wait_for_lease=True, before_trading=compare)
        assert "the read models have seen" in why(list(engine.halts.standing()))
        await engine.stop()
        await views.close()


def _raise(error: Exception) -> None:
    raise error
