"""Our replaces, and new terms that the broker sets by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import field

from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.changes import answer, mark_pending, reach_broker, restate
from liveorder.domain.order.events.base import LineType, OrderEvent
from liveorder.domain.order.executions import split_quantity
from liveorder.domain.order.open_request import OpenRequest
from liveorder.domain.order.vocabulary import RequestKind
from liveorder.domain.values import Price, Quantity
from liveorder.domain.wording import in_brackets, listed

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class ReplaceRequested(OrderEvent):
    """Stored before the broker is asked to replace. None leaves a term as it is; `quantity` is of the whole order."""

    topic = "liveorder.ReplaceRequested@1"
    category = "REPLACE"

    request_id: str
    number: int
    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    reference: Mapping[str, str] = field(default_factory=dict)
    payload: str
    deadline: datetime

    def sentence(self) -> str:
        return f"Replace {self.number} requested{_terms(self)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.replaces = self.number
        order.replace_numbers = {**order.replace_numbers, self.request_id: self.number}
        order.requests[self.request_id] = OpenRequest(
            self.request_id, RequestKind.REPLACE, item.envelope.recorded_at, self.deadline, terms=self
        )


class ReplacePending(OrderEvent):
    topic = "liveorder.ReplacePending@1"
    category = "REPLACE"

    def sentence(self) -> str:
        return "Replace taken by the broker, not done yet"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        mark_pending(order, RequestKind.REPLACE, item)
        reach_broker(order)


class Replaced(OrderEvent):
    """The order stands on these terms now. A quantity below what is filled of it means: that, and no more."""

    topic = "liveorder.Replaced@1"
    category = "REPLACE"

    request_id: str | None
    broker_order_id: str | None = None
    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None

    def sentence(self) -> str:
        return f"Order replaced{_terms(self)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        reach_broker(order)
        answer(order, RequestKind.REPLACE, self.request_id)
        if self.request_id is not None:
            order.replaced = order.replaced | {self.request_id}
        number = order.replace_numbers.get(self.request_id or "")
        named = {name: value for name in _REPLACEABLE if (value := getattr(self, name)) is not None}
        new = {name: value for name, value in named.items() if number is None or number >= order.terms_from.get(name, 0)}
        if number is not None:
            order.terms_from = {**order.terms_from, **dict.fromkeys(new, number)}
        if "quantity" in named and "quantity" not in new and order.quantity is not None:
            # Its word may be late, or the broker may have done it last: the larger stands until the broker is asked.
            new["quantity"] = max(named["quantity"], order.quantity)
        order.broker_order_id = new.get("broker_order_id", order.broker_order_id)
        restate(order, new.get("quantity"), new.get("limit_price"), new.get("stop_price"))


_REPLACEABLE = ("broker_order_id", "quantity", "limit_price", "stop_price")
"""What a replace may change."""


class ReplaceRefused(OrderEvent):
    topic = "liveorder.ReplaceRefused@1"
    category = "REPLACE"
    line_type = LineType.ERROR

    request_id: str | None
    message: str

    def sentence(self) -> str:
        return f"Replace refused, the order stands as it was: {self.message or 'no reason given'}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.error_message = self.message
        answer(order, RequestKind.REPLACE, self.request_id)


class Restated(OrderEvent):
    """The broker changed the order unasked. `split_ratio` restates past fills too: new units for each old one."""

    topic = "liveorder.Restated@1"
    notice = NoticeEvent.CORRECTED

    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    split_ratio: Quantity | None = None
    message: str = ""

    def sentence(self) -> str:
        split = listed({"split": self.split_ratio})
        return f"Order changed by the broker, unasked{_terms(self)}{split}{in_brackets(self.message)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        reach_broker(order)
        if self.split_ratio is not None:
            order.executions = order.executions.restated(self.split_ratio)
            if order.quantity is not None:
                order.quantity = split_quantity(order.quantity, self.split_ratio)
        restate(order, self.quantity, self.limit_price, self.stop_price)


def _terms(event: ReplaceRequested | Replaced | Restated) -> str:
    return listed({"quantity": event.quantity, "limit": event.limit_price, "stop": event.stop_price})
