"""What one report of a broker amounts to. Given events, when a report, then exactly these new events."""

from decimal import Decimal, localcontext
from itertools import permutations

import pytest
from msgspec import structs
from msgspec.structs import asdict, replace

from liveorder.application.risk.book.entries import entries_between
from liveorder.domain import execution_report as r
from liveorder.domain.events import Event
from liveorder.domain.execution_report import CloseCause
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import CancelReason
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import TimeInForce
from tests.builders import (
    ACKNOWLEDGED,
    FAILED,
    KEY,
    REFUSED,
    REJECTED,
    SENT,
    SESSION,
    acknowledged,
    bust,
    cancel_request,
    cancelled,
    correction,
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
FILLED = (*WORKING, fill("a", 100))
CANCELLED = (*WORKING, cancelled())
ACCEPTED = r.Accepted(broker_order_id="B-1")


def execution(
    execution_id: str = "a", quantity: str | int = 40, price: str | int = 10, fee: str | None = None, at: float | None = None
) -> r.Execution:
    return r.Execution(
        execution_id=execution_id,
        quantity=Decimal(quantity),
        price=Decimal(price),
        commission=None if fee is None else Decimal(fee),
        occurred_at=None if at is None else seconds(at),
    )


def corrected(execution_id: str, corrects: str, quantity: str | int, price: str | int = 10) -> r.ExecutionCorrected:
    return r.ExecutionCorrected(execution_id=execution_id, corrects=corrects, quantity=Decimal(quantity), price=Decimal(price))


def closed(cause: CloseCause, reason: str = "") -> r.OrderClosed:
    return r.OrderClosed(cause=cause, reason=reason)


def anomaly(code: str, message: str) -> ev.AnomalyNoted:
    return ev.AnomalyNoted(code=code, message=message)


def review(code: str, message: str) -> ev.ReviewRequested:
    return ev.ReviewRequested(code=code, message=message)


def check(given: tuple[Event, ...], report: r.ExecutionReport, expected: list[Event]) -> None:
    assert apply_report(order_of(*given), report) == expected


# --- acknowledgements -------------------------------------------------------------------------------------------------------


def test_an_acknowledgement_brings_the_brokers_id() -> None:
    check((SENT,), ACCEPTED, [ACKNOWLEDGED])


def test_an_acknowledgement_settles_doubt() -> None:
    order = order_of(SENT, unknown(f"{KEY}-s1"))
    assert not then(order, *apply_report(order, ACCEPTED)).is_in_doubt


def test_an_acknowledgement_that_comes_again_is_old_news() -> None:
    check(WORKING, ACCEPTED, [])
    check(WORKING, r.Accepted(), [])


def test_an_acknowledgement_may_bring_the_id_later() -> None:
    check((SENT, ev.Acknowledged(broker_order_id=None)), ACCEPTED, [ACKNOWLEDGED])


def test_a_cash_order_learns_its_quantity_from_the_acknowledgement() -> None:
    cash = intent(notional=Decimal(1000))
    check((cash, SENT), r.Accepted(broker_order_id="B-1", effective_quantity=Decimal(20)), [acknowledged("20")])
    check((cash, *WORKING), r.Accepted(broker_order_id="B-1", effective_quantity=Decimal(20)), [acknowledged("20")])
    check((cash, SENT, acknowledged("20")), r.Accepted(broker_order_id="B-1", effective_quantity=Decimal(21)), [])


@pytest.mark.parametrize("quantity", ["0", "-1"])
def test_a_quantity_of_nothing_is_not_learned(quantity: str) -> None:
    report = r.Accepted(broker_order_id="B-1", effective_quantity=Decimal(quantity))
    check((intent(notional=Decimal(1000)), SENT), report, [ACKNOWLEDGED])


def test_a_second_order_under_our_key_is_an_anomaly_and_noted_once() -> None:
    second = anomaly("second_broker_order:B-2", "the broker names a second order B-2 beside B-1 for the same key")
    check(WORKING, r.Accepted(broker_order_id="B-2"), [second])
    check((*WORKING, second), r.Accepted(broker_order_id="B-2"), [])


def test_another_id_after_a_replace_is_no_second_order() -> None:
    check((*WORKING, replace_request(1, "80")), r.Accepted(broker_order_id="B-2"), [])


def test_an_acknowledgement_after_the_broker_closed_the_order_resurrects_nothing() -> None:
    late = anomaly("acknowledged_after_close", "acknowledged while REJECTED")
    check((SENT, REJECTED), ACCEPTED, [ACKNOWLEDGED, late])


@pytest.mark.parametrize(
    ("given", "status"),
    [((SENT, FAILED, REFUSED), "REJECTED"), ((SENT, FAILED, cancelled(CancelReason.STALE)), "CANCELLED")],
    ids=["given up", "stale"],
)
def test_an_acknowledgement_of_an_order_that_we_closed_as_never_sent_needs_a_person(given: tuple[Event, ...], status: str) -> None:
    message = f"acknowledged while {status}"
    both = [anomaly("acknowledged_after_close", message), review("acknowledged_after_close", message)]
    check(given, ACCEPTED, [ACKNOWLEDGED, *both])


def test_a_late_acknowledgement_after_a_cancel_that_was_never_acknowledged_needs_nobody() -> None:
    late = anomaly("acknowledged_after_close", "acknowledged while CANCELLED")
    check((SENT, cancel_request(), cancelled(CancelReason.REQUESTED)), ACCEPTED, [ACKNOWLEDGED, late])


# --- rejections -------------------------------------------------------------------------------------------------------------


def test_a_rejection_closes_the_order() -> None:
    check((SENT,), r.OrderRejected(reason="no margin"), [REJECTED])
    check(WORKING, r.OrderRejected(reason="no margin"), [REJECTED])


@pytest.mark.parametrize("given", [(SENT, REJECTED), (REFUSED,)], ids=["by the broker", "by us"])
def test_a_rejection_of_a_rejected_order_is_old_news(given: tuple[Event, ...]) -> None:
    check(given, r.OrderRejected(reason="no margin"), [])


def test_a_rejection_of_an_order_with_fills_cancels_the_rest() -> None:
    order = order_of(*WORKING, fill("a", 40))
    events = apply_report(order, r.OrderRejected(reason="no margin"))
    assert events == [
        cancelled(CancelReason.BY_BROKER, "no margin"),
        anomaly("rejected_after_fill", "rejected with 40 filled: no margin"),
    ]
    assert apply_report(then(order, *events), r.OrderRejected(reason="no margin")) == []


@pytest.mark.parametrize(("given", "status"), [(FILLED, "FILLED"), (CANCELLED, "CANCELLED")])
def test_a_rejection_of_a_closed_order_is_only_an_anomaly(given: tuple[Event, ...], status: str) -> None:
    late = anomaly("rejected_after_close", f"rejected while {status}: no margin")
    check(given, r.OrderRejected(reason="no margin"), [late])
    check((*given, late), r.OrderRejected(reason="no margin"), [])


# --- fills ------------------------------------------------------------------------------------------------------------------


def test_a_fill_is_booked_with_all_that_was_told() -> None:
    check(WORKING, execution("a", 40, "10.5", "0.35", at=60), [fill("a", 40, "10.5", "0.35", at=60)])


def test_a_fill_reported_twice_counts_once() -> None:
    check((*WORKING, fill("a", 40)), execution("a", 40), [])


def test_a_fill_before_the_acknowledgement_tells_the_brokers_id_too() -> None:
    told = replace(execution("a", 40), broker_order_id="B-1")
    check((SENT,), told, [acknowledged(), fill("a", 40)])
    check(WORKING, told, [fill("a", 40)])
    check((REFUSED,), told, apply_report(order_of(REFUSED), execution("a", 40)))


def test_a_change_by_the_broker_before_the_acknowledgement_tells_its_id_too() -> None:
    told = r.OrderRestated(broker_order_id="B-1", quantity=Decimal(50))
    check((SENT,), told, [acknowledged(), ev.Restated(quantity=Decimal(50))])
    check(WORKING, told, [ev.Restated(quantity=Decimal(50))])


def test_a_fill_told_again_with_its_commission_tells_the_commission() -> None:
    told = ev.CommissionReported(execution_id="a", commission=Decimal("0.35"))
    check((*WORKING, fill("a", 40)), execution("a", 40, 10, "0.35"), [told])
    check((*WORKING, fill("a", 40), told), execution("a", 40, 10, "0.35"), [])
    check((*WORKING, fill("a", 40, 10, "0.35")), execution("a", 40, 10, "0.35"), [])


def test_a_commission_told_apart_is_not_undone_by_the_fill_told_again() -> None:
    told = ev.CommissionReported(execution_id="a", commission=Decimal("0.50"))
    check((*WORKING, fill("a", 40, 10, "0.35"), told), execution("a", 40, 10, "0.35"), [])


@pytest.mark.parametrize("again", [execution("a", 41), execution("a", 40, 11)], ids=["quantity", "price"])
def test_a_fill_told_again_in_other_words_is_an_anomaly_and_the_first_telling_stands(again: r.Execution) -> None:
    message = f"execution a told again as {again.quantity} @ {again.price}; the first telling stands"
    check((*WORKING, fill("a", 40)), again, [anomaly("execution_conflict:a", message)])


@pytest.mark.parametrize("quantity", ["0", "-5"])
def test_a_fill_of_nothing_is_an_anomaly(quantity: str) -> None:
    check(WORKING, execution("a", quantity), [anomaly("empty_execution:a", f"a fill of {quantity}")])


def test_a_fill_after_a_cancel_is_booked_and_noted_once() -> None:
    late = anomaly("fill_after_close", "filled while CANCELLED")
    check(CANCELLED, execution("a", 40), [fill("a", 40), late])
    check((*CANCELLED, fill("a", 40), late), execution("b", 10), [fill("b", 10)])


def test_a_fill_after_a_rejection_is_booked_noted_and_reviewed() -> None:
    noted = [
        anomaly("fill_after_close", "filled while REJECTED"),
        review("fill_after_rejection", "the broker rejected this order and filled it"),
    ]
    check((SENT, REJECTED), execution("a", 40), [fill("a", 40), *noted])
    check((SENT, REJECTED, fill("a", 40), *noted), execution("b", 60), [fill("b", 60)])


def test_a_fill_of_an_order_that_was_never_sent_is_reviewed() -> None:
    never = review("fill_without_submission", "the broker filled an order that we never sent")
    check((), execution("a", 40), [fill("a", 40), never])


def test_an_overfill_is_booked_in_full_and_noted() -> None:
    over = anomaly("overfill", "120 filled of 100 ordered")
    check((*WORKING, fill("a", 60)), execution("b", 60), [fill("b", 60), over])


def test_an_overfill_is_noted_however_few_digits_the_embedding_program_reckons_with() -> None:
    over = anomaly("overfill", "100.001 filled of 100 ordered")
    with localcontext(prec=3):
        check((*WORKING, fill("a", 60)), execution("b", "40.001"), [fill("b", "40.001"), over])


def test_a_fill_in_place_of_an_inferred_one_is_nothing_strange() -> None:
    inferred = ev.FillInferred(execution_id="inferred-1", quantity=Decimal(60), price=Decimal(10), evidence="")
    check((*CANCELLED, inferred), execution("a", 60), [fill("a", 60)])


# --- corrections, busts and commissions -------------------------------------------------------------------------------------


def test_a_correction_is_booked_as_told_and_once() -> None:
    check((*WORKING, fill("a", 40)), corrected("c", "a", 45), [correction("c", "a", 45)])
    check((*WORKING, fill("a", 40), correction("c", "a", 45)), corrected("c", "a", 45), [])


def test_a_correction_may_come_before_its_fill() -> None:
    order = order_of(*WORKING)
    order = then(order, *apply_report(order, corrected("c", "a", 45)))
    assert order.filled_quantity == 45
    assert then(order, *apply_report(order, execution("a", 40))).filled_quantity == 45


def test_a_correction_whose_forerunner_was_missed_joins_the_fill_that_it_names() -> None:
    report = replace(corrected("e", "c", 50), supersedes=("a",))
    (event,) = apply_report(order_of(*WORKING, fill("a", 40)), report)
    assert event == correction("e", "c", 50).but(supersedes=("a",))
    assert order_of(*WORKING, fill("a", 40), event).filled_quantity == 50
    assert order_of(*WORKING, fill("a", 40), event, correction("c", "a", 45)).filled_quantity == 50


def test_a_correction_also_mends_what_was_counted_twice_before() -> None:
    """An earlier version took the second correction for a fill of its own, since the first had been missed."""
    doubled = (*WORKING, fill("a", 40), correction("e", "c", 50))
    assert order_of(*doubled).filled_quantity == 90
    third = correction("g", "e", 45).but(supersedes=("c", "a"))
    assert order_of(*doubled, third).filled_quantity == 45


def test_a_correction_that_names_no_more_is_stored_as_it_ever_was() -> None:
    assert "supersedes" not in correction("c", "a", 45).to_json()


def test_a_correction_told_again_in_other_words_is_an_anomaly() -> None:
    message = "execution c told again as 46 @ 10; the first telling stands"
    given = (*WORKING, fill("a", 40), correction("c", "a", 45))
    check(given, corrected("c", "a", 46), [anomaly("execution_conflict:c", message)])


def test_a_correction_under_the_id_that_it_corrects_is_not_lost_unseen() -> None:
    message = "execution a told again as 45 @ 10; the first telling stands"
    check((*WORKING, fill("a", 40)), corrected("a", "a", 45), [anomaly("execution_conflict:a", message)])


def test_a_correction_to_less_than_nothing_is_an_anomaly() -> None:
    check((*WORKING, fill("a", 40)), corrected("c", "a", -1), [anomaly("empty_execution:c", "a correction to -1")])


def test_a_correction_that_overfills_is_noted() -> None:
    over = anomaly("overfill", "101 filled of 100 ordered")
    check(FILLED, corrected("c", "a", 101), [correction("c", "a", 101), over])


def test_a_correction_that_is_the_first_word_of_a_fill_is_looked_at_like_a_fill() -> None:
    rejected = review("fill_after_rejection", "the broker rejected this order and filled it")
    check((SENT, REJECTED), corrected("c", "a", 40), [correction("c", "a", 40), rejected])


def test_a_bust_is_booked_once_and_may_come_before_its_fill() -> None:
    check(FILLED, r.ExecutionBusted(execution_id="a"), [bust("a")])
    check((*WORKING, bust("a")), r.ExecutionBusted(execution_id="a"), [])
    check((*WORKING, bust("a")), execution("a", 40), [fill("a", 40)])
    assert order_of(*WORKING, bust("a"), fill("a", 40)).filled_quantity == 0


def test_a_commission_is_booked_when_it_is_news() -> None:
    told = ev.CommissionReported(execution_id="a", commission=Decimal("0.35"))
    report = r.Commission(execution_id="a", commission=Decimal("0.35"))
    check((*WORKING, fill("a", 40)), report, [told])
    check((*WORKING, fill("a", 40), told), report, [])
    assert order_of(*WORKING, fill("a", 40, 10, "0.10"), told).commission == Decimal("0.35")


# --- cancels ----------------------------------------------------------------------------------------------------------------


def test_a_pending_cancel_is_told_once() -> None:
    check((*WORKING, cancel_request()), r.CancelIsPending(), [ev.CancelPending()])
    check((*WORKING, cancel_request(), ev.CancelPending()), r.CancelIsPending(), [])
    check(CANCELLED, r.CancelIsPending(), [])


@pytest.mark.parametrize("named", [f"{KEY}-c1", None])
def test_a_refused_cancel_leaves_the_order_as_it_was(named: str | None) -> None:
    order = order_of(*WORKING, cancel_request(), ev.CancelPending())
    events = apply_report(order, r.CancelRejected(reason="too late", request_id=named))
    assert events == [ev.CancelRefused(request_id=named, message="too late")]
    after = then(order, *events)
    assert (after.status, after.cancel_requested, after.cancel_pending) == (order.status, False, False)
    assert apply_report(after, r.CancelRejected(reason="too late", request_id=named)) == []


def test_a_refusal_told_twice_does_not_settle_the_next_cancel() -> None:
    answered = (*WORKING, cancel_request(1), ev.CancelRefused(request_id=f"{KEY}-c1", message="too late"), cancel_request(2))
    check(answered, r.CancelRejected(reason="too late", request_id=f"{KEY}-c1"), [])


def test_a_refused_cancel_of_which_we_know_nothing_is_nothing() -> None:
    check(WORKING, r.CancelRejected(reason="too late"), [])


def test_a_pending_cancel_that_we_did_not_ask_for_can_be_refused() -> None:
    check((*WORKING, ev.CancelPending()), r.CancelRejected(reason="no"), [ev.CancelRefused(request_id=None, message="no")])


# --- the end ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (CloseCause.REQUESTED, CancelReason.REQUESTED),
        (CloseCause.EXPIRED, CancelReason.EXPIRED),
        (CloseCause.DONE_FOR_DAY, CancelReason.DONE_FOR_DAY),
        (CloseCause.BY_BROKER, CancelReason.BY_BROKER),
    ],
)
def test_an_end_that_we_did_not_ask_for_has_the_brokers_cause(cause: CloseCause, reason: CancelReason) -> None:
    check(WORKING, closed(cause, "in words"), [cancelled(reason, "in words")])


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (CloseCause.REQUESTED, CancelReason.TIMED_OUT),
        (CloseCause.BY_BROKER, CancelReason.TIMED_OUT),
        (CloseCause.EXPIRED, CancelReason.EXPIRED),
    ],
)
def test_an_end_that_we_asked_for_has_our_own_reason(cause: CloseCause, reason: CancelReason) -> None:
    check((*WORKING, cancel_request(reason=CancelReason.TIMED_OUT)), closed(cause), [cancelled(reason)])


@pytest.mark.parametrize("given", [CANCELLED, (SENT, REJECTED)], ids=["cancelled", "rejected"])
def test_the_end_of_what_ended_is_old_news(given: tuple[Event, ...]) -> None:
    check(given, closed(CloseCause.REQUESTED), [])


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (closed(CloseCause.REQUESTED), [cancelled(CancelReason.TIMED_OUT)]),
        (r.OrderRejected(reason="no"), [ev.CancelRefused(request_id=f"{KEY}-c1", message="the order was rejected")]),
    ],
    ids=["cancelled", "rejected"],
)
def test_the_end_of_an_order_that_turned_up_again_answers_its_cancel(report: r.ExecutionReport, expected: list[Event]) -> None:
    turned_up = (ev.AnomalyNoted(code="rejected_after_close", message=""), ev.ReviewRequested(code="live_after_close", message=""))
    order = order_of(*CANCELLED, *turned_up, cancel_request(reason=CancelReason.TIMED_OUT))
    assert apply_report(order, report) == expected
    assert then(order, *expected).is_finished


def test_an_end_after_the_whole_was_filled_is_kept_for_the_day_that_a_fill_is_busted() -> None:
    order = order_of(*FILLED)
    order = then(order, *apply_report(order, closed(CloseCause.DONE_FOR_DAY)))
    assert order.status.value == "FILLED"
    assert then(order, bust("a")).reason == "DONE_FOR_DAY"


@pytest.mark.parametrize("lasting", [TimeInForce.GTC, TimeInForce.GTD])
def test_done_for_the_day_is_not_the_end_of_an_order_that_lasts(lasting: TimeInForce) -> None:
    lasts = intent(time_in_force=lasting)
    check((lasts, *WORKING), closed(CloseCause.DONE_FOR_DAY), [])
    check((lasts, *WORKING), closed(CloseCause.EXPIRED), [cancelled(CancelReason.EXPIRED)])


def test_done_for_the_day_proves_that_the_broker_has_an_order_in_doubt() -> None:
    order = order_of(intent(time_in_force=TimeInForce.GTC), SENT, unknown(f"{KEY}-s1"))
    events = apply_report(order, r.OrderClosed(cause=CloseCause.DONE_FOR_DAY, broker_order_id="B-1"))
    assert events == [ACKNOWLEDGED]
    assert not then(order, *events).is_in_doubt


def test_a_commission_in_another_currency_is_kept_apart_from_one_in_the_instruments() -> None:
    euros = replace(execution("a", 40, 10, "2"), commission_currency="EUR")
    dollars = replace(execution("b", 60, 10, "1"), commission_currency="USD")
    order = order_of(*WORKING)
    events = [*apply_report(order, euros), *apply_report(order, dollars)]
    assert events == [fill("a", 40, 10, "2 EUR"), fill("b", 60, 10, "1")]
    order = then(order, *events)
    assert figures(order.commission, order.other_commissions) == (1, {"EUR": 2})


def test_the_currency_of_a_commission_is_news_and_the_same_told_again_is_not() -> None:
    order = order_of(*WORKING, fill("a", 40, 10, "2"))
    euros = r.Commission(execution_id="a", commission=Decimal(2), commission_currency="EUR")
    told = apply_report(order, euros)
    assert told == [ev.CommissionReported(execution_id="a", commission=Decimal(2), commission_currency="EUR")]
    charged = then(order, *told)
    assert figures(charged.commission, charged.other_commissions, apply_report(charged, euros)) == (0, {"EUR": 2}, [])
    again = replace(execution("a", 40, 10, "2"), commission_currency="EUR")
    assert apply_report(charged, again) == apply_report(charged, execution("a", 40, 10, "2")) == []


def test_a_correction_brings_its_own_currency_and_a_bust_takes_every_currency_back() -> None:
    dearer = replace(corrected("c", "a", 40), commission=Decimal(3), commission_currency="EUR")
    order = order_of(*WORKING, fill("a", 40, 10, "2"))
    order = then(order, *apply_report(order, dearer))
    assert figures(order.commission, order.other_commissions) == (0, {"EUR": 3})
    order = then(order, bust("c"))
    assert figures(order.commission, order.other_commissions) == (0, {})


def test_a_currency_is_stored_only_where_it_is_not_the_instruments() -> None:
    assert "commission_currency" not in fill("a", 40, 10, "2").to_json()
    assert "commission_currency" not in ev.CommissionReported(execution_id="a", commission=Decimal(2)).to_json()
    assert '"commission_currency":"EUR"' in fill("a", 40, 10, "2 EUR").to_json()


# --- commissions of corrections ---------------------------------------------------------------------------------------------


def test_a_correction_told_again_with_its_commission_tells_the_commission() -> None:
    given = (*WORKING, fill("a", 40, fee="1"), ev.FillCorrected(**asdict(fill("c", 40)), corrects="a"))
    again = replace(corrected("c", "a", 40), commission=Decimal(0))
    order = order_of(*given)
    events = apply_report(order, again)
    assert events == [ev.CommissionReported(execution_id="c", commission=Decimal(0))]
    assert figures(order.commission, then(order, *events).commission, apply_report(then(order, *events), again)) == (1, 0, [])


@pytest.mark.parametrize("reports", [*permutations(range(3))])
def test_the_commission_of_a_chain_without_times_is_that_of_its_newest_link_that_names_one(reports: tuple[int, ...]) -> None:
    links = (
        replace(execution("a", 40), commission=Decimal(2)),
        replace(corrected("c", "a", 50), commission=Decimal(3)),
        corrected("d", "c", 60),
    )
    order = order_of(*WORKING)
    for number in reports:
        order = then(order, *apply_report(order, links[number]))
    assert figures(order.filled_quantity, order.commission) == (60, 3)


# --- replaces ---------------------------------------------------------------------------------------------------------------


def test_a_pending_replace_is_told_once() -> None:
    check((*WORKING, replace_request(1, "80")), r.ReplaceIsPending(), [ev.ReplacePending()])
    check((*WORKING, replace_request(1, "80"), ev.ReplacePending()), r.ReplaceIsPending(), [])
    check((*FILLED, replace_request(1, "120")), r.ReplaceIsPending(), [ev.ReplacePending()])
    check(CANCELLED, r.ReplaceIsPending(), [])


TWO_REPLACES = (*WORKING, replace_request(1, "80"), replace_request(2, "70"))


def test_each_of_two_replaces_is_pending_by_its_name_and_only_once() -> None:
    second = r.ReplaceIsPending(request_id=f"{KEY}-r2")
    check((*TWO_REPLACES, ev.ReplacePending()), second, [ev.ReplacePending()])
    check((*TWO_REPLACES, ev.ReplacePending()), r.ReplaceIsPending(request_id=f"{KEY}-r1"), [])
    check((*TWO_REPLACES, ev.ReplacePending(), ev.ReplacePending()), second, [])
    check((*TWO_REPLACES, ev.ReplaceRefused(request_id=f"{KEY}-r2", message="no")), second, [])


@pytest.mark.parametrize("named", [1, 2])
def test_a_replace_that_is_pending_because_of_a_request_ends_with_that_request(named: int) -> None:
    """Whichever of the two it was: the other one is not pending by it."""
    (pending,) = recorded([ev.ReplacePending()], after=len(TWO_REPLACES) + 1)
    cause = pending.envelope.but(causation_id=f"{KEY}-r{named}")
    order = order_of(*TWO_REPLACES).apply([structs.replace(pending, envelope=cause)])
    answers = {number: then(order, ev.ReplaceRefused(request_id=f"{KEY}-r{number}", message="no")) for number in (1, 2)}
    assert [number for number in (1, 2) if answers[number].replace_pending] == [3 - named]


def test_an_answered_replace_leaves_what_is_in_doubt_or_pending_beside_it() -> None:
    doubted = unknown(f"{KEY}-r1", ev.RequestKind.REPLACE)
    given = (*TWO_REPLACES, cancel_request(), ev.CancelPending(), ev.ReplacePending(), doubted)
    order = order_of(*given)
    after = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r2")))
    assert figures(after.replace_pending, after.cancel_pending, after.is_in_doubt, [*after.requests]) == (
        True,
        True,
        True,
        [f"{KEY}-r1", f"{KEY}-c1"],
    )


def test_a_replace_that_names_no_request_is_the_one_whose_terms_it_tells() -> None:
    second = r.OrderReplaced(quantity=Decimal(70))
    check(TWO_REPLACES, second, [ev.Replaced(request_id=f"{KEY}-r2", quantity=Decimal(70))])


def test_a_replace_that_names_no_request_and_is_told_twice_does_not_settle_the_next_one() -> None:
    done = ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(80))
    check((*TWO_REPLACES, ev.ReplacePending(), ev.ReplacePending(), done), r.OrderReplaced(quantity=Decimal(80)), [])


@pytest.mark.parametrize("named", [f"{KEY}-r1", None])
def test_a_replace_that_is_done_stands_on_the_terms_that_we_asked_for(named: str | None) -> None:
    done = ev.Replaced(request_id=f"{KEY}-r1", broker_order_id="B-2", quantity=Decimal(80), limit_price=Decimal("9.5"))
    given = (*WORKING, replace_request(1, "80", "9.5"))
    check(given, r.OrderReplaced(request_id=named, broker_order_id="B-2"), [done])


def test_a_replace_that_is_done_stands_on_the_terms_that_the_broker_tells() -> None:
    told = r.OrderReplaced(request_id=f"{KEY}-r1", quantity=Decimal(85), limit_price=Decimal(9), stop_price=Decimal(8))
    stands = ev.Replaced(
        request_id=f"{KEY}-r1", quantity=Decimal(85), limit_price=Decimal(9), stop_price=Decimal(8), broker_order_id=None
    )
    check((*WORKING, replace_request(1, "80", "9.5")), told, [stands])


def test_a_replace_told_twice_does_not_undo_the_next_one() -> None:
    order = order_of(
        *WORKING,
        replace_request(1, "80"),
        replace_request(2, "70"),
        ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(80)),
        ev.Replaced(request_id=f"{KEY}-r2", quantity=Decimal(70)),
    )
    assert apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r1", quantity=Decimal(80))) == []


def test_a_replace_that_was_settled_as_absent_and_was_done_after_all_is_booked() -> None:
    given = (*WORKING, replace_request(1, "80"), ev.ReplaceRefused(request_id=f"{KEY}-r1", message="absent"))
    done = ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(80))
    check(given, r.OrderReplaced(request_id=f"{KEY}-r1", quantity=Decimal(80)), [done])


def test_a_replace_of_somebody_else_is_booked_when_it_changes_something() -> None:
    check(WORKING, r.OrderReplaced(quantity=Decimal(80)), [ev.Replaced(request_id=None, quantity=Decimal(80))])
    check(WORKING, r.OrderReplaced(quantity=Decimal(100)), [])
    check((*WORKING, ev.ReplacePending()), r.OrderReplaced(), [ev.Replaced(request_id=None)])


def test_a_replace_done_after_the_end_is_noted() -> None:
    noted = anomaly("replaced_after_close", "replaced while CANCELLED")
    check(CANCELLED, r.OrderReplaced(quantity=Decimal(80)), [ev.Replaced(request_id=None, quantity=Decimal(80)), noted])


@pytest.mark.parametrize("named", [f"{KEY}-r1", None])
def test_a_refused_replace_leaves_the_order_as_it_was(named: str | None) -> None:
    order = order_of(*WORKING, replace_request(1, "80"), ev.ReplacePending())
    events = apply_report(order, r.ReplaceRejected(reason="too late", request_id=named))
    assert events == [ev.ReplaceRefused(request_id=named, message="too late")]
    after = then(order, *events)
    assert figures(after.quantity, after.replace_requested, after.replace_pending) == (100, False, False)
    assert apply_report(after, r.ReplaceRejected(reason="too late", request_id=named)) == []


@pytest.mark.parametrize(
    ("pending", "asked", "answer"),
    [
        (ev.ReplacePending(), replace_request(1, "80"), r.ReplaceRejected(reason="no", request_id=f"{KEY}-r1")),
        (ev.ReplacePending(), replace_request(1, "80"), r.OrderReplaced(request_id=f"{KEY}-r1")),
        (ev.CancelPending(), cancel_request(), r.CancelRejected(reason="no", request_id=f"{KEY}-c1")),
    ],
    ids=["replace refused", "replace done", "cancel refused"],
)
def test_the_answer_to_our_request_leaves_pending_what_others_asked_for(
    pending: Event, asked: Event, answer: r.ExecutionReport
) -> None:
    order = order_of(*WORKING, pending, asked)
    after = then(order, *apply_report(order, answer))
    assert after.requests == {}
    assert after.replace_pending or after.cancel_pending


def test_a_refused_replace_of_which_we_know_nothing_is_nothing() -> None:
    check(WORKING, r.ReplaceRejected(reason="too late"), [])
    check((*WORKING, replace_request(2, "80")), r.ReplaceRejected(reason="late", request_id=f"{KEY}-r1"), [])


# --- changes by the broker --------------------------------------------------------------------------------------------------


def test_a_restatement_is_always_news() -> None:
    restated = ev.Restated(quantity=Decimal(110), limit_price=Decimal(9), stop_price=Decimal(8), message="by phone")
    told = r.OrderRestated(quantity=Decimal(110), limit_price=Decimal(9), stop_price=Decimal(8), reason="by phone")
    check(WORKING, told, [restated])
    check((*WORKING, restated), told, [restated])


@pytest.mark.parametrize(("quantity", "ratio"), [("0", None), ("-1", None), (None, "0"), (None, "-2")])
def test_a_restatement_to_nothing_is_an_anomaly(quantity: str | None, ratio: str | None) -> None:
    report = r.OrderRestated(
        quantity=None if quantity is None else Decimal(quantity), split_ratio=None if ratio is None else Decimal(ratio)
    )
    check(WORKING, report, [anomaly("impossible_restatement", f"restated to {quantity}, split by {ratio}")])


def test_a_stop_triggers_once() -> None:
    check(WORKING, r.OrderTriggered(), [ev.Triggered()])
    check((*WORKING, ev.Triggered()), r.OrderTriggered(), [])


def test_a_second_attempt_in_doubt_is_settled_by_any_word_of_the_order() -> None:
    order = order_of(SENT, FAILED, submission(2), unknown(f"{KEY}-s2"))
    for report in (ACCEPTED, execution(), r.OrderTriggered(), r.ExecutionBusted(execution_id="a"), r.OrderRejected()):
        assert not then(order, *apply_report(order, report)).requests


# --- what comes late must not undo what is newer -----------------------------------------------------------------------------


@pytest.mark.parametrize("found", [True, False], ids=["found by asking", "told"])
@pytest.mark.parametrize(
    "late",
    [
        r.OrderReplaced(request_id=f"{KEY}-r1", quantity=Decimal(80)),
        r.OrderReplaced(request_id=f"{KEY}-r1", broker_order_id="B-2"),
        r.OrderReplaced(quantity=Decimal(80)),
        r.OrderReplaced(),
    ],
    ids=["named", "named, without terms", "unnamed", "unnamed, without terms"],
)
def test_late_word_of_an_earlier_replace_changes_no_terms(late: r.OrderReplaced, found: bool) -> None:
    """The broker did the second one, so it is past the first one, whatever became of that."""
    limited = intent(order_type="LIMIT", limit_price=Decimal(10))
    order = order_of(limited, *WORKING, replace_request(1, "80", "11"), replace_request(2, "150", "12"))
    done = r.OrderReplaced(request_id=f"{KEY}-r2", broker_order_id="B-3", quantity=Decimal(150), limit_price=Decimal(12))
    asked = r.OrderSnapshot(
        status=r.BrokerStatus.WORKING,
        filled_quantity=Decimal(0),
        quantity=Decimal(150),
        limit_price=Decimal(12),
        broker_order_id="B-3",
    )
    order = then(order, *apply_report(order, asked if found else done))
    order = then(order, *apply_report(order, late))
    assert figures(order.quantity, order.broker_order_id, order.replace_requested) == (150, "B-3", False)
    order = then(order, *apply_report(order, done))
    order = then(order, *apply_report(order, execution("a", 100)))
    assert figures(order.quantity, order.status, order.remaining_quantity, order.anomalies) == (150, "PARTIAL", 50, frozenset())


@pytest.mark.parametrize("is_absent", [True, False])
def test_of_two_quantities_the_larger_stands_until_the_broker_is_asked(is_absent: bool) -> None:
    """Word of the first replace may be late, or its request was: then the broker did it last, and less does not fill the order."""
    first = [ev.ReplaceRefused(request_id=f"{KEY}-r1", message="absent")] if is_absent else []
    second = ev.Replaced(request_id=f"{KEY}-r2", quantity=Decimal(70))
    order = order_of(*WORKING, replace_request(1, "80"), *first, replace_request(2, "70"), second, fill("a", 70))
    assert order.status == "FILLED"
    order = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r1", quantity=Decimal(80))))
    assert figures(order.status, order.quantity, order.remaining_quantity) == ("PARTIAL", 80, 10)
    found = r.OrderSnapshot(status=r.BrokerStatus.FILLED, filled_quantity=Decimal(70), quantity=Decimal(70), broker_order_id="B-1")
    order = then(order, *apply_report(order, found))
    assert figures(order.status, order.quantity) == ("FILLED", 70)


@pytest.mark.parametrize("quantity", [80, 65])
def test_an_answer_tells_the_terms_that_stand_whichever_replace_asked_for_them(quantity: int) -> None:
    """The broker did the first one last."""
    asked = replace_request(1, str(quantity)), replace_request(2, "70")
    order = order_of(*WORKING, *asked, ev.Replaced(request_id=f"{KEY}-r2", quantity=Decimal(70)), fill("a", 60))
    told = r.OrderSnapshot(
        status=r.BrokerStatus.WORKING,
        filled_quantity=Decimal(62),
        average_price=Decimal(10),
        quantity=Decimal(quantity),
        broker_order_id="B-1",
    )
    order = then(order, *apply_report(order, told))
    assert figures(order.status, order.quantity, order.remaining_quantity, [*order.requests]) == (
        "PARTIAL",
        quantity,
        quantity - 62,
        [],
    )


def test_a_replace_of_one_term_is_not_overtaken_by_one_of_another() -> None:
    limited = intent(order_type="LIMIT", limit_price=Decimal(400))
    order = order_of(limited, *WORKING, replace_request(1, "200"), replace_request(2, limit="401"))
    for number in (2, 1):
        order = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r{number}")))
    assert figures(order.quantity, order.limit_price) == (200, 401)


def test_two_ways_of_telling_a_commission_that_disagree_come_to_an_end() -> None:
    order = order_of(*WORKING, fill("a", 40))
    reports = [r.Commission(execution_id="a", commission=Decimal(1)), execution("a", 40, 10, "1.01")] * 5
    told = 0
    for report in reports:
        events = apply_report(order, report)
        told, order = told + len(events), then(order, *events)
    assert told == 3


def test_a_later_replace_that_was_refused_leaves_the_earlier_one_its_say() -> None:
    order = order_of(*TWO_REPLACES, ev.ReplaceRefused(request_id=f"{KEY}-r2", message="no"))
    after = then(order, *apply_report(order, r.OrderReplaced(request_id=f"{KEY}-r1")))
    assert after.quantity == 80


@pytest.mark.parametrize(
    "new_terms",
    [
        (replace_request(1, "120"), ev.Replaced(request_id=f"{KEY}-r1", quantity=Decimal(120))),
        (ev.Restated(quantity=Decimal(120)),),
    ],
    ids=["replaced", "restated"],
)
def test_a_late_acknowledgement_does_not_undo_new_terms(new_terms: tuple[Event, ...]) -> None:
    order = order_of(SENT, fill("a", 10), *new_terms)
    after = then(order, *apply_report(order, r.Accepted(broker_order_id="B-1", effective_quantity=Decimal(100))))
    assert figures(after.quantity, after.broker_order_id) == (120, "B-1")


@pytest.mark.parametrize("fees", [(None, "1", "2"), ("1", "0.5", "0"), ("1", "2", "2.5"), (None, "1", "0")])
def test_the_commission_that_a_fill_names_last_is_its_commission(fees: tuple[str | None, ...]) -> None:
    order = order_of(*WORKING)
    for fee in fees:
        order = then(order, *apply_report(order, execution("a", 40, 10, fee)))
        assert apply_report(order, execution("a", 40, 10, fee)) == []
    assert order.commission == Decimal(fees[-1] or 0)


@pytest.mark.parametrize("first", ["E9", "E10"])
def test_of_two_corrections_at_one_time_the_one_with_the_later_id_counts_however_they_come(first: str) -> None:
    quantities = {"E9": 60, "E10": 40}
    order = order_of(*WORKING, fill("E8", 100, at=1))
    for name in sorted(quantities, key=lambda name: name != first):
        order = then(order, correction(name, "E8", quantities[name], at=1))
    assert order.filled_quantity == 40


def test_a_cancel_told_pending_after_everything_is_filled_pends_nothing() -> None:
    check(FILLED, r.CancelIsPending(), [])


def test_a_fill_books_to_the_last_digit_however_few_an_embedding_program_reckons_with() -> None:
    told = r.OrderSnapshot(status=r.BrokerStatus.WORKING, filled_quantity=Decimal("1234567.5"), average_price=Decimal("10.25"))
    with localcontext(prec=4):
        before = order_of(intent(side="SELL", quantity=Decimal(9876543)), *WORKING)
        after = then(before, *apply_report(before, told))
        left = after.remaining_quantity
        (entry,) = entries_between(before, after, SESSION)
    assert figures(after.filled_quantity, after.average_price, left) == (
        Decimal("1234567.5"),
        Decimal("10.25"),
        Decimal("8641975.5"),
    )
    assert (entry.values["quantity"], entry.values["price"]) == ("-1234567.5", "10.25")


def test_units_of_eighteen_decimals_give_way_to_the_last_of_them() -> None:
    order = order_of(intent(quantity=Decimal("123456789012.345678901234567891")), *WORKING)
    for report in (
        execution("a", "123456789012.345678901234567890", 2),
        r.OrderSnapshot(status=r.BrokerStatus.WORKING, filled_quantity=order.quantity or Decimal(0), average_price=Decimal(2)),
        execution("b", "0.000000000000000001", 3),
    ):
        order = then(order, *apply_report(order, report))
    assert figures(order.filled_quantity, [e.execution_id for e in order.executions.effective()]) == (order.quantity, ["a", "b"])
