"""What an order says of itself: flags, reasons, times, and what could still trade."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from liveorder.domain.events import Event
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import CancelReason, RejectReason, RequestKind
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    KEY,
    ORDER_ID,
    REFUSED,
    REJECTED,
    SENT,
    acknowledged,
    bust,
    cancel_request,
    cancelled,
    figures,
    fill,
    intent,
    order_of,
    recorded,
    replace_request,
    seconds,
    submission,
    then,
    unknown,
)

WORKING = (SENT, ACKNOWLEDGED)
DOUBTED = unknown(f"{KEY}-s1")


def test_an_order_begins_with_its_intent() -> None:
    with pytest.raises(TypeError, match="begins with OrderRequested, not Acknowledged"):
        LiveOrder.replay(recorded([ACKNOWLEDGED]))


def test_an_intent_is_pending_with_everything_left_to_fill() -> None:
    order = order_of()
    assert figures(order.status, order.quantity, order.filled_quantity, order.remaining_quantity) == (
        OrderStatus.PENDING,
        100,
        0,
        100,
    )
    assert (order.order_id, order.client_order_id, order.average_price, order.flags) == (ORDER_ID, KEY, None, ())


def test_applying_leaves_the_order_as_it_was() -> None:
    order = order_of(*WORKING, replace_request(1, "80"))
    before = order_of(*WORKING, replace_request(1, "80"))
    then(order, fill("a", 10), unknown(f"{KEY}-r1", RequestKind.REPLACE), cancel_request(), cancelled())
    assert order == before


def test_orders_are_compared_without_the_keys_that_no_event_says() -> None:
    order, known_to_its_store, later = order_of(*WORKING), order_of(*WORKING), order_of(*WORKING, fill("a", 10))
    known_to_its_store.other_ids = ("ANOTHER-KEY",)
    assert order == known_to_its_store
    assert order != later
    assert then(known_to_its_store, fill("a", 10)).other_ids == ("ANOTHER-KEY",)
    with pytest.raises(TypeError, match="unhashable"):
        hash(order)


def test_approval_is_remembered() -> None:
    assert order_of(ev.Approved(figures={"trades": "3"})).is_approved


# --- flags ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "flags"),
    [
        ((SENT,), ()),
        (WORKING, ("acknowledged",)),
        ((SENT, DOUBTED), ("in_doubt",)),
        ((SENT, DOUBTED, ACKNOWLEDGED), ("acknowledged",)),
        ((SENT, DOUBTED, fill("a", 1)), ()),
        ((SENT, cancel_request()), ("cancel_requested",)),
        ((*WORKING, cancel_request(), ev.CancelPending()), ("acknowledged", "cancel_requested", "cancel_pending")),
        ((*WORKING, cancel_request(), ev.CancelPending(), ev.CancelRefused(request_id=None, message="")), ("acknowledged",)),
        ((*WORKING, replace_request(), ev.ReplacePending()), ("acknowledged", "replace_requested", "replace_pending")),
        ((*WORKING, replace_request(), ev.ReplacePending(), ev.Replaced(request_id=f"{KEY}-r1")), ("acknowledged",)),
        ((*WORKING, cancel_request(), replace_request(), ev.CancelPending(), ev.ReplacePending(), cancelled()), ("acknowledged",)),
        ((ev.ReviewRequested(code="odd", message=""),), ("needs_review",)),
        ((ev.ReviewRequested(code="odd", message=""), ev.ReviewResolved(evidence="seen")), ()),
    ],
)
def test_flags_are_what_is_so_now(events: tuple[Event, ...], flags: tuple[str, ...]) -> None:
    assert order_of(*events).flags == flags


def test_an_order_is_finished_when_it_is_closed_and_nothing_is_unanswered() -> None:
    assert not order_of(*WORKING).is_finished
    assert order_of(*WORKING, fill("a", 100)).is_finished
    assert not order_of(*WORKING, cancel_request(), fill("a", 100)).is_finished
    assert order_of(*WORKING, cancel_request(), cancelled()).is_finished


def test_a_trigger_is_remembered() -> None:
    assert order_of(SENT, ev.Triggered()).is_triggered


def test_the_outcome_of_another_request_settles_nothing() -> None:
    asked = (*WORKING, cancel_request(1), cancel_request(2), replace_request(1, "80"), replace_request(2, "70"))
    order = order_of(
        *asked, ev.CancelRefused(request_id=f"{KEY}-c9", message=""), ev.ReplaceRefused(request_id=f"{KEY}-r9", message="")
    )
    assert list(order.requests) == [f"{KEY}-c1", f"{KEY}-c2", f"{KEY}-r1", f"{KEY}-r2"]


def test_an_answer_that_names_no_request_settles_the_oldest_of_its_kind() -> None:
    order = order_of(
        *WORKING, cancel_request(1), replace_request(1, "80"), cancel_request(2), ev.CancelRefused(request_id=None, message="")
    )
    assert list(order.requests) == [f"{KEY}-r1", f"{KEY}-c2"]


def test_doubt_keeps_what_was_asked_and_since_when_it_is_unknown() -> None:
    doubted = unknown(f"{KEY}-r1", RequestKind.REPLACE)
    order = order_of(*WORKING, replace_request(1, "80"), doubted, doubted)
    request = order.requests[f"{KEY}-r1"]
    assert (request.terms, request.started_at, request.unknown_since, request.unknown_why) == (
        replace_request(1, "80"),
        seconds(3),
        seconds(4),
        "no answer",
    )


# --- why it ended -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", CancelReason)
def test_a_cancelled_order_says_why(reason: CancelReason) -> None:
    order = order_of(*WORKING, cancelled(reason, "in words"))
    assert (order.status, order.reason, order.error_message) == (OrderStatus.CANCELLED, reason.value, "in words")


@pytest.mark.parametrize("reason", RejectReason)
def test_an_order_that_we_refused_says_why(reason: RejectReason) -> None:
    order = order_of(REFUSED.but(reason=reason))
    assert (order.status, order.reason, order.error_message) == (OrderStatus.REJECTED, reason.value, "10 of 10 used")


def test_an_order_that_the_broker_rejected_says_so() -> None:
    order = order_of(SENT, REJECTED)
    assert (order.status, order.reason, order.error_message) == (OrderStatus.REJECTED, "BROKER", "no margin")


def test_an_order_that_is_filled_in_the_end_has_no_reason() -> None:
    assert order_of(*WORKING, cancelled(), fill("a", 100)).reason is None
    assert order_of(*WORKING, REJECTED, fill("a", 40)).reason is None


def test_the_first_cause_stands_but_a_cancel_overrules_the_rejection_of_an_order_with_fills() -> None:
    assert order_of(SENT, REJECTED, cancelled()).status is OrderStatus.REJECTED
    assert order_of(SENT, cancelled(), REJECTED).status is OrderStatus.CANCELLED
    assert order_of(SENT, REJECTED, fill("a", 40), cancelled()).status is OrderStatus.CANCELLED


# --- times ------------------------------------------------------------------------------------------------------------------


def test_an_order_keeps_when_it_was_asked_for_first_sent_last_changed_and_closed() -> None:
    order = order_of(SENT, FAILED, submission(2), ACKNOWLEDGED, fill("a", 100), fill("b", 1))
    assert (order.requested_at, order.submitted_at, order.closed_at, order.last_update_at) == (
        seconds(0),
        seconds(1),
        seconds(5),
        seconds(6),
    )
    assert (order.attempts, order.version, order.last_failure) == (2, 7, FAILED)


def failed(attempt: int, error: str = "BrokerConnectionError") -> ev.SubmissionFailed:
    return FAILED.but(request_id=f"{KEY}-s{attempt}", error=error)


def test_a_start_that_was_not_begun_is_no_attempt_and_no_failure_and_no_time_runs_from_it() -> None:
    waiting = order_of(SENT, failed(1, ev.NOT_BEGUN))
    assert (waiting.starts, waiting.attempts, waiting.failures, waiting.was_not_begun) == (1, 0, 0, True)
    assert (waiting.submitted_at, waiting.is_sent, waiting.status) == (None, True, OrderStatus.SUBMITTED)
    sent = then(waiting, submission(2), failed(2))
    assert (sent.starts, sent.attempts, sent.failures, sent.was_not_begun) == (2, 1, 1, False)
    assert sent.submitted_at == seconds(3)
    late = then(sent, submission(3), failed(3, ev.NOT_BEGUN))
    assert (late.starts, late.attempts, late.failures, late.submitted_at) == (3, 1, 1, seconds(3))


def test_an_order_that_is_open_again_has_no_closing_time_until_it_closes_again() -> None:
    reopened = order_of(*WORKING, fill("a", 100), bust("a"))
    assert reopened.closed_at is None
    assert then(reopened, fill("b", 100)).closed_at == seconds(5)


def test_from_filled_to_cancelled_it_was_closed_all_along() -> None:
    order = order_of(*WORKING, cancelled(), fill("a", 100), bust("a"))
    assert (order.status, order.closed_at) == (OrderStatus.CANCELLED, seconds(3))


# --- quantities -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "atomic", "sum_of_two"),
    [
        ((), 100, 100),
        ((*WORKING, fill("a", 40)), 60, 60),
        ((SENT, DOUBTED), 100, 100),
        ((*WORKING, fill("a", 40), replace_request(1, "150")), 110, 170),
        ((*WORKING, fill("a", 40), replace_request(1, "60")), 60, 80),
        ((*WORKING, replace_request(1, None, "9")), 100, 200),
        ((*WORKING, replace_request(1, "80"), replace_request(2, "120")), 120, 300),
        ((*WORKING, replace_request(1, "150"), fill("a", 100)), 50, 50),
        ((*WORKING, fill("a", 120)), 0, 0),
        ((*WORKING, fill("a", 40), cancelled()), 0, 0),
        ((intent(notional=Decimal(1000)), SENT), 0, 0),
    ],
)
def test_the_worst_case_counts_what_is_in_flight(events: tuple[Event, ...], atomic: int, sum_of_two: int) -> None:
    order = order_of(*events)
    worst = figures(order.worst_case_quantity(atomic_replace=True), order.worst_case_quantity(atomic_replace=False))
    assert worst == (atomic, sum_of_two)


def test_a_cash_order_has_nothing_left_to_fill_until_it_learns_its_quantity() -> None:
    order = order_of(intent(notional=Decimal(1000)), SENT, fill("a", 5))
    assert figures(order.status, order.quantity, order.remaining_quantity) == (OrderStatus.PARTIAL, None, 0)
    learned = then(order, acknowledged("20"))
    assert figures(learned.quantity, learned.remaining_quantity) == (20, 15)


def test_a_replace_below_what_is_filled_means_no_more_than_that() -> None:
    order = order_of(*WORKING, fill("a", 60), ev.Replaced(request_id=None, quantity=Decimal(50)))
    assert figures(order.status, order.quantity) == (OrderStatus.FILLED, 60)


def test_terms_that_a_replace_leaves_out_stay() -> None:
    limit = intent(order_type="STOP_LIMIT", limit_price=Decimal(10), stop_price=Decimal(9))
    order = order_of(limit, *WORKING, ev.Replaced(request_id=None, limit_price=Decimal(11), broker_order_id="B-2"))
    assert figures(order.quantity, order.limit_price, order.stop_price, order.broker_order_id) == (100, 11, 9, "B-2")


@pytest.mark.parametrize(
    ("ratio", "quantity", "filled", "price"),
    [("2", 600, 600, "5"), ("0.3333333333", 100, 100, "30"), ("1.5", 450, 450, "6.66666666666666666666666666667")],
)
def test_a_split_restates_what_was_ordered_and_filled_but_no_money(ratio: str, quantity: int, filled: int, price: str) -> None:
    fills = [fill(name, 100, 10, "0.1") for name in "abc"]
    order = order_of(intent(quantity=Decimal(300)), *WORKING, *fills, ev.Restated(split_ratio=Decimal(ratio)))
    assert figures(order.status, order.quantity, order.filled_quantity) == (OrderStatus.FILLED, quantity, filled)
    assert figures(order.executions.totals.value, order.commission) == (3000, Decimal("0.3"))
    assert order.average_price == +Decimal(price)


def test_a_restatement_may_tell_the_quantity_after_the_split() -> None:
    order = order_of(*WORKING, fill("a", 40), ev.Restated(split_ratio=Decimal(2), quantity=Decimal(210)))
    assert figures(order.quantity, order.filled_quantity, order.remaining_quantity) == (210, 80, 130)


def test_sums_are_exact_however_many_digits_there_are() -> None:
    tiny = Decimal("0.000000000000000001")
    events = [fill("a", str(tiny), "12345678.12345678", "0.000000000000000003"), fill("b", "99999999999", "99999999.99999999")]
    one, other = (order_of(*WORKING, *each).executions.totals for each in (events, reversed(events)))
    assert one == other
    assert one.quantity == Decimal("99999999999.000000000000000001")


@pytest.mark.parametrize("change", [lambda events: events, lambda events: [*events, *events]], ids=["once", "twice"])
def test_a_fill_reported_twice_counts_once(change: Callable[[list[Event]], list[Event]]) -> None:
    order = order_of(*WORKING, *change([fill("a", 40, 10, "1"), fill("b", 20, 13, "2")]))
    assert figures(order.filled_quantity, order.average_price, order.commission) == (60, 11, 3)
