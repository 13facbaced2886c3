"""Every step of an order as a line for people and machines."""

from __future__ import annotations

from collections.abc import Sequence

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.reporting.descriptions import sentence
from liveorder.domain.facts import Fact, RecordedFact
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import facts as f

_CATEGORY: dict[type[Fact], str] = {
    f.Requested: "SIGNAL",
    f.Refused: "RISK",
    f.Approved: "RISK",
    f.SubmissionFailed: "BROKER",
    f.OutcomeDoubted: "DOUBT",
    f.Rejected: "REJECTED",
    f.CancelRequested: "CANCEL",
    f.CancelPending: "CANCEL",
    f.CancelRefused: "CANCEL",
    f.Cancelled: "CANCEL",
    f.ReplaceRequested: "REPLACE",
    f.ReplacePending: "REPLACE",
    f.Replaced: "REPLACE",
    f.ReplaceRefused: "REPLACE",
    f.AnomalyNoted: "ANOMALY",
    f.ReviewRequested: "REVIEW",
    f.ReviewResolved: "REVIEW",
}


def _category(fact: Fact) -> str:
    if isinstance(fact, f.SubmissionFailed) and fact.error == f.NOT_BEGUN:
        return "WARNING"
    return _CATEGORY.get(type(fact), "EXECUTION")


class OrderLog:
    """An `OrderListener` that writes what happened; `signal_id` makes one signal's journey followable."""

    def __init__(self, log: ActivityLog) -> None:
        self._log = log

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedFact]) -> None:
        for item in recorded:
            self._log.write(
                _category(item.fact),
                sentence(item.fact),
                event=item.fact.topic,
                symbol=after.intent.instrument.symbol,
                account_id=after.intent.account_id,
                status=after.status.value,
                signal_id=after.intent.signal_id,
                order_id=str(after.order_id),
            )
