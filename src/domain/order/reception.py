"""What a broker's report amounts to. `apply_report` is total: any report on any order gives events, perhaps none, and never raises.

Events from a broker never bounce. What is known already adds nothing; what should not have happened is booked as reported, with an
anomaly beside it; what a person must look at asks for a review. An answer to a question (`OrderSnapshot`) is taken apart into the
reports that would have said the same, so that recovery has no second way of doing things.
"""

from __future__ import annotations

from liveorder.domain.events import Event
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order.single_reports import received
from liveorder.domain.order.snapshots import taken_apart
from liveorder.domain.order.state import LiveOrder


def apply_report(order: LiveOrder, report: ExecutionReport) -> list[Event]:
    """The events that this report adds to this order; none when it is old news."""
    return taken_apart(order, report) if isinstance(report, OrderSnapshot) else received(order, report)
