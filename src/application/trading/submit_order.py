"""An intent that is stored, to its broker: attempts, each durable before the call, until it is known what became of one.

A failure that is surely one is tried again with the same key and bytes; an unknown outcome is left to `ResolveUnknownOutcomes`.
What was not begun for a reason of ours is no attempt: it is started again for as long as the signal may still be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.broker import Prepared, SubmitRequest
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerError,
    BrokerRefusal,
    LiveOrderError,
    OrderRetryExhaustedError,
    OrderValidationError,
    TradingIsHalted,
)
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import (
    Approved,
    CancelReason,
    OrderRequested,
    Refused,
    RejectReason,
    RequestKind,
)
from liveorder.domain.order.outcomes import NotBegun, NotReceived, Outcome
from liveorder.domain.risk import end_unwanted
from liveorder.domain.trading_halt import stopped_by

T = TypeVar("T")


class SubmitOrder:
    """Sends single orders. `on_error` hears of one whose attempts are used up."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        gate: RiskGate,
        halts: TradingHalts,
        calendar: TradingCalendar,
        track: ApplyReports,
        clock: Clock,
        on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    ) -> None:
        self._orders, self._gateways, self._gate = orders, gateways, gate
        self._halts, self._calendar, self._track = halts, calendar, track
        self._clock, self._on_error = clock, on_error
        self._failures: dict[UUID, BrokerError] = {}
        self.submitting: set[UUID] = set()
        """Orders that somebody takes to the broker now, or is about to send again."""
        self.is_stopped = False
        """Whether this process ends: what a halt would stop is not sent any more, and stays to be taken up."""

    # --- what is stored before the call ----------------------------------------------------------------------------------------

    def begin(self, gateway: Gateway, draft: LiveOrder, approved: Approved, *, may_be_sent_already: bool) -> list[Event]:
        """What is stored of an approved order first: the start of its submission with it, where it can be sent now.

        `may_be_sent_already`: the store may have forgotten it. It begins as if its outcome had not been heard, and is asked about.
        """
        intent = draft.intent
        if intent.terms.is_shadow and not may_be_sent_already:
            unsent = requests.cancel_unsent(draft, CancelReason.REQUESTED, "shadow run: approved, and not sent")
            return [intent, approved, *unsent]
        if not may_be_sent_already and not gateway.limit.try_take():
            return [intent, self.refusal(gateway, intent) or approved]
        prepared = self.prepare(gateway, draft)
        if isinstance(prepared, Refused):
            if not may_be_sent_already:
                gateway.limit.give_back()
            return [intent, prepared]
        if not may_be_sent_already:
            return [intent, approved, *self._start(gateway, draft, prepared)]
        return [intent, approved, *self._start(gateway, draft, prepared), requests.forgotten(draft)]

    def refusal(self, gateway: Gateway, intent: OrderRequested) -> Refused | None:
        """Why the broker cannot take it; None where it can. Uses nothing up."""
        return self._unless_refused(gateway, intent, gateway.broker.check)

    def prepare(self, gateway: Gateway, order: LiveOrder) -> Prepared | Refused:
        """The same bytes on every attempt, or why the broker cannot take it. The first can use up a number of the broker's."""
        if order.submission is not None and order.submission.payload:
            return Prepared(order.submission.reference, order.submission.payload)
        return self._unless_refused(gateway, order.intent, gateway.broker.prepare)

    def _unless_refused(self, gateway: Gateway, intent: OrderRequested, look: Callable[[SubmitRequest], T]) -> T | Refused:
        try:
            if intent.terms.hours not in gateway.broker.capabilities.hours:
                raise OrderValidationError(f"hours: {gateway.broker.name} has no {intent.terms.hours} hours; leave it out")
            return look(_submit_request(intent))
        except BrokerRefusal as error:
            return Refused(reason=RejectReason.INVALID, code=type(error).__name__, message=str(error))

    def _start(self, gateway: Gateway, order: LiveOrder, prepared: Prepared) -> list[Event]:
        session = self._calendar.session_for(order.intent.instrument, self._clock.now())
        deadline = gateway.deadlines.new(requests.next_submission_id(order))
        return requests.start_submission(order, prepared.reference, prepared.payload, deadline, session)

    async def doubt_forgotten(self, order: LiveOrder) -> LiveOrder:
        """Of an order that waits, and that the store may have sent before it was restored. The caller holds it."""
        session = self._calendar.session_for(order.intent.instrument, self._clock.now())
        return await self._orders.record(order, requests.doubt_forgotten(order, self._clock.now(), session), _cause(order))

    # --- attempts --------------------------------------------------------------------------------------------------------------

    async def resume(self, order: LiveOrder) -> LiveOrder:
        """Take up an order that surely is not at the broker: never sent, or every attempt failed definitely."""
        return order if order.order_id in self.submitting else await self.drive(order, is_started=False)

    async def ask(self, order: LiveOrder) -> LiveOrder:
        """The order after the broker was asked about it, without anything being sent."""
        await self._track.ask(self._gateways[order.intent.account_id], order)
        return await self._orders.get(order.order_id)

    async def drive(self, order: LiveOrder, *, is_started: bool) -> LiveOrder:
        """Send, and send again after definite failures, until there is an outcome or the attempts are used up.

        Only the caller whose commit started an attempt sends it (`is_started`): a caller that finds one open leaves it.
        The order is known as `submitting` meanwhile; what ends this early leaves it to be taken up again.
        """
        gateway = self._gateways[order.intent.account_id]
        self.submitting.add(order.order_id)
        try:
            while True:
                if not is_started:
                    order, is_started = await self._start_again(gateway, order)
                if not is_started:
                    return order
                order, is_started = await self._send(gateway, order), False
                if not requests.may_be_sent(order):
                    return order
                await self._clock.sleep(gateway.terms.retry.wait_for(order, self._failures.get(order.order_id)))
        finally:
            self.submitting.discard(order.order_id)

    async def _send(self, gateway: Gateway, order: LiveOrder) -> LiveOrder:
        submission, intent = order.submission, order.intent
        assert submission is not None
        outcome: Outcome
        if self._halts.now.stops(intent):
            outcome = NotBegun("not sent: trading was halted between the commit and the call")
        elif self._is_left(order):
            outcome = NotBegun("not sent: liveorder was stopped between the commit and the call")
        else:
            prepared = Prepared(submission.reference, submission.payload)
            outcome = await gateway.submit(submission.request_id, prepared, submission.deadline)
        return await self.book_outcome(order, submission.request_id, outcome)

    async def book_outcome(self, order: LiveOrder, request_id: str, outcome: Outcome) -> LiveOrder:
        """Record what became of a submission."""
        if isinstance(outcome, NotReceived):
            self._failures[order.order_id] = outcome.error
        else:
            self._failures.pop(order.order_id, None)
        return await self._track.book_outcome(order, RequestKind.SUBMIT, request_id, outcome)

    async def _start_again(self, gateway: Gateway, order: LiveOrder) -> tuple[LiveOrder, bool]:
        """The next attempt of an order that surely is not at the broker, or its end if it may not go out any more.

        Neither while its broker is away: upkeep has it taken up again; nor once this process ends.
        """
        if self._is_left(order):
            return order, False
        if gateway.terms.retry.is_used_up_by(order):
            return await self._give_up(order), False
        if self._halts.now.delays(order.intent) and not end_unwanted(order, self._gate.judge_again(gateway, order)):
            return order, False
        await gateway.limit.take()
        await self._gate.confirm(gateway, order)
        async with self._orders.hold(order.order_id) as held:
            if not requests.may_be_sent(held) or held.cancel_requested or self._is_left(held):
                return held, False
            if ended := end_unwanted(held, self._gate.judge_again(gateway, held)):
                self._failures.pop(held.order_id, None)
                return await self._orders.record(held, ended, _cause(held)), False
            if self._halts.now.delays(held.intent):
                return held, False
            prepared = self.prepare(gateway, held)
            if isinstance(prepared, Refused):
                return await self._orders.record(held, [prepared], _cause(held)), False
            try:
                started = [*self._gate.unconfirmed(gateway, held), *self._start(gateway, held, prepared)]
                scopes = stopped_by(held.intent)
                return await self._orders.record(held, started, _cause(held), unless_halted=scopes), True
            except TradingIsHalted as error:
                if self._halts.now.delays(held.intent):
                    return held, False
                ended = requests.cancel_unsent(held, CancelReason.HALTED, str(error))
                return await self._orders.record(held, ended, _cause(held)), False

    def _is_left(self, order: LiveOrder) -> bool:
        """To the next start."""
        return self.is_stopped and not order.intent.terms.passes_halt

    async def _give_up(self, order: LiveOrder) -> LiveOrder:
        said = order.last_failure.message if order.last_failure is not None else ""
        original = self._failures.pop(order.order_id, None) or BrokerConnectionError(said)
        error = OrderRetryExhaustedError(order.attempts, original)
        async with self._orders.hold(order.order_id) as held:
            if not requests.may_be_sent(held):
                return held
            events = requests.refuse(RejectReason.RETRIES_EXHAUSTED, "retries_exhausted", str(error))
            after = await self._orders.record(held, events, _cause(held))
        self._on_error(after, error)
        return after


def _cause(order: LiveOrder) -> Cause:
    return Cause(correlation_id=order.intent.signal_id)


def _submit_request(intent: OrderRequested) -> SubmitRequest:
    return SubmitRequest.of(intent.terms, intent.client_order_id, intent.account_id, intent.instrument)
