"""What one report of a broker amounts to, that is no answer to a question. See `reception`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from liveorder.domain import execution_report as r
from liveorder.domain.events import Event
from liveorder.domain.lifecycle import Closing, OrderStatus
from liveorder.domain.order import events as ev
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.provisional import anomaly, in_turn, positive, provisionally, review
from liveorder.domain.order.state import LiveOrder
from liveorder.domain.values import Money, TimeInForce

_OF_WHAT_IS_THERE = (
    r.Execution,
    r.ExecutionCorrected,
    r.ExecutionBusted,
    r.Commission,
    r.CancelIsPending,
    r.ReplaceIsPending,
    r.OrderRestated,
    r.OrderTriggered,
)
"""Reports of an order that the broker has, whatever else they tell."""
_LASTS_DAYS = (TimeInForce.GTC, TimeInForce.GTD)


def received(order: LiveOrder, report: r.ExecutionReport) -> list[Event]:
    """The events that this report adds to this order."""
    named = _named_by(order, report)
    return [*named, *_RECEIVE[type(report)](provisionally(order, named), report)]


def _named_by(order: LiveOrder, report: r.ExecutionReport) -> list[Event]:
    """What comes before the acknowledgement, or in its place, tells the broker's id too: some can be asked by nothing else."""
    if order.status.is_closed or order.broker_order_id is not None or report.broker_order_id is None:
        return []
    return [ev.Acknowledged(broker_order_id=report.broker_order_id)] if isinstance(report, _OF_WHAT_IS_THERE) else []


def accepted(order: LiveOrder, report: r.Accepted) -> list[Event]:
    has_new_terms = order.quantity not in (None, order.terms.quantity)
    quantity = None if has_new_terms else positive(report.effective_quantity)
    is_other = order.broker_order_id is not None and report.broker_order_id not in (None, order.broker_order_id)
    if order.is_acknowledged and is_other:
        code = f"second_broker_order:{report.broker_order_id}"
        return anomaly(order, code, _second(order, report)) if order.replaces == 0 else []
    learns_id = order.broker_order_id is None and report.broker_order_id is not None
    if order.is_acknowledged and not learns_id and (quantity is None or order.quantity is not None):
        return []
    acknowledged = ev.Acknowledged(broker_order_id=report.broker_order_id, effective_quantity=quantity)
    return [acknowledged, *_oddities_of_acknowledgement(order)]


def _oddities_of_acknowledgement(order: LiveOrder) -> list[Event]:
    """Late word of an order that the broker closed is harmless; one that we closed, as never sent, may be live."""
    if order.is_acknowledged or order.status not in (OrderStatus.CANCELLED, OrderStatus.REJECTED):
        return []
    message = f"acknowledged while {order.status}"
    asked = [] if order.is_at_broker else review(order, "acknowledged_after_close", message)
    return [*anomaly(order, "acknowledged_after_close", message), *asked]


def _second(order: LiveOrder, report: r.Accepted) -> str:
    return f"the broker names a second order {report.broker_order_id} beside {order.broker_order_id} for the same key"


def rejected(order: LiveOrder, report: r.OrderRejected) -> list[Event]:
    if order.status.is_closed:
        return [*_oddities_of_rejection(order, report), *too_late(order, "the order was rejected")]
    if order.filled_quantity:
        note = anomaly(order, "rejected_after_fill", f"rejected with {order.filled_quantity} filled: {report.reason}")
        return [ev.Cancelled(reason=ev.CancelReason.BY_BROKER, message=report.reason), *note]
    return [ev.Rejected(message=report.reason)]


def _oddities_of_rejection(order: LiveOrder, report: r.OrderRejected) -> list[Event]:
    if order.status is OrderStatus.REJECTED or "rejected_after_fill" in order.anomalies:
        return []
    return anomaly(order, "rejected_after_close", f"rejected while {order.status}: {report.reason}")


def _execution(order: LiveOrder, report: r.Execution) -> list[Event]:
    known = order.executions.reported.get(report.execution_id)
    if known is not None:
        if (known.quantity, known.price) != (report.quantity, report.price):
            return _conflict(order, report)
        return _late_commission(order, report)
    if report.quantity <= 0:
        return anomaly(order, f"empty_execution:{report.execution_id}", f"a fill of {report.quantity}")
    filled = ev.Filled(
        execution_id=report.execution_id,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        commission_currency=_foreign(order, report.commission_currency),
        filled_at=report.occurred_at,
    )
    told: list[Event] = [filled]
    return told if _is_ordinary(order, filled) else [*told, *oddities_of_fill(order, provisionally(order, told))]


def _is_ordinary(order: LiveOrder, fill: ev.Filled) -> bool:
    """Whether nothing can be strange about it, which is told without booking it: of an order at work, and within its quantity."""
    if order.quantity is None or order.closing is not Closing.NONE or not order.is_sent:
        return False
    return order.executions.quantity_with(fill.quantity) <= order.quantity


def _conflict(order: LiveOrder, report: r.Execution | r.ExecutionCorrected) -> list[Event]:
    message = f"execution {report.execution_id} told again as {report.quantity} @ {report.price}; the first telling stands"
    return anomaly(order, f"execution_conflict:{report.execution_id}", message)


def _late_commission(order: LiveOrder, report: r.Execution | r.ExecutionCorrected) -> list[Event]:
    """What was told of it before is no news, whatever was told since: of two ways of telling, one may lag."""
    first = order.executions.reported[report.execution_id].commission
    told = order.money(report.commission, report.commission_currency)
    if told is None or told in (first, *order.executions.charged.get(report.execution_id, ())):
        return []
    return [_charged(order, report.execution_id, told)]


def oddities_of_fill(before: LiveOrder, after: LiveOrder) -> list[Event]:
    """What is strange about a fill that was just booked. One that takes the place of an inferred one is not."""
    is_late = before.closing is not Closing.NONE and after.filled_quantity > before.filled_quantity
    note = anomaly(before, "fill_after_close", f"filled while {before.status}") if is_late else []
    return [*note, *_oddities_of_quantity(before, after)]


def _oddities_of_quantity(before: LiveOrder, after: LiveOrder) -> list[Event]:
    """What is strange about a filled quantity that has just grown."""
    odd: list[Event] = []
    if after.filled_quantity <= before.filled_quantity:
        return odd
    if before.closing is Closing.REJECTED:
        odd += review(before, "fill_after_rejection", "the broker rejected this order and filled it")
    if not before.is_sent:
        odd += review(before, "fill_without_submission", "the broker filled an order that we never sent")
    if after.quantity is not None and after.filled_quantity > after.quantity:
        odd += anomaly(before, "overfill", f"{after.filled_quantity} filled of {after.quantity} ordered")
    return odd


def _corrected(order: LiveOrder, report: r.ExecutionCorrected) -> list[Event]:
    if (known := order.executions.reported.get(report.execution_id)) is not None:
        is_same = (known.quantity, known.price, known.corrects) == (report.quantity, report.price, report.corrects)
        return _late_commission(order, report) if is_same else _conflict(order, report)
    if report.quantity < 0:
        return anomaly(order, f"empty_execution:{report.execution_id}", f"a correction to {report.quantity}")
    corrected = ev.FillCorrected(
        execution_id=report.execution_id,
        corrects=report.corrects,
        supersedes=report.supersedes,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        commission_currency=_foreign(order, report.commission_currency),
        filled_at=report.occurred_at,
    )
    return [corrected, *_oddities_of_quantity(order, provisionally(order, [corrected]))]


def _busted(order: LiveOrder, report: r.ExecutionBusted) -> list[Event]:
    if report.execution_id in order.executions.busted:
        return []
    return [ev.FillBusted(execution_id=report.execution_id)]


def _commission(order: LiveOrder, report: r.Commission) -> list[Event]:
    told = order.money(report.commission, report.commission_currency)
    if order.executions.charged.get(report.execution_id, (None,))[-1] == told:
        return []
    return [_charged(order, report.execution_id, told)]


def _charged(order: LiveOrder, execution_id: str, commission: Money) -> Event:
    currency = _foreign(order, commission.currency)
    return ev.CommissionReported(execution_id=execution_id, commission=commission.amount, commission_currency=currency)


def _foreign(order: LiveOrder, currency: str | None) -> str | None:
    """None for the instrument's own."""
    return None if currency == order.intent.instrument.currency else currency


def _cancel_pending(order: LiveOrder, report: r.CancelIsPending) -> list[Event]:
    is_over = order.closing is not Closing.NONE or order.is_finished
    is_news = not is_over and _begins(order, ev.RequestKind.CANCEL, report.request_id)
    return [ev.CancelPending()] if is_news else []


def _begins(order: LiveOrder, kind: ev.RequestKind, request_id: str | None) -> bool:
    """Whether "pending" is news: of a request that is open and not pending, or, naming none, when none of the kind is pending.

    A request that is not open any more has its end already, which was reported by another way.
    """
    if request_id is None:
        return not order.is_pending(kind)
    return request_id in order.requests and not order.requests[request_id].is_pending


def _cancel_rejected(order: LiveOrder, report: r.CancelRejected) -> list[Event]:
    if not _is_answer(order, ev.RequestKind.CANCEL, report.request_id, order.cancel_pending):
        return []
    return [ev.CancelRefused(request_id=report.request_id, message=report.reason)]


def _is_answer(order: LiveOrder, kind: ev.RequestKind, request_id: str | None, is_pending: bool) -> bool:
    """Whether a refusal answers anything: a request told of twice must not settle the next one."""
    asked = [request.request_id for request in order.requests.values() if request.kind is kind]
    return request_id is None or request_id in asked if asked else is_pending


def closed(order: LiveOrder, report: r.OrderClosed) -> list[Event]:
    if report.cause is r.CloseCause.DONE_FOR_DAY and order.terms.time_in_force in _LASTS_DAYS:
        return [] if order.is_at_broker else accepted(order, r.Accepted(broker_order_id=report.broker_order_id))
    is_closed = order.closing is Closing.CANCELLED or (order.closing is Closing.REJECTED and not order.filled_quantity)
    if is_closed and not order.cancel_requested:
        return []
    return [ev.Cancelled(reason=_cancel_reason(order, report.cause), message=report.reason)]


def _cancel_reason(order: LiveOrder, cause: r.CloseCause) -> ev.CancelReason:
    """Our own reason when we asked for it, whatever the broker calls it; also of a cancel that was taken for lost and came late."""
    if cause in (r.CloseCause.EXPIRED, r.CloseCause.DONE_FOR_DAY):
        return ev.CancelReason(cause.value)
    asked = [request.cancel_reason for request in order.requests.values() if request.cancel_reason is not None]
    if not asked and order.cancel_wish is not None and cause is r.CloseCause.REQUESTED:
        return order.cancel_wish
    return asked[0] if asked else ev.CancelReason(cause.value)


def _replace_pending(order: LiveOrder, report: r.ReplaceIsPending) -> list[Event]:
    ended = order.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
    return [ev.ReplacePending()] if not ended and _begins(order, ev.RequestKind.REPLACE, report.request_id) else []


def replaced(order: LiveOrder, report: r.OrderReplaced) -> list[Event]:
    if report.request_id in order.replaced:
        return []
    request = _replace_answered(order, report)
    if request is None and _repeats(order, report):
        return []
    terms = request.terms if request is not None else None
    replaced = ev.Replaced(
        request_id=request.request_id if request is not None else report.request_id,
        broker_order_id=report.broker_order_id,
        quantity=positive(report.quantity) or (terms.quantity if terms else None),
        limit_price=report.limit_price if report.limit_price is not None or not terms else terms.limit_price,
        stop_price=report.stop_price if report.stop_price is not None or not terms else terms.stop_price,
    )
    if request is None and not order.replace_pending and not changes(order, replaced):
        return []
    ended = order.closing is not Closing.NONE
    return [replaced, *(anomaly(order, "replaced_after_close", f"replaced while {order.status}") if ended else [])]


def _replace_answered(order: LiveOrder, report: r.OrderReplaced) -> OpenRequest | None:
    """The open replace that an answer means: the one it names, else the one whose terms it reports, else the oldest.

    None when it names one that is not open, or reports no more than the terms that stand already.
    """
    replaces = {key: request for key, request in order.requests.items() if request.terms is not None}
    if report.request_id is not None:
        return replaces.get(report.request_id)
    fulfilled = (each for each in replaces.values() if each.terms is not None and is_fulfilled(order, each.terms, report))
    oldest = None if _repeats(order, report) else next(iter(replaces.values()), None)
    return next(fulfilled, oldest)


def is_fulfilled(order: LiveOrder, asked: ev.ReplaceRequested, stands: ev.Restated | r.OrderReplaced) -> bool:
    pairs = (
        (asked.quantity and order.quantity_restated(asked.quantity), stands.quantity),
        (asked.limit_price, stands.limit_price),
        (asked.stop_price, stands.stop_price),
    )
    return all(wanted is None or wanted == found for wanted, found in pairs)


def _repeats(order: LiveOrder, report: r.OrderReplaced) -> bool:
    """Whether it reports terms, by no name, and all of them stand already while another replace is open."""
    has_terms = (report.quantity, report.limit_price, report.stop_price) != (None, None, None)
    return report.request_id is None and order.replace_requested and has_terms and not changes(order, report)


def changes(order: LiveOrder, event: ev.Replaced | ev.Restated | r.OrderReplaced) -> bool:
    quantity = None if event.quantity is None else order.quantity_restated(event.quantity)
    return (
        quantity not in (None, order.quantity)
        or event.limit_price not in (None, order.limit_price)
        or event.stop_price not in (None, order.stop_price)
        or (not isinstance(event, ev.Restated) and event.broker_order_id not in (None, order.broker_order_id))
    )


def _replace_rejected(order: LiveOrder, report: r.ReplaceRejected) -> list[Event]:
    if not _is_answer(order, ev.RequestKind.REPLACE, report.request_id, order.replace_pending):
        return []
    return [ev.ReplaceRefused(request_id=report.request_id, message=report.reason)]


def _restated(order: LiveOrder, report: r.OrderRestated) -> list[Event]:
    """Always news: nothing tells a second restatement from the first one told twice."""
    restated = ev.Restated(
        quantity=positive(report.quantity),
        limit_price=report.limit_price,
        stop_price=report.stop_price,
        split_ratio=positive(report.split_ratio),
        message=report.reason,
    )
    if (restated.quantity, restated.split_ratio) == (report.quantity, report.split_ratio):
        return [restated]
    return anomaly(order, "impossible_restatement", f"restated to {report.quantity}, split by {report.split_ratio}")


def _triggered(order: LiveOrder, report: r.OrderTriggered) -> list[Event]:
    return [] if order.is_triggered else [ev.Triggered()]


def received_all(order: LiveOrder, reports: Iterable[r.ExecutionReport]) -> list[Event]:
    return in_turn(order, [partial(received, report=report) for report in reports])


def too_late(order: LiveOrder, reason: str, *, spares_replaces: bool = False) -> list[Event]:
    """No request that is still open will be done, but for replaces that are under way."""
    open_ids = [(request.kind, request.request_id) for request in order.requests.values()]
    cancels = [r.CancelRejected(reason=reason, request_id=key) for kind, key in open_ids if kind is ev.RequestKind.CANCEL]
    replaces = [r.ReplaceRejected(reason=reason, request_id=key) for kind, key in open_ids if kind is ev.RequestKind.REPLACE]
    refused = [*cancels, r.CancelRejected(reason=reason)]
    return received_all(order, refused if spares_replaces else [*refused, *replaces, r.ReplaceRejected(reason=reason)])


_RECEIVE: dict[type[r.ExecutionReport], Callable[[LiveOrder, Any], list[Event]]] = {
    r.Accepted: accepted,
    r.OrderRejected: rejected,
    r.Execution: _execution,
    r.ExecutionCorrected: _corrected,
    r.ExecutionBusted: _busted,
    r.Commission: _commission,
    r.CancelIsPending: _cancel_pending,
    r.CancelRejected: _cancel_rejected,
    r.OrderClosed: closed,
    r.ReplaceIsPending: _replace_pending,
    r.OrderReplaced: replaced,
    r.ReplaceRejected: _replace_rejected,
    r.OrderRestated: _restated,
    r.OrderTriggered: _triggered,
}
