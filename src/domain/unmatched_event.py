"""That a broker reported something of no order of ours, and what came of it."""

from __future__ import annotations

from uuid import UUID

from liveorder.domain.events import Event
from liveorder.domain.notice_event import NoticeEvent


class UnmatchedReportNoted(Event):
    """The report as received. `fields` are texts."""

    topic = "liveorder.UnmatchedReportNoted@1"
    category = "UNMATCHED"
    notice = NoticeEvent.UNMATCHED

    account_id: str
    broker: str
    broker_order_id: str | None
    fields: dict[str, object]

    def sentence(self) -> str:
        order = f"its order {self.broker_order_id}" if self.broker_order_id else "an order that it does not name"
        return f"{self.broker} reported on account {self.account_id} about {order}, which matches none of ours"


class UnmatchedReportResolved(Event):
    """It belongs to `order_id` after all, or a person explained it."""

    topic = "liveorder.UnmatchedReportResolved@1"
    category = "UNMATCHED"

    order_id: UUID | None
    evidence: str

    def sentence(self) -> str:
        outcome = f"it belongs to order {self.order_id}" if self.order_id else "it belongs to no order of ours"
        return f"Unmatched report resolved, {outcome}: {self.evidence}"
