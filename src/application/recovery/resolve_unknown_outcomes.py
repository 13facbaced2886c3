"""Resolving unknown outcomes: the broker is asked, with backoff, until an answer, a report or a person settles it. Time alone never
does.

`domain.evidence` decides what an answer proves, and when *not found* may be believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import Absence
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import ENGINE, Cause
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.domain.doubt import Doubt, doubts_of
from liveorder.domain.errors import DecisionRefused, LiveOrderError
from liveorder.domain.evidence import (
    ABSENCES_NEEDED,
    Absent,
    Moment,
    Verdict,
    WaitUntil,
    came_to_nothing,
    is_another_doubt,
    is_past_answering,
    next_question_at,
    proved_by_not_finding,
)
from liveorder.domain.execution_report import Accepted, OrderSnapshot
from liveorder.domain.order import LiveOrder, OpenRequest, requests
from liveorder.domain.order.events import UNANSWERED, RequestKind
from liveorder.domain.order.reception import apply_report

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


@dataclass(slots=True)
class Inquiry:
    """The state of the inquiry about one order. Its times are by the monotonic clock, which nobody sets."""

    next_at: float
    noticed: Mapping[str, float] = field(default_factory=dict)
    """When this process first saw each request in doubt. The request had left by then."""
    wait_seconds: float = FIRST_WAIT_SECONDS
    asked: int = 0
    not_found: Sequence[Moment] = ()
    """When the latest consecutive questions were asked that did not find the order; as many as a proof needs."""
    verdict: Verdict | None = None
    """What the last answer proves about the submission, if it did not find the order."""
    last_asked_at: datetime | None = None
    last_answer: str = ""


@dataclass(slots=True)
class _Asking:
    """The inquiries at one broker."""

    inquiries: dict[UUID, Inquiry] = field(default_factory=dict)
    unattended_since: Mapping[str, float] = field(default_factory=dict)
    """Since when, by the monotonic clock, each request without an outcome has had no call in flight."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class ResolveUnknownOutcomes:
    """Asks until an outcome is known. With `settle_found` and `settle_absent` a person ends it."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        track: ApplyReports,
        clock: Clock,
        log: ActivityLog,
        resubmit: Callable[[LiveOrder], None],
    ) -> None:
        self._orders, self._gateways, self._track = orders, gateways, track
        self._clock, self._log, self._resubmit = clock, log, resubmit
        self._asking = {account_id: _Asking() for account_id in gateways}

    def standing(self) -> Sequence[Doubt]:
        """Every request with an unknown outcome."""
        return [self._with_inquiry(doubt) for order in self._orders.unfinished() for doubt in doubts_of(order)]

    def _with_inquiry(self, doubt: Doubt) -> Doubt:
        inquiry = self._asking[doubt.order.intent.account_id].inquiries.get(doubt.order.order_id)
        if inquiry is None:
            return doubt
        return replace(doubt, asked=inquiry.asked, last_asked_at=inquiry.last_asked_at, last_answer=inquiry.last_answer)

    def wake(self, account_id: str) -> None:
        """Ask about everything now, because the account's broker is reachable again."""
        asking = self._asking[account_id]
        for inquiry in asking.inquiries.values():
            inquiry.next_at, inquiry.wait_seconds = self._clock.monotonic(), FIRST_WAIT_SECONDS
        asking.woken.set()

    async def ask_for_ever(self, account_id: str) -> None:
        asking = self._asking[account_id]
        while True:
            await self.ask_due(account_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds_to_next(asking)):
                    await asking.woken.wait()
            asking.woken.clear()

    def _seconds_to_next(self, asking: _Asking) -> float:
        waits = [inquiry.next_at - self._clock.monotonic() for inquiry in asking.inquiries.values()]
        return max(min([*waits, FIRST_WAIT_SECONDS]), 0.01)

    async def ask_all_due(self) -> None:
        await concurrently(self.ask_due, self._asking)

    async def ask_due(self, account_id: str) -> None:
        """Ask the account's broker about every order that is due."""
        asking = self._asking[account_id]
        await self._notice_overdue(account_id, asking)
        doubtful = [order for order in self._orders.unfinished(account_id) if order.is_in_doubt]
        asking.inquiries = {order.order_id: self._inquiry_about(order, asking) for order in doubtful}
        now = self._clock.monotonic()
        due = [order for order in doubtful if asking.inquiries[order.order_id].next_at <= now]
        await concurrently(lambda order: self._ask_safely(order, asking.inquiries[order.order_id]), due, limit=QUESTIONS_AT_ONCE)

    def _inquiry_about(self, order: LiveOrder, asking: _Asking) -> Inquiry:
        """The order's current inquiry, or a new one if another request is in doubt by now: earlier answers and waits do not concern
        it.
        """
        known, now = asking.inquiries.get(order.order_id), self._clock.monotonic()
        noticed = known.noticed if known is not None else {}
        if known is not None and not is_another_doubt(order, noticed):
            return known
        doubtful = [request_id for request_id, request in order.requests.items() if request.is_in_doubt]
        return Inquiry(now, {request_id: noticed.get(request_id, now) for request_id in doubtful})

    async def _notice_overdue(self, account_id: str, asking: _Asking) -> None:
        """Record an unknown outcome for each request past its deadline that no call waits for."""
        now, longest = self._now(), self._gateways[account_id].terms.call_timeout_seconds
        unattended = [(order, request) for order in self._orders.unfinished(account_id) for request in self.unattended(order)]
        since = {request.request_id: asking.unattended_since.get(request.request_id, now.counted) for _, request in unattended}
        asking.unattended_since = since
        for order, request in unattended:
            if is_past_answering(request, since[request.request_id], now, longest):
                await self.doubt(order, request.request_id, UNANSWERED, "no outcome by its deadline")

    def _now(self) -> Moment:
        return Moment(self._clock.now(), self._clock.monotonic())

    def unattended(self, order: LiveOrder) -> Sequence[OpenRequest]:
        """Requests without a call in flight in this process. Nothing will report whether they left, or their outcome."""
        in_flight = self._gateways[order.intent.account_id].in_flight
        return [each for each in order.requests.values() if not each.is_in_doubt and each.request_id not in in_flight]

    async def doubt(self, order: LiveOrder, request_id: str, error: str, message: str) -> LiveOrder:
        """Record that the outcome of this request is unknown."""
        async with self._orders.hold(order.order_id) as held:
            events = requests.doubt(held, request_id, error, message)
            return await self._orders.record(held, events, _cause(held, request_id))

    async def _ask_safely(self, order: LiveOrder, inquiry: Inquiry) -> None:
        try:
            inquiry.last_answer = await self._ask(order, inquiry)
        except LiveOrderError as error:
            inquiry.last_answer = f"could not ask: {error}"
        except Exception as error:  # noqa: BLE001 - an unexpected error of an adapter must not end the inquiry
            inquiry.last_answer = f"could not ask: {type(error).__name__}"
        now = self._now()
        inquiry.asked += 1
        inquiry.last_asked_at = now.at
        can = self._gateways[order.intent.account_id].broker.capabilities
        inquiry.next_at = next_question_at(order, inquiry.noticed, inquiry.verdict, inquiry.wait_seconds, now, can)
        inquiry.wait_seconds = min(inquiry.wait_seconds * 2, LONGEST_WAIT_SECONDS)

    async def _ask(self, order: LiveOrder, inquiry: Inquiry) -> str:
        """Ask once, judge the answer, and act on it. Returns a description of the answer, for people."""
        gateway = self._gateways[order.intent.account_id]
        can, asked = gateway.broker.capabilities, self._now()
        answer = await self._track.ask(gateway, order)
        inquiry.not_found = (*inquiry.not_found, asked)[-ABSENCES_NEEDED:] if answer is Absence.ABSENT else ()
        inquiry.verdict = None
        if answer is Absence.INCONCLUSIVE:
            return "inconclusive"
        if isinstance(answer, OrderSnapshot):
            order = await self._orders.get(order.order_id)
            for request in came_to_nothing(order, inquiry.noticed, answer, asked, can):
                await self._settle_absent(order, request.request_id, "the order stands unchanged past its horizon")
            return "found"
        submission = next((r for r in order.requests.values() if r.kind is RequestKind.SUBMIT and r.is_in_doubt), None)
        if submission is None:
            return "not found, which proves nothing yet"
        now, noticed = self._now(), inquiry.noticed[submission.request_id]
        verdict = inquiry.verdict = proved_by_not_finding(submission, noticed, inquiry.not_found, now, can)
        if not isinstance(verdict, Absent):
            if isinstance(verdict, WaitUntil) and verdict.is_second_look:
                inquiry.wait_seconds = FIRST_WAIT_SECONDS
            return verdict.reason
        evidence = f"not found twice, the last at {now.at.isoformat()}, past every bound of {gateway.broker.name}"
        after = await self._settle_absent(order, submission.request_id, evidence)
        if not after.submission_is_open:
            self._resubmit(after)
        return evidence

    async def _settle_absent(self, order: LiveOrder, request_id: str, evidence: str, actor: str = ENGINE) -> LiveOrder:
        async with self._orders.hold(order.order_id) as held:
            events = requests.settle_absent(held, request_id, evidence)
            return await self._orders.record(held, events, _cause(held, request_id, actor))

    # --- a person --------------------------------------------------------------------------------------------------------------

    async def settle_found(self, order_id: UUID, broker_order_id: str, evidence: str, actor: str) -> LiveOrder:
        """A person states that the order is at the broker under this id. The broker is then asked for the rest."""
        async with self._orders.hold(order_id) as held:
            if not held.is_in_doubt:
                raise DecisionRefused(f"order {order_id} is not in doubt")
            other = self._orders.unfinished_named(held.intent.account_id, broker_order_id)
            if other is not None and other.order_id != order_id:
                raise DecisionRefused(f"{broker_order_id} is another order of ours: `liveorder order {broker_order_id}` shows it")
            events = [*apply_report(held, Accepted(broker_order_id=broker_order_id)), *requests.resolve_review(held, evidence)]
            await self._track.resolve_what_waits(held, events)
            order = await self._orders.record(held, events, Cause(actor, held.intent.signal_id, evidence))
        if order.broker_order_id is not None:
            await self._track.attach_waiting_reports(order)
        await self._track.ask(self._gateways[order.intent.account_id], order)
        return await self._orders.get(order_id)

    async def _refuse_if_the_broker_has_it(self, order: LiveOrder) -> None:
        if order.is_in_doubt or not order.is_at_broker or order.status.is_closed:
            return
        answer = await self._track.ask(self._gateways[order.intent.account_id], order)
        if not isinstance(answer, Absence):
            state = answer.native_status or answer.status
            raise DecisionRefused(f"order {order.order_id} is not in doubt: the broker reports it as {state}")

    async def settle_absent(self, order_id: UUID, evidence: str, actor: str) -> LiveOrder:
        """A person states that the broker never received the order, or no longer has it. Nothing is sent again; the order ends as
        cancelled.

        An open order that is not in doubt is ended this way only if the broker does not report it now: some brokers drop orders
        overnight. Its booked fills are final.
        """
        await self._refuse_if_the_broker_has_it(await self._orders.get(order_id))
        async with self._orders.hold(order_id) as held:
            events = (
                requests.settle_all_absent(held, f"{actor}: {evidence}")
                if held.is_in_doubt
                else requests.end_forgotten(held, evidence)
            )
            return await self._orders.record(held, events, Cause(actor, held.intent.signal_id, evidence))


def _cause(order: LiveOrder, request_id: str, actor: str = ENGINE) -> Cause:
    return Cause(actor, correlation_id=order.intent.signal_id, causation_id=request_id)
