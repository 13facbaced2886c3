"""What several kinds of event do to an order. Only events call these, while the order is folded."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import Closing
from liveorder.domain.order.executions import Executions
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.vocabulary import RequestKind

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


def reach_broker(order: LiveOrder) -> None:
    """Whatever a broker reports of the order settles the doubt whether the submission arrived.

    One that waits to be sent was sent before its store was restored: it waits no more.
    """
    order.is_at_broker = True
    if order.wait is not None:
        order.wait = order.error_message = None
    if order.submission_is_open:
        order.requests = {key: each for key, each in order.requests.items() if each.kind is not RequestKind.SUBMIT}


def close_as(order: LiveOrder, closing: Closing) -> None:
    """The first cause stands; but a rejection that has fills is overruled by a cancel."""
    if order.closing is Closing.NONE or (closing is Closing.CANCELLED and order.filled_quantity > 0):
        order.closing = closing
    order.pending_elsewhere = frozenset()
    order.cancel_wish = None
    order.requests = {}


def restate(order: LiveOrder, quantity: Decimal | None, limit_price: Decimal | None, stop_price: Decimal | None) -> None:
    if quantity is not None:
        order.quantity = order.quantity_restated(quantity)
    order.limit_price = order.limit_price if limit_price is None else limit_price
    order.stop_price = order.stop_price if stop_price is None else stop_price


def count(order: LiveOrder, executions: Executions, item: RecordedEvent) -> None:
    if executions.totals.quantity < order.filled_quantity:
        order.taken_back_at = item.envelope.recorded_at
    order.executions = executions


def answer(order: LiveOrder, kind: RequestKind, request_id: str | None) -> OpenRequest | None:
    """An answer settles the request that it names, or the oldest of its kind when it names none; that request, if any.

    One that settles none of ours was given to others, and what they asked for is pending no more.
    """
    if request_id is None:
        request_id = next((key for key, request in order.requests.items() if request.kind is kind), None)
    request = order.requests.pop(request_id, None) if request_id is not None else None
    if request is None:
        order.pending_elsewhere -= {kind}
    return request


def mark_pending(order: LiveOrder, kind: RequestKind, item: RecordedEvent) -> None:
    """Of several requests, the one that caused the event; where the broker named none, the oldest that is not pending yet."""
    waiting = {key: each for key, each in order.requests.items() if each.kind is kind and not each.is_pending}
    request = waiting.get(item.envelope.causation_id or "", next(iter(waiting.values()), None))
    if request is None:
        order.pending_elsewhere |= {kind}
    else:
        order.requests[request.request_id] = replace(request, is_pending=True)


def nothing_pending(order: LiveOrder) -> None:
    order.pending_elsewhere = frozenset()
    for key, request in order.requests.items():
        if request.is_pending:
            order.requests[key] = replace(request, is_pending=False)
