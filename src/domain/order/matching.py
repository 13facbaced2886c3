"""Of which order a report speaks, where the broker's own id is all that names it: such ids come again in another session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order.state import LiveOrder


def may_concern(order: LiveOrder, report: ExecutionReport) -> bool:
    """Our key decides where one is told. An order that others sent has a key of theirs, which we never learned."""
    if report.client_order_id is not None and order.starts:
        return report.client_order_id in order.possible_ids
    return not isinstance(report, OrderSnapshot) or _is_of_its_kind(order, report)


def _is_of_its_kind(order: LiveOrder, told: OrderSnapshot) -> bool:
    return told.side in (None, order.intent.side) and told.symbol in (None, order.intent.instrument.symbol)


def came_before(order: LiveOrder, report: ExecutionReport, tolerance: timedelta = timedelta()) -> bool:
    """It happened when the order had not been sent. `tolerance`: how far the broker's clock may be behind."""
    if report.occurred_at is None or order.submitted_at is None:
        return False
    return report.occurred_at + tolerance < order.submitted_at


def knows(order: LiveOrder, report: ExecutionReport) -> bool:
    """It was told before of an execution that the report names."""
    return not order.executions.told.keys().isdisjoint(executions_named(report))


def executions_named(report: ExecutionReport) -> set[str]:
    if isinstance(report, OrderSnapshot):
        return {name for execution in report.executions for name in executions_named(execution)}
    names = (getattr(report, "execution_id", None), getattr(report, "corrects", None), *getattr(report, "supersedes", ()))
    return {name for name in names if name is not None}


def matching(named: Sequence[LiveOrder], report: ExecutionReport) -> LiveOrder | None:
    """Of the orders that ever had the broker's id in the report, the newest first: the one that it speaks of, if any."""
    possible = [order for order in named if may_concern(order, report)]
    knowing = [order for order in possible if knows(order, report)]
    sent_by_then = [order for order in possible if not came_before(order, report)]
    return next(iter([*knowing, *sent_by_then, *possible]), None)
