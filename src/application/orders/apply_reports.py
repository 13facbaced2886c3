"""What brokers tell, booked: pushed as it happens, and asked for at an interval because a push can be lost.

Every report takes the same way, wherever it comes from: the return of a call, the stream, a poll, recovery, reconciliation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import compress
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

from liveorder.application.gateway.gateway import Answered, Gateway, NotBegun, NotReceived, Outcome, RefusedByBroker
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.unmatched_reports import UnmatchedReports
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.events import Event
from liveorder.domain.evidence import may_be_from_before_a_bust
from liveorder.domain.execution_report import (
    CancelIsPending,
    CancelRejected,
    ExecutionReport,
    OrderReplaced,
    OrderSnapshot,
    ReplaceIsPending,
    ReplaceRejected,
)
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import Acknowledged, Filled
from liveorder.domain.order.matching import came_before, may_concern
from liveorder.domain.order.reception import apply_report

_T = TypeVar("_T")

POLLS_SHARE = 0.25
"""Of what a broker allows in a minute, polls use no more."""
RECALLED_AT_ONCE = 500
"""Reports of executions whose orders are read together."""


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
        """The order before and after. An answer to a question leaves an order as it is that changed since it was asked about.

        So does one that may be from before a bust or a correction. Looked at while the order is held: what is being stored at this
        moment counts.
        """
        async with self._orders.hold(order_id) as order:
            is_old = asked_at not in (None, order.version) or self._is_from_before_a_bust(order, report)
            report = _named(report, request_id)
            events = [] if is_old else apply_report(order, report)
            await self.resolve_what_waits(order, events)
            after = await self._orders.record(order, events, self._cause(order, report, request_id)) if events else order
        return order, after

    def _is_from_before_a_bust(self, order: LiveOrder, report: ExecutionReport) -> bool:
        if not isinstance(report, OrderSnapshot):
            return False
        gateway = self._gateways[order.intent.account_id]
        longest, can = gateway.terms.call_timeout_seconds, gateway.broker.capabilities
        return may_be_from_before_a_bust(order, report, self._clock.now(), longest, can)

    async def resolve_what_waits(self, order: LiveOrder, events: Sequence[Event]) -> None:
        """Of an order that learns its broker's id, or fills, by these events, which are not stored yet. Its holder calls it."""
        learned = next(
            (event.broker_order_id for event in events if isinstance(event, Acknowledged) and event.broker_order_id), None
        )
        name, filled = learned or order.broker_order_id, [event.execution_id for event in events if isinstance(event, Filled)]
        if name is not None and (filled or name != order.broker_order_id):
            await self._unmatched.resolve_left(order, name, [*order.executions.told, *filled])

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
        if its_own := [report for report in waiting if self._was_waiting_for(order, report)]:
            for report in its_own:
                if not isinstance(report, OrderSnapshot):
                    order = await self.book_on(order.order_id, report)
            await self._unmatched.resolve(account_id, broker_order_id, its_own, order.order_id)
        return order

    def _was_waiting_for(self, order: LiveOrder, report: ExecutionReport) -> bool:
        """Not for one that had the broker's id in an earlier session. What is listed under it now is no old news."""
        skew = timedelta(seconds=self._gateways[order.intent.account_id].broker.capabilities.clock_skew_seconds)
        is_old = not isinstance(report, OrderSnapshot) and came_before(order, report, skew)
        return may_concern(order, report) and not is_old

    def _cause(self, order: LiveOrder, report: ExecutionReport, request_id: str | None) -> Cause:
        return Cause(
            actor=f"broker:{order.intent.broker}",
            correlation_id=order.intent.signal_id,
            causation_id=request_id or getattr(report, "request_id", None) or type(report).__name__,
            occurred_at=report.occurred_at,
        )

    async def _safely(self, account_id: str, booking: Awaitable[_T]) -> _T | None:
        try:
            return await booking
        except LiveOrderError as error:
            self._log.write("ERROR", f"Report not booked, the poll will find it: {error}", account_id=account_id)
            return None

    async def book_outcome(
        self, order: LiveOrder, request_id: str, outcome: Outcome, refusal: type[CancelRejected | ReplaceRejected]
    ) -> LiveOrder:
        """Book what became of a cancel or a replace. `refusal` is the report that says it came to nothing."""
        if isinstance(outcome, Answered):
            for report in outcome.reports:
                order = await self.book_on(order.order_id, report, request_id)
            return order
        if isinstance(outcome, NotReceived | RefusedByBroker):
            refused = refusal(reason=f"{type(outcome.error).__name__}: {outcome.error}", request_id=request_id)
            return await self.book_on(order.order_id, refused, request_id)
        async with self._orders.hold(order.order_id) as held:
            if isinstance(outcome, NotBegun):
                events = requests.not_begun(held, request_id, outcome.reason)
            else:
                events = requests.doubt(held, request_id, type(outcome.error).__name__, str(outcome.error))
            return await self._orders.record(held, events, Cause(correlation_id=held.intent.signal_id))

    # --- poll ------------------------------------------------------------------------------------------------------------------

    async def poll_for_ever(self, gateway: Gateway) -> None:
        can = gateway.broker.capabilities
        seconds, polled_at = max(self._poll_seconds, 60 / (can.requests_per_minute * POLLS_SHARE)), -math.inf
        while True:
            await self._clock.sleep(seconds)
            wanted_at = polled_at + can.quiet_poll_seconds if self._is_quiet(gateway) else polled_at
            if self._orders.unfinished(gateway.account_id) and self._clock.monotonic() >= wanted_at:
                polled_at = self._clock.monotonic()
                await self.poll(gateway)

    def _is_quiet(self, gateway: Gateway) -> bool:
        """Whether the stream tells what happens. What is in doubt is asked about by itself, order by order."""
        return gateway.is_followed and not gateway.in_flight

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
            if self._is_overtaken(snapshot, keys):
                continue
            booked = await self._safely(gateway.account_id, self.book(gateway.account_id, snapshot, asked))
            if booked is not None and snapshot.filled_quantity < booked.filled_quantity:
                await self._catch_up_on(gateway, booked)
        self._unmatched.still_listed(gateway.account_id, {snapshot.broker_order_id for snapshot in snapshots})
        missing = self._missing(gateway.account_id, snapshots)
        answers = await concurrently(partial(self.ask, gateway), missing, QUESTIONS_AT_ONCE)
        is_absent = [answer is Absence.ABSENT for answer in answers]
        self._absent[gateway.account_id] = [*compress(missing, is_absent)]
        return True

    def absent(self, account_id: str) -> Sequence[LiveOrder]:
        """Orders that the broker had, and did not know any more when it was polled last. Nothing is concluded from it."""
        return self._absent.get(account_id, ())

    def _is_overtaken(self, snapshot: OrderSnapshot, asked: Mapping[str, int]) -> bool:
        """Whether something was booked on the order while the question was under way: the answer may be older than that.

        It is asked again at the next poll; an old answer would infer fills that were busted since, or revive what has ended.
        """
        if snapshot.client_order_id is None:
            return False
        known = self._orders.known_by_key(snapshot.client_order_id)
        return asked.get(snapshot.client_order_id) != (known.version if known is not None else None)

    def _missing(self, account_id: str, listed: Sequence[OrderSnapshot]) -> Sequence[LiveOrder]:
        """Orders that the broker has or had and does not list among the open ones: they ended, or its list lags."""
        keys = {snapshot.client_order_id for snapshot in listed}
        named: defaultdict[str | None, list[OrderSnapshot]] = defaultdict(list)
        for snapshot in listed:
            named[snapshot.broker_order_id].append(snapshot)
        at_broker = [order for order in self._orders.unfinished(account_id) if order.is_at_broker]
        unlisted = [order for order in at_broker if order.client_order_id not in keys]
        return [order for order in unlisted if not any(may_concern(order, each) for each in named.get(order.broker_order_id, ()))]

    async def ask(self, gateway: Gateway, order: LiveOrder) -> OrderSnapshot | Absence:
        """Ask for one order by our key; the answer, booked. INCONCLUSIVE when it was overtaken by something booked meanwhile."""
        order = await self._orders.get(order.order_id)
        found = await gateway.find(order)
        if isinstance(found, Absence):
            return found
        before, after = await self._received(order.order_id, found, asked_at=order.version)
        await self._followed_up(before, after)
        return found if before.version == order.version else Absence.INCONCLUSIVE

    async def _catch_up_on(self, gateway: Gateway, order: LiveOrder) -> None:
        """The broker tells less than we have: a bust or a correction was missed, or the answer was old."""
        if order.submitted_at is not None:
            await self.catch_up(gateway, order.submitted_at)

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
        strange = await self._safely(account_id, self._orders.recall(account_id, reports)) or ()
        for report in reports:
            if report.client_order_id is None and report.broker_order_id in strange:
                await self._safely(account_id, self._unmatched.keep(account_id, gateway.broker.name, report))
            else:
                await self._safely(account_id, self.book(account_id, report))


_OUTCOMES = (CancelIsPending, CancelRejected, ReplaceIsPending, OrderReplaced, ReplaceRejected)


def _named(report: ExecutionReport, request_id: str | None) -> ExecutionReport:
    """What a broker returns from a call speaks of that request, and not of another one that is open beside it."""
    if isinstance(report, _OUTCOMES) and report.request_id is None:
        return replace(report, request_id=request_id)
    return report
