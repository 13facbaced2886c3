"""An answer to a question, taken apart into the reports that would have said the same. See `reception`."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from liveorder.domain import execution_report as r
from liveorder.domain.events import Event
from liveorder.domain.lifecycle import Closing, OrderStatus
from liveorder.domain.order import events as ev
from liveorder.domain.order.provisional import anomaly, in_turn, positive, provisionally, review
from liveorder.domain.order.single_reports import (
    accepted,
    changes,
    closed,
    is_fulfilled,
    oddities_of_fill,
    received,
    received_all,
    rejected,
    replaced,
    too_late,
)
from liveorder.domain.order.state import LiveOrder
from liveorder.domain.values import ZERO

_SAME_PRICE = Decimal("1e-9")
"""Prices that differ by less than this part are one: averages are rounded."""
_MOST_INFERRED = 20
"""What was inferred so often is priced anew no more: a broker that tells now one average and now another must not fill the log."""


def taken_apart(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """The events that this answer adds to this order."""
    return in_turn(order, [partial(step, snapshot=snapshot) for step in _STEPS])


def _key(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Under which of the keys that it may have the broker has it."""
    key = snapshot.client_order_id
    is_news = key is not None and key != order.client_order_id and key in order.possible_ids
    return [ev.FoundUnderKey(client_order_id=key)] if key is not None and is_news else []


_HAS_ENDED = (r.BrokerStatus.CANCELLED, r.BrokerStatus.EXPIRED, r.BrokerStatus.REJECTED)


def _presence(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Whatever it says of the order, the broker has it. That it once had an order which is closed here is no news."""
    if snapshot.status is r.BrokerStatus.REJECTED or (snapshot.status in _HAS_ENDED and order.closing is not Closing.NONE):
        return []
    quantity = snapshot.quantity if order.quantity is None else None
    return accepted(order, r.Accepted(broker_order_id=snapshot.broker_order_id, effective_quantity=quantity))


def _listed(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    return received_all(order, snapshot.executions)


def _inferred(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """The part of the broker's total that no execution tells of, at the price that makes the broker's average come out."""
    missing = order.executions.missing_of(snapshot.filled_quantity)
    if missing < 0:
        return _withdrawn(order, snapshot)
    if missing == 0:
        return _priced_anew(order, snapshot)
    filled = _rest(order, snapshot)
    return [filled, *oddities_of_fill(order, provisionally(order, [filled]))]


def _rest(order: LiveOrder, snapshot: r.OrderSnapshot) -> ev.FillInferred:
    total, average = snapshot.filled_quantity, snapshot.average_price
    if average is not None:
        price = order.executions.price_of_missing(total, average)
    else:
        price = order.limit_price or order.terms.decision_price or ZERO
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
    return [withdrawn, _rest(provisionally(order, [withdrawn]), snapshot)]


def _withdrawn(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """A total below ours takes back no fill. But what was inferred of a fill that the broker took back unreported never comes."""
    inferred = order.executions.inferred_remainder()
    is_explained = order.executions.takes_back_the_untold and snapshot.status is not r.BrokerStatus.UNKNOWN
    if inferred is None or not is_explained:
        return []
    withdrawn = ev.FillBusted(execution_id=inferred.execution_id)
    rest = provisionally(order, [withdrawn])
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
    if snapshot.status is r.BrokerStatus.UNKNOWN or not changes(order, stands):
        return []
    asked = [request.terms for request in order.requests.values() if request.terms is not None]
    done = next((terms for terms in asked if is_fulfilled(order, terms, stands)), None)
    if done is None:
        return [stands]
    if len(asked) == 1 and _is_being_replaced(order, snapshot):
        return []
    as_asked = r.OrderReplaced(
        request_id=done.request_id,
        broker_order_id=snapshot.broker_order_id,
        quantity=stands.quantity,
        limit_price=stands.limit_price,
        stop_price=stands.stop_price,
    )
    events = replaced(order, as_asked)
    return [*events, *([stands] if changes(provisionally(order, events), stands) else [])]


def _rests_with_a_limit(snapshot: r.OrderSnapshot) -> bool:
    """Some brokers take a market order for one with a limit that it should meet at once, and keep it where it does not."""
    if snapshot.order_type is None:
        return False
    traits = snapshot.order_type.traits
    can_rest = traits.needs_limit_price or traits.takes_limit_from_fill
    return can_rest and snapshot.limit_price is not None and snapshot.status is r.BrokerStatus.WORKING


def _standing_quantity(order: LiveOrder, snapshot: r.OrderSnapshot) -> Decimal | None:
    """What was filled, reported as the quantity of an order that ended or is overfilled, is no news of its terms."""
    quantity = positive(snapshot.quantity)
    if order.quantity is None or quantity is None:
        return None
    has_ended = snapshot.status in _HAS_ENDED or order.closing is not Closing.NONE
    if has_ended and quantity <= order.filled_quantity:
        return None
    asked = {request.terms.quantity for request in order.requests.values() if request.terms is not None}
    is_what_was_filled = quantity > order.quantity and quantity in (snapshot.filled_quantity, order.filled_quantity)
    return None if is_what_was_filled and quantity not in asked else quantity


def _pending(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """What is pending there is pending here. What is not any more may be done or refused: that answers no request."""
    if snapshot.status in _HAS_ENDED:
        return []
    if snapshot.status is r.BrokerStatus.FILLED:
        return received(order, r.ReplaceIsPending()) if _is_being_replaced(order, snapshot) else []
    steps = [_pending_no_more] if snapshot.status is not r.BrokerStatus.UNKNOWN else []
    return in_turn(order, [partial(step, snapshot=snapshot) for step in (*steps, _still_pending)])


def _pending_no_more(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    is_over = (order.cancel_pending and not snapshot.cancel_pending) or (order.replace_pending and not snapshot.replace_pending)
    return [ev.Acknowledged(broker_order_id=None)] if is_over else []


def _still_pending(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    told: list[r.ExecutionReport] = [r.CancelIsPending()] if snapshot.cancel_pending else []
    return received_all(order, [*told, *([r.ReplaceIsPending()] if snapshot.replace_pending else [])])


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
        return rejected(order, r.OrderRejected(reason=snapshot.reason))
    if snapshot.status in _CAUSE:
        asked = order.cancels > 0 and snapshot.status is r.BrokerStatus.CANCELLED
        cause = r.CloseCause.REQUESTED if asked else _CAUSE[snapshot.status]
        return closed(order, r.OrderClosed(cause=cause, reason=snapshot.reason))
    if snapshot.status is r.BrokerStatus.FILLED:
        is_open = _is_being_replaced(order, snapshot)
        refused = partial(too_late, reason="the order was filled first", spares_replaces=is_open)
        return in_turn(order, [partial(_whole, snapshot=snapshot), refused])
    return []


def _whole(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """Filled, so what is filled is the whole of it, even if less than was ordered, unless the answer tells another quantity."""
    is_short = order.quantity is None or order.filled_quantity < order.quantity
    if not is_short or order.closing is not Closing.NONE:
        return []
    if snapshot.filled_quantity > 0 and not snapshot.quantity:
        return [ev.Restated(quantity=order.filled_quantity, message="filled, and this is the whole of it")]
    told = f"{snapshot.filled_quantity} of {snapshot.quantity}"
    return anomaly(order, "filled_without_fills", f"the broker calls it filled and tells {told}")


def _contradiction(order: LiveOrder, snapshot: r.OrderSnapshot) -> list[Event]:
    """A live order where we have a closed one: it may trade, so a person must know."""
    live = snapshot.status in (r.BrokerStatus.PENDING, r.BrokerStatus.WORKING)
    if not live or order.closing is Closing.NONE or order.status is OrderStatus.FILLED:
        return []
    told = snapshot.native_status or snapshot.status
    message = f"the broker has it {told} while it is {order.closing} here"
    return [*anomaly(order, "live_after_close", message), *review(order, "live_after_close", message)]


_STEPS = (_key, _presence, _listed, _inferred, _terms, _pending, _ending, _contradiction)
