"""Every step of an order as a line for people and machines."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order import LiveOrder

_ENDS = (NoticeEvent.REFUSED, NoticeEvent.REJECTED, NoticeEvent.CANCELLED)


class OrderLog:
    """An `OrderListener` that writes what happened; `signal_id` makes one signal's journey followable."""

    def __init__(self, log: ActivityLog) -> None:
        self._log = log

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        for item in recorded:
            self._log.write(
                "WARNING" if item.event.notice in _ENDS and after.is_refused_exit else item.event.log_category,
                item.event.sentence(),
                event=item.event.topic,
                symbol=after.intent.instrument.symbol,
                account_id=after.intent.account_id,
                status=after.status.value,
                signal_id=after.intent.signal_id,
                order_id=str(after.order_id),
            )
