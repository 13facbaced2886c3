"""What we may ask of an order, and when we must not. Given events, when one decision, then exactly these new events."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from liveorder.domain.errors import DecisionRefused
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import CancelReason, RejectReason, RequestKind
from liveorder.domain.values import OrderType
from tests.builders import (
    ACKNOWLEDGED,
    DEADLINE,
    FAILED,
    KEY,
    REFUSED,
    REJECTED,
    SENT,
    SESSION,
    bust,
    cancel_request,
    cancelled,
    fill,
    intent,
    order_of,
    replace_request,
    submission,
    then,
    unknown,
)

WORKING = (SENT, ACKNOWLEDGED)
APPROVED = ev.Approved(figures={})
CLOSED = [
    pytest.param((*WORKING, fill("a", 100)), id="filled"),
    pytest.param((*WORKING, cancelled()), id="cancelled"),
    pytest.param((*WORKING, REJECTED), id="rejected"),
    pytest.param((REFUSED,), id="refused"),
]


def submit(order: LiveOrder) -> list[Event]:
    return requests.start_submission(order, {}, "{}", DEADLINE, SESSION)


def cancel(order: LiveOrder) -> list[Event]:
    return requests.request_cancel(order, CancelReason.REQUESTED, {}, "{}", DEADLINE)


def drop(order: LiveOrder) -> list[Event]:
    return requests.cancel_unsent(order, CancelReason.STALE, "61 s old")


def replace(order: LiveOrder, quantity: str | None = "120", limit: str | None = None) -> list[Event]:
    wanted = None if quantity is None else Decimal(quantity)
    requests.check_replace(order, wanted)
    return requests.request_replace(order, wanted, None if limit is None else Decimal(limit), None, {}, "{}", DEADLINE)


# --- submissions -------------------------------------------------------------------------------------------------------------


def test_the_first_submission_is_attempt_one() -> None:
    assert submit(order_of()) == [submission(1)]


def test_after_a_definite_failure_the_next_attempt_is_free() -> None:
    assert submit(order_of(SENT, FAILED)) == [submission(2)]


def test_deciding_the_same_step_twice_gives_the_same_request() -> None:
    assert submit(order_of()) == submit(order_of())
    assert cancel(order_of(*WORKING)) == cancel(order_of(*WORKING))


@pytest.mark.parametrize("events", CLOSED)
def test_a_closed_order_is_not_sent(events: tuple[Event, ...]) -> None:
    with pytest.raises(DecisionRefused, match="cannot be sent"):
        submit(order_of(*events))


@pytest.mark.parametrize("events", [(SENT,), (SENT, unknown(f"{KEY}-s1"))], ids=["on its way", "in doubt"])
def test_nothing_is_sent_while_an_attempt_has_no_outcome(events: tuple[Event, ...]) -> None:
    with pytest.raises(DecisionRefused, match="ask, do not send again"):
        submit(order_of(*events))


@pytest.mark.parametrize(
    "told",
    [
        (ACKNOWLEDGED,),
        (fill("a", 40),),
        (fill("a", 40), bust("a")),
        (bust("a"),),
        (ev.CancelPending(),),
        (ev.ReplacePending(),),
        (ev.Triggered(),),
        (ev.Restated(quantity=Decimal(90)),),
        (ev.CommissionReported(execution_id="a", commission=Decimal(1)),),
    ],
    ids=lambda events: " ".join(type(event).__name__ for event in events),
)
def test_whatever_a_broker_told_of_an_order_means_that_it_must_not_be_sent_again(told: tuple[Event, ...]) -> None:
    order = order_of(SENT, FAILED, submission(2), unknown(f"{KEY}-s2"), *told)
    assert (order.is_at_broker, order.is_in_doubt, order.submission_is_open) == (True, False, False)
    with pytest.raises(DecisionRefused, match="at the broker already"):
        submit(order)
    assert cancel(order) == [cancel_request()], "it is at the broker, so the broker must be asked to cancel it"


def fail(order: LiveOrder) -> list[Event]:
    return requests.fail_submission(order, f"{KEY}-s1", "BrokerConnectionError", "connection refused")


def test_a_failed_submission_says_why() -> None:
    assert fail(order_of(SENT)) == [FAILED]


def test_a_submission_that_failed_while_its_cancel_was_asked_for_is_the_end_of_the_order() -> None:
    ended = cancelled(CancelReason.TIMED_OUT, "it never reached the broker, and its cancel was asked for")
    assert fail(order_of(SENT, cancel_request(reason=CancelReason.TIMED_OUT))) == [FAILED, ended]


def test_a_submission_that_failed_is_not_the_end_of_an_order_that_reached_the_broker_after_all() -> None:
    assert fail(order_of(SENT, fill("a", 40), cancel_request())) == [FAILED]


def test_a_refusal_of_ours_says_which_rule_and_what_it_measured() -> None:
    refused = requests.refuse(RejectReason.RISK, "daily_trade_count", "10 of 10 used", "10", "10")
    assert refused == [REFUSED.but(measured="10", limit="10")]


# --- doubt -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "request_id", "kind"),
    [
        ((SENT,), f"{KEY}-s1", RequestKind.SUBMIT),
        ((*WORKING, cancel_request()), f"{KEY}-c1", RequestKind.CANCEL),
        ((*WORKING, replace_request(quantity="120")), f"{KEY}-r1", RequestKind.REPLACE),
    ],
)
def test_a_request_without_an_outcome_can_be_doubted_once(events: tuple[Event, ...], request_id: str, kind: RequestKind) -> None:
    order = order_of(*events)
    doubted = requests.doubt(order, request_id, "BrokerTimeoutError", "no answer")
    assert doubted == [unknown(request_id, kind)]
    assert requests.doubt(then(order, *doubted), request_id, "BrokerTimeoutError", "no answer") == []


def test_a_request_in_doubt_that_is_refused_as_a_duplicate_is_doubted_once_more_for_that() -> None:
    def doubted(order: LiveOrder) -> list[Event]:
        return requests.doubt(order, f"{KEY}-s1", "DuplicateClientOrderId", "held already")

    order = order_of(SENT, unknown(f"{KEY}-s1"))
    since = order.requests[f"{KEY}-s1"].unknown_since
    order = then(order, *doubted(order))
    request = order.requests[f"{KEY}-s1"]
    assert (request.is_duplicate, request.unknown_since, doubted(order)) == (True, since, [])


def test_a_request_that_has_its_outcome_is_not_doubted() -> None:
    assert requests.doubt(order_of(*WORKING), f"{KEY}-s1", "BrokerTimeoutError", "no answer") == []


def test_a_submission_that_never_arrived_failed() -> None:
    order = order_of(SENT, unknown(f"{KEY}-s1"))
    settled = requests.settle_absent(order, f"{KEY}-s1", "not found at 14:31")
    message = "the broker never received it (no answer)"
    assert settled == [ev.SubmissionFailed(request_id=f"{KEY}-s1", error="Absent", message=message, evidence="not found at 14:31")]
    assert submit(then(order, *settled)) == [submission(2)]


@pytest.mark.parametrize(
    ("doubts", "failures"),
    [
        (("BrokerTimeoutError",), 1),
        (("NoAnswer",), 1),
        (("BrokerTimeoutError", "Restarted"), 1),
        (("Restarted",), 0),
        (("Stopped",), 0),
        (("Unanswered",), 0),
        (("StoreRestored",), 0),
        (("Unanswered", "DuplicateClientOrderId"), 1),
    ],
)
def test_an_attempt_that_never_arrived_is_counted_if_it_surely_left_us(doubts: tuple[str, ...], failures: int) -> None:
    told = [unknown(f"{KEY}-s1").but(error=error) for error in doubts]
    order = order_of(SENT, *told)
    assert then(order, *requests.settle_absent(order, f"{KEY}-s1", "not found at 14:31")).failures == failures


@pytest.mark.parametrize(
    ("asked", "refused"), [(cancel_request(), ev.CancelRefused), (replace_request(quantity="120"), ev.ReplaceRefused)]
)
def test_a_change_that_never_arrived_was_refused(
    asked: ev.CancelRequested | ev.ReplaceRequested, refused: Callable[..., Event]
) -> None:
    order = order_of(*WORKING, asked, unknown(asked.request_id))
    settled = requests.settle_absent(order, asked.request_id, "by phone", by_person=True)
    assert settled == [refused(request_id=asked.request_id, message="the broker never received it: by phone")]
    assert not then(order, *settled).requests


def test_a_submission_that_never_arrived_is_the_end_when_its_cancel_was_asked_for() -> None:
    order = order_of(SENT, unknown(f"{KEY}-s1"), cancel_request(), unknown(f"{KEY}-c1", RequestKind.CANCEL))
    settled = then(order, *requests.settle_absent(order, f"{KEY}-s1", "by phone"))
    assert (settled.status.value, settled.reason, settled.is_finished) == ("CANCELLED", "REQUESTED", True)


def test_what_was_not_begun_failed_for_a_reason_of_ours_and_a_cancel_is_wanted_all_the_same() -> None:
    why = "not sent: our own side took 12.0 s"
    sent, asked, replacing = (
        order_of(SENT),
        order_of(*WORKING, cancel_request()),
        order_of(*WORKING, replace_request(quantity="120")),
    )
    assert requests.not_begun(sent, f"{KEY}-s1", why) == [
        ev.SubmissionFailed(request_id=f"{KEY}-s1", error="NotBegun", message=why)
    ]
    refused = requests.not_begun(asked, f"{KEY}-c1", why)
    assert refused == [ev.CancelRefused(request_id=f"{KEY}-c1", message=why, is_still_wanted=True)]
    assert then(asked, *refused).cancel_wish is CancelReason.REQUESTED
    assert requests.not_begun(replacing, f"{KEY}-r1", why) == [ev.ReplaceRefused(request_id=f"{KEY}-r1", message=why)]
    assert requests.not_begun(order_of(*WORKING), f"{KEY}-s1", why) == []


def test_a_submission_that_was_not_begun_is_the_end_when_its_cancel_was_asked_for() -> None:
    order = order_of(SENT, cancel_request())
    ended = then(order, *requests.not_begun(order, f"{KEY}-s1", "not sent"))
    assert (ended.status.value, ended.reason, ended.is_finished) == ("CANCELLED", "REQUESTED", True)


def test_what_is_settled_is_not_settled_again() -> None:
    assert requests.settle_absent(order_of(*WORKING), f"{KEY}-s1", "by phone") == []


@pytest.mark.parametrize(
    ("events", "is_its_end"),
    [((SENT, FAILED), True), ((SENT,), False), ((SENT, unknown(f"{KEY}-s1")), False), (WORKING, False), ((fill("a", 40),), False)],
    ids=["surely not received", "on its way", "in doubt", "working", "filled though never sent"],
)
def test_a_cancel_that_was_sent_before_it_was_stored_ends_what_never_arrived(events: tuple[Event, ...], is_its_end: bool) -> None:
    order = order_of(*events)
    asked = ev.CancelRequested(request_id=f"{KEY}-c1", reason=CancelReason.REQUESTED)
    ended = cancelled(CancelReason.REQUESTED, "it never reached the broker, and its cancel was asked for")
    booked = requests.book_sent_cancel(order, f"{KEY}-c1", CancelReason.REQUESTED)
    assert booked == ([asked, ended] if is_its_end else [asked])
    assert requests.book_sent_cancel(then(order, *booked), f"{KEY}-c1", CancelReason.REQUESTED) == []


def test_a_cancel_that_was_sent_before_the_order_was_found_under_another_key_is_booked_once() -> None:
    order = order_of(SENT, ev.FoundUnderKey(client_order_id="ANOTHER-KEY"))
    booked = requests.book_sent_cancel(order, f"{KEY}-c1", CancelReason.REQUESTED)
    assert booked == [ev.CancelRequested(request_id=f"{KEY}-c1", reason=CancelReason.REQUESTED)]
    assert requests.book_sent_cancel(then(order, *booked), f"{KEY}-c1", CancelReason.REQUESTED) == []


# --- cancels -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [(), (SENT, FAILED)], ids=["never sent", "surely not received"])
def test_an_order_that_is_not_at_the_broker_is_cancelled_at_once(events: tuple[Event, ...]) -> None:
    assert cancel(order_of(*events)) == [cancelled(CancelReason.REQUESTED, "cancelled before it was sent")]


@pytest.mark.parametrize(
    "events",
    [(SENT,), (SENT, unknown(f"{KEY}-s1")), WORKING, (*WORKING, fill("a", 40)), (fill("a", 40),)],
    ids=["on its way", "in doubt", "working", "part filled", "filled though never sent"],
)
def test_an_order_that_may_be_at_the_broker_is_cancelled_there(events: tuple[Event, ...]) -> None:
    assert cancel(order_of(*events)) == [cancel_request()]


def test_a_cancel_may_be_asked_again_while_one_is_unanswered() -> None:
    order = order_of(*WORKING, cancel_request(), unknown(f"{KEY}-c1", RequestKind.CANCEL))
    assert cancel(order) == [cancel_request(2)]


def test_an_order_that_was_rejected_and_filled_in_part_can_be_cancelled() -> None:
    assert cancel(order_of(*WORKING, REJECTED, fill("a", 40))) == [cancel_request()]


@pytest.mark.parametrize("code", ["acknowledged_after_close", "live_after_close"])
def test_an_order_that_turned_up_after_it_was_closed_can_be_cancelled_until_a_person_looked(code: str) -> None:
    stray = order_of(SENT, FAILED, cancelled(), ACKNOWLEDGED, ev.ReviewRequested(code=code, message=""))
    assert stray.is_stray
    assert cancel(stray) == [cancel_request()]
    with pytest.raises(DecisionRefused, match="nothing to cancel"):
        cancel(then(stray, ev.ReviewResolved(evidence="cancelled by phone")))


@pytest.mark.parametrize("events", CLOSED)
@pytest.mark.parametrize("decide", [cancel, drop])
def test_a_closed_order_is_not_cancelled(decide: Callable[[LiveOrder], list[Event]], events: tuple[Event, ...]) -> None:
    with pytest.raises(DecisionRefused, match="nothing to cancel"):
        decide(order_of(*events))


@pytest.mark.parametrize("events", [(), (SENT, FAILED)], ids=["never sent", "surely not received"])
def test_an_intent_that_never_left_can_be_dropped(events: tuple[Event, ...]) -> None:
    assert drop(order_of(*events)) == [cancelled(CancelReason.STALE, "61 s old")]


@pytest.mark.parametrize("events", [(SENT,), WORKING, (SENT, fill("a", 40), bust("a"))], ids=["on its way", "working", "busted"])
def test_an_order_that_may_be_at_the_broker_is_not_dropped(events: tuple[Event, ...]) -> None:
    with pytest.raises(DecisionRefused, match="may be at the broker"):
        drop(order_of(*events))


# --- replaces ----------------------------------------------------------------------------------------------------------------


def test_a_replace_names_its_new_terms_and_its_number() -> None:
    assert replace(order_of(*WORKING), "120", "9.5") == [replace_request(1, "120", "9.5")]


def test_replaces_may_be_chained_while_none_is_in_doubt() -> None:
    assert replace(order_of(*WORKING, replace_request(1, "80")), "70") == [replace_request(2, "70")]


def test_a_replace_of_the_price_alone_needs_no_quantity() -> None:
    assert replace(order_of(*WORKING, fill("a", 40)), None, "9.5") == [replace_request(1, None, "9.5")]


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((), "not at the broker"),
        ((SENT, FAILED), "not at the broker"),
        ((SENT,), "not been acknowledged"),
        ((*WORKING, replace_request(1, "80"), unknown(f"{KEY}-r1", RequestKind.REPLACE)), "in doubt"),
        ((*WORKING, fill("a", 100)), "cannot be replaced"),
        ((*WORKING, cancelled()), "cannot be replaced"),
    ],
    ids=["never sent", "surely not received", "on its way", "a replace in doubt", "filled", "cancelled"],
)
def test_a_replace_that_cannot_be_meant_is_refused(events: tuple[Event, ...], why: str) -> None:
    with pytest.raises(DecisionRefused, match=why):
        replace(order_of(*events))


@pytest.mark.parametrize("quantity", ["40", "39", "0", "-1"])
def test_a_replace_to_no_more_than_is_filled_is_refused(quantity: str) -> None:
    with pytest.raises(DecisionRefused, match="cancel the order"):
        replace(order_of(*WORKING, fill("a", 40)), quantity)


# --- reviews -----------------------------------------------------------------------------------------------------------------


def test_a_review_is_asked_for_once_and_resolved_once() -> None:
    asked = requests.request_review(order_of(), "odd", "look at this")
    assert asked == [ev.ReviewRequested(code="odd", message="look at this")]
    order = order_of(*asked)
    assert requests.request_review(order, "odd", "look again") == []
    resolved = requests.resolve_review(order, "seen by asha")
    assert resolved == [ev.ReviewResolved(evidence="seen by asha")]
    assert requests.resolve_review(then(order, *resolved), "seen again") == []


def test_a_cash_order_is_sent_like_any_other() -> None:
    assert submit(order_of(intent(notional=Decimal(1000)))) == [submission(1)]


@pytest.mark.parametrize(
    ("events", "may_be_sent", "is_surely_unsent"),
    [
        ((), True, False),
        ((APPROVED,), True, True),
        ((APPROVED, SENT), False, False),
        ((APPROVED, SENT, unknown(SENT.request_id)), False, False),
        ((APPROVED, SENT, FAILED), True, True),
        ((APPROVED, *WORKING), False, False),
        ((APPROVED, REFUSED), False, False),
        ((APPROVED, SENT, FAILED, fill("a", 1)), False, False),
        ((APPROVED, SENT, cancel_request(), FAILED), True, False),
    ],
    ids=[
        "asked for",
        "approved",
        "under way",
        "in doubt",
        "failed",
        "at the broker",
        "refused",
        "filled all the same",
        "cancelled too",
    ],
)
def test_an_order_is_sent_again_only_where_no_attempt_can_have_arrived(
    events: tuple[Event, ...], may_be_sent: bool, is_surely_unsent: bool
) -> None:
    order = order_of(*events)
    assert (requests.may_be_sent(order), requests.is_surely_unsent(order)) == (may_be_sent, is_surely_unsent)


def test_a_draft_has_the_terms_of_its_intent_and_no_history() -> None:
    wanted = intent(order_type=OrderType.STOP_LIMIT, limit_price=Decimal(9), stop_price=Decimal(10))
    draft = requests.draft_of(wanted)
    assert (draft.intent, draft.version) == (wanted, 0)
    assert (draft.quantity, draft.limit_price, draft.stop_price) == (Decimal(100), Decimal(9), Decimal(10))
