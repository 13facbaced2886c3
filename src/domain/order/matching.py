"""Of which order a report speaks, where the broker's own id is all that names it: such ids come again in another session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from operator import attrgetter

from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order.state import LiveOrder


def may_concern(order: LiveOrder, report: ExecutionReport) -> bool:
    """Our key decides where one is told. An order that others sent has a key of theirs, which we never learned."""
    if report.client_order_id is not None and order.starts:
        return report.client_order_id in order.possible_ids
    return not isinstance(report, OrderSnapshot) or _is_of_its_kind(order, report)


def _is_of_its_kind(order: LiveOrder, told: OrderSnapshot) -> bool:
    return told.side in (None, order.terms.side) and told.symbol in (None, order.intent.instrument.symbol)


def came_before(order: LiveOrder, report: ExecutionReport, tolerance: timedelta = timedelta()) -> bool:
    """It happened when the order had not been sent. `tolerance`: how far the broker's clock may be behind."""
    if report.occurred_at is None or order.submitted_at is None:
        return False
    return report.occurred_at + tolerance < order.submitted_at


def was_waiting_for(order: LiveOrder, report: ExecutionReport, skew: timedelta) -> bool:
    """Whether a report that came while the broker's id led to no order of ours is of this one, which has the id now.

    Not if it is older than the order: then it is of one that had the id in an earlier session. What is listed under it now is no
    old news. `skew`: how far the broker's clock may be behind.
    """
    is_old = not isinstance(report, OrderSnapshot) and came_before(order, report, skew)
    return may_concern(order, report) and not is_old


def unlisted(orders: Sequence[LiveOrder], listed: Sequence[OrderSnapshot]) -> list[LiveOrder]:
    """Of orders that the broker has or had, those that are not among its open ones: they ended, or its list lags."""
    keys = {snapshot.client_order_id for snapshot in listed}
    named: defaultdict[str | None, list[OrderSnapshot]] = defaultdict(list)
    for snapshot in listed:
        named[snapshot.broker_order_id].append(snapshot)
    return [
        order
        for order in orders
        if order.is_at_broker
        and order.client_order_id not in keys
        and not any(may_concern(order, each) for each in named.get(order.broker_order_id, ()))
    ]


def knows(order: LiveOrder, report: ExecutionReport) -> bool:
    """It was told before of an execution that the report names."""
    return not order.executions.reported.keys().isdisjoint(executions_named(report))


def executions_named(report: ExecutionReport) -> set[str]:
    if isinstance(report, OrderSnapshot):
        return {name for execution in report.executions for name in executions_named(execution)}
    names = (getattr(report, "execution_id", None), getattr(report, "corrects", None), *getattr(report, "supersedes", ()))
    return {name for name in names if name is not None}


def surely_matching(live: LiveOrder | None, finished: Iterable[LiveOrder], report: ExecutionReport) -> LiveOrder | None:
    """Of the orders in memory with the broker's id in the report, the one that leaves no doubt; None: the store is asked.

    It knows the execution, or it is open (`live`) and the report names none.
    """
    if live is not None and may_concern(live, report) and (knows(live, report) or not executions_named(report)):
        return live
    knowing = [order for order in finished if may_concern(order, report) and knows(order, report)]
    return max(knowing, key=attrgetter("order_id"), default=None)


def matching(named: Sequence[LiveOrder], report: ExecutionReport) -> LiveOrder | None:
    """Of the orders that ever had the broker's id in the report, the newest first: the one that it speaks of, if any."""
    possible = [order for order in named if may_concern(order, report)]
    knowing = [order for order in possible if knows(order, report)]
    sent_by_then = [order for order in possible if not came_before(order, report)]
    return next(iter([*knowing, *sent_by_then, *possible]), None)
