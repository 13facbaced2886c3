"""Reports that speak of no order of ours: kept in the log once each, and handed over when their order turns up."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from liveorder.application.orders import Cause, Orders
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.order_store import Commit, OrderStore
from liveorder.domain.errors import VersionConflict
from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.unmatched_report import UnmatchedReportResolved, note, unmatched_stream


class UnmatchedReports:
    """What a broker told of orders that we do not know."""

    def __init__(self, store: OrderStore, orders: Orders, log: EventLog) -> None:
        self._store, self._orders, self._log = store, orders, log
        self._waiting: dict[tuple[str, str], list[ExecutionReport]] = {}
        self._noted: set[UUID] = set()

    async def keep(self, account_id: str, broker: str, report: ExecutionReport) -> None:
        """Note it, once for each thing told; in memory it waits for its order."""
        if report.broker_order_id is not None:
            waiting = self._waiting.setdefault((account_id, report.broker_order_id), [])
            if report not in waiting:
                waiting.append(report)
        stream = unmatched_stream(account_id, report)
        if stream in self._noted:
            return
        self._noted.add(stream)
        fact = note(account_id, broker, report)
        recorded = self._orders.enveloped(stream, 0, [fact], Cause(f"broker:{broker}", correlation_id=str(stream)))
        try:
            await self._store.append(Commit(facts=tuple(recorded)))
        except VersionConflict:
            return
        name = report.broker_order_id or report.client_order_id
        self._log.write("UNMATCHED", f"The broker tells of an order that is not ours: {name}", account_id=account_id)

    async def hand_over(self, account_id: str, broker_order_id: str, order_id: UUID) -> Sequence[ExecutionReport]:
        """The reports that waited for this order; they are matched from here on."""
        reports = self._waiting.pop((account_id, broker_order_id), [])
        for report in reports:
            stream = unmatched_stream(account_id, report)
            fact = UnmatchedReportResolved(order_id=order_id, evidence="its order was acknowledged under this id")
            recorded = self._orders.enveloped(stream, 1, [fact], Cause(correlation_id=str(order_id)))
            await self._store.append(Commit(facts=tuple(recorded)))
        return reports

    def open_streams(self, account_id: str) -> Sequence[tuple[str, Sequence[ExecutionReport]]]:
        """By broker order id: what waits in memory for an order, for reconciliation to show."""
        return [(name, reports) for (account, name), reports in self._waiting.items() if account == account_id]
