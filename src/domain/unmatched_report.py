"""A broker's report that speaks of no order of ours: kept and shown until it is matched, adopted or explained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.execution_report import Execution, ExecutionBusted, ExecutionCorrected, ExecutionReport, described
from liveorder.domain.identifiers import stream_id
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Acknowledged, Filled
from liveorder.domain.unmatched_event import UnmatchedReportNoted


def note(account_id: str, broker: str, report: ExecutionReport) -> UnmatchedReportNoted:
    return UnmatchedReportNoted(
        account_id=account_id, broker=broker, broker_order_id=report.broker_order_id, fields=described(report)
    )


_ORDER = "order"
"""All reports about an order itself share one detail; each execution has its own."""


def is_about(order: LiveOrder, noted: RecordedEvent) -> bool:
    """Whether what was noted under an order's id at its broker is about that order.

    Brokers' ids come again: an order that we sent was not spoken of before that, nor under another key.
    """
    if order.submitted_at is None or not isinstance(noted.event, UnmatchedReportNoted):
        return True
    key = noted.event.fields.get("client_order_id")
    return noted.envelope.recorded_at >= order.submitted_at and key in (None, order.client_order_id)


def may_be_noted(order: LiveOrder, events: Sequence[Event]) -> tuple[str, list[str]] | None:
    """Under which id of the order's broker, and of which executions, something may have been noted before it was known by that.

    None where these events, which are about to be stored, make it known by nothing new: it learns no id, and nothing is filled.
    """
    learned = next((event.broker_order_id for event in events if isinstance(event, Acknowledged) and event.broker_order_id), None)
    name, filled = learned or order.broker_order_id, [event.execution_id for event in events if isinstance(event, Filled)]
    if name is None or (not filled and name == order.broker_order_id):
        return None
    return name, [*order.executions.reported, *filled]


def unmatched_stream(account_id: str, report: ExecutionReport) -> UUID:
    """The stream of a report. The same report again has the same stream, and adds nothing."""
    detail = report.execution_id if isinstance(report, Execution | ExecutionCorrected | ExecutionBusted) else _ORDER
    return _stream(account_id, report.broker_order_id or report.client_order_id or "", detail)


def streams_about(account_id: str, broker_order_id: str, execution_ids: Iterable[str]) -> list[UUID]:
    """The streams in which reports about this order or these executions would be noted if the order had been unknown."""
    return [_stream(account_id, broker_order_id, detail) for detail in (_ORDER, *execution_ids)]


def _stream(account_id: str, name: str, detail: str) -> UUID:
    return stream_id("unmatched", account_id, name, detail)
