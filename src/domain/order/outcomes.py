"""What becomes of a request, as far as its call tells, and what is recorded of it before the broker reports anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from liveorder.domain.errors import BrokerRefusal, BrokerUnavailable, DuplicateClientOrderId, OutcomeUnknown
from liveorder.domain.events import Event
from liveorder.domain.execution_report import CancelRejected, ExecutionReport, OrderRejected, ReplaceRejected
from liveorder.domain.order import requests
from liveorder.domain.order.events import RequestKind
from liveorder.domain.order.state import LiveOrder


class Answered(Struct, frozen=True):
    """The broker answered; what it said still has to be booked."""

    reports: Sequence[ExecutionReport]


class NotReceived(Struct, frozen=True):
    """Surely not received; may be sent again."""

    error: BrokerUnavailable


class NotBegun(Struct, frozen=True):
    """Nothing left, for a reason of ours: no attempt, and no failure of the broker."""

    reason: str


class RefusedByBroker(Struct, frozen=True):
    """Received, and refused for good."""

    error: BrokerRefusal


class Unknown(Struct, frozen=True):
    """It may have arrived."""

    error: OutcomeUnknown


Outcome: TypeAlias = Answered | NotBegun | NotReceived | RefusedByBroker | Unknown


def reports_of(outcome: Outcome, kind: RequestKind, request_id: str) -> Sequence[ExecutionReport]:
    """What the outcome says in the words of reports: the broker's own, or that the request came to nothing.

    A submission that was not received may be sent again: that is no report. Nor is one that was refused as a duplicate: the broker
    holds an order with its key, which may be this one.
    """
    if isinstance(outcome, Answered):
        return outcome.reports
    if not isinstance(outcome, NotReceived | RefusedByBroker):
        return ()
    reason = f"{type(outcome.error).__name__}: {outcome.error}"
    if kind is RequestKind.CANCEL:
        return (CancelRejected(reason=reason, request_id=request_id),)
    if kind is RequestKind.REPLACE:
        return (ReplaceRejected(reason=reason, request_id=request_id),)
    is_final = isinstance(outcome, RefusedByBroker) and not isinstance(outcome.error, DuplicateClientOrderId)
    return (OrderRejected(reason=reason),) if is_final else ()


def left_open_by(order: LiveOrder, request_id: str, outcome: Outcome) -> list[Event]:
    """What is recorded of a request that is still open after `reports_of` its outcome were booked; nothing where that can wait.

    A submission has failed or is in doubt, also where the broker answered without a word of what became of it. Another request is
    in doubt only where its call says so: what was answered without a word is asked about.
    """
    request = order.requests.get(request_id)
    if request is None:
        return []
    if isinstance(outcome, NotBegun):
        return requests.not_begun(order, request_id, outcome.reason)
    if isinstance(outcome, Unknown):
        return requests.doubt(order, request_id, type(outcome.error).__name__, str(outcome.error))
    if request.kind is not RequestKind.SUBMIT:
        return []
    if isinstance(outcome, Answered):
        return requests.doubt(order, request_id, "NoAnswer", "the broker answered without saying what became of it")
    error, message = type(outcome.error).__name__, str(outcome.error)
    if isinstance(outcome, NotReceived):
        return requests.fail_submission(order, request_id, error, message)
    is_final = not isinstance(outcome.error, DuplicateClientOrderId)
    return [] if is_final else requests.doubt(order, request_id, error, message)


def was_refused(outcome: Outcome | None) -> bool:
    """Whether the broker refused a cancel: mostly because the order was filled first."""
    reports = outcome.reports if isinstance(outcome, Answered) else ()
    return isinstance(outcome, RefusedByBroker) or any(isinstance(report, CancelRejected) for report in reports)
