"""What brokers tell, booked: pushed as it happens, and asked for at an interval because a push can be lost.

Every report takes the same way, wherever it comes from: the return of a call, the stream, a poll, recovery, reconciliation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from liveorder.application.gateway import Gateway
from liveorder.application.orders import Cause, Orders
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.event_log import EventLog
from liveorder.application.unmatched import UnmatchedReports
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.reception import receive


class TrackOrders:
    """Books reports of every account. `on_stray` hears of an order that is closed here and turns up live."""

    def __init__(
        self,
        orders: Orders,
        gateways: Mapping[str, Gateway],
        unmatched: UnmatchedReports,
        clock: Clock,
        log: EventLog,
        on_stray: Callable[[LiveOrder], None],
        *,
        poll_seconds: float = 0.5,
    ) -> None:
        self._orders, self._gateways, self._unmatched = orders, gateways, unmatched
        self._clock, self._log, self._poll_seconds = clock, log, poll_seconds
        self._on_stray = on_stray

    async def book(self, account_id: str, report: ExecutionReport) -> LiveOrder | None:
        """Book one report on the order that it speaks of; None when it is no order of ours."""
        order_id = await self._orders.id_of(account_id, report.client_order_id, report.broker_order_id)
        if order_id is None:
            await self._unmatched.keep(account_id, self._gateways[account_id].broker.name, report)
            return None
        return await self.book_on(order_id, report)

    async def book_on(self, order_id: UUID, report: ExecutionReport, request_id: str | None = None) -> LiveOrder:
        """Book a report on a known order. `request_id` is the request that it answers."""
        async with self._orders.hold(order_id) as order:
            facts = receive(order, report)
            after = await self._orders.record(order, facts, self._cause(order, report, request_id)) if facts else order
        if after.broker_order_id is not None and after.broker_order_id != order.broker_order_id:
            await self._hand_over(after)
        if after.is_stray and not order.is_stray:
            self._on_stray(after)
        return after

    async def _hand_over(self, order: LiveOrder) -> None:
        """Reports that came before the broker's id for this order was known."""
        assert order.broker_order_id is not None
        for report in await self._unmatched.hand_over(order.intent.account_id, order.broker_order_id, order.order_id):
            await self.book_on(order.order_id, report)

    def _cause(self, order: LiveOrder, report: ExecutionReport, request_id: str | None) -> Cause:
        return Cause(
            actor=f"broker:{order.intent.broker}",
            correlation_id=order.intent.signal_id,
            causation_id=request_id or type(report).__name__,
            occurred_at=report.occurred_at,
        )

    # --- push ------------------------------------------------------------------------------------------------------------------

    async def follow(self, gateway: Gateway) -> None:
        """Book what the broker pushes until its stream ends. One bad report does not end it."""
        async for report in gateway.broker.reports():
            await self._book_safely(gateway.account_id, report)

    async def _book_safely(self, account_id: str, report: ExecutionReport) -> LiveOrder | None:
        try:
            return await self.book(account_id, report)
        except LiveOrderError as error:
            self._log.write("ERROR", f"Report not booked, the poll will find it: {error}", account_id=account_id)
            return None

    # --- poll ------------------------------------------------------------------------------------------------------------------

    async def poll_for_ever(self, gateway: Gateway) -> None:
        while True:
            await self._clock.sleep(self._poll_seconds)
            if self._orders.unfinished(gateway.account_id):
                await self.poll(gateway)

    async def poll(self, gateway: Gateway) -> bool:
        """Ask for all open orders, then singly for those of ours that are not among them. False when the broker did not answer."""
        asked = {order.client_order_id: order.version for order in self._orders.unfinished(gateway.account_id)}
        try:
            snapshots = await gateway.broker.open_orders()
        except BrokerError as error:
            self._log.write("BROKER", f"Open orders could not be asked for: {error}", account_id=gateway.account_id)
            return False
        for snapshot in snapshots:
            if self._is_overtaken(snapshot, asked):
                continue
            booked = await self._book_safely(gateway.account_id, snapshot)
            if booked is not None and snapshot.filled_quantity < booked.filled_quantity:
                await self._catch_up_on(gateway, booked)
        listed = {snapshot.client_order_id for snapshot in snapshots}
        for order in self._missing(gateway.account_id, listed):
            await self.ask(gateway, order)
        return True

    def _is_overtaken(self, snapshot: OrderSnapshot, asked: Mapping[str, int]) -> bool:
        """Whether something was booked on the order while the question was under way: the answer may be older than that.

        It is asked again at the next poll; an old answer would infer fills that were busted since, or revive what has ended.
        """
        if snapshot.client_order_id is None:
            return False
        known = self._orders.known_by_key(snapshot.client_order_id)
        return asked.get(snapshot.client_order_id) != (known.version if known is not None else None)

    def _missing(self, account_id: str, listed: set[str | None]) -> Sequence[LiveOrder]:
        """Orders that the broker acknowledged and does not list among the open ones: they ended, or its list lags."""
        return [
            order for order in self._orders.unfinished(account_id) if order.is_at_broker and order.client_order_id not in listed
        ]

    async def ask(self, gateway: Gateway, order: LiveOrder) -> LiveOrder | Absence:
        """Ask for one order by our key and book the answer; INCONCLUSIVE when it was overtaken by something booked meanwhile."""
        order = await self._orders.get(order.order_id)
        reference = order.submission.reference if order.submission is not None else {}
        found = await gateway.broker.find(order.client_order_id, order.broker_order_id, reference)
        if isinstance(found, Absence):
            return found
        if (await self._orders.get(order.order_id)).version != order.version:
            return Absence.INCONCLUSIVE
        return await self.book_on(order.order_id, found)

    async def _catch_up_on(self, gateway: Gateway, order: LiveOrder) -> None:
        """The broker tells less than we have: a bust or a correction was missed, or the answer was old."""
        if order.submitted_at is not None:
            await self.catch_up(gateway, order.submitted_at)

    async def catch_up(self, gateway: Gateway, since: datetime) -> bool:
        """Book what was executed since then, as after a reconnect. False when the broker did not answer."""
        try:
            reports = await gateway.broker.executions_since(since)
        except BrokerError as error:
            self._log.write("BROKER", f"Executions could not be asked for: {error}", account_id=gateway.account_id)
            return False
        for report in reports:
            await self._book_safely(gateway.account_id, report)
        return True
