"""What we may ask of an order: each function returns the events of one step, or refuses with `DecisionRefused`.

Ids of requests are derived (`KEY-s1`, `KEY-c1`, `KEY-r2`), so that a step decided twice is the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from liveorder.domain.errors import DecisionRefused, DuplicateClientOrderId
from liveorder.domain.events import Event
from liveorder.domain.order import events as ev
from liveorder.domain.order.state import LiveOrder


def draft_of(intent: ev.OrderRequested) -> LiveOrder:
    """The order that the intent would be; nothing of it is stored yet."""
    terms = intent.terms
    return LiveOrder(intent, quantity=terms.quantity, limit_price=terms.limit_price, stop_price=terms.stop_price)


def refuse(reason: ev.RejectReason, code: str, message: str, measured: str | None = None, limit: str | None = None) -> list[Event]:
    """We will not send it, or not again."""
    return [ev.Refused(reason=reason, code=code, message=message, measured=measured, limit=limit)]


def may_be_sent(order: LiveOrder) -> bool:
    """It waits for nothing, and no attempt is under way, in doubt or known to have arrived: another makes no second order."""
    return not (order.status.is_closed or order.submission_is_open or order.is_at_broker or order.is_waiting)


def is_surely_unsent(order: LiveOrder) -> bool:
    """Approved, and every submission that there was has failed definitely."""
    return order.is_approved and may_be_sent(order) and not order.requests and not order.filled_quantity


def next_submission_id(order: LiveOrder) -> str:
    return f"{order.client_order_id}-s{order.starts + 1}"


def start_submission(
    order: LiveOrder, reference: Mapping[str, str], payload: str, deadline: datetime, session_date: date
) -> list[Event]:
    """The next attempt. Refused while an earlier one has no definite outcome: that would be sending blindly."""
    if order.status.is_closed:
        raise DecisionRefused(f"order {order.order_id} is {order.status}: it cannot be sent")
    if order.submission_is_open:
        raise DecisionRefused(f"order {order.order_id} may be at the broker already: ask, do not send again")
    if order.is_at_broker:
        raise DecisionRefused(f"order {order.order_id} is at the broker already")
    return [
        ev.SubmissionStarted(
            request_id=next_submission_id(order),
            attempt=order.starts + 1,
            reference=reference,
            payload=payload,
            deadline=deadline,
            session_date=session_date,
        )
    ]


def doubt_forgotten(order: LiveOrder, now: datetime, session_date: date) -> list[Event]:
    """A store that was restored may have sent it, in a life that it has lost: it is asked about, and nothing is sent.

    An attempt stands for the one that may have been made. Nothing is known of what that sent: the attempt holds no bytes.
    """
    started = start_submission(order, {}, "", now, session_date)
    return [*started, forgotten(order)]


def forgotten(order: LiveOrder) -> ev.OutcomeDoubted:
    """Of the attempt that is about to be stored."""
    return ev.OutcomeDoubted(
        request_id=next_submission_id(order),
        kind=ev.RequestKind.SUBMIT,
        error=ev.STORE_RESTORED,
        message="this store may have sent it before it was restored: asked about, not sent",
    )


def fail_submission(order: LiveOrder, request_id: str, error: str, message: str, evidence: str | None = None) -> list[Event]:
    """Surely not received, and never will be. Where a cancel was asked for meanwhile, that is the end of the order."""
    failed = ev.SubmissionFailed(request_id=request_id, error=error, message=message, evidence=evidence)
    others = [r for key, r in order.requests.items() if r.kind is ev.RequestKind.SUBMIT and key != request_id]
    wishes = [*(r.cancel_reason for r in order.requests.values()), order.cancel_wish]
    reasons = [reason for reason in wishes if reason is not None]
    if others or order.is_at_broker or not reasons:
        return [failed]
    return [failed, _ended_unreached(reasons[0])]


def _ended_unreached(reason: ev.CancelReason) -> ev.Cancelled:
    return ev.Cancelled(reason=reason, message="it never reached the broker, and its cancel was asked for")


def not_begun(order: LiveOrder, request_id: str, reason: str) -> list[Event]:
    """Nothing left, for a reason of ours: no attempt at the broker. A cancel is wanted all the same."""
    request = order.requests.get(request_id)
    if request is None:
        return []
    if request.kind is ev.RequestKind.SUBMIT:
        return fail_submission(order, request_id, ev.NOT_BEGUN, reason)
    if request.kind is ev.RequestKind.CANCEL:
        return [ev.CancelRefused(request_id=request_id, message=reason, is_still_wanted=True)]
    return [ev.ReplaceRefused(request_id=request_id, message=reason)]


def doubt(order: LiveOrder, request_id: str, error: str, message: str) -> list[Event]:
    """The request may have arrived. Nothing when it has its outcome already, or is in doubt already and this is no duplicate."""
    request = order.requests.get(request_id)
    is_news = request is not None and error == DuplicateClientOrderId.__name__ and not request.is_duplicate
    if request is None or (request.is_in_doubt and not is_news):
        return []
    return [ev.OutcomeDoubted(request_id=request_id, kind=request.kind, error=error, message=message)]


def next_cancel_id(order: LiveOrder) -> str:
    return f"{order.client_order_id}{_next_cancel_ending(order)}"


def _next_cancel_ending(order: LiveOrder) -> str:
    return f"-c{order.cancels + 1}"


def request_cancel(
    order: LiveOrder,
    reason: ev.CancelReason,
    reference: Mapping[str, str] | None = None,
    payload: str = "",
    deadline: datetime | None = None,
    made_way_for: UUID | None = None,
) -> list[Event]:
    """Ask the broker to cancel; an order that never left is cancelled at once, and nobody is asked.

    Cancelling again is harmless, so an unanswered cancel does not stand in the way; nor does being closed, for a stray.
    """
    if order.status.is_closed and not order.is_stray:
        raise DecisionRefused(f"order {order.order_id} is {order.status} already: there is nothing to cancel")
    if not order.is_at_broker and not order.submission_is_open:
        return [ev.Cancelled(reason=reason, message="cancelled before it was sent", made_way_for=made_way_for)]
    return [
        ev.CancelRequested(
            request_id=next_cancel_id(order),
            reason=reason,
            reference=reference or {},
            payload=payload,
            deadline=deadline,
            made_way_for=made_way_for,
        )
    ]


def book_sent_cancel(order: LiveOrder, request_id: str, reason: ev.CancelReason) -> list[Event]:
    """A cancel that went out before it could be stored. Where every submission has failed by now, it is the end of the order.

    It bears the key of its time: since then the order may have been found under another one.
    """
    if order.status.is_closed or not request_id.endswith(_next_cancel_ending(order)):
        return []
    asked = ev.CancelRequested(request_id=request_id, reason=reason)
    return [asked] if order.is_at_broker or order.submission_is_open else [asked, _ended_unreached(reason)]


def cancel_unsent(order: LiveOrder, reason: ev.CancelReason, message: str) -> list[Event]:
    """End an intent that surely never reached the broker: stale, halted, or no longer wanted."""
    if order.status.is_closed:
        raise DecisionRefused(f"order {order.order_id} is {order.status} already: there is nothing to cancel")
    if order.is_at_broker or order.submission_is_open:
        raise DecisionRefused(f"order {order.order_id} may be at the broker: ask it to cancel instead")
    return [ev.Cancelled(reason=reason, message=message)]


def next_replace_number(order: LiveOrder) -> int:
    return order.replaces + 1


def next_replace_id(order: LiveOrder) -> str:
    return f"{order.client_order_id}-r{next_replace_number(order)}"


def check_replace(order: LiveOrder, quantity: Decimal | None) -> None:
    """Refuse what must not be asked: a replace of an order that is closed, unknown or already being replaced unknowably."""
    if order.status.is_closed:
        raise DecisionRefused(f"order {order.order_id} is {order.status}: it cannot be replaced")
    if order.submission_is_open:
        raise DecisionRefused(f"order {order.order_id} has not been acknowledged: it cannot be replaced yet")
    if not order.is_at_broker:
        raise DecisionRefused(f"order {order.order_id} is not at the broker: cancel it and send another signal")
    if any(r.is_in_doubt for r in order.requests.values() if r.kind is ev.RequestKind.REPLACE):
        raise DecisionRefused(f"a replace of order {order.order_id} is in doubt: it must be settled first")
    if quantity is not None and quantity <= order.filled_quantity:
        raise DecisionRefused(
            f"quantity: {quantity} is not above the {order.filled_quantity} that are filled; to stop here, cancel the order"
        )


def request_replace(
    order: LiveOrder,
    quantity: Decimal | None,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    reference: Mapping[str, str],
    payload: str,
    deadline: datetime,
) -> list[Event]:
    return [
        ev.ReplaceRequested(
            request_id=next_replace_id(order),
            number=next_replace_number(order),
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            reference=reference,
            payload=payload,
            deadline=deadline,
        )
    ]


def settle_absent(order: LiveOrder, request_id: str, evidence: str, *, by_person: bool = False) -> list[Event]:
    """The request surely never arrived: found by asking beyond the broker's bounds, or told by a person.

    A cancel is wanted all the same; a person who settles it can ask again.
    """
    request = order.requests.get(request_id)
    if request is None:
        return []
    if request.kind is ev.RequestKind.SUBMIT:
        message = f"the broker never received it ({request.unknown_why})"
        return fail_submission(order, request_id, "Absent", message, evidence)
    if request.kind is ev.RequestKind.CANCEL:
        message = f"the broker never received it: {evidence}"
        return [ev.CancelRefused(request_id=request_id, message=message, is_still_wanted=not by_person)]
    return [ev.ReplaceRefused(request_id=request_id, message=f"the broker never received it: {evidence}")]


def settle_all_absent(order: LiveOrder, evidence: str) -> list[Event]:
    """A person says so, of every request in doubt. An order that never arrived ends by it.

    In one step, so that no crash can leave it to be sent again.
    """
    doubtful = [request for request in order.requests.values() if request.is_in_doubt]
    submissions = [request for request in doubtful if request.kind is ev.RequestKind.SUBMIT]
    others = [request for request in doubtful if request.kind is not ev.RequestKind.SUBMIT]
    events = [
        event for request in (*others, *submissions) for event in settle_absent(order, request.request_id, evidence, by_person=True)
    ]
    if submissions and not order.is_at_broker and not any(isinstance(event, ev.Cancelled) for event in events):
        events.append(ev.Cancelled(reason=ev.CancelReason.REQUESTED, message=f"it never reached the broker: {evidence}"))
    return events


def end_forgotten(order: LiveOrder, evidence: str) -> list[Event]:
    """A person says that the broker has it no more: some forget over night what they had."""
    if not order.is_at_broker or order.status.is_closed:
        raise DecisionRefused(f"order {order.order_id} is neither in doubt nor open at the broker")
    return [ev.Cancelled(reason=ev.CancelReason.EXPIRED, message=f"the broker has it no more: {evidence}")]


def request_review(order: LiveOrder, code: str, message: str) -> list[Event]:
    return [] if code in order.reviews else [ev.ReviewRequested(code=code, message=message)]


def resolve_review(order: LiveOrder, evidence: str) -> list[Event]:
    return [ev.ReviewResolved(evidence=evidence)] if order.reviews else []
