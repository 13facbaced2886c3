"""What is not known is asked about, believed only when it must be true, and settled by a person where nothing else can."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import BrokerConnectionError, DecisionRefused
from liveorder.domain.evidence import earliest_proof_of_absence
from liveorder.domain.execution_report import Execution, OrderSnapshot
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason, RequestKind, SubmissionFailed
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Keys, VenueSettings
from tests.engine.scenes import ACCOUNT, LAX, NOON, STILL, a_limit, a_scene, a_signal, until
from tests.simulation.clocks import JumpingClock


def venue(support: KeySupport, lag: float = 0.0) -> VenueSettings:
    return STILL.model_copy(update={"keys": Keys(support=support, lookup_lag_seconds=lag)})


UNIQUE, SEARCHABLE, NONE = venue(KeySupport.UNIQUE), venue(KeySupport.SEARCHABLE, 3.0), venue(KeySupport.NONE)


# --- found ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [UNIQUE, SEARCHABLE, NONE], ids=["unique", "searchable", "none"])
@pytest.mark.parametrize("held_seconds", [0.2, 2.0, 6.0, 12.0])
async def test_a_held_request_that_arrives_late_is_one_order(tmp_path: Path, keys: VenueSettings, held_seconds: float) -> None:
    async with a_scene(tmp_path, keys) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD, seconds=held_seconds)
        order = await engine.execute.execute(a_signal())
        assert order.is_in_doubt
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
        assert len(scene.venue_orders(order)) == len(scene.witness.of("submit")) == 1
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_six_accepted_orders_whose_answers_were_lost_are_all_found_by_key(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, nth=None)
        await scene.control.drop_streams(seconds=5)
        orders = [await engine.execute.execute(a_limit(f"s{n}", strategy_name="one", symbol=s)) for n, s in enumerate(SYMBOLS)]
        await scene.control.clear_faults()
        assert all(order.is_in_doubt for order in orders)
        await until(lambda: not engine.doubts.standing())
        for order in orders:
            assert (await engine.orders.get(order.order_id)).is_acknowledged
            assert len(scene.venue_orders(order)) == 1


SYMBOLS = ("SPY", "BTC/USD", "ETH/USD")


# --- absent ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [UNIQUE, SEARCHABLE], ids=["unique", "searchable"])
async def test_absence_is_believed_only_past_every_bound_and_the_second_time_and_then_it_is_sent_again(
    tmp_path: Path, keys: VenueSettings
) -> None:
    async with a_scene(tmp_path, keys) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        (request,) = order.requests.values()
        bound = earliest_proof_of_absence(request, capabilities_of(keys))
        await until(lambda: len(scene.witness.of("submit")) == 2)
        assert scene.clock.now() > bound
        first, second = scene.witness.of("submit")
        assert first.payload == second.payload
        failed = next(event for event in await scene.events(order) if isinstance(event, SubmissionFailed))
        assert "not found twice" in (failed.evidence or "")
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert len(scene.venue_orders(order)) == 1


@pytest.mark.parametrize("lag", [3.0, 20.0, 120.0])
async def test_an_absence_is_looked_for_as_soon_as_it_can_be_proved(tmp_path: Path, lag: float) -> None:
    """The backoff, which goes on from the first doubt, must not wait far beyond it."""
    keys = venue(KeySupport.SEARCHABLE, lag)
    async with a_scene(tmp_path, keys) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        (request,) = order.requests.values()
        bound = earliest_proof_of_absence(request, capabilities_of(keys))
        await until(lambda: len(scene.witness.of("submit")) == 2)
        assert bound < scene.clock.now() < bound + timedelta(seconds=2)


async def test_a_second_attempt_that_is_lost_too_is_asked_about_from_the_beginning(tmp_path: Path) -> None:
    """Neither the waits nor the absences of the first count for it."""
    async with a_scene(tmp_path, SEARCHABLE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await scene.lay(FaultKind.REQUEST_LOST, nth=2)
        order = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        first, second, third = scene.witness.of("submit")
        assert third.at - second.at <= second.at - first.at + 1
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_attempts_that_the_broker_never_received_are_counted_and_its_last_words_are_the_orders_reason(tmp_path: Path) -> None:
    """As often as it may be tried and not once more: a broker that swallows orders gets no stream of them."""
    async with a_scene(tmp_path, SEARCHABLE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST, nth=None)
        order = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.reason, order.attempts) == (OrderStatus.REJECTED, "RETRIES_EXHAUSTED", 3)
        assert len(scene.witness.of("submit")) == 3
        words = "the broker never received it (the connection to the venue broke before it answered)"
        assert order.error_message == f"gave up after 3 attempts: {words}"


async def test_the_absence_of_what_the_broker_refused_as_a_duplicate_is_never_believed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNIQUE) as scene, scene.living() as engine:

        async def absent(*key: object) -> Absence:
            return Absence.ABSENT

        async def nothing() -> list[OrderSnapshot]:
            return []

        scene.witness.answers.update({"find": absent, "open_orders": nothing})
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await asyncio.sleep(600)
        (doubt,) = engine.doubts.standing()
        assert "refused it as a duplicate" in doubt.last_answer
        assert doubt.request.is_duplicate
        assert len(scene.witness.of("submit")) == 2
        scene.witness.answers.clear()
        await until(lambda: not engine.doubts.standing())
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED
        assert len(scene.venue_orders(order)) == 1


async def test_one_answer_that_cannot_say_starts_the_counting_of_absences_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        answers: list[Absence] = []

        async def now_and_then(*asked: object) -> Absence:
            answers.append(Absence.INCONCLUSIVE if len(answers) % 2 else Absence.ABSENT)
            return answers[-1]

        scene.witness.answers["find"] = now_and_then
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(300)
        assert len(answers) > 8
        assert (await engine.orders.get(order.order_id)).is_in_doubt
        assert len(scene.witness.of("submit")) == 1


async def test_the_absence_of_a_broker_without_keys_proves_nothing_however_long(tmp_path: Path) -> None:
    async with a_scene(tmp_path, NONE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(600)
        (doubt,) = engine.doubts.standing()
        assert (doubt.order.order_id, doubt.request.kind) == (order.order_id, RequestKind.SUBMIT)
        assert doubt.asked > 10
        assert len(scene.witness.of("submit")) == 1


async def test_a_broker_whose_absence_is_not_trusted_is_asked_for_ever(tmp_path: Path) -> None:
    doubted = replace(capabilities_of(UNIQUE), trusts_absence=False)
    async with a_scene(tmp_path, capabilities=doubted) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await engine.execute.execute(a_signal())
        await asyncio.sleep(300)
        (doubt,) = engine.doubts.standing()
        assert "proves nothing" in doubt.last_answer


async def test_asking_slows_down_to_every_thirty_seconds_and_starts_anew_when_the_broker_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        asked: list[float] = []

        async def no_answer(*key: object) -> Absence:
            asked.append(scene.clock.monotonic())
            return Absence.INCONCLUSIVE

        scene.witness.answers["find"] = no_answer
        await scene.lay(FaultKind.REQUEST_LOST)
        await engine.execute.execute(a_signal())
        await asyncio.sleep(200)
        waits = [after - before for before, after in pairwise(asked)]
        assert waits[0] < 1
        assert max(waits) <= 31
        assert len(asked) < 15
        before = len(asked)
        await scene.control.drop_streams()
        await asyncio.sleep(3)
        assert len(asked) >= before + 2


async def test_an_adapter_that_raises_while_it_is_asked_does_not_end_the_asking(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        async def broken(*key: object) -> Absence:
            raise ZeroDivisionError

        scene.witness.answers["find"] = broken
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        scene.witness.answers["open_orders"] = broken
        order = await engine.execute.execute(a_limit())
        await asyncio.sleep(5)
        assert (await engine.orders.get(order.order_id)).is_in_doubt
        scene.witness.answers.clear()
        await until(lambda: not engine.doubts.standing())
        assert (await engine.orders.get(order.order_id)).is_acknowledged


@pytest.mark.parametrize("whose", ["strat", "other"])
async def test_new_intents_for_the_symbol_wait_until_the_doubt_is_settled(tmp_path: Path, whose: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        doubted = await engine.execute.execute(a_limit())
        waiting = [await engine.execute.execute(a_signal(f"w{number}", strategy_name=whose)) for number in range(3)]
        assert all(order.is_waiting and str(doubted.order_id) in (order.error_message or "") for order in waiting)
        intent, refusals = await engine.execute.validate(a_signal("v-1"))
        assert (intent.signal_id, refusals) == ("v-1", [])
        other = await engine.execute.execute(a_signal("sig-3", symbol="AAPL"))
        assert other.is_sent
        await scene.control.release()
        await until(lambda: not engine.doubts.standing())
        await until(lambda: not any(order.is_waiting for order in engine.orders.unfinished()))
        assert all([(await engine.orders.get(order.order_id)).is_sent for order in waiting])
        assert (await engine.execute.execute(a_signal("sig-4"))).is_sent
        assert len(scene.witness.of("submit")) == 6


async def test_what_waits_for_a_doubt_waits_no_longer_than_its_signal_may_be_old(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, NONE, limits=limits) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await engine.execute.execute(a_limit(timestamp=NOON))
        order = await engine.execute.execute(a_signal("sig-2", timestamp=engine.clock.now()))
        assert order.is_waiting
        await asyncio.sleep(50)
        assert (await engine.orders.get(order.order_id)).is_waiting
        await asyncio.sleep(15)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.STALE)
        assert "became of orders in SPY" in (order.error_message or "")
        assert len(scene.witness.of("submit")) == 1


async def test_a_signal_that_is_as_old_as_it_may_be_waits_for_no_doubt(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, NONE, limits=limits) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await engine.execute.execute(a_limit(timestamp=NOON))
        old = engine.clock.now() - timedelta(seconds=60)
        order = await engine.execute.execute(a_signal("sig-2", timestamp=old))
        assert order.status is OrderStatus.REJECTED
        assert "is in doubt" in (order.error_message or "")


async def test_a_person_who_orders_beside_a_doubt_is_refused_at_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        await engine.execute.execute(a_limit())
        order = await engine.execute.execute(a_signal("sig-2"), operator="ann")
        assert (order.status, "is in doubt" in (order.error_message or "")) == (OrderStatus.REJECTED, True)


async def test_signals_that_come_while_a_killed_life_is_asked_about_are_all_traded(tmp_path: Path) -> None:
    """A burst after a start that followed a kill: none of them is refused for what is known some seconds later."""
    async with a_scene(tmp_path, SEARCHABLE) as scene:
        async with scene.living() as engine:
            await scene.lay(FaultKind.REQUEST_HELD, seconds=2.0)
            await engine.execute.execute(a_signal("before"))
        async with scene.living() as engine:
            assert engine.doubts.standing()
            orders = [await engine.execute.execute(a_signal(f"burst-{number}")) for number in range(20)]
            assert all(order.is_waiting for order in orders)
            await until(lambda: engine.is_quiet)
            found = [await engine.orders.get(order.order_id) for order in orders]
            assert {order.status for order in found} == {OrderStatus.FILLED}
            assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_a_request_that_nobody_answered_and_nobody_waits_for_is_doubted_past_its_deadline(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        async def slow(prepared: object) -> None:
            await asyncio.sleep(1e6)

        scene.witness.answers["submit"] = slow
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(1)
        executing.cancel()
        await asyncio.sleep(12)
        (doubt,) = engine.doubts.standing()
        assert "deadline" in doubt.request.unknown_why


# --- a person -------------------------------------------------------------------------------------------------------------------


async def test_a_person_settles_it_as_found_and_the_broker_is_asked_for_the_rest(tmp_path: Path) -> None:
    async with a_scene(tmp_path, NONE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.execute.execute(a_limit())
        await asyncio.sleep(60)
        assert (await engine.orders.get(order.order_id)).is_in_doubt
        broker_order_id = scene.venue_orders(order)[0]["broker_order_id"]
        await engine.track.book(
            ACCOUNT, Execution(broker_order_id=broker_order_id, execution_id="E-1", quantity=Decimal(2), price=Decimal(400))
        )
        order = await engine.doubts.settle_found(order.order_id, broker_order_id, "the desk says so", "person:ann")
        assert (order.is_in_doubt, order.broker_order_id) == (False, broker_order_id)
        assert order.filled_quantity == Decimal(2)
        assert engine.unmatched.live(ACCOUNT) == []


async def test_a_person_cannot_settle_it_as_another_order_of_ours(tmp_path: Path) -> None:
    async with a_scene(tmp_path, NONE) as scene, scene.living() as engine:
        known = await engine.execute.execute(a_limit("sig-1", symbol="AAPL", price=100))
        await scene.lay(FaultKind.REQUEST_HELD)
        doubtful = await engine.execute.execute(a_limit("sig-2"))
        with pytest.raises(DecisionRefused, match="another order of ours"):
            await engine.doubts.settle_found(doubtful.order_id, known.broker_order_id or "", "typed wrong", "person:ann")
        assert (await engine.orders.get(doubtful.order_id)).is_in_doubt


async def test_a_person_settles_it_as_absent_in_one_step_and_nothing_is_sent_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, NONE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_limit())
        versions = []
        engine.orders.listen(lambda before, after, recorded: versions.append(after.status))
        order = await engine.doubts.settle_absent(order.order_id, "the desk has none", "person:ann")
        assert versions == [OrderStatus.CANCELLED]
        assert (order.cancel_reason, order.requests) == (CancelReason.REQUESTED, {})
        await asyncio.sleep(120)
        assert len(scene.witness.of("submit")) == 1


async def test_a_person_settles_a_cancel_and_its_submission_together(tmp_path: Path) -> None:
    async with a_scene(tmp_path, NONE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        order = await engine.execute.execute(a_limit())
        order = await engine.cancel.cancel(order.order_id)
        assert len(engine.doubts.standing()) == 2
        order = await engine.doubts.settle_absent(order.order_id, "the desk has none", "person:ann")
        assert (order.status, order.requests, order.anomalies) == (OrderStatus.CANCELLED, {}, frozenset())


async def test_a_person_settles_a_cancel_as_absent_and_the_order_works_on(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        await engine.cancel.cancel(order.order_id)
        order = await engine.doubts.settle_absent(order.order_id, "still on the book", "person:ann")
        assert (order.status, order.is_in_doubt, order.cancel_requested) == (OrderStatus.SUBMITTED, False, False)


async def test_there_is_nothing_to_settle_where_nothing_is_in_doubt(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        for settling in (
            engine.doubts.settle_found(order.order_id, "V1", "", "person:ann"),
            engine.doubts.settle_absent(order.order_id, "", "person:ann"),
        ):
            with pytest.raises(DecisionRefused, match="not in doubt"):
                await settling


async def test_an_order_that_turns_up_after_it_was_settled_as_absent_is_noted_reviewed_and_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        order = await engine.execute.execute(a_limit())
        await engine.doubts.settle_absent(order.order_id, "the desk has none", "person:ann")
        await scene.control.release()
        await asyncio.sleep(2)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.needs_review) == (OrderStatus.CANCELLED, True)
        assert "acknowledged_after_close" in order.anomalies
        assert scene.venue_orders(order)[0]["state"] == "CANCELLED"


async def test_a_stray_is_left_to_a_person_where_the_settings_say_so(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living(cancels_strays=False) as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        order = await engine.execute.execute(a_limit())
        await engine.doubts.settle_absent(order.order_id, "the desk has none", "person:ann")
        await scene.control.release()
        await asyncio.sleep(2)
        assert scene.witness.of("cancel") == []
        assert any("live at the broker" in line for line in scene.log.of("ANOMALY"))


async def test_a_failure_of_the_store_while_a_doubt_is_settled_leaves_it_in_doubt(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"breaker_failures": 99}) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_limit())
        scene.lock_store()
        await asyncio.sleep(60)
        assert (await engine.orders.get(order.order_id)).is_in_doubt
        assert len(scene.witness.of("submit")) == 1
        scene.unlock_store()
        scene.witness.will_raise("submit", BrokerConnectionError("down"))
        await until(lambda: not engine.doubts.standing())
        await until(lambda: engine.dispatcher.is_idle)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED
        assert len(scene.venue_orders(order)) == 1


async def test_a_clock_set_forward_does_not_make_a_request_that_is_under_way_absent(tmp_path: Path) -> None:
    async with a_scene(tmp_path, SEARCHABLE) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            await scene.lay(FaultKind.REQUEST_HELD, seconds=4.0)
            order = await engine.execute.execute(a_signal())
            jumping.jump(300)
            await until(lambda: engine.is_quiet)
            assert len(scene.witness.of("submit")) == len(scene.venue_orders(order)) == 1
            assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_a_clock_set_back_does_not_stop_the_asking(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, nth=None)
            await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
            scene.witness.answers["find"] = _inconclusive
            order = await engine.execute.execute(a_signal())
            await asyncio.sleep(2)
            jumping.jump(-300)
            del scene.witness.answers["find"]
            await asyncio.sleep(5)
            assert not (await engine.orders.get(order.order_id)).is_in_doubt


async def _inconclusive(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def test_an_absence_is_not_believed_once_the_broker_may_have_forgotten_the_key(tmp_path: Path) -> None:
    """A key that is remembered for a minute, and a request that was lost: nothing is sent again after the minute."""
    forgetful = replace(capabilities_of(UNIQUE), key_memory_seconds=60.0, delivery_bound_seconds=90.0)
    async with a_scene(tmp_path, UNIQUE, capabilities=forgetful) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(600)
        (doubt,) = engine.doubts.standing()
        assert "older than this broker remembers keys" in doubt.last_answer
        assert len(scene.witness.of("submit")) == 1
        await engine.doubts.settle_absent(order.order_id, "not in the broker's list", "person:ann")
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def test_an_open_order_that_the_broker_forgot_overnight_is_ended_by_a_person(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        with pytest.raises(DecisionRefused, match="the broker reports it as WORKING"):
            await engine.doubts.settle_absent(order.order_id, "I do not see it", "person:ann")
        scene.witness.answers |= {"find": _nothing_to_say, "open_orders": _none}
        settled = await engine.doubts.settle_absent(order.order_id, "it lapsed at the close", "person:ann")
        assert (settled.status, settled.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.EXPIRED)
        assert settled.requests == {}
        assert engine.orders.unfinished() == []
        with pytest.raises(DecisionRefused, match="neither in doubt nor open"):
            await engine.doubts.settle_absent(order.order_id, "again", "person:ann")


async def test_an_order_that_was_ended_so_and_is_live_all_the_same_is_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.answers |= {"find": _nothing_to_say, "open_orders": _none}
        await engine.doubts.settle_absent(order.order_id, "it lapsed at the close", "person:ann")
        scene.witness.answers.clear()
        await engine.reconcile.reconcile(ACCOUNT)
        await until(lambda: [each["state"] for each in scene.venue_orders(order)] == ["CANCELLED"])
        assert "live_after_close" in (await engine.orders.get(order.order_id)).reviews


async def _nothing_to_say(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def _none() -> list[OrderSnapshot]:
    return []


async def test_what_was_noted_of_an_order_is_resolved_before_the_order_learns_its_id(tmp_path: Path) -> None:
    """A run that died between the two would leave the note for ever: an order that ends with its id is not come to again."""
    async with a_scene(tmp_path, NONE) as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.answers["find"] = lambda *_: asyncio.sleep(0, Absence.INCONCLUSIVE)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, nth=None)
        order = await engine.execute.execute(a_limit("lost", time_in_force="GTC"))
        (at_venue,) = scene.venue_orders(order)
        name = at_venue["broker_order_id"]
        execution = await scene.control.fill(name, Decimal(3), Decimal(400))
        told = Execution(execution_id=execution, broker_order_id=name, quantity=Decimal(3), price=Decimal(400))
        await engine.track.book(ACCOUNT, told)  # without our key
        await scene.dies(engine)
        async with scene.living() as engine:
            scene.witness.answers.pop("find")
            await engine.reconcile.reconcile_all()
            assert (await engine.orders.get(order.order_id)).filled_quantity == 3

        async def kinds(store: DatabaseOrderStore) -> list[str]:
            return [item.event.shown_name for page in [page async for page in store.log()] for item in page]

        stored = await scene.reading(kinds)
        assert stored.count("UnmatchedReportNoted") == stored.count("UnmatchedReportResolved") > 0
        assert stored.index("UnmatchedReportResolved") < stored.index("Acknowledged") < stored.index("Filled")
