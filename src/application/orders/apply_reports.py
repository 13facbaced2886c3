"""What brokers report, booked on the orders that it speaks of, or kept until one turns up.

Every report takes the same way, wherever it comes from: the return of a call, the stream, a poll, recovery, reconciliation.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.recording import Cause
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.events import Event
from liveorder.domain.evidence import is_overtaken, may_be_old, something_was_missed_since
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot, answering
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import RequestKind
from liveorder.domain.order.matching import unlisted, was_waiting_for
from liveorder.domain.order.outcomes import Outcome, left_open_by, reports_of
from liveorder.domain.order.reception import apply_report
from liveorder.domain.unmatched_event import UnmatchedReportResolved
from liveorder.domain.unmatched_report import is_about, may_be_noted, note, streams_about, unmatched_stream

_T = TypeVar("_T")

RECALLED_AT_ONCE = 500
"""Reports of executions whose orders are read together."""
LOOK_BACK = timedelta(hours=24)
"""How far back executions are asked for, when it is not known what was missed. Booking one twice adds nothing."""
MISSED_WAITS = RetryPolicy()
"""Between questions for reports that could not be booked."""


class ApplyReports:
    """Books reports of every account. `on_orphan` hears of an order that is closed here and turns up live."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        unmatched: UnmatchedReports,
        clock: Clock,
        log: ActivityLog,
        on_orphan: Callable[[LiveOrder], None],
        *,
        poll_seconds: float = 0.5,
    ) -> None:
        self._orders, self._gateways, self._unmatched = orders, gateways, unmatched
        self._clock, self._log, self._poll_seconds = clock, log, poll_seconds
        self._on_orphan = on_orphan
        self._absent: dict[str, Sequence[LiveOrder]] = {}
        self._missed: dict[str, int] = {}
        """Accounts with reports that could not be booked, and how many polls since then ended like that."""

    async def book_streamed(self, account_id: str, report: ExecutionReport) -> None:
        """Book a report of the broker's stream. If that fails, the next poll, which is soon then, asks for it."""
        await self._safely(account_id, report, self.book(account_id, report))

    async def book(
        self, account_id: str, report: ExecutionReport, asked: Mapping[UUID, int] = MappingProxyType({})
    ) -> LiveOrder | None:
        """Book one report on the order that it speaks of; None when it is no order of ours.

        `asked`: of an answer, the versions that orders had when the question was put.
        """
        order_id = await self._orders.matching(account_id, report)
        if order_id is None:
            await self._unmatched.keep(account_id, self._gateways[account_id].broker.name, report)
            return None
        order = await self._followed_up(*await self._received(order_id, report, asked_at=asked.get(order_id)))
        return await self.attach_waiting_reports(order) if order.broker_order_id is not None else order

    async def book_on(self, order_id: UUID, report: ExecutionReport, request_id: str | None = None) -> LiveOrder:
        """Book a report on a known order. `request_id` is the request that it answers."""
        return await self._followed_up(*await self._received(order_id, report, request_id))

    async def _received(
        self, order_id: UUID, report: ExecutionReport, request_id: str | None = None, asked_at: int | None = None
    ) -> tuple[LiveOrder, LiveOrder]:
        """The order before and after. Whether a report is old is decided while the order is held: what is being stored counts."""
        async with self._orders.hold(order_id) as order:
            gateway = self._gateways[order.intent.account_id]
            longest, can = gateway.terms.call_timeout_seconds, gateway.broker.capabilities
            is_old = may_be_old(order, report, asked_at, self._clock.now(), longest, can)
            report = answering(report, request_id)
            events = [] if is_old else apply_report(order, report)
            await self.resolve_what_waits(order, events)
            after = await self._orders.record(order, events, self._cause(order, report, request_id)) if events else order
        return order, after

    async def resolve_what_waits(self, order: LiveOrder, events: Sequence[Event]) -> None:
        """Of an order that learns its broker's id, or fills, by these events, which are not stored yet. Its holder calls it."""
        if (noted := may_be_noted(order, events)) is not None:
            await self._unmatched.resolve_left(order, *noted)

    async def _followed_up(self, order: LiveOrder, after: LiveOrder) -> LiveOrder:
        """What a report means beyond its events."""
        if after.broker_order_id is not None and after.broker_order_id != order.broker_order_id:
            after = await self.attach_waiting_reports(after)
        if after.is_stray and not order.is_stray:
            self._on_orphan(after)
        return after

    async def attach_waiting_reports(self, order: LiveOrder) -> LiveOrder:
        """Book what came while the broker's id led to no order of ours: before it was known, or while the order was finished.

        All but an answer to a question: that was true when it was given, and is asked for again.
        """
        assert order.broker_order_id is not None
        account_id, broker_order_id = order.intent.account_id, order.broker_order_id
        waiting = self._unmatched.waiting_for(account_id, broker_order_id)
        skew = timedelta(seconds=self._gateways[account_id].broker.capabilities.clock_skew_seconds)
        if its_own := [report for report in waiting if was_waiting_for(order, report, skew)]:
            for report in its_own:
                if not isinstance(report, OrderSnapshot):
                    order = await self.book_on(order.order_id, report)
            await self._unmatched.resolve(account_id, broker_order_id, its_own, order.order_id)
        return order

    def _cause(self, order: LiveOrder, report: ExecutionReport, request_id: str | None) -> Cause:
        return Cause(
            actor=f"broker:{order.intent.broker}",
            correlation_id=order.intent.signal_id,
            causation_id=request_id or getattr(report, "request_id", None) or type(report).__name__,
            occurred_at=report.occurred_at,
        )

    async def _safely(self, account_id: str, report: ExecutionReport, booking: Awaitable[_T]) -> _T | None:
        try:
            return await booking
        except LiveOrderError as error:
            self._missed.setdefault(account_id, 0)
            text = f"Report not booked, the next poll asks for it: {error}"
            self._log.write("ERROR", text, account_id=account_id, broker_order_id=report.broker_order_id)
            return None

    async def book_outcome(self, order: LiveOrder, kind: RequestKind, request_id: str, outcome: Outcome) -> LiveOrder:
        """Book what became of a request: what the broker reports of it, then what that leaves open."""
        for report in reports_of(outcome, kind, request_id):
            order = await self.book_on(order.order_id, report, request_id)
        if request_id not in order.requests:
            return order
        async with self._orders.hold(order.order_id) as held:
            events = left_open_by(held, request_id, outcome)
            cause = Cause(correlation_id=held.intent.signal_id, causation_id=request_id if kind is RequestKind.SUBMIT else None)
            return await self._orders.record(held, events, cause)

    # --- poll ------------------------------------------------------------------------------------------------------------------

    async def poll_for_ever(self, gateway: Gateway) -> None:
        seconds, polled_at = gateway.broker.capabilities.poll_seconds(self._poll_seconds), -math.inf
        while True:
            await self._clock.sleep(seconds)
            if self._clock.monotonic() < polled_at + self._poll_wait(gateway):
                continue
            has_missed = gateway.account_id in self._missed
            if has_missed or self._orders.unfinished(gateway.account_id):
                polled_at = self._clock.monotonic()
                if has_missed:
                    await self._catch_up_missed(gateway)
                await self.poll(gateway)

    def _poll_wait(self, gateway: Gateway) -> float:
        """Seconds from one poll to the next, if longer than usual."""
        if failed := self._missed.get(gateway.account_id):
            return MISSED_WAITS.wait_after(failed)
        is_quiet = gateway.is_followed and not gateway.in_flight and failed is None  # the stream reports what happens
        return gateway.broker.capabilities.quiet_poll_seconds if is_quiet else 0.0

    async def _catch_up_missed(self, gateway: Gateway) -> None:
        """Of an account with reports that could not be booked: book what the broker reports of the last day."""
        failed = self._missed.pop(gateway.account_id)
        is_answered = await self.catch_up(gateway, self._clock.now() - LOOK_BACK)
        if not is_answered or gateway.account_id in self._missed:
            self._missed[gateway.account_id] = failed + 1

    async def poll(self, gateway: Gateway) -> bool:
        """Ask for all open orders, then singly for those of ours that are not among them. False when the broker did not answer."""
        unfinished = self._orders.unfinished(gateway.account_id)
        asked = {order.order_id: order.version for order in unfinished}
        keys = {order.client_order_id: order.version for order in unfinished}
        try:
            snapshots = await gateway.ask(gateway.broker.open_orders())
        except BrokerError as error:
            self._log.write("BROKER", f"Open orders could not be asked for: {error}", account_id=gateway.account_id)
            return False
        for snapshot in snapshots:
            key = snapshot.client_order_id
            if key is not None and is_overtaken(self._orders.known_by_key(key), keys.get(key)):
                continue  # it is asked for again at the next poll
            booked = await self._safely(gateway.account_id, snapshot, self.book(gateway.account_id, snapshot, asked))
            if booked is not None and (since := something_was_missed_since(booked, snapshot)) is not None:
                await self.catch_up(gateway, since)
        self._unmatched.still_listed(gateway.account_id, {snapshot.broker_order_id for snapshot in snapshots})
        missing = self._missing(gateway.account_id, snapshots)
        answers = await concurrently(partial(self.ask, gateway), missing, limit=QUESTIONS_AT_ONCE)
        is_absent = [answer is Absence.ABSENT for answer in answers]
        self._absent[gateway.account_id] = [*compress(missing, is_absent)]
        return True

    def absent(self, account_id: str) -> Sequence[LiveOrder]:
        """Orders that the broker had, and did not know any more when it was polled last. Nothing is concluded from it."""
        return self._absent.get(account_id, ())

    def _missing(self, account_id: str, listed: Sequence[OrderSnapshot]) -> Sequence[LiveOrder]:
        return unlisted(self._orders.unfinished(account_id), listed)

    async def ask(self, gateway: Gateway, order: LiveOrder) -> OrderSnapshot | Absence:
        """Ask for one order by our key; the answer, booked. INCONCLUSIVE when it was overtaken by something booked meanwhile."""
        order = await self._orders.get(order.order_id)
        found = await gateway.find(order)
        if isinstance(found, Absence):
            return found
        before, after = await self._received(order.order_id, found, asked_at=order.version)
        await self._followed_up(before, after)
        return found if before.version == order.version else Absence.INCONCLUSIVE

    async def catch_up(self, gateway: Gateway, since: datetime) -> bool:
        """Book what was executed since then, as after a reconnect. False when the broker did not answer."""
        try:
            reports = await gateway.ask(gateway.broker.executions_since(since))
        except BrokerError as error:
            self._log.write("BROKER", f"Executions could not be asked for: {error}", account_id=gateway.account_id)
            return False
        for start in range(0, len(reports), RECALLED_AT_ONCE):
            await self._book_recalled(gateway, reports[start : start + RECALLED_AT_ONCE])
        return True

    async def _book_recalled(self, gateway: Gateway, reports: Sequence[ExecutionReport]) -> None:
        """Of closed orders most, which tell nothing new: these are read all at once and not one by one."""
        account_id = gateway.account_id
        strange = await self._safely(account_id, reports[0], self._orders.recall(account_id, reports)) or ()
        for report in reports:
            if report.client_order_id is None and report.broker_order_id in strange:
                await self._safely(account_id, report, self._unmatched.keep(account_id, gateway.broker.name, report))
            else:
                await self._safely(account_id, report, self.book(account_id, report))


class UnmatchedReports:
    """Reports that speak of no order of ours: kept in the log once each, and handed over when their order turns up."""

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
        """Note it, once for each thing reported; in memory it waits for its order."""
        if report.broker_order_id is not None:
            waiting = self._waiting.setdefault((account_id, report.broker_order_id), {})
            waiting[type(report).__name__, getattr(report, "execution_id", "")] = report
        stream = unmatched_stream(account_id, report)
        if stream in self._noted:
            return
        if self._orders.identity.keys.is_ours(report.client_order_id, account_id) and not await self._store.stream(stream):
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
        """What was reported under this id, the newest of each kind and of each execution."""
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
            if len(noted) == 1 and is_about(order, noted[0]):
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
