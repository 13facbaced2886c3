"""What an answer to a question amounts to: the same events as the reports that would have told it."""

from decimal import Decimal
from typing import Any

import pytest

from liveorder.domain import execution_report as r
from liveorder.domain.events import Event
from liveorder.domain.execution_report import BrokerStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import CancelReason, RequestKind
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import OrderType
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    KEY,
    REJECTED,
    SENT,
    acknowledged,
    bust,
    cancel_request,
    cancelled,
    correction,
    figures,
    fill,
    intent,
    order_of,
    replace_request,
    seconds,
    then,
    unknown,
)

WORKING = (SENT, ACKNOWLEDGED)
LIMITED = intent(order_type="LIMIT", limit_price=Decimal(10))


def told(status: BrokerStatus, filled: str | int = 0, average: str | int | None = None, **others: Any) -> r.OrderSnapshot:
    for name in ("quantity", "limit_price", "stop_price"):
        if name in others:
            others[name] = Decimal(others[name])
    return r.OrderSnapshot(
        status=status,
        filled_quantity=Decimal(filled),
        average_price=None if average is None else Decimal(average),
        **{"broker_order_id": "B-1"} | others,
    )


def execution(execution_id: str, quantity: int, price: int = 10) -> r.Execution:
    return r.Execution(execution_id=execution_id, quantity=Decimal(quantity), price=Decimal(price))


def inferred(quantity: str | int, price: str | int, evidence: str, number: int = 1) -> ev.FillInferred:
    return ev.FillInferred(
        execution_id=f"inferred-{number}", quantity=Decimal(quantity), price=Decimal(price), evidence=f"the broker tells {evidence}"
    )


def anomaly(code: str, message: str) -> ev.AnomalyNoted:
    return ev.AnomalyNoted(code=code, message=message)


def check(given: tuple[Event, ...], snapshot: r.OrderSnapshot, expected: list[Event]) -> LiveOrder:
    """Then exactly these events; and the same answer once more tells nothing."""
    order = order_of(*given)
    events = apply_report(order, snapshot)
    assert events == expected
    after = then(order, *events)
    assert apply_report(after, snapshot) == []
    return after


# --- presence ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [BrokerStatus.PENDING, BrokerStatus.WORKING, BrokerStatus.UNKNOWN])
def test_an_order_that_the_broker_has_is_acknowledged_and_not_in_doubt(status: BrokerStatus) -> None:
    assert not check((SENT, unknown(f"{KEY}-s1")), told(status), [ACKNOWLEDGED]).is_in_doubt


def test_an_answer_by_our_key_settles_doubt_even_without_the_brokers_id() -> None:
    after = check(
        (SENT, unknown(f"{KEY}-s1")), told(BrokerStatus.WORKING, broker_order_id=None), [ev.Acknowledged(broker_order_id=None)]
    )
    assert not after.is_in_doubt
    assert apply_report(after, told(BrokerStatus.WORKING)) == [ACKNOWLEDGED]


def test_what_is_known_already_adds_nothing() -> None:
    check((*WORKING, fill("a", 40)), told(BrokerStatus.WORKING, 40, 10, quantity=100, executions=(execution("a", 40),)), [])


def test_a_cash_order_learns_its_quantity_from_an_answer() -> None:
    cash = intent(notional=Decimal(1000))
    check((cash, SENT), told(BrokerStatus.WORKING, quantity=20), [acknowledged("20")])
    check((cash, *WORKING), told(BrokerStatus.WORKING, quantity=20), [acknowledged("20")])


# --- fills ------------------------------------------------------------------------------------------------------------------


def test_the_fills_that_an_answer_lists_are_booked_like_any() -> None:
    listed = (execution("a", 40), execution("b", 20, 13))
    check((*WORKING, fill("a", 40)), told(BrokerStatus.WORKING, 60, 11, executions=listed), [fill("b", 20, 13)])


def test_what_no_listed_fill_tells_of_is_inferred_at_the_price_that_makes_the_average_come_out() -> None:
    after = check(
        (*WORKING, fill("a", 40)),
        told(BrokerStatus.WORKING, 90, 11, executions=(execution("b", 20, 13),)),
        [fill("b", 20, 13), inferred(30, 11, "90 filled at 11")],
    )
    assert figures(after.filled_quantity, after.average_price) == (90, 11)


def test_a_fill_is_inferred_at_the_time_of_the_answer() -> None:
    events = apply_report(order_of(*WORKING), told(BrokerStatus.WORKING, 40, 10, occurred_at=seconds(60)))
    assert events == [inferred(40, 10, "40 filled at 10").but(filled_at=seconds(60))]


@pytest.mark.parametrize(
    ("first", "price"), [(LIMITED, 10), (intent(decision_price=Decimal(9)), 9), (intent(), 0)], ids=["limit", "decision", "none"]
)
def test_without_an_average_a_fill_is_inferred_at_the_best_price_that_we_know(first: ev.OrderRequested, price: int) -> None:
    check((first, *WORKING), told(BrokerStatus.WORKING, 40), [inferred(40, price, "40 filled at no price")])


def test_real_fills_take_the_place_of_inferred_ones_up_to_their_total() -> None:
    order = check((*WORKING,), told(BrokerStatus.WORKING, 60, 10), [inferred(60, 10, "60 filled at 10")])
    order = then(order, fill("a", 40, 9))
    assert figures(order.filled_quantity, order.executions.totals.value) == (60, 560)
    order = then(order, fill("b", 20, 12))
    assert figures(order.filled_quantity, order.average_price, list(order.executions.reported)) == (60, 10, ["a", "b"])
    assert then(order, fill("c", 40, 12)).filled_quantity == 100


@pytest.mark.parametrize("closed", [False, True], ids=["working", "cancelled"])
def test_the_same_total_at_another_average_prices_what_was_inferred_anew(closed: bool) -> None:
    """A first answer without an average, or a fill that came at another price than the total's."""
    status, given = (BrokerStatus.CANCELLED, (cancelled(),)) if closed else (BrokerStatus.WORKING, ())
    order = order_of(*WORKING, inferred(50, 0, "50 filled at no price"), *given)
    anew = inferred(50, 9, "50 filled at 9", number=2)
    order = check((*WORKING, inferred(50, 0, "50 filled at no price"), *given), told(status, 50, 9), [bust("inferred-1"), anew])
    assert figures(order.filled_quantity, order.average_price, order.anomalies) == (50, 9, frozenset())
    assert apply_report(order, told(status, 50, 9)) == apply_report(order, told(status, 50)) == []
    order = then(order, fill("a", 20, 8))
    order = then(order, *apply_report(order, told(status, 50, 9)))
    assert figures(order.filled_quantity, order.average_price) == (50, 9)
    order = then(order, fill("b", 30, "9.5"))
    assert figures(order.filled_quantity, [e.execution_id for e in order.executions.effective()]) == (50, ["a", "b"])


@pytest.mark.parametrize("average", ["10.333333333333333333333333333", "0.000012345678", "-3.3333", "1E+1"])
def test_an_average_that_is_rounded_prices_nothing_anew_for_ever(average: str) -> None:
    order = order_of(*WORKING, fill("a", 7, 3))
    for _ in range(3):
        order = then(order, *apply_report(order, told(BrokerStatus.WORKING, 10, average)))
    assert len(order.executions.inferred) == 1


def test_a_broker_that_tells_now_one_average_and_now_another_does_not_fill_the_log() -> None:
    order = order_of(*WORKING)
    for number in range(200):
        order = then(order, *apply_report(order, told(BrokerStatus.WORKING, 10, 400 + number % 2)))
    assert len(order.executions.inferred) == 20
    assert order.filled_quantity == 10


def test_a_total_that_comes_again_after_a_bust_is_inferred_anew() -> None:
    given = (*WORKING, inferred(100, 10, "100 filled at 10"), fill("a", 60), fill("b", 40), bust("a"))
    after = check(given, told(BrokerStatus.FILLED, 100, "11.5"), [inferred(60, "12.5", "100 filled at 11.5", number=2)])
    assert figures(after.filled_quantity, after.average_price) == (100, Decimal("11.5"))
    assert then(after, fill("c", 60, 13)).average_price == Decimal("11.8")


def test_a_total_below_ours_takes_nothing_back() -> None:
    check((*WORKING, fill("a", 40)), told(BrokerStatus.WORKING, 30, 10), [])
    check((*WORKING, inferred(40, 10, "40 filled at 10")), told(BrokerStatus.WORKING, 30, 10), [])


def test_an_upward_correction_takes_the_place_of_an_inferred_fill() -> None:
    """The total was told first, then the correction that it came from."""
    order = check((*WORKING, fill("a", 40)), told(BrokerStatus.WORKING, 60, 10), [inferred(20, 10, "60 filled at 10")])
    order = then(order, correction("c", "a", 60))
    assert figures(order.filled_quantity, [e.execution_id for e in order.executions.effective()]) == (60, ["c"])
    assert then(order, correction("d", "c", 50)).filled_quantity == 50
    assert then(order, bust("c")).filled_quantity == 0


def test_units_that_a_late_link_of_a_chain_takes_from_what_is_known_count_at_the_price_of_the_oldest_inferred_fill() -> None:
    given = (*WORKING, fill("a", 50), correction("d", "c", 50))
    over = anomaly("overfill", "101 filled of 100 ordered")
    order = check(given, told(BrokerStatus.WORKING, 101, 10), [inferred(1, 10, "101 filled at 10"), over])
    order = then(order, correction("c", "a", 50))
    assert figures(order.filled_quantity, order.average_price) == (101, 10)
    order = then(order, fill("b", 51))
    assert figures(order.filled_quantity, order.average_price) == (101, 10)


def test_a_total_below_ours_takes_back_what_was_inferred_of_a_fill_that_was_busted_before_it_was_told() -> None:
    given = (*WORKING, fill("a", 40), inferred(60, 10, "100 filled at 10"), bust("b"))
    none_left: list[Event] = [ev.FillBusted(execution_id="inferred-1")]
    assert check(given, told(BrokerStatus.WORKING, 40, 10), none_left).filled_quantity == 40
    check(given, told(BrokerStatus.UNKNOWN, 40, 10), [])
    some_left = [*none_left, inferred(15, 10, "55 filled at 10", number=2)]
    assert check(given, told(BrokerStatus.WORKING, 55, 10), some_left).filled_quantity == 55


def test_the_oddities_of_fills_that_an_answer_tells_are_noted_once() -> None:
    listed = told(BrokerStatus.CANCELLED, 120, 10, executions=(execution("a", 40),))
    noted = [anomaly("fill_after_close", "filled while CANCELLED")]
    over = anomaly("overfill", "120 filled of 100 ordered")
    check((*WORKING, cancelled()), listed, [fill("a", 40), *noted, inferred(80, 10, "120 filled at 10"), over])


def test_an_empty_fill_in_a_list_hides_nothing() -> None:
    empty = anomaly("empty_execution:b", "a fill of 0")
    listed = told(BrokerStatus.WORKING, 40, 10, executions=(execution("b", 0),))
    check(WORKING, listed, [empty, inferred(40, 10, "40 filled at 10")])


# --- terms ------------------------------------------------------------------------------------------------------------------


def test_terms_that_differ_are_a_change_by_the_broker() -> None:
    snapshot = told(BrokerStatus.WORKING, quantity=90, limit_price=9)
    restated = ev.Restated(quantity=Decimal(90), limit_price=Decimal(9), message="found so by asking")
    check((LIMITED, *WORKING), snapshot, [restated])


@pytest.mark.parametrize(("kind", "becomes"), [("MARKET", OrderType.LIMIT), ("STOP", OrderType.STOP_LIMIT)])
def test_an_order_without_a_limit_that_rests_with_one_says_so_once(kind: str, becomes: OrderType) -> None:
    stop: dict[str, Any] = {"stop_price": Decimal(10)} if kind == "STOP" else {}
    given = (intent(order_type=kind, **stop), *WORKING)
    snapshot = told(BrokerStatus.WORKING, quantity=100, limit_price="10.3", order_type=becomes, **stop)
    restated = ev.Restated(
        quantity=Decimal(100), limit_price=Decimal("10.3"), message=f"it rests there as a {becomes} order", **stop
    )
    after = check(given, snapshot, [restated])
    assert (after.limit_price, after.anomalies, after.reviews) == (Decimal("10.3"), frozenset(), ())


@pytest.mark.parametrize("status", [BrokerStatus.PENDING, BrokerStatus.FILLED, BrokerStatus.CANCELLED])
def test_a_limit_is_no_news_of_a_market_order_that_does_not_rest(status: BrokerStatus) -> None:
    snapshot = told(status, quantity=100, limit_price="10.3", order_type=OrderType.LIMIT)
    events = apply_report(order_of(intent(order_type="MARKET"), *WORKING), snapshot)
    assert not any(isinstance(event, ev.Restated) for event in events)


def test_terms_that_we_asked_for_settle_the_replace_that_asked_for_them() -> None:
    asked = (replace_request(1, "80"), replace_request(2, "70"), unknown(f"{KEY}-r2", RequestKind.REPLACE))
    done = ev.Replaced(request_id=f"{KEY}-r2", broker_order_id="B-1", quantity=Decimal(70))
    after = check((*WORKING, *asked), told(BrokerStatus.WORKING, quantity=70), [done])
    assert list(after.requests) == [f"{KEY}-r1"]


def test_terms_that_are_not_quite_what_we_asked_for_settle_no_replace() -> None:
    restated = ev.Restated(quantity=Decimal(80), limit_price=Decimal("9.4"), message="found so by asking")
    given = (LIMITED, *WORKING, replace_request(1, "80", "9.5"))
    after = check(given, told(BrokerStatus.WORKING, quantity=80, limit_price="9.4"), [restated])
    assert after.replace_requested


def test_a_replace_that_fills_overtook_is_settled_by_what_is_filled() -> None:
    given = (*WORKING, fill("a", 40), replace_request(1, "50"), fill("b", 30))
    done = ev.Replaced(request_id=f"{KEY}-r1", broker_order_id="B-1", quantity=Decimal(70))
    assert check(given, told(BrokerStatus.FILLED, 70, 10, quantity=70), [done]).status.value == "FILLED"


def test_prices_that_an_order_of_its_type_has_not_are_no_terms() -> None:
    check(WORKING, told(BrokerStatus.WORKING, quantity=100, limit_price=0, stop_price=0), [])


def test_an_answer_without_a_status_changes_no_terms() -> None:
    check(WORKING, told(BrokerStatus.UNKNOWN, quantity=90), [])


@pytest.mark.parametrize("status", [BrokerStatus.CANCELLED, BrokerStatus.EXPIRED])
def test_an_order_that_ended_is_not_filled_because_the_broker_tells_what_was_filled_as_its_quantity(status: BrokerStatus) -> None:
    order = order_of(*WORKING, fill("a", 40))
    after = then(order, *apply_report(order, told(status, 40, 10, quantity=40)))
    assert figures(after.status.value, after.quantity) == ("CANCELLED", 100)


# --- overfilled -------------------------------------------------------------------------------------------------------------

OVERFILL = anomaly("overfill", "50 filled of 44 ordered")
OVERFILLED = (intent(quantity=Decimal(44)), *WORKING, fill("a", 44), fill("b", 6), OVERFILL)
SIX_TOO_MANY = {
    "as sent": OVERFILLED,
    "restated": (*WORKING, ev.Restated(quantity=Decimal(44)), fill("a", 44), fill("b", 6), OVERFILL),
    "replaced": (
        *WORKING,
        replace_request(1, "44"),
        ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(44)),
        fill("a", 44),
        fill("b", 6),
        OVERFILL,
    ),
    "restated after it": (*OVERFILLED, ev.Restated(quantity=Decimal(44))),
    "in units after a split": (
        intent(quantity=Decimal(22)),
        *WORKING,
        fill("a", 22, 20),
        fill("b", 3, 20),
        ev.Restated(quantity=Decimal(44), split_ratio=Decimal(2)),
        OVERFILL,
    ),
}


@pytest.mark.parametrize("status", [BrokerStatus.WORKING, BrokerStatus.FILLED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED])
@pytest.mark.parametrize("quantity", [None, 44, 50])
@pytest.mark.parametrize("given", SIX_TOO_MANY.values(), ids=SIX_TOO_MANY)
def test_an_overfilled_order_keeps_its_ordered_quantity_however_it_is_polled(
    given: tuple[Event, ...], quantity: int | None, status: BrokerStatus
) -> None:
    order = order_of(*given)
    snapshot = told(status, 50, 10, **({} if quantity is None else {"quantity": quantity}))
    for _ in range(3):
        order = then(order, *apply_report(order, snapshot))
        assert figures(order.quantity, order.filled_quantity, order.remaining_quantity) == (44, 50, 0)
        assert sorted(order.anomalies) == ["overfill"]
    assert apply_report(order, snapshot) == []


@pytest.mark.parametrize("quantity", [44, 50])
def test_an_overfill_that_a_poll_brings_to_light_is_noted_once_and_changes_no_terms(quantity: int) -> None:
    given = (intent(quantity=Decimal(44)), *WORKING, fill("a", 44))
    after = check(given, told(BrokerStatus.WORKING, 50, 10, quantity=quantity), [inferred(6, 10, "50 filled at 10"), OVERFILL])
    assert figures(after.quantity, after.filled_quantity) == (44, 50)


@pytest.mark.parametrize("status", [BrokerStatus.WORKING, BrokerStatus.FILLED])
def test_an_overfill_that_an_old_answer_tells_as_the_quantity_is_not_ordered(status: BrokerStatus) -> None:
    """More was filled since, or less of it is left."""
    given = (intent(quantity=Decimal(44)), *WORKING, fill("a", 44), fill("b", 3), OVERFILL, fill("c", 3))
    order = order_of(*given)
    order = then(order, *apply_report(order, told(status, 47, 10, quantity=47)))
    assert order.quantity == 44
    order = then(order, bust("b"), bust("c"))
    assert figures(order.status, order.quantity, order.remaining_quantity) == ("FILLED", 44, 0)


def test_a_replace_to_just_what_is_filled_is_found_by_asking() -> None:
    done = ev.Replaced(request_id=f"{KEY}-r1", broker_order_id="B-1", quantity=Decimal(50))
    given = (intent(quantity=Decimal(44)), *WORKING, replace_request(1, "50"), fill("a", 44), fill("b", 6), OVERFILL)
    after = check(given, told(BrokerStatus.WORKING, 50, 10, quantity=50), [done])
    assert figures(after.quantity, after.replace_requested) == (50, False)


def test_what_was_filled_beyond_the_order_is_not_ordered_by_new_terms_either() -> None:
    assert order_of(*OVERFILLED, ev.Restated(quantity=Decimal(48))).quantity == 48
    assert order_of(*OVERFILLED, ev.Restated(quantity=Decimal(40))).quantity == 44
    assert order_of(*OVERFILLED, ev.Replaced(request_id=None, quantity=Decimal(60))).quantity == 60


def test_a_bust_of_the_excess_leaves_an_order_that_was_polled_filled_and_of_the_rest_open() -> None:
    polled = then(order_of(*OVERFILLED), *apply_report(order_of(*OVERFILLED), told(BrokerStatus.WORKING, 50, 10, quantity=44)))
    without_excess, without_rest = then(polled, bust("b")), then(polled, bust("a"))
    assert figures(without_excess.status.value, without_excess.filled_quantity) == ("FILLED", 44)
    assert figures(without_rest.status.value, without_rest.remaining_quantity) == ("PARTIAL", 38)


# --- pending ----------------------------------------------------------------------------------------------------------------


def test_what_is_pending_at_the_broker_is_pending_here() -> None:
    given = (*WORKING, cancel_request(), replace_request(1, "80"))
    check(given, told(BrokerStatus.WORKING, cancel_pending=True, replace_pending=True), [ev.CancelPending(), ev.ReplacePending()])


REPLACE_PENDING = told(BrokerStatus.WORKING, quantity=100, replace_pending=True)
NOTHING_PENDING = told(BrokerStatus.WORKING, quantity=100)
AS_IT_STANDS = ev.Acknowledged(broker_order_id=None)


@pytest.mark.parametrize(
    "given",
    [
        (*WORKING, ev.CancelPending()),
        (*WORKING, ev.ReplacePending()),
        (*WORKING, cancel_request(), ev.CancelPending()),
        (*WORKING, replace_request(1, "80"), ev.ReplacePending()),
        (*WORKING, replace_request(1, "80"), ev.ReplacePending(), cancel_request(), ev.CancelPending()),
    ],
    ids=["a cancel of others", "a replace of others", "our cancel", "our replace", "both"],
)
def test_an_answer_ends_what_is_pending_no_more_and_answers_no_request(given: tuple[Event, ...]) -> None:
    after = check(given, NOTHING_PENDING, [AS_IT_STANDS])
    assert figures(after.cancel_pending, after.replace_pending) == (False, False)
    assert after.requests.keys() == order_of(*given).requests.keys()
    check(given, told(BrokerStatus.UNKNOWN, quantity=100), [])


def test_an_answer_ends_only_the_kind_that_is_pending_no_more() -> None:
    given = (*WORKING, replace_request(1, "80"), ev.ReplacePending(), cancel_request(), ev.CancelPending())
    after = check(given, REPLACE_PENDING, [AS_IT_STANDS, ev.ReplacePending()])
    assert figures(after.cancel_pending, after.replace_pending) == (False, True)


def test_a_replace_that_seemed_pending_beside_the_one_that_was_is_pending_no_more() -> None:
    order = order_of(*WORKING, replace_request(1, "80"), replace_request(2, "70"))
    order = then(order, *apply_report(order, REPLACE_PENDING))
    order = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r2", quantity=Decimal(70))))
    order = then(order, *apply_report(order, told(BrokerStatus.WORKING, quantity=70)))
    assert figures(order.replace_pending, [*order.requests]) == (False, [f"{KEY}-r1"])


def test_a_replace_that_is_pending_is_not_done_though_the_answer_shows_its_terms() -> None:
    given = (*WORKING, replace_request(1, "150"))
    shown = told(BrokerStatus.WORKING, quantity=150, replace_pending=True)
    order = check(given, shown, [ev.ReplacePending()])
    assert figures(order.quantity, order.worst_case_quantity(atomic_replace=True)) == (100, 150)
    done = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r1")))
    assert figures(done.quantity, done.replace_pending, done.requests) == (150, False, {})
    refused = then(order, *apply_report(order, r.ReplaceRejected(request_id=f"{KEY}-r1")))
    assert figures(refused.quantity, refused.replace_pending, refused.requests) == (100, False, {})
    asked = then(order, *apply_report(order, told(BrokerStatus.WORKING, quantity=150)))
    assert figures(asked.quantity, asked.replace_pending, asked.requests) == (150, False, {})


def test_of_two_replaces_the_one_whose_terms_an_answer_shows_is_done_and_the_other_is_pending() -> None:
    given = (*WORKING, replace_request(1, "80"), replace_request(2, "70"))
    done = ev.Replaced(request_id=f"{KEY}-r1", broker_order_id="B-1", quantity=Decimal(80))
    after = check(given, told(BrokerStatus.WORKING, quantity=Decimal(80), replace_pending=True), [done, ev.ReplacePending()])
    assert figures([*after.requests], after.replace_pending) == ([f"{KEY}-r2"], True)


FILLED_AND_REPLACING = told(BrokerStatus.FILLED, 100, 10, quantity=100, replace_pending=True)


@pytest.mark.parametrize("marked", [(), (ev.ReplacePending(),)], ids=["asked for", "pending"])
def test_a_filled_order_whose_replace_is_pending_may_trade_more(marked: tuple[Event, ...]) -> None:
    """FIX D.2.b, found by asking."""
    order = order_of(*WORKING, replace_request(1, "150"), *marked, cancel_request())
    order = then(order, *apply_report(order, FILLED_AND_REPLACING))
    assert figures(order.status.value, order.is_finished, order.cancel_requested) == ("FILLED", False, False)
    assert figures(order.replace_pending, order.worst_case_quantity(atomic_replace=True)) == (True, 50)
    assert apply_report(order, FILLED_AND_REPLACING) == []
    replaced = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r1")))
    assert figures(replaced.status.value, replaced.remaining_quantity) == ("PARTIAL", 50)
    too_late = then(order, *apply_report(order, told(BrokerStatus.FILLED, 100, 10, quantity=100)))
    assert figures(too_late.is_finished, too_late.worst_case_quantity(atomic_replace=True)) == (True, 0)


def test_nothing_is_pending_of_an_order_that_ended() -> None:
    given = (*WORKING, fill("a", 100))
    check(given, told(BrokerStatus.FILLED, 100, 10, cancel_pending=True, replace_pending=True), [])


# --- ends -------------------------------------------------------------------------------------------------------------------


def test_an_order_that_the_broker_rejected_is_rejected() -> None:
    check((SENT, unknown(f"{KEY}-s1")), told(BrokerStatus.REJECTED, reason="no margin"), [REJECTED])
    check((SENT, REJECTED), told(BrokerStatus.REJECTED, reason="no margin"), [])


def test_an_order_that_the_broker_rejected_with_fills_is_cancelled() -> None:
    noted = anomaly("rejected_after_fill", "rejected with 40 filled: no margin")
    snapshot = told(BrokerStatus.REJECTED, 40, 10, reason="no margin", executions=(execution("a", 40),))
    check(WORKING, snapshot, [fill("a", 40), cancelled(CancelReason.BY_BROKER, "no margin"), noted])


@pytest.mark.parametrize(
    ("status", "reason"), [(BrokerStatus.CANCELLED, CancelReason.BY_BROKER), (BrokerStatus.EXPIRED, CancelReason.EXPIRED)]
)
def test_an_order_that_ended_unasked_has_the_brokers_reason(status: BrokerStatus, reason: CancelReason) -> None:
    check((SENT,), told(status, reason="in words"), [ACKNOWLEDGED, cancelled(reason, "in words")])


def test_an_order_that_ended_as_we_asked_has_our_reason_and_no_open_requests() -> None:
    given = (*WORKING, cancel_request(reason=CancelReason.TIMED_OUT), replace_request(1, "80"))
    after = check(given, told(BrokerStatus.CANCELLED), [cancelled(CancelReason.TIMED_OUT)])
    assert after.is_finished


def test_an_order_that_ended_after_our_cancel_was_answered_was_requested() -> None:
    given = (*WORKING, cancel_request(), ev.CancelRefused(request_id=f"{KEY}-c1", message="not yet"))
    check(given, told(BrokerStatus.CANCELLED), [cancelled(CancelReason.REQUESTED)])


def test_an_order_that_was_cancelled_unacknowledged_is_no_news_when_asked_about() -> None:
    check((SENT, cancel_request(), cancelled(CancelReason.REQUESTED)), told(BrokerStatus.CANCELLED), [])


def test_a_filled_order_answers_every_request_that_came_too_late() -> None:
    late = "the order was filled first"
    asked = (cancel_request(1), cancel_request(2), replace_request(1, "120"), ev.CancelPending(), ev.ReplacePending())
    after = check(
        (*WORKING, *asked),
        told(BrokerStatus.FILLED, 100, 10),
        [
            inferred(100, 10, "100 filled at 10"),
            ev.CancelRefused(request_id=f"{KEY}-c1", message=late),
            ev.CancelRefused(request_id=f"{KEY}-c2", message=late),
            ev.ReplaceRefused(request_id=f"{KEY}-r1", message=late),
        ],
    )
    assert (after.is_finished, after.cancel_pending, after.replace_pending) == (True, False, False)


def test_a_filled_order_is_the_whole_of_it_even_if_less_than_was_ordered() -> None:
    whole = ev.Restated(quantity=Decimal(60), message="filled, and this is the whole of it")
    after = check((*WORKING, fill("a", 60)), told(BrokerStatus.FILLED, 60, 10), [whole])
    assert after.status.value == "FILLED"


def test_a_filled_cash_order_has_learned_its_quantity() -> None:
    whole = ev.Restated(quantity=Decimal(20), message="filled, and this is the whole of it")
    after = check((intent(notional=Decimal(1000)), *WORKING, fill("a", 20)), told(BrokerStatus.FILLED, 20, 50), [whole])
    assert figures(after.status.value, after.quantity) == ("FILLED", 20)


@pytest.mark.parametrize("quantity", [{}, {"quantity": 100}])
def test_a_filled_order_of_which_no_fills_are_told_is_not_taken_for_filled(quantity: dict[str, int]) -> None:
    noted = anomaly("filled_without_fills", f"the broker calls it filled and tells 0 of {quantity.get('quantity')}")
    assert check(WORKING, told(BrokerStatus.FILLED, **quantity), [noted]).status.value == "SUBMITTED"


def test_a_cancelled_order_does_not_become_filled_by_being_called_so() -> None:
    given = (*WORKING, fill("a", 40), cancelled())
    assert check(given, told(BrokerStatus.FILLED, 40, 10), []).status.value == "CANCELLED"


# --- contradictions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [BrokerStatus.PENDING, BrokerStatus.WORKING])
@pytest.mark.parametrize(
    ("given", "here"), [((*WORKING, cancelled()), "CANCELLED"), ((*WORKING, REJECTED), "REJECTED")], ids=["cancelled", "rejected"]
)
def test_an_order_that_is_live_there_and_closed_here_needs_a_person(
    given: tuple[Event, ...], here: str, status: BrokerStatus
) -> None:
    message = f"the broker has it open while it is {here} here"
    both: list[Event] = [anomaly("live_after_close", message), ev.ReviewRequested(code="live_after_close", message=message)]
    check(given, told(status, native_status="open"), both)


def test_a_live_order_that_was_given_up_is_acknowledged_and_needs_a_person() -> None:
    given = (SENT, FAILED, cancelled(CancelReason.STALE))
    codes = [getattr(event, "code", event.shown_name) for event in apply_report(order_of(*given), told(BrokerStatus.WORKING))]
    late, live = "acknowledged_after_close", "live_after_close"
    assert codes == ["Acknowledged", late, late, live, live]


def test_a_rejected_order_that_fills_and_lives_on_there_is_still_a_contradiction() -> None:
    order = order_of(*WORKING, REJECTED)
    after = then(order, *apply_report(order, told(BrokerStatus.WORKING, 40, 10)))
    assert set(after.reviews) == {"fill_after_rejection", "live_after_close"}


def test_an_order_that_was_filled_here_may_look_alive_for_a_moment() -> None:
    check((*WORKING, fill("a", 100)), told(BrokerStatus.WORKING, 90, 10), [])
