"""A slow store, a paused process, a clock that is set, a halt: what delays a call on our side is nobody's failure, and a call that
begins has its whole time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.ports.broker import Prepared
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.application.reporting.order_log import OrderLog
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.evidence import earliest_proof_of_absence
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import (
    CancelRefused,
    CancelRequested,
    ReplaceRefused,
    ReplaceRequested,
    SubmissionFailed,
    SubmissionStarted,
)
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from tests.engine.scenes import LAX, NOON, Scene, a_limit, a_scene, a_signal, until
from tests.harness.virtual_time import VirtualLoop
from tests.simulation.clocks import JumpingClock

CALL_SECONDS = 10.0
STARTS = (SubmissionStarted, CancelRequested, ReplaceRequested)
VERBS = ("submit", "cancel", "replace")
STRICT = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
BREAKS_AT_ONCE = {"breaker_failures": 1}
REFUSED = BrokerConnectionError("connection refused")

Delay = Callable[[], Any]


@contextmanager
def after_each_start(engine: Any, *delays: Delay, last: Delay | None = None) -> Iterator[None]:
    """Behind the commits that start a request: the first `delays` one after the other, then `last` behind each."""
    append, left = engine.store.append, iter(delays)

    async def delayed(commit: Commit) -> Committed:
        committed: Committed = await append(commit)
        if any(isinstance(item.event, STARTS) for item in commit.events):
            waiting = next(left, last or (lambda: None))()
            if waiting is not None:
                await waiting
        return committed

    engine.store.append = delayed
    yield
    engine.store.append = append


def taking(seconds: float) -> Delay:
    return lambda: asyncio.sleep(seconds)


def pausing(seconds: float) -> Delay:
    """The whole process stands still, as under SIGSTOP: time passes, and nothing runs."""

    def stand_still() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.pass_time(seconds)

    return stand_still


def answers_after(scene: Scene, seconds: float) -> None:
    async def at_call(verb: str) -> None:
        await asyncio.sleep(seconds)

    scene.witness.at_call = at_call


async def asked(engine: Any, verb: str, order: LiveOrder | None) -> LiveOrder:
    """A request of this kind; cancels and replaces are of `order`."""
    if order is None:
        placed: LiveOrder = await engine.execute.execute(a_limit(time_in_force="GTC"))
        return placed
    if verb == "cancel":
        return await engine.cancel.cancel(order.order_id)  # type: ignore[no-any-return]  # untyped engine
    return await engine.replace.replace(order.order_id, quantity=Decimal(12))  # type: ignore[no-any-return]  # untyped engine


async def standing(engine: Any, verb: str) -> LiveOrder | None:
    """What a request of this kind is made about."""
    return None if verb == "submit" else await engine.execute.execute(a_limit(time_in_force="GTC"))


async def assert_calls_began_in_time(scene: Scene, order: LiveOrder) -> None:
    """Each by the deadline that was stored for it last, less the whole time that a call may take."""
    events = [event for event in await scene.events(order) if isinstance(event, STARTS)]
    latest = {event.payload: event.deadline for event in events if event.deadline is not None}
    begun = {call.payload: NOON + timedelta(seconds=call.at) for call in scene.witness.calls if call.payload in latest}
    assert begun
    assert all(at + timedelta(seconds=CALL_SECONDS) <= latest[payload] for payload, at in begun.items())


# --- a slow store ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [1.9, 9.99, 12.0, 29.0])
async def test_a_store_that_is_always_slow_trades_all_the_same_and_each_call_has_its_whole_time(
    tmp_path: Path, seconds: float
) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene, scene.living() as engine:
        answers_after(scene, CALL_SECONDS - 0.1)
        with after_each_start(engine, last=taking(seconds)):
            orders = [await engine.execute.execute(a_limit(f"s{n}", time_in_force="GTC")) for n in range(3)]
        for order in orders:
            assert (order.status, order.is_acknowledged, order.failures) == (OrderStatus.SUBMITTED, True, 0)
            assert "OutcomeUnknown" not in await scene.event_names(order)
            assert len(scene.venue_orders(order)) == 1
            await assert_calls_began_in_time(scene, order)
        assert len(scene.witness.of("submit")) == 3
        assert (engine.halts.standing(), scene.errors) == ([], [])


async def test_what_was_learned_of_a_slow_store_lets_the_next_order_go_at_its_first_start(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        with after_each_start(engine, last=taking(12.0)):
            first = await engine.execute.execute(a_limit())
            second = await engine.execute.execute(a_limit("s2"))
        assert [(order.starts, order.attempts) for order in (first, second)] == [(2, 1), (1, 1)]


async def test_starts_that_are_quick_again_shorten_what_a_successor_must_wait_for(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        with after_each_start(engine, taking(12.0)):
            await engine.execute.execute(a_limit())
        quick = [await engine.execute.execute(a_limit(f"s{number}")) for number in range(5)]
        given = [order.submission.deadline - (order.submitted_at or NOON) for order in quick if order.submission is not None]
        assert [each.total_seconds() - CALL_SECONDS for each in given] == [12.0, 6.0, 3.0, 2.0, 2.0]


async def test_an_order_that_our_side_never_lets_go_ends_as_stale_and_says_why(tmp_path: Path) -> None:
    terms = BREAKS_AT_ONCE | {"retry": RetryPolicy(3)}
    async with a_scene(tmp_path, limits=STRICT, account_terms=terms) as scene, scene.living() as engine:
        waits = iter([3.0, 7.0, 15.0, 31.0, 63.0, 127.0])
        with after_each_start(engine, last=lambda: asyncio.sleep(next(waits))):
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "STALE")
        assert order.failures == 0
        assert order.starts > 3
        assert "before it was sent" in (order.error_message or "")
        assert "our own side" in (order.error_message or "")
        assert scene.witness.calls == []
        assert engine.halts.standing() == []


async def test_starts_that_came_late_are_tried_again_after_growing_waits(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        began: list[float] = []

        def endless() -> Any:
            began.append(scene.clock.monotonic())
            return asyncio.sleep(100.0)

        with after_each_start(engine, *[endless] * 6):
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        assert [round(after - before - 100.0) for before, after in pairwise(began)] == [1, 2, 4, 8, 16]
        assert (order.is_acknowledged, order.starts, order.attempts) == (True, 7, 1)


async def test_our_delays_leave_the_broker_all_of_its_attempts(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", *[REFUSED] * 3)
        with after_each_start(engine, *[taking(100.0)] * 4):
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        ((_, error),) = scene.errors
        assert (order.reason, len(scene.witness.of("submit"))) == ("RETRIES_EXHAUSTED", 3)
        assert "gave up after 3 attempts: connection refused" in str(error)


async def test_a_successor_waits_for_the_deadline_that_a_slow_start_was_given(tmp_path: Path) -> None:
    """What bounds a call that is made late bounds the belief in its absence too."""
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        with after_each_start(engine, taking(12.0), last=taking(1e6)):
            executing = asyncio.create_task(engine.execute.execute(a_limit(time_in_force="GTC")))
            await asyncio.sleep(14.0)
            await scene.dies(engine)
        executing.cancel()
        async with scene.living() as successor:
            (order,) = successor.orders.unfinished()
            (request,) = order.requests.values()
            await until(lambda: bool(scene.witness.calls))
            assert scene.clock.now() > earliest_proof_of_absence(request, successor.gateways["SIM"].broker.capabilities)
            assert request.deadline is not None
            assert request.deadline - request.started_at == timedelta(seconds=24.0 + CALL_SECONDS)
            assert len(scene.venue_orders(order)) == 1


# --- the gateway's own look at the time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
async def test_a_request_that_comes_late_is_not_made_but_made_anew(tmp_path: Path, verb: str) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene, scene.living() as engine:
        order = await standing(engine, verb)
        scene.witness.calls.clear()
        with after_each_start(engine, pausing(2.1)):
            order = await asked(engine, verb, order)
        assert len(scene.witness.of(verb)) == len(scene.witness.calls) == 1
        await assert_calls_began_in_time(scene, order)
        assert await _not_begun(scene, order) == [True]
        assert engine.halts.standing() == []
        await until(lambda: verb != "cancel" or engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        expected = (OrderStatus.CANCELLED, "REQUESTED") if verb == "cancel" else (OrderStatus.SUBMITTED, None)
        assert (order.status, order.reason) == expected
        assert order.quantity == Decimal(12 if verb == "replace" else 10)


async def _not_begun(scene: Scene, order: LiveOrder) -> list[bool]:
    """For each request that was not begun: whether it says that the delay was ours."""
    events = [each for each in await scene.events(order) if isinstance(each, SubmissionFailed | CancelRefused | ReplaceRefused)]
    return ["our own side" in event.message for event in events]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_request_whose_call_could_outlast_its_deadline_is_not_made(tmp_path: Path, verb: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        gateway = engine.gateways["SIM"]
        for seconds in (0.0, 5.0, CALL_SECONDS - 0.001):
            gateway.deadlines.new("late")
            outcome = await getattr(gateway, verb)("late", Prepared({}, "{}"), scene.clock.now() + timedelta(seconds=seconds))
            assert "own side" in outcome.reason
        assert scene.witness.calls == []


@pytest.mark.parametrize("verb", VERBS)
async def test_our_delays_are_no_failures_of_the_broker(tmp_path: Path, verb: str) -> None:
    """Neither counted, nor taken for a sign that it works again."""
    terms = {"breaker_failures": 3, "retry": RetryPolicy(1)}
    async with a_scene(tmp_path, account_terms=terms) as scene, scene.living() as engine:
        gateway = engine.gateways["SIM"]
        scene.witness.will_raise("submit", *[REFUSED] * 3)
        for number in range(2):
            await engine.execute.execute(a_limit(f"s{number}"))
        for _ in range(5):
            await getattr(gateway, verb)("late", Prepared({}, "{}"), scene.clock.now())
        assert engine.halts.standing() == []
        await engine.execute.execute(a_limit("s2"))
        assert [halt.reason for halt in engine.halts.standing()] == [HaltReason.CIRCUIT_BREAKER]


async def test_a_cancel_that_we_delay_again_and_again_is_wanted_until_it_is_made(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        with after_each_start(engine, *[pausing(300.0)] * 5):
            await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert len(scene.witness.of("cancel")) == 1


async def test_a_cancel_whose_process_dies_after_its_delay_is_asked_for_by_the_next(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        hangs: list[float] = []

        def dying() -> Any:
            pausing(300.0)()
            engine.store.append = lambda commit: _hangs_after(append, commit)  # type: ignore[method-assign]  # a fault of ours

        async def _hangs_after(real: Any, commit: Commit) -> Any:
            committed = await real(commit)
            if any(isinstance(item.event, CancelRefused) for item in commit.events):
                hangs.append(scene.clock.monotonic())
                await asyncio.sleep(1e6)
            return committed

        append = engine.store.append
        with after_each_start(engine, dying):
            cancelling = asyncio.create_task(engine.cancel.cancel(order.order_id))
            await until(lambda: bool(hangs))
        await scene.dies(engine)
        cancelling.cancel()
        async with scene.living() as successor:
            await until(lambda: successor.is_quiet)
            assert (await successor.orders.get(order.order_id)).reason == "REQUESTED"
            assert len(scene.witness.of("cancel")) == 1


async def test_a_replace_that_our_side_never_lets_go_is_refused_and_says_why(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        with after_each_start(engine, last=pausing(300.0)):
            order = await engine.replace.replace(order.order_id, quantity=Decimal(12))
        assert scene.witness.of("replace") == []
        assert (order.quantity, order.replace_requested) == (Decimal(10), False)
        assert "our own side" in (order.error_message or "")
        assert engine.halts.standing() == []


# --- halts ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["submit", "replace"])
async def test_a_halt_between_the_commit_and_the_call_is_no_failure_of_the_broker(tmp_path: Path, verb: str) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene, scene.living() as engine:
        order = await standing(engine, verb)
        scene.witness.calls.clear()
        with after_each_start(engine, lambda: engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "now") and None):
            order = await asked(engine, verb, order)
        assert scene.witness.calls == []
        assert [halt.reason for halt in engine.halts.standing()] == [HaltReason.KILL_SWITCH]
        events = [each for each in await scene.events(order) if isinstance(each, SubmissionFailed | ReplaceRefused)]
        assert ["trading was halted" in event.message for event in events] == [True]
        assert (order.failures, order.reason) == (0, "HALTED" if verb == "submit" else None)


# --- a clock that is set --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
async def test_a_clock_that_is_set_between_the_commit_and_the_call_keeps_nothing_from_being_sent(
    tmp_path: Path, verb: str, seconds: float
) -> None:
    async with a_scene(tmp_path, account_terms=BREAKS_AT_ONCE) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            order = await standing(engine, verb)
            scene.witness.calls.clear()
            with after_each_start(engine, lambda: jumping.jump(seconds)):
                order = await asked(engine, verb, order)
            assert len(scene.witness.of(verb)) == 1
            assert engine.halts.standing() == []
            assert len(await _not_begun(scene, order)) == (1 if seconds > 0 else 0)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_clock_set_back_during_a_pause_does_not_hide_that_it_is_late(tmp_path: Path, verb: str) -> None:
    """Another process's clock was not set: by that one, the deadline has passed."""
    async with a_scene(tmp_path) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            order = await standing(engine, verb)
            scene.witness.calls.clear()

            def pause_and_set_back() -> None:
                pausing(60.0)()
                jumping.jump(-60.0)

            with after_each_start(engine, pause_and_set_back):
                order = await asked(engine, verb, order)
            assert await _not_begun(scene, order) == [True]
            assert len(scene.witness.of(verb)) == 1


async def test_a_signal_that_fails_at_the_broker_after_a_delay_of_ours_names_each_for_what_it_is(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED)
        engine.orders.listen(OrderLog(scene.log))
        with after_each_start(engine, taking(12.0)):
            order = await engine.execute.execute(a_signal())
        failed = [event for event in await scene.events(order) if isinstance(event, SubmissionFailed)]
        assert [event.error for event in failed] == ["NotBegun", "BrokerConnectionError"]
        (ours,), (theirs,) = scene.log.of("WARNING"), scene.log.of("BROKER")
        assert "our own side" in ours
        assert "connection refused" in theirs
        assert (order.starts, order.attempts, order.failures) == (3, 2, 1)
