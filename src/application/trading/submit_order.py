"""An intent that is stored, to its broker: attempts, each durable before the call, until it is known what became of one.

A failure that is surely one is tried again with the same key and bytes; an unknown outcome is left to `ResolveUnknownOutcomes`.
What was not begun for a reason of ours is no attempt: it is started again for as long as the signal may still be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from uuid import UUID

from liveorder.application.gateway.gateway import Answered, Gateway, NotBegun, NotReceived, Outcome, RefusedByBroker, Unknown
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.broker import Prepared, SubmitRequest
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.sessions import Sessions
from liveorder.application.recording import Cause
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerError,
    BrokerRefusal,
    DuplicateClientOrderId,
    LiveOrderError,
    OrderRetryExhaustedError,
    OrderValidationError,
    TradingIsHalted,
)
from liveorder.domain.events import Event
from liveorder.domain.execution_report import OrderRejected
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import CancelReason, Refused, RejectReason, Requested
from liveorder.domain.trading_halt import TradingHalted, halting_scopes

T = TypeVar("T")


def stopped_by(intent: Requested) -> tuple[str, ...]:
    """The halts that the store must refuse a submission of this intent for."""
    return () if intent.passes_halt else halting_scopes(intent.account_id)


class SubmitOrder:
    """Sends single orders. `on_error` hears of one whose attempts are used up."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        gate: RiskGate,
        halts: TradingHalts,
        sessions: Sessions,
        track: ApplyReports,
        clock: Clock,
        on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    ) -> None:
        self._orders, self._gateways, self._gate = orders, gateways, gate
        self._halts, self._sessions, self._track = halts, sessions, track
        self._clock, self._on_error = clock, on_error
        self._failures: dict[UUID, BrokerError] = {}
        self.submitting: set[UUID] = set()
        """Orders that somebody takes to the broker now, or is about to send again."""

    def prepare(self, gateway: Gateway, intent: Requested) -> Prepared | Refused:
        """The bytes of its first attempt, or why the broker cannot take it. Can use up a number of the broker's."""
        return self._unless_refused(gateway, intent, gateway.broker.prepare)

    def refusal(self, gateway: Gateway, intent: Requested) -> Refused | None:
        """Why the broker cannot take it; None where it can. Uses nothing up."""
        return self._unless_refused(gateway, intent, gateway.broker.check)

    def _unless_refused(self, gateway: Gateway, intent: Requested, look: Callable[[SubmitRequest], T]) -> T | Refused:
        try:
            if intent.hours not in gateway.broker.capabilities.hours:
                raise OrderValidationError(f"hours: {gateway.broker.name} has no {intent.hours} hours; leave it out")
            return look(_submit_request(intent))
        except BrokerRefusal as error:
            return Refused(reason=RejectReason.INVALID, code=type(error).__name__, message=str(error))

    def start(self, gateway: Gateway, order: LiveOrder, prepared: Prepared) -> list[Event]:
        """What has to be durable before the call."""
        session = self._sessions.session_of(order.intent.instrument, self._clock.now())
        deadline = gateway.new_deadline(requests.next_submission_id(order))
        return requests.start_submission(order, prepared.reference, prepared.payload, deadline, session)

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
                if order.status.is_closed or order.submission_is_open or order.is_at_broker:
                    return order
                await self._clock.sleep(self._wait_before_retry(gateway, order))
        finally:
            self.submitting.discard(order.order_id)

    async def _send(self, gateway: Gateway, order: LiveOrder) -> LiveOrder:
        submission = order.submission
        assert submission is not None
        outcome: Outcome
        if self._halted(order.intent) is not None:
            outcome = NotBegun("not sent: trading was halted between the commit and the call")
        else:
            prepared = Prepared(submission.reference, submission.payload)
            outcome = await gateway.submit(submission.request_id, prepared, submission.deadline)
        return await self.book_outcome(order, submission.request_id, outcome)

    async def book_outcome(self, order: LiveOrder, request_id: str, outcome: Outcome) -> LiveOrder:
        """Record what became of a submission."""
        if not isinstance(outcome, NotReceived):
            self._failures.pop(order.order_id, None)
        if isinstance(outcome, Answered):
            for report in outcome.reports:
                order = await self._track.book_on(order.order_id, report, request_id)
            if request_id not in order.requests:
                return order
        elif isinstance(outcome, RefusedByBroker) and not isinstance(outcome.error, DuplicateClientOrderId):
            return await self._track.book_on(order.order_id, OrderRejected(reason=_worded(outcome.error)), request_id)
        async with self._orders.hold(order.order_id) as held:
            return await self._orders.record(held, self._failure(held, request_id, outcome), _cause(held, request_id))

    def _failure(self, order: LiveOrder, request_id: str, outcome: Outcome) -> list[Event]:
        if request_id not in order.requests:
            return []
        if isinstance(outcome, NotBegun):
            return requests.not_begun(order, request_id, outcome.reason)
        if isinstance(outcome, NotReceived):
            self._failures[order.order_id] = outcome.error
            return requests.fail_submission(order, request_id, type(outcome.error).__name__, str(outcome.error))
        if isinstance(outcome, Unknown | RefusedByBroker):
            return requests.doubt(order, request_id, type(outcome.error).__name__, str(outcome.error))
        return requests.doubt(order, request_id, "NoAnswer", "the broker answered without saying what became of it")

    def _wait_before_retry(self, gateway: Gateway, order: LiveOrder) -> float:
        retry = gateway.terms.retry
        if order.was_not_begun:
            return retry.wait_after(order.not_begun)
        return retry.wait_after(order.failures, self._failures.get(order.order_id)) if retry.allows_after(order.failures) else 0.0

    async def _start_again(self, gateway: Gateway, order: LiveOrder) -> tuple[LiveOrder, bool]:
        """The next attempt of an order that surely is not at the broker, or its end if it may not go out any more.

        Neither while its broker is away: upkeep has it taken up again.
        """
        if order.is_sent and not gateway.terms.retry.allows_after(order.failures):
            return await self._give_up(order), False
        if self._waits_for_broker(order.intent) and not self._no_longer_wanted(gateway, order):
            return order, False
        await gateway.limit.take()
        async with self._orders.hold(order.order_id) as held:
            if held.status.is_closed or held.submission_is_open or held.is_at_broker or held.cancel_requested:
                return held, False
            if ended := self._no_longer_wanted(gateway, held):
                self._failures.pop(held.order_id, None)
                return await self._orders.record(held, ended, _cause(held)), False
            if self._waits_for_broker(held.intent):
                return held, False
            prepared = self._prepared(gateway, held)
            if isinstance(prepared, Refused):
                return await self._orders.record(held, [prepared], _cause(held)), False
            try:
                started = self.start(gateway, held, prepared)
                scopes = stopped_by(held.intent)
                return await self._orders.record(held, started, _cause(held), unless_halted=scopes), True
            except TradingIsHalted as error:
                if self._waits_for_broker(held.intent):
                    return held, False
                ended = requests.cancel_unsent(held, CancelReason.HALTED, str(error))
                return await self._orders.record(held, ended, _cause(held)), False

    def _waits_for_broker(self, intent: Requested) -> bool:
        return not intent.passes_halt and self._halts.is_waiting_for_broker(intent.account_id)

    def _halted(self, intent: Requested) -> TradingHalted | None:
        return None if intent.passes_halt else self._halts.stands_for(intent.account_id)

    def _prepared(self, gateway: Gateway, order: LiveOrder) -> Prepared | Refused:
        """The same bytes on every attempt."""
        if order.submission is not None:
            return Prepared(order.submission.reference, order.submission.payload)
        return self.prepare(gateway, order.intent)

    def _no_longer_wanted(self, gateway: Gateway, order: LiveOrder) -> list[Event]:
        """Its cancel was asked for, or it is halted, stale or out of session since it was approved."""
        if order.cancels:
            return requests.cancel_unsent(order, CancelReason.REQUESTED, "its cancel was asked for; it never reached the broker")
        refusal = self._gate.judge_again(gateway, order)
        if refusal is None:
            return []
        reason = CancelReason.HALTED if refusal.code in ("kill_switch", "auto_trading") else CancelReason.STALE
        before = f"; until then: {order.last_failure.message}" if order.last_failure is not None else ""
        return requests.cancel_unsent(order, reason, f"before it was sent: {refusal.message}{before}")

    async def _give_up(self, order: LiveOrder) -> LiveOrder:
        said = order.last_failure.message if order.last_failure is not None else ""
        original = self._failures.pop(order.order_id, None) or BrokerConnectionError(said)
        error = OrderRetryExhaustedError(order.attempts, original)
        async with self._orders.hold(order.order_id) as held:
            if held.status.is_closed or held.submission_is_open or held.is_at_broker:
                return held
            events = requests.refuse(RejectReason.RETRIES_EXHAUSTED, "retries_exhausted", str(error))
            after = await self._orders.record(held, events, _cause(held))
        self._on_error(after, error)
        return after


def _worded(error: BrokerRefusal) -> str:
    return f"{type(error).__name__}: {error}"


def _cause(order: LiveOrder, request_id: str | None = None) -> Cause:
    return Cause(correlation_id=order.intent.signal_id, causation_id=request_id)


def _submit_request(intent: Requested) -> SubmitRequest:
    return SubmitRequest(
        client_order_id=intent.client_order_id,
        account_id=intent.account_id,
        instrument=intent.instrument,
        side=intent.side,
        order_type=intent.order_type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        notional=intent.notional,
        limit_price=intent.limit_price,
        stop_price=intent.stop_price,
        trail_amount=intent.trail_amount,
        trail_percent=intent.trail_percent,
        limit_offset=intent.limit_offset,
        product=intent.product,
        hours=intent.hours,
        expires_at=intent.expires_at,
        role=intent.role,
        reduces_only=intent.reduces_only,
    )
