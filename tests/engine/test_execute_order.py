"""A signal becomes at most one order, stored before it is sent."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from liveorder.application.ports.broker import Absence, Prepared
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerRateLimitError,
    InsufficientBalanceError,
    OrderRetryExhaustedError,
)
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import Refused, RejectReason, SubmissionStarted
from liveorder.domain.resent_signal import SignalContentDiffers
from liveorder.domain.trading_halt import HaltReason, account_scope
from liveorder.testing.venue.faults import FaultKind
from liveorder.testing.venue.settings import VenueAccount
from tests.engine.scenes import LAX, STILL, a_limit, a_scene, a_signal, until

REFUSED = BrokerConnectionError("connection refused")


# --- durable first --------------------------------------------------------------------------------------------------------------


async def test_the_intent_its_approval_and_its_submission_are_one_commit_before_the_broker_is_called(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        commits = []
        engine.orders.listen(lambda before, after, recorded: commits.append([item.event.shown_name for item in recorded]))
        order = await engine.execute.execute(a_signal())
        (call,) = scene.witness.of("submit")
        assert call.stored == ("Requested", "Approved", "SubmissionStarted")
        assert commits[0] == ["Requested", "Approved", "SubmissionStarted"]
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_a_refusal_is_an_event_with_its_rule_and_both_figures_and_nothing_is_sent(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_order_quantity": Decimal(5)})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "RISK")
        refused = (await scene.events(order))[1]
        assert isinstance(refused, Refused)
        assert (refused.code, refused.measured, refused.limit) == ("order_quantity", "10", "5")
        assert scene.witness.calls == []


async def test_what_the_broker_cannot_do_is_refused_as_invalid(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.answers["prepare"] = _unpreparable
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.reject_reason) == (OrderStatus.REJECTED, RejectReason.INVALID)
        assert "no such money" in (order.error_message or "")


def _unpreparable(request: object) -> None:
    raise InsufficientBalanceError("no such money")


# --- once -----------------------------------------------------------------------------------------------------------------------


async def test_the_same_signal_again_is_the_same_order_while_it_lives_and_after(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        first = await engine.execute.execute(a_limit())
        assert (await engine.execute.execute(a_limit())).order_id == first.order_id
        await engine.cancel.cancel(first.order_id)
        await until(lambda: engine.is_quiet)
        again = await engine.execute.execute(a_limit())
        assert (again.order_id, again.status) == (first.order_id, OrderStatus.CANCELLED)
        assert len(scene.witness.of("submit")) == 1


async def test_a_signal_delivered_ten_times_at_once_is_one_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        orders = await asyncio.gather(*(engine.execute.execute(a_signal()) for _ in range(10)))
        assert len({order.order_id for order in orders}) == 1
        assert len(scene.witness.of("submit")) == 1
        assert await scene.count("Requested") == 1


async def test_a_known_id_with_other_content_is_refused_and_names_both(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        for state in ("open", "closed"):
            with pytest.raises(SignalContentDiffers) as differs:
                await engine.execute.execute(a_limit(price=401))
            assert differs.value.known_order_id == order.order_id, state
            assert order.intent.signal_fingerprint[:12] in str(differs.value)
            if state == "open":
                await engine.cancel.cancel(order.order_id)
                await until(lambda: engine.is_quiet)
        assert len(scene.witness.of("submit")) == 1


async def test_the_same_signal_id_on_two_accounts_is_two_orders(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=("SIM", "B")) as scene, scene.living() as engine:
        ours = await engine.execute.execute(a_signal())
        theirs = await engine.execute.execute(a_signal(account_id="B"))
        assert ours.client_order_id != theirs.client_order_id
        await until(lambda: engine.is_quiet)
        assert len(scene.venue_orders(ours)) == len(scene.venue_orders(theirs, "B")) == 1
        assert scene.venue_orders(ours, "B") == []


# --- retries --------------------------------------------------------------------------------------------------------------------


async def test_a_definite_failure_is_retried_after_one_and_two_seconds_with_the_same_bytes(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", REFUSED, REFUSED)
        order = await engine.execute.execute(a_signal())
        calls = scene.witness.of("submit")
        assert [round(call.at - calls[0].at, 3) for call in calls] == [0, 1, 3]
        assert len({call.payload for call in calls}) == 1
        assert order.client_order_id in calls[0].payload
        assert calls[1].stored[-2:] == ("SubmissionFailed", "SubmissionStarted")
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        started = [event for event in await scene.events(order) if isinstance(event, SubmissionStarted)]
        assert [event.attempt for event in started] == [1, 2, 3]
        assert len({event.request_id for event in started}) == 3


async def test_more_attempts_double_the_wait_to_at_most_thirty_seconds(tmp_path: Path) -> None:
    stubborn = {"retry": RetryPolicy(8), "breaker_failures": 99}
    async with a_scene(tmp_path, account_terms=stubborn) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", *[REFUSED] * 8)
        await engine.execute.execute(a_limit(time_in_force="GTC"))
        calls = [call.at for call in scene.witness.of("submit")]
        assert [round(after - before) for before, after in pairwise(calls)] == [1, 2, 4, 8, 16, 30, 30]


async def test_when_every_attempt_failed_the_error_carries_the_last_failure(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        last = BrokerConnectionError("no route to host")
        scene.witness.will_raise("submit", REFUSED, REFUSED, last)
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "RETRIES_EXHAUSTED")
        ((told, error),) = scene.errors
        assert told == order
        assert isinstance(error, OrderRetryExhaustedError)
        assert error.original_error is last
        assert len(scene.witness.of("submit")) == error.attempts == 3
        assert scene.venue_orders(order) == []


async def test_a_broker_that_says_how_long_to_wait_is_waited_for(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerRateLimitError("slow down", 7.5), BrokerRateLimitError("slow down"))
        await engine.execute.execute(a_signal())
        calls = [call.at for call in scene.witness.of("submit")]
        assert [round(at - calls[0], 3) for at in calls] == [0, 7.5, 9.5]


async def test_a_refusal_by_the_broker_is_final_at_once(tmp_path: Path) -> None:
    poor = STILL.model_copy(update={"accounts": (VenueAccount(cash=Decimal(10), is_limited=True),)})
    unchecked = LAX.model_copy(update={"check_buying_power": False})
    async with a_scene(tmp_path, poor, limits=unchecked) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "BROKER")
        assert "InsufficientBalanceError" in (order.error_message or "")
        assert len(scene.witness.of("submit")) == 1
        assert engine.is_quiet


async def test_an_order_that_the_broker_throws_out_is_rejected_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"rejection_probability": 1.0})) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        assert (order.status, order.reason) == (OrderStatus.REJECTED, "BROKER")
        assert (await scene.event_names(order)).count("Rejected") == 1


@pytest.mark.parametrize(
    "kind", [FaultKind.ACKNOWLEDGEMENT_LOST, FaultKind.ACKNOWLEDGEMENT_GARBLED, FaultKind.SERVER_ERROR, FaultKind.RESTART]
)
async def test_an_outcome_that_is_not_known_is_asked_about_and_never_sent_again(tmp_path: Path, kind: FaultKind) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(kind)
        order = await engine.execute.execute(a_limit())
        assert "OutcomeUnknown" in await scene.event_names(order) or order.is_acknowledged
        await until(lambda: not engine.doubts.standing())
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.is_acknowledged) == (OrderStatus.SUBMITTED, True)
        assert len(scene.witness.of("submit")) == len(scene.venue_orders(order)) == 1


async def test_a_call_without_an_answer_is_in_doubt_at_its_deadline(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 4.0}) as scene, scene.living() as engine:
        scene.witness.answers["submit"] = lambda prepared: asyncio.sleep(3600)
        began = scene.clock.monotonic()
        order = await engine.execute.execute(a_signal())
        assert scene.clock.monotonic() - began == pytest.approx(4.0)
        assert (order.status, order.is_in_doubt) == (OrderStatus.SUBMITTED, True)


@pytest.mark.parametrize("surprise", [ValueError("bug"), TimeoutError("socket"), ConnectionResetError("reset")])
async def test_whatever_else_an_adapter_raises_leaves_the_outcome_unknown(tmp_path: Path, surprise: Exception) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", surprise)
        order = await engine.execute.execute(a_signal())
        assert order.is_in_doubt
        assert len(scene.witness.of("submit")) == 1


async def test_an_answer_that_says_nothing_leaves_the_order_in_doubt(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.answers["submit"] = _silent
        order = await engine.execute.execute(a_signal())
        assert order.is_in_doubt


async def _silent(prepared: object) -> list[object]:
    return []


async def test_a_key_that_the_broker_holds_already_is_our_order_and_is_fetched(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        scene.witness.answers["find"] = _cannot_say
        order = await engine.execute.execute(a_limit())
        assert order.is_in_doubt
        assert order.submission is not None
        resent = Prepared(order.submission.reference, order.submission.payload)
        gateway = engine.gateways["SIM"]
        again = await gateway.submit("again", resent, gateway.deadlines.new("again"))
        del scene.witness.answers["find"]
        await engine.submit.book_outcome(order, order.submission.request_id, again)
        await until(lambda: not engine.doubts.standing())
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.is_acknowledged) == (OrderStatus.SUBMITTED, True)
        assert len(scene.venue_orders(order)) == 1


async def test_a_lost_store_starts_halted_and_an_order_that_carries_our_key_is_found_and_not_sent_twice(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit())
        (scene.folder / "orders.db").rename(scene.folder / "lost.db")
        async with a_scene(tmp_path, STILL) as emptied:
            emptied.floors = scene.floors
            async with emptied.living() as engine:
                (halt,) = engine.halts.standing()
                assert (halt.scope, halt.reason) == (account_scope("SIM"), HaltReason.RESTORED_STORE)
                assert (await engine.execute.execute(a_signal("new"))).is_in_doubt
                await engine.halts.resume(account_scope("SIM"), "looked at", "person:ann")
                again = await engine.execute.execute(a_limit())
                await until(lambda: not engine.doubts.standing())
                again = await engine.orders.get(again.order_id)
                assert again.client_order_id == order.client_order_id
                assert (again.status, again.broker_order_id) == (OrderStatus.SUBMITTED, order.broker_order_id)
                assert len(scene.venue_orders(order)) == 1


async def _cannot_say(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def test_an_order_that_can_only_reduce_says_so_and_no_other(tmp_path: Path) -> None:
    shorting = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=shorting) as scene, scene.living() as engine:
        bought = await engine.execute.execute(a_signal("in"))
        await until(lambda: engine.is_quiet)
        part = await engine.execute.execute(a_limit("part", 600, side="SELL", quantity=6))
        rest = await engine.execute.execute(a_limit("rest", 600, side="SELL", quantity=6))
        assert [order.terms.reduces_only for order in (bought, part, rest)] == [False, True, False]
