"""One signal to at most one live order.

The intent, its approval and the start of its submission are durable before the broker is called; in one commit when nothing stands
between them. A failure that is surely one is tried again with the same key and bytes; an outcome that is not known is asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from liveorder.application.gateway import Answered, Gateway, NotReceived, Outcome, RefusedByBroker, Unknown
from liveorder.application.kill_switch import KillSwitch, halting_scopes
from liveorder.application.orders import ENGINE, Cause, Orders
from liveorder.application.ports.broker import Prepared, SubmitRequest
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.order_store import SignalClaim
from liveorder.application.risk_book import RiskBook
from liveorder.application.risk_gate import RiskGate
from liveorder.application.sessions import Sessions
from liveorder.application.sizing import Origin, SizedIntent, size
from liveorder.application.track_orders import TrackOrders
from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerError,
    BrokerRefusal,
    DuplicateClientOrderId,
    LiveOrderError,
    OrderRetryExhaustedError,
    SignalAlreadyKnown,
    TradingIsHalted,
)
from liveorder.domain.execution_report import OrderRejected, OrderSnapshot
from liveorder.domain.facts import Fact
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.facts import (
    Approved,
    CancelReason,
    OutcomeUnknown,
    Refused,
    RejectReason,
    Requested,
    RequestKind,
    SubmissionStarted,
)
from liveorder.domain.risk import RiskRefusal
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.trading_halt import TradingHalted
from liveorder.domain.values import TradingMode


class SignalContentDiffers(UnusableSignal):
    """The id is known with other content: which of the two was meant is for a person to say."""

    def __init__(self, signal_id: str, known: LiveOrder, fingerprint: str) -> None:
        super().__init__(
            f"signal_id: {signal_id} already became order {known.order_id} with other content "
            f"(known {known.intent.signal_fingerprint[:12]}, now {fingerprint[:12]}); give a new signal a new id",
            signal_id,
        )
        self.known_order_id, self.known_fingerprint = known.order_id, known.intent.signal_fingerprint


@dataclass(frozen=True, slots=True)
class ExecutionTerms:
    """Fixed for a run of the service."""

    namespace: str
    default_account: str
    session_id: str
    is_shadow: bool = False


class ExecuteOrder:
    """Takes a signal to the broker, and takes up again what a crash or a definite failure left unsent."""

    def __init__(
        self,
        terms: ExecutionTerms,
        orders: Orders,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        gate: RiskGate,
        kill_switch: KillSwitch,
        sessions: Sessions,
        track: TrackOrders,
        clock: Clock,
        log: EventLog,
        on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    ) -> None:
        self._terms, self._orders, self._gateways, self._risk = terms, orders, gateways, risk
        self._gate, self._kill_switch, self._sessions, self._track = gate, kill_switch, sessions, track
        self._clock, self._log, self._on_error = clock, log, on_error
        self._failures: dict[UUID, BrokerError] = {}

    async def execute(self, signal: Signal, *, published_at: datetime | None = None, operator: str | None = None) -> LiveOrder:
        """The order that this signal is, after its first attempts: acknowledged, rejected or in doubt, perhaps filled already.

        A signal that is known already gives the order that it became. Raises `UnusableSignal` for one that cannot become an order,
        and the errors of `OrderStore.append` when nothing could be stored: then nothing was sent.
        """
        gateway = self.gateway_for(signal)
        key = SignalKey(self._terms.namespace, gateway.account_id, signal.signal_id)
        client_order_id = key.client_order_id
        known = self._orders.known_by_key(client_order_id)
        if known is not None:
            return _same(known, signal)
        origin = Origin(
            self._orders.new_id(),
            client_order_id,
            key.namespace,
            self._terms.session_id,
            published_at,
            self._terms.is_shadow,
        )
        sized = await size(signal, gateway, origin, self._clock.now())
        cause = Cause(f"person:{operator}" if operator else ENGINE, correlation_id=signal.signal_id)
        claim = SignalClaim(client_order_id, key.text, origin.order_id, sized.intent.signal_fingerprint)
        is_suspect = self._kill_switch.may_have_forgotten(gateway.account_id, signal.timestamp)
        try:
            order = await self._begin(gateway, sized, claim, cause, is_suspect=is_suspect)
        except SignalAlreadyKnown as error:
            return _same(await self._orders.get(UUID(error.order_id)), signal)
        if order.is_in_doubt:
            await self._track.ask(gateway, order)
            return await self._orders.get(order.order_id)
        return await self._drive(gateway, order, is_started=order.submission_is_open) if _is_wanted(order) else order

    async def resume(self, order: LiveOrder) -> LiveOrder:
        """Take up an order that surely is not at the broker: never sent, or every attempt failed definitely."""
        gateway = self._gateways[order.intent.account_id]
        return await self._drive(gateway, order, is_started=False)

    async def validate(self, signal: Signal, *, operator: str | None = None) -> tuple[Requested, Sequence[Refused]]:
        """The intent that this signal would become now, and everything that stands in its way; nothing is stored or sent.

        Raises `UnusableSignal` for one that cannot become an order.
        """
        gateway = self.gateway_for(signal)
        key = SignalKey(self._terms.namespace, gateway.account_id, signal.signal_id)
        origin = Origin(self._orders.new_id(), key.client_order_id, key.namespace, self._terms.session_id)
        sized = await size(signal, gateway, origin, self._clock.now())
        form = self._refusal_of_form(gateway, sized)
        found = self._gate.refusals(gateway, sized.intent, sized.quote, is_operators=operator is not None)
        risks = [_refused_by(refusal) for refusal in found]
        return sized.intent, [*([form] if form is not None else []), *risks]

    def gateway_for(self, signal: Signal) -> Gateway:
        account_id = signal.account_id or self._terms.default_account
        gateway = self._gateways.get(account_id)
        if gateway is None:
            known = ", ".join(self._gateways)
            raise UnusableSignal(f"account_id: {account_id} is not in the settings; known are {known}", signal.signal_id)
        return gateway

    # --- the first commit ------------------------------------------------------------------------------------------------------

    async def _begin(
        self, gateway: Gateway, sized: SizedIntent, claim: SignalClaim, cause: Cause, *, is_suspect: bool
    ) -> LiveOrder:
        """Everything up to the call, in one commit where it can be one."""
        intent = sized.intent
        if is_suspect and await self._is_at_broker(gateway, intent):
            return await self._begin_in_doubt(gateway, _draft_of(intent), Approved(), claim, cause)
        refusal = self._refusal_of_form(gateway, sized) or self._judged(gateway, sized, is_operators=cause.actor != ENGINE)
        if isinstance(refusal, Refused):
            return await self._record_new(intent, [intent, refusal], claim, cause)
        if cause.actor != ENGINE and self._kill_switch.stands_for(gateway.account_id) is not None:
            intent = intent.model_copy(update={"passes_halt": True})
        draft = _draft_of(intent)
        self._risk.reserve(draft)
        try:
            if is_suspect and not intent.is_shadow:
                return await self._begin_in_doubt(gateway, draft, refusal, claim, cause)
            return await self._begin_reserved(gateway, draft, refusal, claim, cause)
        finally:
            self._risk.release(intent.order_id)

    async def _begin_reserved(
        self, gateway: Gateway, draft: LiveOrder, approved: Approved, claim: SignalClaim, cause: Cause
    ) -> LiveOrder:
        intent = draft.intent
        if intent.is_shadow:
            return await self._record_new(intent, [intent, approved, *_shadowed(draft)], claim, cause)
        try:
            prepared = gateway.broker.prepare(_submit_request(intent))
        except BrokerRefusal as error:
            refused = requests.refuse(RejectReason.INVALID, type(error).__name__, str(error))
            return await self._record_new(intent, [intent, *refused], claim, cause)
        if not gateway.limit.try_take():
            return await self._record_new(intent, [intent, approved], claim, cause)
        started = self._start(gateway, draft, prepared)
        try:
            return await self._record_new(intent, [intent, approved, *started], claim, cause, _stopped_by(intent))
        except TradingIsHalted as error:
            refused = requests.refuse(RejectReason.RISK, "kill_switch", str(error))
            return await self._record_new(intent, [intent, *refused], claim, cause)

    async def _is_at_broker(self, gateway: Gateway, intent: Requested) -> bool:
        return isinstance(await gateway.find(_draft_of(intent)), OrderSnapshot)

    async def _begin_in_doubt(
        self, gateway: Gateway, draft: LiveOrder, approved: Approved, claim: SignalClaim, cause: Cause
    ) -> LiveOrder:
        """As if it had been sent and the outcome not been heard, which the store may have forgotten. Nothing leaves here."""
        intent = draft.intent
        try:
            prepared = gateway.broker.prepare(_submit_request(intent))
        except BrokerRefusal as error:
            refused = requests.refuse(RejectReason.INVALID, type(error).__name__, str(error))
            return await self._record_new(intent, [intent, *refused], claim, cause)
        started = self._start(gateway, draft, prepared)
        message = "this store may have sent it before it was restored: asked about, not sent"
        unknown = [
            OutcomeUnknown(request_id=each.request_id, kind=RequestKind.SUBMIT, error="StoreRestored", message=message)
            for each in started
            if isinstance(each, SubmissionStarted)
        ]
        return await self._record_new(intent, [intent, approved, *started, *unknown], claim, cause)

    async def _record_new(
        self,
        intent: Requested,
        facts: list[Fact],
        claim: SignalClaim,
        cause: Cause,
        unless_halted: tuple[str, ...] = (),
    ) -> LiveOrder:
        return await self._orders.record(None, facts, cause, order_id=intent.order_id, claim=claim, unless_halted=unless_halted)

    def _start(self, gateway: Gateway, order: LiveOrder, prepared: Prepared) -> list[Fact]:
        session = self._sessions.session_of(order.intent.instrument, self._clock.now())
        deadline = gateway.new_deadline()
        return requests.start_submission(order, prepared.reference, prepared.payload, deadline, session)

    # --- gates -----------------------------------------------------------------------------------------------------------------

    def _refusal_of_form(self, gateway: Gateway, sized: SizedIntent) -> Refused | None:
        """What is wrong with the order itself, before any limit is looked at."""
        intent = sized.intent
        if sized.problem is not None:
            return _refused(RejectReason.INVALID, "invalid_quantity", str(sized.problem))
        is_guarded = intent.stop_loss is None and intent.take_profit is None
        if is_guarded or intent.protection is not None:
            return None
        if gateway.terms.mode is TradingMode.SIMULATION:
            self._log.write(
                "WARNING",
                "stop_loss and take_profit are kept on the order; nothing places them yet",
                signal_id=intent.signal_id,
            )
            return None
        message = 'stop_loss and take_profit would not be placed; say "protection": "external" if something else guards it'
        return _refused(RejectReason.INVALID, "unprotected", message)

    def _judged(self, gateway: Gateway, sized: SizedIntent, *, is_operators: bool) -> Refused | Approved:
        assessment = self._gate.judge(gateway, sized.intent, sized.quote, is_operators=is_operators)
        if assessment.refusal is None:
            return Approved(figures=assessment.figures)
        return _refused_by(assessment.refusal)

    # --- attempts --------------------------------------------------------------------------------------------------------------

    async def _drive(self, gateway: Gateway, order: LiveOrder, *, is_started: bool) -> LiveOrder:
        """Send, and send again after definite failures, until there is an outcome or the attempts are used up.

        Only the caller whose commit started an attempt sends it (`is_started`): whoever finds one open leaves it alone.
        """
        while True:
            if not is_started:
                order, is_started = await self._start_again(gateway, order)
            if not is_started:
                return order
            order, is_started = await self._send(gateway, order), False
            if not self._may_try_again(order):
                return order
            await self._clock.sleep(self._wait_before_retry(gateway, order))

    async def _send(self, gateway: Gateway, order: LiveOrder) -> LiveOrder:
        submission = order.submission
        assert submission is not None
        outcome: Outcome
        if self._halted(order.intent) is not None or self._clock.now() >= submission.deadline:
            outcome = NotReceived(BrokerConnectionError("halted or late between the commit and the call: not sent"))
        else:
            prepared = Prepared(submission.reference, submission.payload)
            outcome = await gateway.submit(submission.request_id, prepared, submission.deadline)
        return await self.book_outcome(gateway, order, submission.request_id, outcome)

    async def book_outcome(self, gateway: Gateway, order: LiveOrder, request_id: str, outcome: Outcome) -> LiveOrder:
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

    def _failure(self, order: LiveOrder, request_id: str, outcome: Outcome) -> list[Fact]:
        if request_id not in order.requests:
            return []
        if isinstance(outcome, NotReceived):
            self._failures[order.order_id] = outcome.error
            return requests.fail_submission(order, request_id, type(outcome.error).__name__, str(outcome.error))
        if isinstance(outcome, Unknown | RefusedByBroker):
            return requests.doubt(order, request_id, type(outcome.error).__name__, str(outcome.error))
        return requests.doubt(order, request_id, "NoAnswer", "the broker answered without saying what became of it")

    def _may_try_again(self, order: LiveOrder) -> bool:
        return not order.status.is_closed and not order.submission_is_open and not order.is_at_broker

    def _wait_before_retry(self, gateway: Gateway, order: LiveOrder) -> float:
        retry = gateway.terms.retry
        return retry.wait_after(order.attempts, self._failures.get(order.order_id)) if retry.allows_after(order.attempts) else 0.0

    async def _start_again(self, gateway: Gateway, order: LiveOrder) -> tuple[LiveOrder, bool]:
        """The next attempt of an order that surely is not at the broker, or its end if it may not go out any more."""
        if order.is_sent and not gateway.terms.retry.allows_after(order.attempts):
            return await self._give_up(order), False
        await gateway.limit.take()
        async with self._orders.hold(order.order_id) as held:
            if held.status.is_closed or held.submission_is_open or held.is_at_broker or held.cancel_requested:
                return held, False
            if ended := self._no_longer_wanted(gateway, held):
                self._failures.pop(held.order_id, None)
                return await self._orders.record(held, ended, _cause(held)), False
            try:
                prepared = self._prepared(gateway, held)
            except BrokerRefusal as error:
                ended = requests.refuse(RejectReason.INVALID, type(error).__name__, str(error))
                return await self._orders.record(held, ended, _cause(held)), False
            try:
                started = self._start(gateway, held, prepared)
                scopes = _stopped_by(held.intent)
                return await self._orders.record(held, started, _cause(held), unless_halted=scopes), True
            except TradingIsHalted as error:
                ended = requests.cancel_unsent(held, CancelReason.HALTED, str(error))
                return await self._orders.record(held, ended, _cause(held)), False

    def _halted(self, intent: Requested) -> TradingHalted | None:
        return None if intent.passes_halt else self._kill_switch.stands_for(intent.account_id)

    def _prepared(self, gateway: Gateway, order: LiveOrder) -> Prepared:
        """The same bytes on every attempt."""
        if order.submission is not None:
            return Prepared(order.submission.reference, order.submission.payload)
        return gateway.broker.prepare(_submit_request(order.intent))

    def _no_longer_wanted(self, gateway: Gateway, order: LiveOrder) -> list[Fact]:
        """Its cancel was asked for, or it is halted, stale or out of session since it was approved."""
        if order.cancels:
            return requests.cancel_unsent(order, CancelReason.REQUESTED, "its cancel was asked for; it never reached the broker")
        refusal = self._gate.judge_again(gateway, order)
        if refusal is None:
            return []
        reason = CancelReason.HALTED if refusal.code == "kill_switch" else CancelReason.STALE
        return requests.cancel_unsent(order, reason, f"before it was sent: {refusal.message}")

    async def _give_up(self, order: LiveOrder) -> LiveOrder:
        original = self._failures.pop(order.order_id, None) or BrokerConnectionError("the failures of an earlier run")
        error = OrderRetryExhaustedError(order.attempts, original)
        async with self._orders.hold(order.order_id) as held:
            if held.status.is_closed or held.submission_is_open or held.is_at_broker:
                return held
            facts = requests.refuse(RejectReason.RETRIES_EXHAUSTED, "retries_exhausted", str(error))
            after = await self._orders.record(held, facts, _cause(held))
        self._on_error(after, error)
        return after


def _stopped_by(intent: Requested) -> tuple[str, ...]:
    """The halts that the store must refuse this submission for."""
    return () if intent.passes_halt else halting_scopes(intent.account_id)


def _draft_of(intent: Requested) -> LiveOrder:
    return LiveOrder(intent, quantity=intent.quantity, limit_price=intent.limit_price, stop_price=intent.stop_price)


def _is_wanted(order: LiveOrder) -> bool:
    return order.is_approved and not order.status.is_closed


def _same(known: LiveOrder, signal: Signal) -> LiveOrder:
    """The order that the signal became, if it is the same signal. Raises `SignalContentDiffers`.

    Of an order that was adopted by its key nobody knows what the signal said.
    """
    is_adopted = known.intent.signal_id != signal.signal_id
    if not is_adopted and known.intent.signal_fingerprint != signal.fingerprint:
        raise SignalContentDiffers(signal.signal_id, known, signal.fingerprint)
    return known


def _refused_by(refusal: RiskRefusal) -> Refused:
    return Refused(
        reason=RejectReason.RISK,
        code=refusal.code,
        message=refusal.message,
        measured=refusal.measured,
        limit=refusal.limit,
    )


def _refused(reason: RejectReason, code: str, message: str) -> Refused:
    return Refused(reason=reason, code=code, message=message)


def _shadowed(draft: LiveOrder) -> list[Fact]:
    return requests.cancel_unsent(draft, CancelReason.REQUESTED, "shadow run: approved, and not sent")


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
        product=intent.product,
        expires_at=intent.expires_at,
    )
