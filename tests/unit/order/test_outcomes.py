"""What is recorded of a request, by what became of its call."""

from __future__ import annotations

import pytest

from liveorder.domain import errors
from liveorder.domain.events import Event
from liveorder.domain.execution_report import Accepted, CancelRejected, ExecutionReport, OrderRejected, ReplaceRejected
from liveorder.domain.order import events as ev
from liveorder.domain.order.events import RequestKind
from liveorder.domain.order.outcomes import (
    Answered,
    NotBegun,
    NotReceived,
    Outcome,
    RefusedByBroker,
    Unknown,
    left_open_by,
    reports_of,
    was_refused,
)
from tests.builders import ACKNOWLEDGED, FAILED, SENT, cancel_request, order_of, replace_request

SUBMITTED, STANDING = order_of(SENT), (SENT, ACKNOWLEDGED)
CANCELLING, REPLACING = order_of(*STANDING, cancel_request()), order_of(*STANDING, replace_request(limit="9"))
OPEN = {
    RequestKind.SUBMIT: (SUBMITTED, SENT.request_id),
    RequestKind.CANCEL: (CANCELLING, cancel_request().request_id),
    RequestKind.REPLACE: (REPLACING, replace_request().request_id),
}

SILENT, DELAYED = Answered(()), NotBegun("the store was slow")
LOST, AWAY = Unknown(errors.BrokerTimeoutError("no answer")), NotReceived(errors.BrokerConnectionError("refused"))
NO_MARGIN = RefusedByBroker(errors.OrderValidationError("no margin"))
DUPLICATE = RefusedByBroker(errors.DuplicateClientOrderId("the key is used"))


@pytest.mark.parametrize(
    ("kind", "outcome", "expected"),
    [
        (RequestKind.SUBMIT, AWAY, []),
        (RequestKind.SUBMIT, NO_MARGIN, [OrderRejected(reason="OrderValidationError: no margin")]),
        (RequestKind.SUBMIT, DUPLICATE, []),
        (RequestKind.CANCEL, AWAY, [CancelRejected(reason="BrokerConnectionError: refused", request_id="R")]),
        (RequestKind.CANCEL, NO_MARGIN, [CancelRejected(reason="OrderValidationError: no margin", request_id="R")]),
        (RequestKind.REPLACE, AWAY, [ReplaceRejected(reason="BrokerConnectionError: refused", request_id="R")]),
        *((kind, outcome, []) for kind in RequestKind for outcome in (SILENT, DELAYED, LOST)),
        *((kind, Answered((Accepted(),)), [Accepted()]) for kind in RequestKind),
    ],
)
def test_what_an_outcome_says_in_the_words_of_reports(kind: RequestKind, outcome: Outcome, expected: list[ExecutionReport]) -> None:
    assert list(reports_of(outcome, kind, "R")) == expected


@pytest.mark.parametrize(
    ("kind", "outcome", "expected"),
    [
        (RequestKind.SUBMIT, SILENT, ev.OutcomeDoubted),
        (RequestKind.SUBMIT, DELAYED, ev.SubmissionFailed),
        (RequestKind.SUBMIT, AWAY, ev.SubmissionFailed),
        (RequestKind.SUBMIT, LOST, ev.OutcomeDoubted),
        (RequestKind.SUBMIT, DUPLICATE, ev.OutcomeDoubted),
        (RequestKind.SUBMIT, NO_MARGIN, None),
        (RequestKind.CANCEL, SILENT, None),
        (RequestKind.CANCEL, DELAYED, ev.CancelRefused),
        (RequestKind.CANCEL, AWAY, None),
        (RequestKind.CANCEL, LOST, ev.OutcomeDoubted),
        (RequestKind.CANCEL, NO_MARGIN, None),
        (RequestKind.REPLACE, SILENT, None),
        (RequestKind.REPLACE, DELAYED, ev.ReplaceRefused),
        (RequestKind.REPLACE, AWAY, None),
        (RequestKind.REPLACE, LOST, ev.OutcomeDoubted),
        (RequestKind.REPLACE, NO_MARGIN, None),
    ],
)
def test_what_an_outcome_leaves_of_an_open_request(kind: RequestKind, outcome: Outcome, expected: type[Event] | None) -> None:
    events = left_open_by(*OPEN[kind], outcome)
    assert [type(event) for event in events] == ([] if expected is None else [expected])


def test_only_a_definite_failure_lets_a_submission_be_sent_again() -> None:
    unknown: tuple[Outcome, ...] = (SILENT, LOST, DUPLICATE)
    for outcome in unknown:
        after = order_of(SENT, *left_open_by(SUBMITTED, SENT.request_id, outcome))
        assert (after.is_in_doubt, after.submission_is_open) == (True, True)
    definite: tuple[Outcome, ...] = (DELAYED, AWAY)
    for outcome in definite:
        after = order_of(SENT, *left_open_by(SUBMITTED, SENT.request_id, outcome))
        assert (after.is_in_doubt, after.submission_is_open) == (False, False)
    assert order_of(SENT, *left_open_by(SUBMITTED, SENT.request_id, DELAYED)).attempts == 0
    assert order_of(SENT, *left_open_by(SUBMITTED, SENT.request_id, AWAY)).attempts == 1


@pytest.mark.parametrize("outcome", [SILENT, DELAYED, AWAY, LOST, NO_MARGIN, DUPLICATE])
def test_nothing_is_recorded_of_a_request_that_its_reports_settled(outcome: Outcome) -> None:
    assert left_open_by(order_of(SENT, FAILED), SENT.request_id, outcome) == []


def test_a_cancel_was_refused_where_the_broker_says_so_either_way() -> None:
    assert was_refused(NO_MARGIN)
    assert was_refused(Answered((CancelRejected(reason="filled"),)))
    assert not any(map(was_refused, (None, SILENT, DELAYED, AWAY, LOST, Answered((Accepted(),)))))
