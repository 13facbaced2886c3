"""An order that waits before it is judged, and what becomes of it then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.events.base import OrderEvent
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.order.vocabulary import WaitReason
from liveorder.domain.record import Flat
from liveorder.domain.values import Quantity
from liveorder.domain.wording import in_brackets, plain

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class WaitBegan(OrderEvent):
    """Nothing is judged yet: when the wait is over, the signal is sized and judged as if it came then."""

    topic = "liveorder.WaitBegan@1"
    category = "SIGNAL"

    reason: WaitReason
    signal: str
    """As it came, as JSON."""
    message: str
    """For people: what is waited for."""
    until: datetime | None = None
    """After this it ends unsent; None: it waits for as long as it takes."""
    orders: tuple[UUID, ...] = ()
    """The orders that are to end."""

    def sentence(self) -> str:
        until = "" if self.until is None else f"until {self.until.isoformat()} at the latest"
        return f"Order waits: {self.message}{in_brackets(until)}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.wait, order.error_message = self, self.message
        if self.reason is WaitReason.ORDERS:
            order.made_way = tuple(dict.fromkeys((*order.made_way, *self.orders)))


class WaitEnded(OrderEvent):
    """What was waited for came. The terms are those that the signal amounts to now."""

    topic = "liveorder.WaitEnded@1"
    category = "SIGNAL"

    terms: Flat[OrderTerms]

    def sentence(self) -> str:
        return "Wait over: the signal is sized now"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        terms = self.terms
        order.wait, order.error_message = None, None
        order.intent = order.intent.but(terms=terms)
        order.quantity, order.limit_price, order.stop_price = terms.quantity, terms.limit_price, terms.stop_price


class LeftUnguarded(OrderEvent):
    """So many units that the strategy still holds lost their exit to this order: the exits made way, and are not placed anew. Also
    an exit that made way says it of itself, once it has ended and the order that it made way for had ended before.
    """

    topic = "liveorder.LeftUnguarded@1"
    category = "WARNING"
    notice = NoticeEvent.UNGUARDED

    quantity: Quantity
    orders: tuple[UUID, ...]
    """The exits that were cancelled for it; none: this one was, for an order that has ended."""

    def sentence(self) -> str:
        who = f"order {', '.join(map(str, self.orders))} made way for this one" if self.orders else "this one made way for another"
        return f"{plain(self.quantity)} units are left without an exit: {who}, and is not placed anew"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.unguarded += self.quantity
