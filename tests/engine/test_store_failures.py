"""While nothing can be stored nothing is sent, but for what only takes risk away; and it goes on by itself when it can be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from liveorder.application.ports.emergency_journal import JournalledCancel, JournalledHalt
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.domain.errors import BrokerRateLimitError, LiveOrderError, OrderValidationError, StoreUnavailable
from liveorder.domain.events import RecordedEvent
from liveorder.domain.evidence import earliest_proof_of_absence
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Cancelled, CancelRequested, Filled, SubmissionStarted
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.domain.values import ZERO
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, NOON, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.simulation.clocks import JumpingClock

UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})


def allow_reading_only(scene: Scene, engine: Any) -> None:
    scene.is_read_only = True
    engine.store._database._writer.close()


def allow_writing(scene: Scene, engine: Any) -> None:
    scene.is_read_only = False
    engine.store._database._writer.close()


BREAKDOWNS: dict[str, tuple[Callable[[Scene, Any], None], Callable[[Scene, Any], None]]] = {
    "read only": (allow_reading_only, allow_writing),
    "locked": (lambda scene, engine: scene.lock_store(), lambda scene, engine: scene.unlock_store()),
}


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
async def test_while_the_store_cannot_be_written_no_new_order_and_no_replace_is_sent(tmp_path: Path, breakdown: str) -> None:
    breaks, mends = BREAKDOWNS[breakdown]
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        standing = await engine.execute.execute(a_limit("standing"))
        breaks(scene, engine)
        with pytest.raises(StoreUnavailable, match="nothing is sent until it can"):
            await engine.execute.execute(a_signal())
        with pytest.raises(StoreUnavailable):
            await engine.replace.replace(standing.order_id, quantity=Decimal(20))
        assert [call.verb for call in scene.witness.calls] == ["submit"]
        mends(scene, engine)
        order = await engine.execute.execute(a_signal())
        await until(lambda: not [o for o in engine.orders.unfinished() if o.order_id == order.order_id])
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert len(scene.venue_orders(order)) == 1


@pytest.mark.parametrize("breakdown", BREAKDOWNS)
async def test_a_cancel_goes_out_without_the_store_and_is_booked_when_it_is_back(tmp_path: Path, breakdown: str) -> None:
    breaks, mends = BREAKDOWNS[breakdown]
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        breaks(scene, engine)
        await engine.cancel.cancel(order.order_id, actor="person:ann")
        assert scene.venue_orders(order)[0]["state"] == "CANCELLED"
        journal = FileEmergencyJournal(tmp_path / "emergency.jsonl")
        (entry,) = journal.read()
        assert isinstance(entry, JournalledCancel)
        assert (entry.order_id, entry.actor) == (order.order_id, "person:ann")
        await asyncio.sleep(5)
        mends(scene, engine)
        await until(lambda: engine.is_quiet)
        await until(lambda: not journal.read())
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert len(scene.witness.of("cancel")) == 1


async def test_a_journalled_cancel_of_an_order_that_still_works_gets_its_event_once(tmp_path: Path) -> None:
    slow = UNFILLED.model_copy(update={"cancel_delay_seconds": 300.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        scene.lock_store()
        await engine.cancel.cancel(order.order_id)
        scene.unlock_store()
        await asyncio.sleep(5)
        asked = [event for event in await scene.events(order) if isinstance(event, CancelRequested)]
        assert [event.request_id for event in asked] == [f"{order.client_order_id}-c1"]
        await asyncio.sleep(300)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def test_a_journalled_cancel_of_an_order_that_never_arrived_is_its_end(tmp_path: Path) -> None:
    """It went out beside a submission that had no outcome yet; that one failed before the store took the cancel."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerRateLimitError("slow", 60.0))
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await until(lambda: [order for order in engine.orders.unfinished() if order.failures])
        (order,) = engine.orders.unfinished()
        sent = JournalledCancel(order.order_id, f"{order.client_order_id}-c1", "REQUESTED", "person:ann", scene.clock.now())
        FileEmergencyJournal(tmp_path / "emergency.jsonl").write(sent)
        ended = await executing
        assert (ended.status, ended.requests) == (OrderStatus.CANCELLED, {})
        assert [type(event) for event in await scene.events(order)][-2:] == [CancelRequested, Cancelled]
        assert engine.is_quiet
        assert scene.venue_orders(order) == []


async def test_a_kill_without_the_store_cancels_is_written_down_and_stands_after_a_crash(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        scene.lock_store()
        report = await engine.kill_all.kill("enough", "person:ann")
        assert (report.is_durable, report.cancelled) == (True, (order.order_id,))
        assert scene.venue_orders(order)[0]["state"] == "CANCELLED"
        await scene.dies(engine)
        scene.unlock_store()
        async with scene.living() as again:
            (halt,) = again.halts.standing()
            assert halt.reason is HaltReason.KILL_SWITCH
            assert (await again.execute.execute(a_signal("more"))).reason == "RISK"
            assert (await again.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert FileEmergencyJournal(tmp_path / "emergency.jsonl").read() == []


async def test_an_emergency_stop_by_another_process_is_taken_in_while_running(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        FileEmergencyJournal(tmp_path / "emergency.jsonl").write(JournalledHalt("fire", "person:ann", scene.clock.now()))
        await asyncio.sleep(2)
        (halt,) = engine.halts.standing()
        assert (halt.scope, halt.detail) == (EVERYTHING, "fire (person:ann, emergency)")
        assert await scene.count("TradingHalted") == 1


async def test_an_emergency_journal_that_cannot_be_read_halts_until_it_is_moved_away_and_what_can_be_is_booked(
    tmp_path: Path,
) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        path = tmp_path / "emergency.jsonl"
        sent = JournalledCancel(order.order_id, f"{order.client_order_id}-c1", "REQUESTED", "person:ann", scene.clock.now())
        FileEmergencyJournal(path).write(sent)
        path.write_bytes(path.read_bytes() + '{"detail":"größ'.encode()[:-1])
        await asyncio.sleep(60)
        (halt,) = engine.halts.standing()
        assert (halt.scope, halt.reason) == (EVERYTHING, HaltReason.KILL_SWITCH)
        assert str(path) in halt.detail
        assert await scene.count("TradingHalted") == len(scene.log.of("HALT")) == 1
        assert len([line for line in scene.log.of("ERROR") if str(path) in line]) == 1
        assert CancelRequested in [type(event) for event in await scene.events(order)]
        await engine.halts.resume(EVERYTHING, "too soon", "person:ann")
        await asyncio.sleep(2)
        assert engine.halts.standing()
        path.unlink()
        await engine.halts.resume(EVERYTHING, "read", "person:ann")
        await asyncio.sleep(2)
        assert not engine.halts.standing()


async def test_an_emergency_journal_that_cannot_be_opened_halts_from_the_start_on_and_the_upkeep_goes_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        (tmp_path / "emergency.jsonl").mkdir()
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal())).reason == "RISK"
            await asyncio.sleep(5)
            assert not any("upkeep failed" in line for line in scene.log.of("ERROR"))


async def test_a_booked_emergency_journal_that_cannot_be_removed_does_not_keep_the_upkeep_from_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    async with a_scene(tmp_path) as scene, scene.living() as engine:
        monkeypatch.setattr(Path, "rename", refuses)
        FileEmergencyJournal(tmp_path / "emergency.jsonl").write(JournalledHalt("fire", "person:ann", scene.clock.now()))
        await asyncio.sleep(5)
        assert engine.halts.standing()
        assert not any("upkeep failed" in line for line in scene.log.of("ERROR"))
        assert any("cannot be removed" in line for line in scene.log.of("ERROR"))


async def test_a_journalled_cancel_of_another_stores_order_does_not_keep_the_service_from_starting(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        journal = FileEmergencyJournal(tmp_path / "emergency.jsonl")
        journal.write(JournalledCancel(uuid4(), "KEY-c1", "REQUESTED", "person:ann", scene.clock.now()))
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal())).is_sent
        assert journal.read() == []
        assert any("no order of this store" in line for line in scene.log.of("ERROR"))


async def test_an_answer_that_cannot_be_booked_is_found_by_asking_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        async def locks(verb: str) -> None:
            scene.lock_store()

        scene.witness.at_call = locks
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(a_limit())
        scene.witness.at_call = None
        (order,) = engine.orders.unfinished()
        assert (order.submission_is_open, order.is_acknowledged) == (True, False)
        await asyncio.sleep(20)
        scene.unlock_store()
        assert (await engine.execute.execute(a_limit())).order_id == order.order_id
        await asyncio.sleep(3)
        assert (await engine.orders.get(order.order_id)).is_acknowledged
        assert len(scene.witness.of("submit")) == len(scene.venue_orders(order)) == 1


async def test_a_store_that_is_away_for_an_hour_loses_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        scene.lock_store()
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await asyncio.sleep(120)
        assert (await engine.orders.get(order.order_id)).filled_quantity == 0
        scene.unlock_store()
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert not engine.ownership.lost.is_set()


async def test_a_store_that_hangs_keeps_neither_a_cancel_nor_a_halt_waiting(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        append, works = engine.store.append, asyncio.Event()

        async def hangs(commit: Commit) -> Committed:
            await works.wait()
            return await append(commit)

        engine.store.append = hangs  # type: ignore[method-assign]  # a fault of our own making
        began = scene.clock.monotonic()
        assert not await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
        await engine.cancel.cancel(order.order_id)
        assert scene.clock.monotonic() - began < 10
        assert scene.venue_orders(order)[0]["state"] == "CANCELLED"
        assert engine.halts.now.stands_for(ACCOUNT) is not None
        works.set()
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.anomalies) == (OrderStatus.CANCELLED, frozenset())
        await until(lambda: not FileEmergencyJournal(tmp_path / "emergency.jsonl").read())
        assert await scene.count("TradingHalted") == 1


async def test_a_late_order_that_cannot_be_cancelled_without_its_store_is_tried_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())

        def nameless(request: object) -> None:
            raise OrderValidationError("broker_order_id: not known yet")

        scene.witness.answers["prepare"] = nameless
        await asyncio.sleep(65)
        assert any("could not be cancelled yet" in line for line in scene.log.of("ERROR"))
        del scene.witness.answers["prepare"]
        await asyncio.sleep(30)
        assert (await engine.orders.get(order.order_id)).reason == "TIMED_OUT"


# --- commits whose reply is lost ------------------------------------------------------------------------------------------------


def losing_replies(engine: Any, is_lost: Callable[[Commit], bool]) -> None:
    """The store keeps the commit and says that it could not."""
    append = engine.store.append

    async def lossy(commit: Commit) -> Committed:
        committed: Committed = await append(commit)
        if is_lost(commit):
            raise StoreUnavailable("whether the last commit was stored could not be read back")
        return committed

    engine.store.append = lossy


def holds(commit: Commit, kind: type) -> bool:
    return any(isinstance(item.event, kind) for item in commit.events)


async def test_an_order_whose_first_commit_lost_its_reply_is_found_again_by_its_signal_and_sent_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, SubmissionStarted) and next(lost, False))
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(a_limit())
        assert scene.witness.calls == []
        order = await engine.execute.execute(a_limit())
        assert order.submission_is_open
        await until(lambda: len(scene.witness.of("submit")) == 1)
        await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.is_acknowledged) == (OrderStatus.SUBMITTED, True)
        assert len(scene.venue_orders(order)) == 1


@pytest.mark.parametrize("is_stored", [True, False])
async def test_an_exit_counts_another_whose_first_commit_left_open_whether_it_is_stored(tmp_path: Path, *, is_stored: bool) -> None:
    """Before the upkeep has read it: together they ask for no more than is held."""
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in"))
        await scene.control.fill(entry.broker_order_id or "", Decimal(10), Decimal(500))
        await until(lambda: engine.is_quiet)
        lost = iter([True])
        if is_stored:
            losing_replies(engine, lambda commit: holds(commit, SubmissionStarted) and next(lost, False))
        else:
            allow_reading_only(scene, engine)
        one, two = (a_signal(name, side="SELL", position_effect="CLOSE", quantity=Decimal(6)) for name in ("one", "two"))
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(one)
        allow_writing(scene, engine)
        second = await engine.execute.execute(two)
        assert second.quantity == (Decimal(4) if is_stored else Decimal(6))
        first = await engine.execute.execute(one)
        assert first.quantity == (Decimal(6) if is_stored else Decimal(4))
        await until(lambda: len(scene.venue_orders(first)) == 1)


async def test_an_order_whose_first_commit_lost_its_reply_is_found_without_its_signal_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, SubmissionStarted) and next(lost, False))
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(a_limit())
        await asyncio.sleep(3)
        (order,) = engine.orders.unfinished()
        await until(lambda: not engine.doubts.standing() and len(scene.witness.of("submit")) == 1)
        assert len(scene.venue_orders(order)) == 1


async def test_a_clock_set_back_keeps_nothing_unanswered_from_being_asked_about_and_resends_no_sooner(
    tmp_path: Path,
) -> None:
    async with a_scene(tmp_path) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            lost = iter([True])
            losing_replies(engine, lambda commit: holds(commit, SubmissionStarted) and next(lost, False))
            with pytest.raises(StoreUnavailable):
                await engine.execute.execute(a_limit())
            order = await engine.execute.execute(a_limit())
            (request,) = order.requests.values()
            jumping.jump(-300)
            await asyncio.sleep(15)
            (doubt,) = engine.doubts.standing()
            assert doubt.asked
            await until(lambda: len(scene.witness.of("submit")) == 1)
            assert scene.clock.now() > earliest_proof_of_absence(request, capabilities_of(scene.venue))
            assert len(scene.venue_orders(order)) == 1


async def test_an_order_that_was_not_stored_is_forgotten_when_the_store_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.lock_store()
        with pytest.raises(StoreUnavailable):
            await engine.execute.execute(a_limit())
        await asyncio.sleep(5)
        scene.unlock_store()
        await asyncio.sleep(5)
        assert engine.is_quiet
        assert await scene.count("Requested") == 0


async def test_an_order_whose_later_commit_lost_its_reply_goes_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, CancelRequested) and next(lost, False))
        await engine.cancel.cancel(order.order_id)
        assert scene.venue_orders(order)[0]["state"] == "CANCELLED"
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert (await scene.event_names(order)).count("CancelRequested") == 1


async def test_a_fill_whose_commit_lost_its_reply_is_in_the_position_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, Filled) and next(lost, False))
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        await asyncio.sleep(2)
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(10)
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_a_fill_whose_commit_lost_its_reply_is_told_once_and_makes_older_figures_of_the_broker_void(tmp_path: Path) -> None:
    """Else the next exit relies on what the account held before that fill."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        told = list[RecordedEvent]()
        engine.orders.listen(lambda before, after, recorded: told.extend(recorded))
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, Filled) and next(lost, False))
        exit_ = await engine.execute.execute(a_signal("out", side="SELL", position_effect="CLOSE", quantity=Decimal(4)))
        await until(lambda: engine.is_quiet)
        assert next(lost, None) is None
        await asyncio.sleep(0.5)
        assert await engine.orders.get(exit_.order_id) == LiveOrder.replay(await engine.store.stream(exit_.order_id))
        assert engine.execute._positions.latest(ACCOUNT, entry.intent.instrument.key) is None
        await asyncio.sleep(2)
        assert len([each for each in told if isinstance(each.event, Filled)]) == 1
        assert len({(each.stream_id, each.version) for each in told}) == len(told)


async def test_a_writer_that_was_cancelled_in_the_middle_does_not_leave_the_order_stuck(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        append = engine.store.append

        async def slowly(commit: Commit) -> Committed:
            committed = await append(commit)
            if holds(commit, CancelRequested):
                await asyncio.sleep(1e6)
            return committed

        engine.store.append = slowly  # type: ignore[method-assign]  # a fault of our own making
        cancelling = asyncio.create_task(engine.cancel.cancel(order.order_id))
        await asyncio.sleep(1)
        cancelling.cancel()
        engine.store.append = append  # type: ignore[method-assign]  # a fault of our own making
        await asyncio.sleep(0)
        order = await engine.orders.get(order.order_id)
        assert order.cancel_requested
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        await engine.stop()


class SlowDatabase(SQLiteDatabase):
    """What is asked to be written is written `seconds` later, whatever became of who asked."""

    seconds = 0.0

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        await asyncio.sleep(self.seconds)
        return await super().transact(transaction)


async def test_a_commit_that_is_written_after_its_caller_was_cancelled_is_not_overlooked(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene:
        database = SlowDatabase(scene.path, scene.clock, Placement.INLINE)
        scene.store = lambda: DatabaseOrderStore(database, scene.mapper, scene.clock)  # type: ignore[method-assign]  # a slow disk
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
            database.seconds = 1.5
            cancelling = asyncio.create_task(engine.cancel.cancel(order.order_id))
            await asyncio.sleep(0.5)
            cancelling.cancel()
            await asyncio.sleep(0)
            assert (await engine.orders.get(order.order_id)).cancel_requested
            assert LiveOrder.replay(await engine.store.stream(order.order_id)) == engine.orders.unfinished_with(order.order_id)
            database.seconds = 0.0


async def test_an_order_that_ends_while_it_is_read_again_stays_ended(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await asyncio.sleep(0.1)
        lost = iter([True])
        losing_replies(engine, lambda commit: holds(commit, CancelRequested) and next(lost, False))
        stream, slow = engine.store.stream, iter([True])

        async def first_slowly(stream_id: UUID) -> Sequence[RecordedEvent]:
            found = await stream(stream_id)
            await asyncio.sleep(1.5 if next(slow, False) else 0.0)
            return found

        engine.store.stream = first_slowly  # type: ignore[method-assign]  # a fault of our own making
        scene.witness.at_call = lambda verb: _begun(looking, engine.orders.look_again())
        looking: list[asyncio.Task[None]] = []
        await engine.cancel.cancel(order.order_id)
        await looking[0]
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert engine.orders.unfinished_with(order.order_id) is None


async def _begun(tasks: list[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    tasks.append(asyncio.create_task(work))
    await asyncio.sleep(0.1)


async def test_stopping_while_the_store_is_away_lets_go_of_everything(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.answers["submit"] = lambda prepared: asyncio.sleep(1e6)
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await asyncio.sleep(1)
        executing.cancel()
        closed: list[str] = []

        async def closes() -> None:
            closed.append("broker")
            raise LiveOrderError("it hung up first")

        scene.witness.answers["close"] = closes
        scene.lock_store()
        await engine.stop()
        scene.unlock_store()
        assert closed == ["broker"]
        assert any("While stopping" in line for line in scene.log.of("ERROR"))
        del scene.witness.answers["submit"], scene.witness.answers["close"]
        async with scene.living() as again:
            (order,) = again.orders.unfinished()
            assert order.is_in_doubt
            assert NOON + timedelta(seconds=1) <= scene.clock.now()


async def _fills_in_part(scene: Scene, order: LiveOrder) -> None:
    await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(400))


async def _fills_wholly(scene: Scene, order: LiveOrder) -> None:
    await scene.control.fill(order.broker_order_id or "", order.terms.quantity or ZERO, Decimal(400))


async def _is_busted(scene: Scene, order: LiveOrder) -> None:
    await scene.control.bust(next(iter(order.executions.reported)))


async def _is_ended(scene: Scene, order: LiveOrder) -> None:
    await scene.control.close_order(order.broker_order_id or "")


@pytest.mark.parametrize("what_happens", [_fills_in_part, _fills_wholly, _is_busted, _is_ended])
async def test_what_a_stream_reports_while_the_store_is_away_is_booked_as_soon_as_it_is_back(
    tmp_path: Path, what_happens: Callable[[Scene, LiveOrder], Coroutine[Any, Any, None]]
) -> None:
    """Also where the open orders of a quiet account are asked for seldom, and a closed one never."""
    seldom = replace(capabilities_of(UNFILLED), quiet_poll_seconds=900.0)
    async with (
        a_scene(tmp_path, UNFILLED, capabilities=seldom, terms={"reconcile_seconds": 1e6}) as scene,
        scene.living() as engine,
    ):
        order = await engine.execute.execute(a_limit(quantity=5))
        if what_happens is _is_busted:
            await _fills_wholly(scene, order)
            await until(lambda: engine.orders.unfinished() == [])
        await asyncio.sleep(60)
        before = await engine.orders.get(order.order_id)
        scene.lock_store()
        await what_happens(scene, before)
        await until(lambda: scene.log.of("ERROR") != [])
        scene.unlock_store()
        await asyncio.sleep(2)
        assert (await engine.orders.get(order.order_id)).version > before.version
