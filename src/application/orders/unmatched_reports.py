"""Reports that speak of no order of ours: kept in the log once each, and handed over when their order turns up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from uuid import UUID

from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.recording import Cause
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order import LiveOrder
from liveorder.domain.unmatched_report import UnmatchedReportNoted, UnmatchedReportResolved, note, streams_about, unmatched_stream


class UnmatchedReports:
    """What a broker told of orders that we do not know."""

    def __init__(
        self,
        store: OrderStore,
        orders: OrderRegister,
        log: ActivityLog,
        on_forgotten: Callable[[str, ExecutionReport], Awaitable[None]],
    ) -> None:
        """`on_forgotten` hears, before it is noted, of an order with a key of ours: a store has sent it, and not this one."""
        self._store, self._orders = store, orders
        self._log, self._on_forgotten = log, on_forgotten
        self._waiting: dict[tuple[str, str], dict[tuple[str, str], ExecutionReport]] = {}
        self._noted: set[UUID] = set()
        self._from_before: set[UUID] = set()
        """Orders that an earlier run left unfinished."""

    async def keep(self, account_id: str, broker: str, report: ExecutionReport) -> None:
        """Note it, once for each thing told; in memory it waits for its order."""
        if report.broker_order_id is not None:
            waiting = self._waiting.setdefault((account_id, report.broker_order_id), {})
            waiting[type(report).__name__, getattr(report, "execution_id", "")] = report
        stream = unmatched_stream(account_id, report)
        if stream in self._noted:
            return
        if self._orders.keys.is_ours(report.client_order_id, account_id) and not await self._store.stream(stream):
            await self._on_forgotten(account_id, report)
        if not await self._is_new(stream, 0, note(account_id, broker, report), Cause(f"broker:{broker}", str(stream))):
            return
        name = report.broker_order_id or report.client_order_id
        self._log.write("UNMATCHED", f"The broker tells of an order that is not ours: {name}", account_id=account_id)

    async def _is_new(self, stream: UUID, version: int, event: Event, cause: Cause) -> bool:
        """As `OrderRegister.note`, and known from here on without asking the store."""
        is_new = await self._orders.recorder.note(stream, version, event, cause)
        self._noted.add(stream)
        return is_new

    def waiting_for(self, account_id: str, broker_order_id: str) -> Sequence[ExecutionReport]:
        """What was told under this id, the newest of each kind and of each execution."""
        return [*self._waiting.get((account_id, broker_order_id), {}).values()]

    async def resolve(self, account_id: str, broker_order_id: str, reports: Sequence[ExecutionReport], order_id: UUID) -> None:
        """They were booked on this order; they wait no longer."""
        waiting = self._waiting.pop((account_id, broker_order_id), {})
        if left := {key: report for key, report in waiting.items() if report not in reports}:
            self._waiting[account_id, broker_order_id] = left
        for stream in {unmatched_stream(account_id, report): None for report in reports}:
            await self._resolve(stream, order_id)

    def left_by_an_earlier_run(self, orders: Sequence[LiveOrder]) -> None:
        """What that run noted of them is not in memory."""
        self._from_before.update(order.order_id for order in orders)

    async def resolve_left(self, order: LiveOrder, broker_order_id: str, execution_ids: Iterable[str]) -> None:
        """What was noted under the id that the order is about to be known by, in this run or an earlier one.

        Before that is stored: an order that ends with it would not be come to again. Asks the store only where there can be any.
        """
        account_id = order.intent.account_id
        if order.order_id not in self._from_before and (account_id, broker_order_id) not in self._waiting:
            return
        for stream in streams_about(account_id, broker_order_id, execution_ids):
            noted = await self._store.stream(stream)
            if len(noted) == 1 and _is_of(order, noted[0]):
                await self._resolve(stream, order.order_id)

    async def _resolve(self, stream: UUID, order_id: UUID) -> None:
        event = UnmatchedReportResolved(order_id=order_id, evidence="its order is known under this id")
        await self._is_new(stream, 1, event, Cause(correlation_id=str(order_id)))

    def still_listed(self, account_id: str, broker_order_ids: Collection[str | None]) -> None:
        """These orders are live at the broker; of others that were, what it listed is over."""
        for (account, name), waiting in self._waiting.items():
            if account == account_id and name not in broker_order_ids:
                waiting.pop((OrderSnapshot.__name__, ""), None)

    def live(self, account_id: str) -> Sequence[OrderSnapshot]:
        """The broker's live orders that are not ours, as it listed them last."""
        listed = (OrderSnapshot.__name__, "")
        found = [waiting.get(listed) for (account, _), waiting in self._waiting.items() if account == account_id]
        return [snapshot for snapshot in found if isinstance(snapshot, OrderSnapshot)]


def _is_of(order: LiveOrder, noted: RecordedEvent) -> bool:
    """Brokers' ids come again: an order that we sent was not spoken of before that, nor under another key."""
    if order.submitted_at is None or not isinstance(noted.event, UnmatchedReportNoted):
        return True
    key = noted.event.fields.get("client_order_id")
    return noted.envelope.recorded_at >= order.submitted_at and key in (None, order.client_order_id)
