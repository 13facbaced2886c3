"""What a broker's report amounts to. `apply_report` is total: any report on any order gives events, perhaps none, and never raises.

Events from a broker never bounce. What is known already adds nothing; what should not have happened is booked as told, with an
anomaly beside it; what a person must look at asks for a review. An answer to a question (`OrderSnapshot`) is taken apart into the
reports that would have told the same, so that recovery has no second way of doing things.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from liveorder.domain import execution_report as r
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.lifecycle import Closing, OrderStatus
from liveorder.domain.order import events as ev
from liveorder.domain.order.state import LiveOrder, OpenRequest
from liveorder.domain.values import ZERO, Money, TimeInForce

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
_SAME_PRICE = Decimal("1e-9")
"""Prices that differ by less than this part are one: averages are rounded."""
_MOST_INFERRED = 20
"""What was inferred so often is priced anew no more: a broker that tells now one average and now another must not fill the log."""
_LASTS_DAYS = (TimeInForce.GTC, TimeInForce.GTD)


def apply_report(order: LiveOrder, report: r.ExecutionReport) -> list[Event]:
    """The events that this report adds to this order; none when it is old news."""
    if isinstance(report, r.OrderSnapshot):
        return _in_turn(order, [partial(step, snapshot=report) for step in _SNAPSHOT_STEPS])
    named = _named_by(order, report)
    return [*named, *_RECEIVE[type(report)](_provisionally(order, named), report)]


def _key(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Under which of the keys that it may have the broker has it."""
    key = snapshot.client_order_id
    is_news = key is not None and key != order.client_order_id and key in order.possible_ids
    return [ev.FoundUnderKey(client_order_id=key)] if key is not None and is_news else []


def _named_by(order: LiveOrder, report: r.ExecutionReport) -> list[Event]:
    """What comes before the acknowledgement, or in its place, tells the broker's id too: some can be asked by nothing else."""
    if order.status.is_closed or order.broker_order_id is not None or report.broker_order_id is None:
        return []
    return [ev.Acknowledged(broker_order_id=report.broker_order_id)] if isinstance(report, _OF_WHAT_IS_THERE) else []


def _receive_all(order: LiveOrder, reports: Iterable[r.ExecutionReport]) -> list[Event]:
    return _in_turn(order, [partial(apply_report, report=report) for report in reports])


def _in_turn(order: LiveOrder, steps: Iterable[Callable[[LiveOrder], list[Event]]]) -> list[Event]:
    """Each step sees the order as the steps before it left it."""
    events: list[Event] = []
    for step in steps:
        told = step(order)
        events += told
        order = _provisionally(order, told)
    return events


# --- single reports ------------------------------------------------------------------------------------------------------------


def _accepted(order: LiveOrder, report: r.Accepted) -> list[Event]:
    has_new_terms = order.quantity not in (None, order.intent.quantity)
    quantity = None if has_new_terms else _positive(report.effective_quantity)
    is_other = order.broker_order_id is not None and report.broker_order_id not in (None, order.broker_order_id)
    if order.is_acknowledged and is_other:
        code = f"second_broker_order:{report.broker_order_id}"
        return _anomaly(order, code, _second(order, report)) if order.replaces == 0 else []
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
    review = [] if order.is_at_broker else _review(order, "acknowledged_after_close", message)
    return [*_anomaly(order, "acknowledged_after_close", message), *review]


def _second(order: LiveOrder, report: r.Accepted) -> str:
    return f"the broker names a second order {report.broker_order_id} beside {order.broker_order_id} for the same key"


def _rejected(order: LiveOrder, report: r.OrderRejected) -> list[Event]:
    if order.status.is_closed:
        return [*_oddities_of_rejection(order, report), *_too_late(order, "the order was rejected")]
    if order.filled_quantity:
        note = _anomaly(order, "rejected_after_fill", f"rejected with {order.filled_quantity} filled: {report.reason}")
        return [ev.Cancelled(reason=ev.CancelReason.BY_BROKER, message=report.reason), *note]
    return [ev.Rejected(message=report.reason)]


def _oddities_of_rejection(order: LiveOrder, report: r.OrderRejected) -> list[Event]:
    if order.status is OrderStatus.REJECTED or "rejected_after_fill" in order.anomalies:
        return []
    return _anomaly(order, "rejected_after_close", f"rejected while {order.status}: {report.reason}")


def _execution(order: LiveOrder, report: r.Execution) -> list[Event]:
    known = order.executions.told.get(report.execution_id)
    if known is not None:
        if (known.quantity, known.price) != (report.quantity, report.price):
            return _conflict(order, report)
        return _late_commission(order, report)
    if report.quantity <= 0:
        return _anomaly(order, f"empty_execution:{report.execution_id}", f"a fill of {report.quantity}")
    filled = ev.Filled(
        execution_id=report.execution_id,
        quantity=report.quantity,
        price=report.price,
        commission=report.commission,
        commission_currency=_foreign(order, report.commission_currency),
        filled_at=report.occurred_at,
    )
    told: list[Event] = [filled]
    return told if _is_ordinary(order, filled) else [*told, *_oddities_of_fill(order, _provisionally(order, told))]


def _is_ordinary(order: LiveOrder, fill: ev.Filled) -> bool:
    """Whether nothing can be strange about it, which is told without booking it: of an order at work, and within its quantity."""
    if order.quantity is None or order.closing is not Closing.NONE or not order.is_sent:
        return False
    return order.executions.quantity_with(fill.quantity) <= order.quantity


def _conflict(order: LiveOrder, report: r.Execution | r.ExecutionCorrected) -> list[Event]:
    message = f"execution {report.execution_id} told again as {report.quantity} @ {report.price}; the first telling stands"
    return _anomaly(order, f"execution_conflict:{report.execution_id}", message)


def _late_commission(order: LiveOrder, report: r.Execution | r.ExecutionCorrected) -> list[Event]:
    """What was told of it before is no news, whatever was told since: of two ways of telling, one may lag."""
    first = order.executions.told[report.execution_id].commission
    told = order.money(report.commission, report.commission_currency)
    if told is None or told in (first, *order.executions.charged.get(report.execution_id, ())):
        return []
    return [_charged(order, report.execution_id, told)]


def _oddities_of_fill(before: LiveOrder, after: LiveOrder) -> list[Event]:
    """What is strange about a fill that was just booked. One that takes the place of an inferred one is not."""
    is_late = before.closing is not Closing.NONE and after.filled_quantity > before.filled_quantity
    note = _anomaly(before, "fill_after_close", f"filled while {before.status}") if is_late else []
    return [*note, *_oddities_of_quantity(before, after)]


def _oddities_of_quantity(before: LiveOrder, after: LiveOrder) -> list[Event]:
    """What is strange about a filled quantity that has just grown."""
    odd: list[Event] = []
    if after.filled_quantity <= before.filled_quantity:
        return odd
    if before.closing is Closing.REJECTED:
        odd += _review(before, "fill_after_rejection", "the broker rejected this order and filled it")
    if not before.is_sent:
        odd += _review(before, "fill_without_submission", "the broker filled an order that we never sent")
    if after.quantity is not None and after.filled_quantity > after.quantity:
        odd += _anomaly(before, "overfill", f"{after.filled_quantity} filled of {after.quantity} ordered")
    return odd


def _corrected(order: LiveOrder, report: r.ExecutionCorrected) -> list[Event]:
    if (known := order.executions.told.get(report.execution_id)) is not None:
        is_same = (known.quantity, known.price, known.corrects) == (report.quantity, report.price, report.corrects)
        return _late_commission(order, report) if is_same else _conflict(order, report)
    if report.quantity < 0:
        return _anomaly(order, f"empty_execution:{report.execution_id}", f"a correction to {report.quantity}")
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
    return [corrected, *_oddities_of_quantity(order, _provisionally(order, [corrected]))]


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


def _closed(order: LiveOrder, report: r.OrderClosed) -> list[Event]:
    if report.cause is r.CloseCause.DONE_FOR_DAY and order.intent.time_in_force in _LASTS_DAYS:
        return [] if order.is_at_broker else _accepted(order, r.Accepted(broker_order_id=report.broker_order_id))
    is_closed = order.closing is Closing.CANCELLED or (order.closing is Closing.REJECTED and not order.filled_quantity)
    if is_closed and not order.cancel_requested:
        return []
    return [ev.Cancelled(reason=_cancel_reason(order, report.cause), message=report.reason)]


def _cancel_reason(order: LiveOrder, cause: r.CloseCause) -> ev.CancelReason:
    """Our own reason when we asked for it, whatever the broker calls it."""
    if cause in (r.CloseCause.EXPIRED, r.CloseCause.DONE_FOR_DAY):
        return ev.CancelReason(cause.value)
    asked = [request.cancel_reason for request in order.requests.values() if request.cancel_reason is not None]
    return asked[0] if asked else ev.CancelReason(cause.value)


def _replace_pending(order: LiveOrder, report: r.ReplaceIsPending) -> list[Event]:
    ended = order.status in (OrderStatus.CANCELLED, OrderStatus.REJECTED)
    return [ev.ReplacePending()] if not ended and _begins(order, ev.RequestKind.REPLACE, report.request_id) else []


def _replaced(order: LiveOrder, report: r.OrderReplaced) -> list[Event]:
    if report.request_id in order.replaced:
        return []
    request = _replace_answered(order, report)
    if request is None and _repeats(order, report):
        return []
    terms = request.terms if request is not None else None
    replaced = ev.Replaced(
        request_id=request.request_id if request is not None else report.request_id,
        broker_order_id=report.broker_order_id,
        quantity=_positive(report.quantity) or (terms.quantity if terms else None),
        limit_price=report.limit_price if report.limit_price is not None or not terms else terms.limit_price,
        stop_price=report.stop_price if report.stop_price is not None or not terms else terms.stop_price,
    )
    if request is None and not order.replace_pending and not _changes(order, replaced):
        return []
    ended = order.closing is not Closing.NONE
    return [replaced, *(_anomaly(order, "replaced_after_close", f"replaced while {order.status}") if ended else [])]


def _replace_answered(order: LiveOrder, report: r.OrderReplaced) -> OpenRequest | None:
    """The open replace that an answer means: the one it names, else the one whose terms it reports, else the oldest.

    None when it names one that is not open, or reports no more than the terms that stand already.
    """
    replaces = {key: request for key, request in order.requests.items() if request.terms is not None}
    if report.request_id is not None:
        return replaces.get(report.request_id)
    fulfilled = (each for each in replaces.values() if each.terms is not None and _is_fulfilled(order, each.terms, report))
    oldest = None if _repeats(order, report) else next(iter(replaces.values()), None)
    return next(fulfilled, oldest)


def _repeats(order: LiveOrder, report: r.OrderReplaced) -> bool:
    """Whether it reports terms, by no name, and all of them stand already while another replace is open."""
    has_terms = (report.quantity, report.limit_price, report.stop_price) != (None, None, None)
    return report.request_id is None and order.replace_requested and has_terms and not _changes(order, report)


def _changes(order: LiveOrder, event: ev.Replaced | ev.Restated | r.OrderReplaced) -> bool:
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
        quantity=_positive(report.quantity),
        limit_price=report.limit_price,
        stop_price=report.stop_price,
        split_ratio=_positive(report.split_ratio),
        message=report.reason,
    )
    if (restated.quantity, restated.split_ratio) == (report.quantity, report.split_ratio):
        return [restated]
    return _anomaly(order, "impossible_restatement", f"restated to {report.quantity}, split by {report.split_ratio}")


def _triggered(order: LiveOrder, report: r.OrderTriggered) -> list[Event]:
    return [] if order.is_triggered else [ev.Triggered()]


# --- an answer, taken apart ----------------------------------------------------------------------------------------------------


_HAS_ENDED = (r.BrokerStatus.CANCELLED, r.BrokerStatus.EXPIRED, r.BrokerStatus.REJECTED)


def _presence(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Whatever it says of the order, the broker has it. That it once had an order which is closed here is no news."""
    if snapshot.status is r.BrokerStatus.REJECTED or (snapshot.status in _HAS_ENDED and order.closing is not Closing.NONE):
        return []
    quantity = snapshot.quantity if order.quantity is None else None
    return _accepted(order, r.Accepted(broker_order_id=snapshot.broker_order_id, effective_quantity=quantity))


def _listed(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    return _receive_all(order, snapshot.executions)


def _inferred(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """The part of the broker's total that no execution tells of, at the price that makes the broker's average come out."""
    missing = order.executions.missing_of(snapshot.filled_quantity)
    if missing < 0:
        return _withdrawn(order, snapshot)
    if missing == 0:
        return _priced_anew(order, snapshot)
    filled = _rest(order, snapshot)
    return [filled, *_oddities_of_fill(order, _provisionally(order, [filled]))]


def _rest(order: LiveOrder, snapshot: r.OrderSnapshot) -> ev.FillInferred:
    total, average = snapshot.filled_quantity, snapshot.average_price
    if average is not None:
        price = order.executions.price_of_missing(total, average)
    else:
        price = order.limit_price or order.intent.decision_price or ZERO
    return ev.FillInferred(
        execution_id=f"inferred-{len(order.executions.inferred) + 1}",
        quantity=order.executions.missing_of(total),
        price=price,
        evidence=f"the broker tells {total:f} filled at {'no price' if average is None else average}",
        filled_at=snapshot.occurred_at,
    )


def _priced_anew(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """The total that we know at another average: what was inferred of it was priced by less than is known now."""
    inferred, known, told = order.executions.inferred_remainder(), order.average_price, snapshot.average_price
    is_last = len(order.executions.inferred) >= _MOST_INFERRED
    if inferred is None or is_last or known is None or told is None or abs(known - told) <= abs(told) * _SAME_PRICE:
        return []
    withdrawn = ev.FillBusted(execution_id=inferred.execution_id)
    return [withdrawn, _rest(_provisionally(order, [withdrawn]), snapshot)]


def _withdrawn(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """A total below ours takes back no fill. But what was inferred of a fill that the broker took back unreported never comes."""
    inferred = order.executions.inferred_remainder()
    is_explained = order.executions.takes_back_the_untold and snapshot.status is not r.BrokerStatus.UNKNOWN
    if inferred is None or not is_explained:
        return []
    withdrawn = ev.FillBusted(execution_id=inferred.execution_id)
    rest = _provisionally(order, [withdrawn])
    is_short = rest.executions.missing_of(snapshot.filled_quantity) > 0
    return [withdrawn, *([_rest(rest, snapshot)] if is_short else [])]


def _terms(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Terms that differ from ours: the replace that we asked for, if it asked for these, else a change by the broker.

    A replace that is pending is not done, and can still be refused, though some brokers show its terms by then.
    """
    has_become_limited = order.limit_price is None and _rests_with_a_limit(snapshot)
    stands = ev.Restated(
        quantity=_standing_quantity(order, snapshot),
        limit_price=snapshot.limit_price if order.limit_price is not None or has_become_limited else None,
        stop_price=snapshot.stop_price if order.stop_price is not None else None,
        message=f"it rests there as a {snapshot.order_type} order" if has_become_limited else "found so by asking",
    )
    if snapshot.status is r.BrokerStatus.UNKNOWN or not _changes(order, stands):
        return []
    asked = [request.terms for request in order.requests.values() if request.terms is not None]
    done = next((terms for terms in asked if _is_fulfilled(order, terms, stands)), None)
    if done is None:
        return [stands]
    if len(asked) == 1 and _is_being_replaced(order, snapshot):
        return []
    replaced = r.OrderReplaced(
        request_id=done.request_id,
        broker_order_id=snapshot.broker_order_id,
        quantity=stands.quantity,
        limit_price=stands.limit_price,
        stop_price=stands.stop_price,
    )
    events = _replaced(order, replaced)
    return [*events, *([stands] if _changes(_provisionally(order, events), stands) else [])]


def _rests_with_a_limit(snapshot: r.OrderSnapshot) -> bool:
    """Some brokers take a market order for one with a limit that it should meet at once, and keep it where it does not."""
    if snapshot.order_type is None:
        return False
    traits = snapshot.order_type.traits
    can_rest = traits.needs_limit_price or traits.takes_limit_from_fill
    return can_rest and snapshot.limit_price is not None and snapshot.status is r.BrokerStatus.WORKING


def _standing_quantity(order: LiveOrder, snapshot: r.OrderSnapshot) -> Decimal | None:
    """What was filled, reported as the quantity of an order that ended or is overfilled, is no news of its terms."""
    quantity = _positive(snapshot.quantity)
    if order.quantity is None or quantity is None:
        return None
    has_ended = snapshot.status in _HAS_ENDED or order.closing is not Closing.NONE
    if has_ended and quantity <= order.filled_quantity:
        return None
    asked = {request.terms.quantity for request in order.requests.values() if request.terms is not None}
    is_what_was_filled = quantity > order.quantity and quantity in (snapshot.filled_quantity, order.filled_quantity)
    return None if is_what_was_filled and quantity not in asked else quantity


def _is_fulfilled(order: LiveOrder, asked: ev.ReplaceRequested, stands: ev.Restated | r.OrderReplaced) -> bool:
    pairs = (
        (asked.quantity and order.quantity_restated(asked.quantity), stands.quantity),
        (asked.limit_price, stands.limit_price),
        (asked.stop_price, stands.stop_price),
    )
    return all(wanted is None or wanted == found for wanted, found in pairs)


def _pending(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """What is pending there is pending here. What is not any more may be done or refused: that answers no request."""
    if snapshot.status in _HAS_ENDED:
        return []
    if snapshot.status is r.BrokerStatus.FILLED:
        return apply_report(order, r.ReplaceIsPending()) if _is_being_replaced(order, snapshot) else []
    steps = [_pending_no_more] if snapshot.status is not r.BrokerStatus.UNKNOWN else []
    return _in_turn(order, [partial(step, snapshot=snapshot) for step in (*steps, _still_pending)])


def _pending_no_more(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    is_over = (order.cancel_pending and not snapshot.cancel_pending) or (order.replace_pending and not snapshot.replace_pending)
    return [ev.Acknowledged(broker_order_id=None)] if is_over else []


def _still_pending(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    told: list[r.ExecutionReport] = [r.CancelIsPending()] if snapshot.cancel_pending else []
    return _receive_all(order, [*told, *([r.ReplaceIsPending()] if snapshot.replace_pending else [])])


def _is_being_replaced(order: LiveOrder, snapshot: r.OrderSnapshot) -> bool:
    """Whether a replace of ours is under way, which lets even a filled order trade more."""
    return snapshot.replace_pending and order.replace_requested and snapshot.status not in _HAS_ENDED


_CAUSE = {
    r.BrokerStatus.CANCELLED: r.CloseCause.BY_BROKER,
    r.BrokerStatus.EXPIRED: r.CloseCause.EXPIRED,
}


def _ending(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """What a final status says: the end itself, and that requests which came too late were for nothing."""
    if snapshot.status is r.BrokerStatus.REJECTED:
        return _rejected(order, r.OrderRejected(reason=snapshot.reason))
    if snapshot.status in _CAUSE:
        asked = order.cancels > 0 and snapshot.status is r.BrokerStatus.CANCELLED
        cause = r.CloseCause.REQUESTED if asked else _CAUSE[snapshot.status]
        return _closed(order, r.OrderClosed(cause=cause, reason=snapshot.reason))
    if snapshot.status is r.BrokerStatus.FILLED:
        is_open = _is_being_replaced(order, snapshot)
        refused = partial(_too_late, reason="the order was filled first", spares_replaces=is_open)
        return _in_turn(order, [partial(_whole, snapshot=snapshot), refused])
    return []


def _whole(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Filled, so what is filled is the whole of it, even if less than was ordered, unless the answer tells another quantity."""
    is_short = order.quantity is None or order.filled_quantity < order.quantity
    if not is_short or order.closing is not Closing.NONE:
        return []
    if snapshot.filled_quantity > 0 and not snapshot.quantity:
        return [ev.Restated(quantity=order.filled_quantity, message="filled, and this is the whole of it")]
    told = f"{snapshot.filled_quantity} of {snapshot.quantity}"
    return _anomaly(order, "filled_without_fills", f"the broker calls it filled and tells {told}")


def _too_late(order: LiveOrder, reason: str, *, spares_replaces: bool = False) -> list[Event]:
    """No request that is still open will be done, but for replaces that are under way."""
    open_ids = [(request.kind, request.request_id) for request in order.requests.values()]
    cancels = [r.CancelRejected(reason=reason, request_id=key) for kind, key in open_ids if kind is ev.RequestKind.CANCEL]
    replaces = [r.ReplaceRejected(reason=reason, request_id=key) for kind, key in open_ids if kind is ev.RequestKind.REPLACE]
    refused = [*cancels, r.CancelRejected(reason=reason)]
    return _receive_all(order, refused if spares_replaces else [*refused, *replaces, r.ReplaceRejected(reason=reason)])


def _contradiction(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """A live order where we have a closed one: it may trade, so a person must know."""
    live = snapshot.status in (r.BrokerStatus.PENDING, r.BrokerStatus.WORKING)
    if not live or order.closing is Closing.NONE or order.status is OrderStatus.FILLED:
        return []
    told = snapshot.native_status or snapshot.status
    message = f"the broker has it {told} while it is {order.closing} here"
    return [*_anomaly(order, "live_after_close", message), *_review(order, "live_after_close", message)]


_SNAPSHOT_STEPS = (_key, _presence, _listed, _inferred, _terms, _pending, _ending, _contradiction)


# --- common --------------------------------------------------------------------------------------------------------------------


def _positive(quantity: Decimal | None) -> Decimal | None:
    """No broker means an order of nothing: a quantity that is not above zero was not told."""
    return quantity if quantity is not None and quantity > 0 else None


def _anomaly(order: LiveOrder, code: str, message: str) -> list[Event]:
    """Once for each code: polling the same oddity does not fill the log."""
    return [] if code in order.anomalies else [ev.AnomalyNoted(code=code, message=message)]


def _review(order: LiveOrder, code: str, message: str) -> list[Event]:
    return [] if code in order.reviews else [ev.ReviewRequested(code=code, message=message)]


_NOBODY = Envelope(
    event_id=UUID(int=0), actor="provisional", epoch=0, correlation_id="", recorded_at=datetime.fromtimestamp(0, UTC)
)


def _provisionally(order: LiveOrder, events: Sequence[Event]) -> LiveOrder:
    """The order as it would be, for deciding the next event; nothing of this is kept."""
    if not events:
        return order
    return order.apply([RecordedEvent(order.order_id, order.version + i, _NOBODY, event) for i, event in enumerate(events, 1)])


_RECEIVE: dict[type[r.ExecutionReport], Callable[[LiveOrder, Any], list[Event]]] = {
    r.Accepted: _accepted,
    r.OrderRejected: _rejected,
    r.Execution: _execution,
    r.ExecutionCorrected: _corrected,
    r.ExecutionBusted: _busted,
    r.Commission: _commission,
    r.CancelIsPending: _cancel_pending,
    r.CancelRejected: _cancel_rejected,
    r.OrderClosed: _closed,
    r.ReplaceIsPending: _replace_pending,
    r.OrderReplaced: _replaced,
    r.ReplaceRejected: _replace_rejected,
    r.OrderRestated: _restated,
    r.OrderTriggered: _triggered,
}
