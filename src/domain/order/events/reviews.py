"""What needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.events.base import LineType, OrderEvent
from liveorder.domain.wording import words

if TYPE_CHECKING:
    from liveorder.domain.order.state import LiveOrder


class AnomalyNoted(OrderEvent):
    """Something that should not happen did; the events are booked as reported."""

    topic = "liveorder.AnomalyNoted@1"
    category = "ANOMALY"
    notice = NoticeEvent.DOUBT
    line_type = LineType.ERROR

    code: str
    message: str

    def sentence(self) -> str:
        return f"Anomaly noted, {words(self.code)}: {self.message}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.anomalies = order.anomalies | {self.code}


class ReviewRequested(OrderEvent):
    topic = "liveorder.ReviewRequested@1"
    category = "REVIEW"
    notice = NoticeEvent.DOUBT
    line_type = LineType.ERROR

    code: str
    message: str

    def sentence(self) -> str:
        return f"A person must look, {words(self.code)}: {self.message}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.reviews = (*order.reviews, self.code)


class ReviewResolved(OrderEvent):
    """A person looked and settled it; `evidence` in their words."""

    topic = "liveorder.ReviewResolved@1"
    category = "REVIEW"

    evidence: str

    def sentence(self) -> str:
        return f"Review resolved: {self.evidence}"

    def apply(self, order: LiveOrder, item: RecordedEvent) -> None:
        order.reviews = ()
