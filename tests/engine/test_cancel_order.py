"""Asking the broker to cancel; what counts is what it then says."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerRateLimitError,
    DecisionRefused,
    OrderNotFound,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason, CancelRefused, CancelRequested
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, STILL, a_limit, a_scene, a_signal, until

REFUSED = BrokerConnectionError("connection refused")
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_a_cancel_is_durable_before_the_broker_hears_of_it_and_keeps_our_reason(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        order = await engine.cancel.cancel(order.order_id, CancelReason.REQUESTED, "person:ann")
        (call,) = scene.witness.of("cancel")
        assert call.stored[-1] == "CancelRequested"
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.REQUESTED)


async def test_a_cancel_that_was_surely_not_received_is_tried_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.will_raise("cancel", BrokerRateLimitError("slow", 5.0), REFUSED)
        order = await engine.cancel.cancel(order.order_id)
        calls = scene.witness.of("cancel")
        assert [round(call.at - calls[0].at) for call in calls] == [0, 5, 7]
        assert len({call.payload for call in calls}) == 1
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def test_a_cancel_that_never_got_through_leaves_the_order_standing(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.will_raise("cancel", *[REFUSED] * 3)
        order = await engine.cancel.cancel(order.order_id)
        assert (order.status, order.cancel_requested) == (OrderStatus.SUBMITTED, False)
        assert len(scene.witness.of("cancel")) == 3
        assert "connection refused" in (order.error_message or "")


async def test_a_cancel_without_an_answer_is_in_doubt_until_the_order_shows_what_became_of_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, Point.CANCEL)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.cancel.cancel(order.order_id)
        assert order.is_in_doubt
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.REQUESTED)


async def test_a_lost_cancel_that_shows_no_effect_past_every_bound_is_asked_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        order = await engine.cancel.cancel(order.order_id)
        await asyncio.sleep(10)
        assert (await engine.orders.get(order.order_id)).is_in_doubt
        await asyncio.sleep(30)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason, order.cancels) == (OrderStatus.CANCELLED, CancelReason.REQUESTED, 2)
        refused = next(event for event in await scene.events(order) if isinstance(event, CancelRefused))
        assert "never received" in refused.message


async def test_a_cancel_that_came_too_late_is_settled_although_word_of_that_was_lost(tmp_path: Path) -> None:
    slow = BY_HAND.model_copy(update={"cancel_delay_seconds": 2.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.cancel.cancel(order.order_id)
        execution = await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await scene.control.bust(execution)
        await engine.doubts.doubt(order, next(iter(order.requests)), "Unanswered", "no answer")
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancels) == (OrderStatus.CANCELLED, 2)


async def test_a_cancel_that_the_broker_is_working_on_is_not_settled_as_lost(tmp_path: Path) -> None:
    slow = STILL.model_copy(update={"cancel_delay_seconds": 120.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, Point.CANCEL)
        order = await engine.cancel.cancel(order.order_id)
        await asyncio.sleep(100)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_pending, order.is_in_doubt) == (OrderStatus.SUBMITTED, True, True)
        await asyncio.sleep(30)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert "CancelRefused" not in await scene.event_names(order)


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "reports lost"])
async def test_a_fill_that_wins_the_race_against_a_cancel_is_booked(tmp_path: Path, is_told: bool) -> None:
    slow = BY_HAND.model_copy(update={"cancel_delay_seconds": 5.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        if not is_told:
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.cancel.cancel(order.order_id)
        assert order.cancel_pending
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity, order.cancel_pending) == (OrderStatus.FILLED, Decimal(10), False)


async def test_a_partial_fill_and_then_a_cancel_ends_with_the_quantity_booked(tmp_path: Path) -> None:
    slow = BY_HAND.model_copy(update={"cancel_delay_seconds": 5.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await engine.cancel.cancel(order.order_id)
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity, order.cancel_pending) == (OrderStatus.CANCELLED, Decimal(4), False)


async def test_a_cancel_refused_because_it_filled_books_the_fill_and_orders_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        order = await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
        assert [call.verb for call in scene.witness.calls] == ["submit", "cancel"]


async def test_there_is_nothing_to_cancel_of_a_closed_or_unknown_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        with pytest.raises(DecisionRefused, match="FILLED already"):
            await engine.cancel.cancel(order.order_id)
        with pytest.raises(OrderNotFound):
            await engine.cancel.cancel(uuid4())
        assert scene.witness.of("cancel") == []


async def test_cancelling_twice_at_once_does_no_harm(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 0.5})) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await asyncio.gather(*(engine.cancel.cancel(order.order_id) for _ in range(3)), return_exceptions=True)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.anomalies) == (OrderStatus.CANCELLED, frozenset())
        asked = [event.request_id for event in await scene.events(order) if isinstance(event, CancelRequested)]
        assert len(asked) == len(set(asked)) == len(scene.witness.of("cancel"))


async def test_an_order_in_doubt_that_its_person_cancelled_is_not_sent_again_when_it_proves_absent(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_limit())
        order = await engine.cancel.cancel(order.order_id)
        assert (order.is_in_doubt, order.cancel_requested) == (True, False)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.REQUESTED)
        assert len(scene.witness.of("submit")) == 1
        assert scene.venue_orders(order) == []


async def test_a_cancel_under_way_when_the_submission_proves_absent_ends_the_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, Point.CANCEL)
        order = await engine.execute.execute(a_limit())
        order = await engine.cancel.cancel(order.order_id)
        assert order.cancel_requested
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
        assert len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("dies", [False, True])
async def test_a_cancel_that_was_refused_while_the_order_was_under_way_is_asked_again_when_it_turns_up(
    tmp_path: Path, dies: bool
) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        await scene.lay(FaultKind.REQUEST_HELD, seconds=9.0 if dies else 4.0)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        order = await engine.cancel.cancel(order.order_id, CancelReason.HALTED, "person:ann")
        assert (order.status, order.cancel_requested, order.is_in_doubt) == (OrderStatus.SUBMITTED, False, True)
        if dies:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
            assert scene.venue_orders(order) == []
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason, order.cancels) == (OrderStatus.CANCELLED, CancelReason.HALTED, 2)
        assert [each["state"] for each in scene.venue_orders(order)] == ["CANCELLED"]
        await engine.stop()


async def test_a_cancel_that_was_refused_and_an_order_that_never_arrived_end_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await engine.cancel.cancel(order.order_id, CancelReason.HALTED, "person:ann")
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.HALTED)
        assert len(scene.witness.of("submit")) == 1


async def test_an_order_that_cannot_be_named_to_its_broker_yet_cannot_be_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", OutcomeUnknown("no answer"))
        order = await engine.execute.execute(a_limit())

        def nameless(request: object) -> None:
            raise OrderValidationError("broker_order_id: this broker knows no keys")

        scene.witness.answers["prepare"] = nameless
        with pytest.raises(DecisionRefused, match="cannot be named"):
            await engine.cancel.cancel(order.order_id)
        assert engine.gateways[ACCOUNT].broker.capabilities.key_support is KeySupport.UNIQUE
