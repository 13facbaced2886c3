"""Every step of an order as a line for people and machines."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.reporting.descriptions import sentence
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev

_CATEGORY: dict[type[Event], str] = {
    ev.Requested: "SIGNAL",
    ev.Refused: "RISK",
    ev.Approved: "RISK",
    ev.SubmissionFailed: "BROKER",
    ev.OutcomeDoubted: "DOUBT",
    ev.Rejected: "REJECTED",
    ev.CancelRequested: "CANCEL",
    ev.CancelPending: "CANCEL",
    ev.CancelRefused: "CANCEL",
    ev.Cancelled: "CANCEL",
    ev.ReplaceRequested: "REPLACE",
    ev.ReplacePending: "REPLACE",
    ev.Replaced: "REPLACE",
    ev.ReplaceRefused: "REPLACE",
    ev.AnomalyNoted: "ANOMALY",
    ev.ReviewRequested: "REVIEW",
    ev.ReviewResolved: "REVIEW",
}


def _category(event: Event) -> str:
    if isinstance(event, ev.SubmissionFailed) and event.error == ev.NOT_BEGUN:
        return "WARNING"
    return _CATEGORY.get(type(event), "EXECUTION")


class OrderLog:
    """An `OrderListener` that writes what happened; `signal_id` makes one signal's journey followable."""

    def __init__(self, log: ActivityLog) -> None:
        self._log = log

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        for item in recorded:
            self._log.write(
                _category(item.event),
                sentence(item.event),
                event=item.event.topic,
                symbol=after.intent.instrument.symbol,
                account_id=after.intent.account_id,
                status=after.status.value,
                signal_id=after.intent.signal_id,
                order_id=str(after.order_id),
            )
