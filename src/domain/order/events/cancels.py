"""Our cancels, and the end of an order that is not filled."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import field

from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import Closing
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import answer, close_as, mark_pending, reach_broker
from liveorder.domain.order.events.base import LineType, OrderEvent
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.vocabulary import CancelReason, RequestKind
from liveorder.domain.record import Later
from liveorder.domain.wording import in_brackets, words

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class CancelRequested(OrderEvent):
    """Stored before the broker is asked to cancel."""

    topic = "liveorder.CancelRequested@1"
    category = "CANCEL"
    line_type = LineType.CANCELLATION

    request_id: str
    reason: CancelReason
    reference: Mapping[str, str] = field(default_factory=dict)
    payload: str = ""
    """Empty when the order never left: there is nothing to ask of the broker."""
    deadline: datetime | None = None
    made_way_for: Later[UUID | None] = None
    """The order that is to go out once this one has ended."""

    def sentence(self) -> str:
        return f"Cancel requested: {words(self.reason)}{_for(self.made_way_for)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.cancels += 1
        order.cancel_wish = None
        order.requests[self.request_id] = OpenRequest(
            self.request_id, RequestKind.CANCEL, item.envelope.recorded_at, self.deadline, cancel_reason=self.reason
        )


class CancelPending(OrderEvent):
    topic = "liveorder.CancelPending@1"
    category = "CANCEL"
    line_type = LineType.CANCELLATION

    def sentence(self) -> str:
        return "Cancel taken by the broker, not done yet"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        mark_pending(order, RequestKind.CANCEL, item)
        reach_broker(order)


class CancelRefused(OrderEvent):
    """The cancel came to nothing and the order stands. `request_id` None: the answer named none."""

    topic = "liveorder.CancelRefused@1"
    category = "CANCEL"
    line_type = LineType.ERROR

    request_id: str | None
    message: str
    is_still_wanted: bool = False
    """It never arrived, so that nobody has decided against it."""

    def sentence(self) -> str:
        return f"Cancel refused, the order stands: {self.message or 'no reason given'}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.error_message = self.message
        request = answer(order, RequestKind.CANCEL, self.request_id)
        if request is not None and (order.submission_is_open or self.is_still_wanted):
            order.cancel_wish = request.cancel_reason


class Cancelled(OrderEvent):
    topic = "liveorder.Cancelled@1"
    category = "CANCEL"
    notice = NoticeEvent.CANCELLED
    line_type = LineType.CANCELLATION

    reason: CancelReason
    message: str = ""
    made_way_for: Later[UUID | None] = None
    """Of one that was never sent: the order that is to go out in its place."""

    def sentence(self) -> str:
        return f"Order cancelled: {words(self.reason)}{_for(self.made_way_for)}{in_brackets(self.message)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        if order.submission_is_open:  # We cancel by ourselves only what surely never left: so the broker reported this.
            reach_broker(order)
        order.cancel_reason = self.reason
        order.error_message = self.message or order.error_message
        close_as(order, Closing.CANCELLED)


def _for(order_id: UUID | None) -> str:
    return "" if order_id is None else f" for order {order_id}"
