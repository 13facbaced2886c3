"""One signal to at most one live order.

The intent, its approval and the start of its submission are durable before the broker is called; in one commit when nothing stands
between them. `SubmitOrder` takes it from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.order_register import OrderRegister, claim_on
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.ports.order_store import Claiming
from liveorder.application.recording import ENGINE, Cause
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.trading.recent_signals import RecentSignals
from liveorder.application.trading.submit_order import SubmitOrder, stopped_by
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.claim import IdempotencyClaim, Recognition, claims_meant, recognition
from liveorder.domain.errors import BrokerError, InvalidSymbolError, SignalAlreadyKnown, TradingIsHalted
from liveorder.domain.events import PERSON, Event
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import (
    STORE_RESTORED,
    Approved,
    CancelReason,
    OutcomeDoubted,
    Refused,
    RejectReason,
    Requested,
    RequestKind,
    SubmissionStarted,
)
from liveorder.domain.risk import RiskRefusal
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.sizing import (
    Origin,
    SizedIntent,
    SizingTerms,
    check_contract_ids,
    check_multiplier,
    contract_named_by,
    size,
)
from liveorder.domain.values import EXACT, OrderRole, Side, TradingMode

_LINKS = frozenset({"oco_group", "parent_order_id"})
"""What ties an order to others. Kept in vain it is a tie that its sender relies on, also in a simulation."""


HALTED = "kill_switch"
"""The rule that refuses while a halt stands."""


class SignalContentDiffers(UnusableSignal):
    """The id is known with other content: which of the two was meant is for a person to say."""

    def __init__(self, signal_id: str, known: LiveOrder, fingerprint: str) -> None:
        super().__init__(
            f"signal_id: {signal_id} already became order {known.order_id} with other content "
            f"(known {known.intent.signal_fingerprint[:12]}, now {fingerprint[:12]}); give a new signal a new id",
            signal_id,
        )
        self.known_order_id, self.known_fingerprint = known.order_id, known.intent.signal_fingerprint


class SignalKnownOnSeveralAccounts(UnusableSignal):
    """It names no account, and its id became an order on more than one: which was meant is for a person to say."""

    def __init__(self, signal_id: str, claims: Sequence[IdempotencyClaim]) -> None:
        orders = ", ".join(f"{claim.account_id} (order {claim.order_id})" for claim in claims)
        super().__init__(
            f"account_id: none is named, and {signal_id} is known on several accounts: {orders}; "
            "name the account, or give a new signal a new id",
            signal_id,
        )


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """Fixed for a run of the service."""

    session_id: str
    is_shadow: bool = False


class ExecuteOrder:
    """Makes an order of a signal, judges it, and has it sent."""

    def __init__(
        self,
        terms: ExecutionConfig,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        fees: FeesInKind,
        gate: RiskGate,
        halts: TradingHalts,
        submit: SubmitOrder,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._terms, self._orders, self._gateways, self._risk, self._fees = terms, orders, gateways, risk, fees
        self._gate, self._halts, self._submit = gate, halts, submit
        self._clock, self._log = clock, log
        self._recent = RecentSignals()

    async def execute(
        self,
        signal: Signal,
        *,
        published_at: datetime | None = None,
        operator: str | None = None,
        dead_letter: UUID | None = None,
        instrument: Instrument | None = None,
    ) -> LiveOrder:
        """The order that this signal is, after its first attempts: acknowledged, rejected or in doubt, perhaps filled already.

        A signal that is known already gives the order that it became. `dead_letter` is the id that its message would have as one:
        where that stands, the message stays refused. `instrument`: what is meant, where that is known better than a signal can
        name it. Raises `UnusableSignal` for one that cannot become an order, and the errors of
        `OrderStore.append` when nothing could be stored: then nothing was sent.
        """
        recent = await self._recent.order_of(signal.signal_id, signal.account_id or self._orders.default_account)
        if recent is not None:
            return _same(await self._orders.get(recent), signal)
        with self._recent.being_claimed(signal.signal_id) as claimed:
            order, is_new = await self._claimed(signal, published_at, operator, dead_letter, instrument)
            claimed.set_result(order.intent)
        if not is_new:
            return order
        if order.is_in_doubt:
            return await self._submit.ask(order)
        if not order.is_approved or order.status.is_closed:
            return order
        return await self._submit.drive(order, is_started=order.submission_is_open)

    async def _claimed(
        self,
        signal: Signal,
        published_at: datetime | None,
        operator: str | None,
        dead_letter: UUID | None,
        instrument: Instrument | None,
    ) -> tuple[LiveOrder, bool]:
        """The order that this signal became, durable; and whether it became it just now."""
        keys, default_account = self._orders.keys, self._orders.default_account
        known_by = self._recognition(signal)
        live = self._orders.known_by_key(keys.client_order_id(signal.account_id or default_account, signal.signal_id))
        if live is not None:
            return _same(live, signal), False
        try:
            gateway = self.gateway_for(signal)
            is_urgent = operator is not None and signal.role is OrderRole.EXIT
            sized = await self._sized(signal, gateway, published_at, instrument, is_urgent=is_urgent)
        except UnusableSignal:
            if known := await self._known(signal, await self._orders.claims(known_by)):
                return known, False
            raise
        cause = Cause(f"{PERSON}{operator}" if operator else ENGINE, correlation_id=signal.signal_id)
        claim = Claiming(claim_on(sized.intent, keys), known_by, dead_letter)
        is_suspect = self._halts.may_have_forgotten(gateway.account_id, signal.timestamp)
        try:
            return await self._begin(gateway, sized, claim, cause, is_suspect=is_suspect), True
        except SignalAlreadyKnown as error:
            known = await self._known(signal, error.claims)
            assert known is not None
            return known, False

    def _recognition(self, signal: Signal) -> Recognition:
        return recognition(self._orders.keys, signal.signal_id, signal.account_id, self._orders.account_ids)

    async def _known(self, signal: Signal, claims: Sequence[IdempotencyClaim]) -> LiveOrder | None:
        """The order that a signal became before; None where no claim fits. Raises `UnusableSignal` where it is not this signal."""
        meant = claims_meant(claims, self._orders.keys, signal.account_id, self._orders.default_account)
        if len(meant) > 1:
            raise SignalKnownOnSeveralAccounts(signal.signal_id, meant)
        return _same(await self._orders.get(meant[0].order_id), signal) if meant else None

    async def _sized(
        self,
        signal: Signal,
        gateway: Gateway,
        published_at: datetime | None = None,
        instrument: Instrument | None = None,
        *,
        is_urgent: bool = False,
    ) -> SizedIntent:
        """What the signal amounts to now: everything that sizing needs is fetched, then it is sized."""
        account, broker, keys = gateway.terms, gateway.broker, self._orders.keys
        origin = Origin(
            order_id=self._orders.recorder.new_id(),
            client_order_id=keys.client_order_id(account.account_id, signal.signal_id),
            namespace=keys.namespace,
            session_id=self._terms.session_id,
            account_id=account.account_id,
            broker=broker.name,
            published_at=published_at,
            is_shadow=self._terms.is_shadow,
        )
        instrument, now = instrument or await self._instrument(signal, gateway), self._clock.now()
        priced = await gateway.price(instrument, signal.side, is_urgent=is_urgent)
        _, limits = account.limits_in(instrument.currency)
        terms = SizingTerms(broker.capabilities, limits, account.default_product, account.day_limit_timeout_seconds)
        held = None
        if signal.side is Side.SELL and (position := self._risk.position(account.account_id, instrument.key)) is not None:
            held = EXACT.subtract(position.quantity, self._risk.selling(account.account_id, instrument.key))
        sized = size(signal, instrument, priced, now, terms, origin, held)
        return replace(sized, intent=await self._fees.sellable(gateway, sized.intent))

    async def _instrument(self, signal: Signal, gateway: Gateway) -> Instrument:
        """The one that the signal means. Raises `UnusableSignal` when none or several fit, or the broker cannot be asked."""
        can, name = gateway.broker.capabilities, gateway.broker.name
        check_contract_ids(signal, can, name)
        query = InstrumentQuery(
            symbol=signal.symbol,
            exchange=signal.exchange or gateway.terms.default_exchange,
            asset_class=signal.asset_class,
            currency=signal.currency,
            expiry=signal.expiry,
            strike=signal.strike,
            right=signal.right,
            trading_class=signal.trading_class,
            multiplier=signal.multiplier,
            con_id=signal.con_id,
        )
        try:
            instrument = await gateway.resolve(query)
            if instrument is None and signal.exchange is None and query.exchange is not None:
                instrument = await gateway.resolve(replace(query, exchange=None))
        except InvalidSymbolError as error:
            raise UnusableSignal(str(error), signal.signal_id) from error
        except BrokerError as error:
            raise UnusableSignal(
                f"symbol: {signal.symbol} could not be looked up at {name} ({error}); "
                "send the signal again when the broker can be reached",
                signal.signal_id,
                is_passing=True,
            ) from error
        if instrument is None:
            raise UnusableSignal(
                f"symbol: {contract_named_by(signal)} is no instrument that {name} knows; "
                "check the spelling and these fields, or name its exchange",
                signal.signal_id,
            )
        check_multiplier(signal, instrument, can, name)
        return instrument

    async def validate(self, signal: Signal, *, operator: str | None = None) -> tuple[Requested, Sequence[Refused]]:
        """The intent that this signal would become now, and everything that stands in its way; nothing is stored or sent.

        That it became an order before is one such thing. Raises `UnusableSignal` for one that cannot become an order.
        """
        claims = await self._orders.claims(self._recognition(signal))
        known = await self._known(signal, claims)
        gateway = self.gateway_for(signal)
        sized = await self._sized(signal, gateway)
        form = self._refusal_of_form(gateway, sized) or self._submit.refusal(gateway, sized.intent)
        await self._gate.look_at_money(gateway, sized.intent, sized.priced)
        found = self._gate.refusals(gateway, sized.intent, sized.priced, is_operators=operator is not None)
        risks = [_refused_by(refusal) for refusal in found]
        again = [] if known is None else [_refused(RejectReason.INVALID, "already_known", f"it became order {known.order_id}")]
        return sized.intent, [*again, *([form] if form is not None else []), *risks]

    def gateway_for(self, signal: Signal) -> Gateway:
        account_id = signal.account_id or self._orders.default_account
        gateway = self._gateways.get(account_id)
        if gateway is None:
            what = "is closed" if account_id in self._orders.account_ids else "is not in the settings"
            raise UnusableSignal(f"account_id: {account_id} {what}; known are {', '.join(self._gateways)}", signal.signal_id)
        return gateway

    # --- the first commit ------------------------------------------------------------------------------------------------------

    async def _begin(self, gateway: Gateway, sized: SizedIntent, claim: Claiming, cause: Cause, *, is_suspect: bool) -> LiveOrder:
        """Everything up to the call, in one commit where it can be one.

        `is_suspect`: the store may have forgotten that it was sent. Then the broker is asked, and nothing leaves here.
        """
        intent, is_operators = sized.intent, cause.actor != ENGINE
        if is_suspect and (found := await self._found_at_broker(gateway, intent)) is not None:
            events = self._first_events(gateway, _draft_of(found), Approved(), is_in_doubt=True)
            claim = replace(claim, claim=claim_on(found, self._orders.keys))
            return await self._orders.record(None, events, cause, order_id=found.order_id, claim=claim)
        await self._gate.look_at_money(gateway, intent, sized.priced)
        verdict, reduces_only = self._judged(gateway, sized, is_operators=is_operators)
        if isinstance(verdict, Refused) and is_suspect:
            verdict = self._refusal_of_suspect(gateway, sized, verdict, is_operators=is_operators)
        if isinstance(verdict, Refused):
            return await self._orders.record(None, [intent, verdict], cause, order_id=intent.order_id, claim=claim)
        passes_halt = is_operators and self._halts.stands_for(gateway.account_id) is not None
        marks = {"passes_halt": passes_halt, "reduces_only": reduces_only}
        draft = _draft_of(intent.model_copy(update={name: True for name, is_so in marks.items() if is_so}))
        self._risk.reserve(draft)
        try:
            events = self._first_events(gateway, draft, verdict, is_in_doubt=is_suspect and not intent.is_shadow)
            is_sent_now = isinstance(events[-1], SubmissionStarted)
            scopes = stopped_by(draft.intent) if is_sent_now else ()
            return await self._orders.record(None, events, cause, order_id=intent.order_id, claim=claim, unless_halted=scopes)
        except TradingIsHalted as error:
            events = [draft.intent, *requests.refuse(RejectReason.RISK, HALTED, str(error))]
            return await self._orders.record(None, events, cause, order_id=intent.order_id, claim=claim)
        finally:
            self._risk.release(intent.order_id)

    def _first_events(self, gateway: Gateway, draft: LiveOrder, approved: Approved, *, is_in_doubt: bool) -> list[Event]:
        """What is stored of an approved order first; the start of its submission with it, where it can be sent now.

        `is_in_doubt`: as if it had been sent and the outcome not been heard.
        """
        intent = draft.intent
        if not is_in_doubt and intent.is_shadow:
            unsent = requests.cancel_unsent(draft, CancelReason.REQUESTED, "shadow run: approved, and not sent")
            return [intent, approved, *unsent]
        if not is_in_doubt and not gateway.limit.has_room():
            return [intent, self._submit.refusal(gateway, intent) or approved]
        prepared = self._submit.prepare(gateway, intent)
        if isinstance(prepared, Refused):
            return [intent, prepared]
        if not is_in_doubt:
            gateway.limit.try_take()
        started = self._submit.start(gateway, draft, prepared)
        message = "this store may have sent it before it was restored: asked about, not sent"
        unknown = [
            OutcomeDoubted(request_id=each.request_id, kind=RequestKind.SUBMIT, error=STORE_RESTORED, message=message)
            for each in started
            if is_in_doubt and isinstance(each, SubmissionStarted)
        ]
        return [intent, approved, *started, *unknown]

    async def _found_at_broker(self, gateway: Gateway, intent: Requested) -> Requested | None:
        """The intent under the key that the broker has it by: the order may have been sent by a release that derives another."""
        for client_order_id in self._orders.keys.possible_ids(intent.account_id, intent.signal_id):
            under_key = intent.model_copy(update={"client_order_id": client_order_id})
            if isinstance(await gateway.find(_draft_of(under_key)), OrderSnapshot):
                return under_key
        return None

    # --- gates -----------------------------------------------------------------------------------------------------------------

    def _refusal_of_form(self, gateway: Gateway, sized: SizedIntent) -> Refused | None:
        """What is wrong with the order itself, before any limit is looked at."""
        intent = sized.intent
        if sized.problem is not None:
            return _refused(RejectReason.INVALID, f"invalid_{sized.problem.field}", str(sized.problem))
        if not intent.unattended:
            return None
        if gateway.terms.mode is TradingMode.SIMULATION and not _LINKS.intersection(intent.unattended):
            self._log.write("WARNING", intent.unattended_note, signal_id=intent.signal_id)
            return None
        remedy = 'leave it out, or say "protection": "external" if something else takes care of it'
        return _refused(RejectReason.INVALID, "unprotected", f"{intent.unattended_note}; {remedy}")

    def _refusal_of_suspect(
        self, gateway: Gateway, sized: SizedIntent, refusal: Refused, *, is_operators: bool
    ) -> Refused | Approved:
        """What may be at the broker is not refused: its order, alive there, would be taken for a stray and cancelled.

        If only a halt is in its way it begins in doubt, and is not sent while that stands. Raises `UnusableSignal` where there is
        more; then the next reading of the message asks again.
        """
        rules = self._gate.refusals(gateway, sized.intent, sized.priced, is_operators=is_operators)
        if refusal.code == HALTED and [each.code for each in rules] == [HALTED]:
            return Approved()
        if gateway.broker.capabilities.key_support is KeySupport.NONE:
            return refusal
        raise UnusableSignal(
            f"signal_id: {sized.intent.signal_id} may have been sent before this store was restored; {gateway.broker.name} does "
            f"not show it, which proves nothing yet, and a new order is refused ({refusal.message}); send it again after that",
            sized.intent.signal_id,
            is_passing=True,
        )

    def _judged(self, gateway: Gateway, sized: SizedIntent, *, is_operators: bool) -> tuple[Refused | Approved, bool]:
        """The verdict, of the form first and then of the rules; and whether the order can only reduce the position."""
        form = self._refusal_of_form(gateway, sized)
        if form is not None:
            return form, False
        assessment = self._gate.judge(gateway, sized.intent, sized.priced, is_operators=is_operators)
        if assessment.refusal is not None:
            return _refused_by(assessment.refusal), assessment.is_reducing
        return Approved(figures=assessment.figures), assessment.is_reducing


def _draft_of(intent: Requested) -> LiveOrder:
    return LiveOrder(intent, quantity=intent.quantity, limit_price=intent.limit_price, stop_price=intent.stop_price)


def _same(known: LiveOrder, signal: Signal) -> LiveOrder:
    """The order that the signal became, if it is the same signal. Raises `SignalContentDiffers`.

    Of an order that was adopted by its key nobody knows what the signal said.
    """
    is_adopted = known.intent.signal_id != signal.signal_id
    if not is_adopted and known.intent.signal_fingerprint not in signal.fingerprints_on(known.intent.account_id):
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
