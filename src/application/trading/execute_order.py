"""One signal to at most one live order.

The intent, its approval and the start of its submission are durable before the broker is called; in one commit when nothing stands
between them. `SubmitOrder` takes it from there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.last_fills import LastFills
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.ports.order_store import Claiming
from liveorder.application.recording import ENGINE, Cause
from liveorder.application.risk.account_figures import PATIENCE_SECONDS, AccountFigures
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.trading.submit_order import SubmitOrder
from liveorder.application.trading.waits import Waits
from liveorder.domain import reversal
from liveorder.domain.amount import MAX_EQUITY_AGE_SECONDS, equity_of
from liveorder.domain.claim import IdempotencyClaim, Recognition, recognition
from liveorder.domain.errors import BrokerError, InvalidSymbolError, SignalAlreadyKnown, TradingIsHalted
from liveorder.domain.events import PERSON, Event
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.impossible_prices import impossible_price
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import (
    WAITS_FOR_ORDERS,
    Approved,
    OrderRequested,
    Refused,
    RejectReason,
    SubmissionStarted,
    WaitBegan,
    WaitReason,
)
from liveorder.domain.order.shares import PositionShare
from liveorder.domain.position_effect import depends_on_holdings, may_close, side_for_price
from liveorder.domain.position_figure import held_to, shortfall_of
from liveorder.domain.position_owner import FLATTEN, PositionOwner
from liveorder.domain.quotes import Priced
from liveorder.domain.resent_signal import claim_meant, claim_of, same_order
from liveorder.domain.risk import (
    IN_DOUBT_SYMBOL,
    KILL_SWITCH,
    Assessment,
    RiskRefusal,
    as_market_exit,
    is_refused_though_it_may_be_sent,
    refused_by,
)
from liveorder.domain.signal import Signal, SignalHours, UnusableSignal
from liveorder.domain.sizing import (
    Origin,
    SizedIntent,
    SizingTerms,
    check_contract_ids,
    check_multiplier,
    contract_named_by,
    is_unprotected,
    size,
    spelling_of,
)
from liveorder.domain.standing import Standing
from liveorder.domain.trading_halt import stopped_by, waits_stopped_by
from liveorder.domain.values import PositionEffect, Side
from liveorder.domain.waiting import AGELESS, is_spared_by_a_kill, meets_the_market, wait_for_doubts

REMEMBERED = 4096
"""Signals that came last."""
SIZED_AGAIN = 3
"""So often is a signal sized again because what its strategy has changed before it was judged; after that the rules decide."""


@dataclass(frozen=True, slots=True)
class ExecutionConfig:
    """Fixed for a run of the service."""

    session_id: str
    is_shadow: bool = False


class Waited(Struct, frozen=True):
    """An order whose wait is over, and what its signal is judged by in place of when it came."""

    intent: OrderRequested
    reason: WaitReason
    counts_from: datetime | None
    """Its age counts from here."""
    has_second_leg: bool = False
    """Whether what is to open after it, where it closes and that opens the other side, is stored."""
    orders: tuple[UUID, ...] = ()
    """For which it waited."""


class Gathered(Struct, frozen=True):
    """What was asked for of a signal before it is sized: it can be sized again by what its strategy has by then."""

    gateway: Gateway
    signal: Signal
    instrument: Instrument
    priced: Priced
    asked_at: datetime
    """When the price was asked for."""
    terms: SizingTerms
    origin: Origin
    equity: Decimal | RiskRefusal | None
    shares: tuple[PositionShare, ...]
    waited: Waited | None

    def sized(self, standing: Standing) -> SizedIntent:
        sized = size(self.signal, self.instrument, self.priced, self.asked_at, self.terms, self.origin, standing, self.equity)
        if self.waited is not None:
            terms, from_then = sized.intent.terms, self.waited.counts_from
            terms = terms.but(signal_at=from_then, passes_halt=is_spared_by_a_kill(terms))
            return replace(sized, intent=self.waited.intent.but(terms=terms))
        return replace(sized, intent=sized.intent.but(shares=self.shares)) if self.shares else sized


class Decision(NamedTuple):
    """What becomes of a signal now."""

    verdict: Refused | Approved | WaitBegan
    intent: OrderRequested
    standing: Standing
    """What its strategy had."""
    also: tuple[Event, ...] = ()
    """What is stored beside an approval."""

    @property
    def of_product(self) -> Standing:
        """What its strategy had under the order's product."""
        return self.standing.under(self.intent.terms.product, self.intent.terms.product)


class Judgement(NamedTuple):
    """What the rules say of an intent, and the intent as it goes out."""

    verdict: Refused | Approved
    intent: OrderRequested
    also: tuple[Event, ...] = ()
    """What is stored beside an approval."""


class Appraisal(NamedTuple):
    """What a signal would become now, and why."""

    intent: OrderRequested
    refusals: Sequence[Refused]
    """Everything that stands in its way."""
    figures: Mapping[str, str]
    """By which it was sized."""
    waits: str = ""
    """For what it would wait first, for people; empty where it would be judged now."""
    notes: tuple[str, ...] = ()
    """What its sender must know all the same, for people."""


class ExecuteOrder:
    """Makes an order of a signal, judges it, and has it sent."""

    def __init__(
        self,
        terms: ExecutionConfig,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        risk: RiskBook,
        figures: AccountFigures,
        positions: PositionFigures,
        fees: FeesInKind,
        last_fills: LastFills,
        gate: RiskGate,
        halts: TradingHalts,
        submit: SubmitOrder,
        waits: Waits,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._terms, self._orders, self._gateways = terms, orders, gateways
        self._risk, self._figures, self._positions, self._fees = risk, figures, positions, fees
        self._last_fills = last_fills
        self._gate, self._halts, self._submit = gate, halts, submit
        self._waits, self._clock, self._log = waits, clock, log
        self._recent, self._turns, self._began_at = RecentSignals(), Turns(), clock.now()

    async def execute(
        self,
        signal: Signal,
        *,
        published_at: datetime | None = None,
        operator: str | None = None,
        dead_letter: UUID | None = None,
        instrument: Instrument | None = None,
        shares: tuple[PositionShare, ...] = (),
        follows: LiveOrder | None = None,
        on_stored: Callable[[LiveOrder], None] | None = None,
    ) -> LiveOrder:
        """The order that this signal is, after its first attempts: acknowledged, rejected or in doubt, perhaps filled already; or
        PENDING, while it waits (`domain.waiting`).

        A signal that is known already gives the order that it became. `dead_letter` is the id that its message would have as one:
        where that stands, the message stays refused. `instrument`: what is meant, where that is known better than a signal can
        name it. `shares`: whose its fills are, where it trades for several strategies. `follows`: the closing leg of the
        reversal that it is the opening leg of: it waits until that is filled. `on_stored` gets the order before its attempts.
        Raises `UnusableSignal` for one that cannot
        become an order, and the errors of `OrderStore.append` when nothing could be stored: then nothing was sent.
        """
        recent = await self._recent.order_of(signal.signal_id, signal.account_id or self._orders.identity.default_account)
        if recent is not None:
            return same_order(await self._orders.get(recent), signal)
        with self._recent.being_claimed(signal.signal_id) as claimed, self._turns.taken(self._series(signal)) as turn:
            order, is_new = await self._claimed(signal, turn, published_at, operator, dead_letter, instrument, shares, follows)
            claimed.set_result(order.intent)
        if not is_new:
            return order
        if on_stored is not None:
            on_stored(order)
        if order.is_in_doubt:
            return await self._submit.ask(order)
        if not order.is_approved or order.status.is_closed:
            return order
        return await self._submit.drive(order, is_started=order.submission_is_open)

    async def validate(self, signal: Signal, *, operator: str | None = None) -> tuple[OrderRequested, Sequence[Refused]]:
        """The intent that this signal would become now, and everything that stands in its way; nothing is stored or sent.

        That it became an order before is one such thing. Raises `UnusableSignal` for one that cannot become an order.
        """
        appraisal = await self.appraise(signal, operator=operator)
        return appraisal.intent, appraisal.refusals

    async def appraise(self, signal: Signal, *, operator: str | None = None) -> Appraisal:
        """As `validate`, with the figures by which it was sized."""
        known = await self._known(signal, await self._orders.claims(self._recognition(signal)))
        gateway = self.gateway_for(signal)
        gathered = await self.gathered(signal, gateway)
        sized = await self.sized(gathered)
        again = [] if known is None else [_invalid("already_known", f"it became order {known.order_id}")]
        wait = self._wait(gathered, sized, is_operators=operator is not None)
        if wait is not None:  # it would be judged when that is over
            verdict = (await self.decided(gathered, sized, is_operators=operator is not None)).verdict
            refused = [verdict] if isinstance(verdict, Refused) else []
            return Appraisal(sized.intent, [*again, *refused], sized.figures, "" if refused else wait.message)
        if (form := self._refusal_of_form(gateway, sized)) is not None and sized.refusal is not None:
            return Appraisal(sized.intent, [*again, form], sized.figures)  # there is no amount to judge
        is_operators = operator is not None
        assessment, risks = await self._gate.judge_all(gateway, sized.intent, sized.priced, is_operators=is_operators)
        if (less := _held_to_broker(sized.intent, assessment)) is not None:
            if isinstance(less, RiskRefusal):
                return Appraisal(sized.intent, [*again, refused_by(less)], assessment.figures)
            sized = replace(sized, intent=less)
            assessment, risks = await self._gate.judge_all(gateway, sized.intent, sized.priced, is_operators=is_operators)
        intent = _as_it_goes_out(gateway, sized, assessment)
        form = form or self._submit.refusal(gateway, intent)
        refusals = [*again, *([form] if form is not None else []), *map(refused_by, risks)]
        only = refusals[0] if len(refusals) == 1 else None
        waits = None if only is None else self._beside_doubts(gathered, sized, only, is_operators)
        if isinstance(waits, WaitBegan):
            return Appraisal(intent, [], sized.figures, waits.message)
        unconfirmed = self._gate.why_unconfirmed(intent) if assessment.is_unconfirmed else None
        notes = () if unconfirmed is None else (f"position_unconfirmed: {unconfirmed.message}",)
        return Appraisal(intent, refusals, sized.figures, notes=notes)

    # --- which order it is -----------------------------------------------------------------------------------------------------

    async def _claimed(
        self,
        signal: Signal,
        turn: Turn,
        published_at: datetime | None,
        operator: str | None,
        dead_letter: UUID | None,
        instrument: Instrument | None,
        shares: tuple[PositionShare, ...],
        follows: LiveOrder | None,
    ) -> tuple[LiveOrder, bool]:
        """The order that this signal became, durable; and whether it became it just now."""
        store, known_by = self._orders.identity, self._recognition(signal)
        key = store.keys.client_order_id(signal.account_id or store.default_account, signal.signal_id)
        if (live := self._orders.known_by_key(key)) is not None:
            return same_order(live, signal), False
        if self._may_be_old(signal) and (known := await self._known(signal, await self._orders.claims(known_by))):
            return known, False  # asked before anything counts it as one more order
        try:
            gateway = self.gateway_for(signal)
            is_urgent = operator is not None and signal.effect is PositionEffect.CLOSE
            gathered = await self.gathered(signal, gateway, published_at, instrument, shares, is_urgent=is_urgent)
            if operator is None and follows is None:  # a person closes what is held, whatever is under way
                await turn.comes()
            sized = await self.sized(gathered) if follows is None else gathered.sized(Standing(signal.strategy_name))
        except UnusableSignal:
            if known := await self._known(signal, await self._orders.claims(known_by)):
                return known, False
            raise
        cause = Cause(f"{PERSON}{operator}" if operator else ENGINE, correlation_id=signal.signal_id)
        claim = Claiming(claim_of(sized.intent, store.keys), known_by, dead_letter)
        is_suspect = self._halts.now.may_have_forgotten(gateway.account_id, signal.timestamp, self._clock.now())
        try:
            if follows is not None:
                second = reversal.begun(sized.intent, follows, signal)
                return await self._stored(*self.begun(gateway, *second, is_operators=operator is not None), claim, cause), True
            return await self._first_commit(gathered, sized, claim, cause, turn, is_suspect=is_suspect), True
        except SignalAlreadyKnown as error:
            known = await self._known(signal, error.claims)
            assert known is not None
            return known, False

    def _may_be_old(self, signal: Signal) -> bool:
        """Whether an earlier run may have had it. What came in this run is remembered."""
        return signal.timestamp is None or signal.timestamp < self._began_at

    def _series(self, signal: Signal) -> Series:
        store = self._orders.identity
        whose = None if store.positions is PositionOwner.ACCOUNT else signal.strategy_name
        return signal.account_id or store.default_account, whose, signal.symbol

    def _recognition(self, signal: Signal) -> Recognition:
        store = self._orders.identity
        return recognition(store.keys, signal.signal_id, signal.account_id, store.account_ids)

    async def _known(self, signal: Signal, claims: Sequence[IdempotencyClaim]) -> LiveOrder | None:
        """The order that a signal became before; None where no claim fits. Raises `UnusableSignal` where it is not this signal."""
        store = self._orders.identity
        claim = claim_meant(claims, store.keys, signal, store.default_account)
        return None if claim is None else same_order(await self._orders.get(claim.order_id), signal)

    def gateway_for(self, signal: Signal) -> Gateway:
        account_id = signal.account_id or self._orders.identity.default_account
        gateway = self._gateways.get(account_id)
        if gateway is None:
            what = "is closed" if account_id in self._orders.identity.account_ids else "is not in the settings"
            raise UnusableSignal(f"account_id: {account_id} {what}; known are {', '.join(self._gateways)}", signal.signal_id)
        return gateway

    # --- what it amounts to ----------------------------------------------------------------------------------------------------

    async def gathered(
        self,
        signal: Signal,
        gateway: Gateway,
        published_at: datetime | None = None,
        instrument: Instrument | None = None,
        shares: tuple[PositionShare, ...] = (),
        *,
        is_urgent: bool = False,
        waited: Waited | None = None,
    ) -> Gathered:
        """Everything that sizing needs and that has to be asked for."""
        if signal.strategy_name == FLATTEN and not shares and waited is None:
            problem = f"strategy_name: {FLATTEN} is what `kill --flatten` closes as, for all strategies; name another"
            raise UnusableSignal(problem, signal.signal_id)
        account, broker, keys = gateway.terms, gateway.broker, self._orders.identity.keys
        order_id = self._orders.recorder.new_id() if waited is None else waited.intent.order_id
        origin = Origin(
            order_id=order_id,
            client_order_id=keys.client_order_id(account.account_id, signal.signal_id),
            namespace=keys.namespace,
            session_id=self._terms.session_id,
            account_id=account.account_id,
            broker=broker.name,
            published_at=published_at,
            is_shadow=self._terms.is_shadow,
        )
        instrument, now = instrument or await self._instrument(signal, gateway), self._clock.now()
        is_spared = waited is not None and is_spared_by_a_kill(waited.intent.terms)
        is_away = self._halts.now.is_waiting_for_broker(account.account_id, is_spared=is_spared)
        priced = Priced() if is_away else await self._asked(gateway, signal, instrument, order_id, is_urgent=is_urgent)
        limits = account.sizing_limits(signal.strategy_name, instrument)
        terms = SizingTerms(
            broker.capabilities,
            limits,
            account.default_product,
            account.day_limit_timeout_seconds,
            may_cancel=not (shares or self._terms.is_shadow),
            has_waited=waited is not None,
            is_second_leg=reversal.is_second_leg(signal.signal_id),
            is_long_only=account.is_long_only(signal.strategy_name, instrument),
        )
        equity = await self._equity(gateway, instrument) if signal.needs_equity else None
        return Gathered(gateway, signal, instrument, priced, now, terms, origin, equity, shares, waited)

    async def _asked(self, gateway: Gateway, signal: Signal, instrument: Instrument, order_id: UUID, *, is_urgent: bool) -> Priced:
        """The price. At the same time the broker is asked for what else the amount may follow from: the account's position, of a
        signal that may close; the last fills, by which amount and limits may change.
        """
        standing = self._standing(gateway, signal, instrument, order_id)
        question, beside = gateway.price(instrument, side_for_price(signal, standing), is_urgent=is_urgent), list[Awaitable[None]]()
        if self._last_fills.ended.get(gateway.account_id):
            beside.append(self._last_fills.ask(gateway, instrument, in_all=signal.effect is not PositionEffect.CLOSE))
        if may_close(signal, standing) and standing.heard_difference is None:
            beside.append(self._positions.confirm(gateway, instrument))
        if not beside:
            return await question
        price = asyncio.ensure_future(question)
        await asyncio.gather(price, *beside)
        return price.result()

    async def _equity(self, gateway: Gateway, instrument: Instrument) -> Decimal | RiskRefusal:
        account = await self._figures.at_most(gateway.account_id, MAX_EQUITY_AGE_SECONDS, PATIENCE_SECONDS)
        return equity_of(account, instrument.currency, self._clock.now())

    def _standing(self, gateway: Gateway, signal: Signal, instrument: Instrument, order_id: UUID) -> Standing:
        """What its strategy has of the instrument, where that says what the signal amounts to."""
        if not self._depends_on_holdings(gateway, signal, instrument):
            return Standing(signal.strategy_name)
        standing = self._risk.standing(gateway.account_id, signal.strategy_name, instrument, order_id)
        if not may_close(signal, standing):
            return standing
        theirs = self._positions.latest_by_product(gateway.account_id, instrument.key)
        return standing if theirs is None else standing.hearing(theirs)

    def _depends_on_holdings(self, gateway: Gateway, signal: Signal, instrument: Instrument) -> bool:
        limits = gateway.terms.sizing_limits(signal.strategy_name, instrument)
        return depends_on_holdings(signal, may_be_short=limits.allow_short_selling)

    async def sized(self, gathered: Gathered) -> SizedIntent:
        """What the signal amounts to now. Raises `StoreUnavailable` while it is unsure which orders there are, or what is held."""
        if self._orders.may_have_begun or self._orders.may_have_moved:
            await self._orders.look_at_what_is_unsure()
        known_by = gathered.gateway, gathered.signal, gathered.instrument, gathered.origin.order_id
        standing = self._standing(*known_by)
        if standing.heard_difference and self._positions.is_ahead(gathered.gateway.account_id, gathered.instrument):
            await self._positions.confirm(gathered.gateway, gathered.instrument)
            standing = self._standing(*known_by)
        sized = gathered.sized(standing)
        if sized.intent.terms.side is Side.BUY:
            return sized
        intent = await self._fees.sellable(gathered.gateway, sized.intent)
        if intent is sized.intent:
            return sized
        if intent.terms.quantity != sized.intent.terms.quantity and intent.terms.position_effect is None:
            sized = replace(sized, in_the_way=(), awaits_entries=False)  # what was missing of it was kept as a fee
        return replace(sized, intent=intent)

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
        is_away = self._halts.now.is_waiting_for_broker(gateway.account_id)
        try:
            instrument = await gateway.resolve(query, is_away=is_away)
            if instrument is None and signal.exchange is None and query.exchange is not None:
                instrument = await gateway.resolve(replace(query, exchange=None), is_away=is_away)
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
                f"{spelling_of(signal)}{gateway.listed_instead_of(signal.symbol)}",
                signal.signal_id,
            )
        check_multiplier(signal, instrument, can, name)
        return instrument

    # --- the first commit ------------------------------------------------------------------------------------------------------

    async def _first_commit(
        self, gathered: Gathered, sized: SizedIntent, claim: Claiming, cause: Cause, turn: Turn, *, is_suspect: bool
    ) -> LiveOrder:
        """Everything up to the call, in one commit where it can be one.

        `is_suspect`: the store may have forgotten that it was sent. Then the broker is asked, and nothing leaves here.
        """
        gateway, intent, is_operators = gathered.gateway, sized.intent, cause.actor != ENGINE
        if is_suspect and (found := await self._found_at_broker(gateway, intent)) is not None:
            events = self._submit.begin(gateway, requests.draft_of(found), Approved(), may_be_sent_already=True)
            claim = replace(claim, claim=claim_of(found, self._orders.identity.keys))
            return await self._orders.record(None, events, cause, order_id=found.order_id, claim=claim)
        verdict, intent, _, also = await self.decided(gathered, sized, is_operators=is_operators, is_suspect=is_suspect)
        turn.ends()  # the next goes on once this order counts, before anything more is awaited here
        may_be_sent_already = is_suspect and not intent.terms.is_shadow
        events, scopes = self.begun(
            gateway, intent, verdict, also, is_operators=is_operators, may_be_sent_already=may_be_sent_already
        )
        return await self._stored(events, scopes, claim, cause, adds_risk=True)

    async def _stored(
        self, events: list[Event], scopes: tuple[str, ...], claim: Claiming, cause: Cause, *, adds_risk: bool = False
    ) -> LiveOrder:
        """The order that begins with these events, or was refused since a halt of these scopes stands in the store by now."""
        order_id = claim.claim.order_id
        try:
            return await self._orders.record(
                None, events, cause, order_id=order_id, claim=claim, unless_halted=scopes, adds_risk=adds_risk
            )
        except TradingIsHalted as error:
            events = [events[0], *requests.refuse(RejectReason.RISK, KILL_SWITCH, str(error))]
            return await self._orders.record(None, events, cause, order_id=order_id, claim=claim)

    def begun(
        self,
        gateway: Gateway,
        intent: OrderRequested,
        verdict: Refused | Approved | WaitBegan,
        also: tuple[Event, ...] = (),
        *,
        is_operators: bool,
        may_be_sent_already: bool = False,
    ) -> tuple[list[Event], tuple[str, ...]]:
        """What is stored of a judged intent, itself first, and the halts for which the store must refuse that. `also`: with an
        approval.
        """
        may_pass = is_operators or intent.terms.passes_halt
        passes_halt = may_pass and self._halts.now.stands_for(gateway.account_id) is not None
        if not isinstance(verdict, Approved):
            is_stoppable = isinstance(verdict, WaitBegan) and not passes_halt
            scopes = waits_stopped_by(intent.account_id) if is_stoppable else ()
            return [intent.with_terms(passes_halt=False), verdict], scopes
        draft = requests.draft_of(intent.with_terms(passes_halt=passes_halt))
        events = self._submit.begin(gateway, draft, verdict, may_be_sent_already=may_be_sent_already)
        if also and verdict in events:
            events[2:2] = also
        return events, stopped_by(draft.intent) if isinstance(events[-1], SubmissionStarted) else ()

    async def decided(self, gathered: Gathered, sized: SizedIntent, *, is_operators: bool, is_suspect: bool = False) -> Decision:
        """What becomes of the signal, by what its strategy has when that is decided; nothing is awaited after that was looked at.

        Nothing is cancelled for an order that would be refused.
        """
        sizings_left, gateway, order_id = SIZED_AGAIN, gathered.gateway, gathered.origin.order_id
        while True:
            wait = None if is_suspect else self._wait(gathered, sized, is_operators=is_operators)
            if wait is not None and (wait.reason is not WaitReason.ORDERS or sized.refusal is not None):
                never = self._never(gathered, sized, wait, is_operators=is_operators)
                return Decision(wait if never is None else never, sized.intent, sized.standing)
            judged = await self._judged(gateway, sized, is_operators=is_operators, is_suspect=is_suspect)
            had, has_now = sized.standing, self._standing(gateway, gathered.signal, gathered.instrument, order_id)
            is_as_it_was = (has_now.stakes, has_now.heard_difference) == (had.stakes, had.heard_difference)
            is_sure = not (self._orders.may_have_begun or self._orders.may_have_moved)
            if not sizings_left or (is_as_it_was and is_sure):
                if wait is not None and isinstance(judged.verdict, Approved):
                    return Decision(wait, sized.intent, had)
                beside = None if is_suspect else self._beside_doubts(gathered, sized, judged.verdict, is_operators)
                if beside is not None:
                    return Decision(beside, sized.intent, had)
                return Decision(judged.verdict, judged.intent, had, judged.also)
            sized, sizings_left = await self.sized(gathered), sizings_left - 1

    def _wait(self, gathered: Gathered, sized: SizedIntent, *, is_operators: bool) -> WaitBegan | None:
        """What it has to wait for; None where it is judged now. One that waited for orders waits for no later entry."""
        gateway, signal, waited = gathered.gateway, gathered.signal, gathered.waited
        waited_for_orders = waited is not None and waited.reason in WAITS_FOR_ORDERS
        entries = () if gathered.shares or sized.is_first_leg else _entries_met(signal, sized)
        if waited is not None and waited_for_orders:
            entries = tuple(each for each in entries if each in waited.orders) or _legs_left(sized, waited)
        is_away = self._halts.now.is_waiting_for_broker(gateway.account_id, is_spared=sized.intent.terms.passes_halt)
        needs_leg = sized.is_first_leg and not (waited is not None and waited.has_second_leg)
        is_in_the_way = bool(entries or sized.in_the_way or sized.in_doubt or needs_leg)
        if not (is_in_the_way or is_away or signal.hours is SignalHours.NEXT_OPEN):
            return None
        return self._waits.wait_of(gateway, signal, sized, entries, needs_leg=needs_leg, is_operators=is_operators)

    def _beside_doubts(
        self, gathered: Gathered, sized: SizedIntent, verdict: Refused | Approved, is_operators: bool
    ) -> WaitBegan | Refused | None:
        """Of a signal that doubts alone refuse, its broker aside: what its broker says against it, else the wait for what became of
        them. What a person orders is refused at once: they see why.
        """
        if is_operators or not isinstance(verdict, Refused) or verdict.code != IN_DOUBT_SYMBOL:
            return None
        gateway, intent, symbol = gathered.gateway, sized.intent, gathered.instrument.symbol
        if (refused := self._submit.refusal(gateway, intent)) is not None:
            return refused
        _, limits = gateway.terms.limits_in(gathered.instrument.currency)
        doubts, signal = self._risk.doubts(intent), gathered.signal.to_json()
        return wait_for_doubts(doubts, symbol, self._clock.now(), signal, intent.terms, limits.max_signal_age_seconds)

    def _never(self, gathered: Gathered, sized: SizedIntent, wait: WaitBegan, *, is_operators: bool) -> Refused | None:
        """What refuses it before it waits. For an exit that could not be sent whatever becomes of its entries, or would be refused
        once they are over, none is cancelled.
        """
        gateway, signal, intent, own = gathered.gateway, gathered.signal, sized.intent, sized.of_product.own
        _, limits = gateway.terms.limits_in(gathered.instrument.currency)
        is_soon = meets_the_market(wait.reason, intent.terms, own, signal.side, exit_cancels_entry=limits.exit_cancels_entry)
        meets_market = is_soon and signal.hours is not SignalHours.NEXT_OPEN
        market = self._market(gateway, sized) if meets_market else None
        if (problem := impossible_price(intent.terms, intent.instrument, market)) is not None:
            return _invalid(f"invalid_{problem.field}", str(problem))
        ages = wait.reason in AGELESS
        judge = partial(self._gate.judge_wait, gateway, is_operators=is_operators, ages=ages, meets_market=meets_market)
        refusals = [judge(each, sized.priced) for each in sized.outcomes or (intent,)]
        if refusals[0] is not None and None not in refusals:  # whatever becomes of what is in doubt
            return refused_by(refusals[0])
        if wait.reason is not WaitReason.ENTRY or sized.refusal is None or (most := sized.once_entered) is None:
            return None
        return self._submit.refusal(gateway, most)

    async def _judged(self, gateway: Gateway, sized: SizedIntent, *, is_operators: bool, is_suspect: bool = False) -> Judgement:
        """The verdict, of the form first and then of the rules; and the order as it goes out, marked if it can only reduce. What
        only reduces by our book is held to what its broker has.

        Nothing is awaited between the last look at the account and the return: the caller reserves what it is about to risk before
        another order is judged.
        """
        intent, priced, also = sized.intent, sized.priced, tuple[Event, ...]()
        verdict: Refused | Approved | None = self._refusal_of_form(gateway, sized)
        if verdict is None:
            in_the_way = sized.in_the_way
            once = sized.standing.once_cancelled(in_the_way) if in_the_way else None
            judged = await self._gate.judge(gateway, intent, priced, is_operators=is_operators, once=once, opens=sized.opens)
            if not is_suspect and (less := _held_to_broker(intent, judged)) is not None:
                if isinstance(less, RiskRefusal):
                    return Judgement(refused_by(less), intent.with_terms(position_effect=PositionEffect.CLOSE))
                return await self._judged(gateway, replace(sized, intent=less), is_operators=is_operators)
            figures = {**judged.figures, **sized.figures}
            verdict = Approved(figures=figures) if judged.refusal is None else refused_by(judged.refusal)
            goes_as_asked = is_suspect or judged.refusal is not None
            intent = _as_it_goes_out(gateway, sized, replace(judged, exits_at_market=False) if goes_as_asked else judged)
            if judged.is_unconfirmed and not goes_as_asked:
                also = (self._gate.why_unconfirmed(intent),)
            if judged.is_reducing and (shortfall := shortfall_of(intent, figures)):
                self._log.write("WARNING", shortfall, signal_id=intent.signal_id)
        if is_suspect and isinstance(verdict, Refused):
            _, rules = await self._gate.judge_all(gateway, intent, priced, is_operators=is_operators)
            name, can = gateway.broker.name, gateway.broker.capabilities
            if not is_refused_though_it_may_be_sent(intent.signal_id, verdict, rules, name, can):
                return Judgement(Approved(), intent)
        return Judgement(verdict, intent, also)

    def _refusal_of_form(self, gateway: Gateway, sized: SizedIntent) -> Refused | None:
        """What is wrong with the order itself, before any limit is looked at."""
        intent = sized.intent
        problem = sized.problem or impossible_price(intent.terms, intent.instrument, self._market(gateway, sized))
        if problem is not None:
            return _invalid(f"invalid_{problem.field}", str(problem))
        if sized.refusal is not None:
            return refused_by(sized.refusal)
        if not intent.terms.unattended:
            return None
        if not is_unprotected(intent, gateway.terms.mode):
            self._log.write("WARNING", intent.terms.unattended_note, signal_id=intent.signal_id)
            return None
        remedy = 'leave it out, or say "protection": "external" if something else takes care of it'
        return _invalid("unprotected", f"{intent.terms.unattended_note}; {remedy}")

    def _market(self, gateway: Gateway, sized: SizedIntent) -> Decimal | None:
        """The price that the order would meet; None where it is not fresh."""
        price, (_, limits) = sized.priced.price, gateway.terms.limits_in(sized.intent.instrument.currency)
        is_fresh = price is not None and price.age_seconds(self._clock.now()) <= limits.max_price_age_seconds
        return price.amount if price is not None and is_fresh else None

    async def _found_at_broker(self, gateway: Gateway, intent: OrderRequested) -> OrderRequested | None:
        """The intent under the key that the broker has it by: the order may have been sent by a release that derives another."""
        for client_order_id in self._orders.identity.keys.possible_ids(intent.account_id, intent.signal_id):
            under_key = intent.but(client_order_id=client_order_id)
            if isinstance(await gateway.find(requests.draft_of(under_key)), OrderSnapshot):
                return under_key
        return None


def _as_it_goes_out(gateway: Gateway, sized: SizedIntent, judged: Assessment) -> OrderRequested:
    intent, price = sized.intent, sized.priced.price
    if judged.exits_at_market:
        intent = as_market_exit(intent, None if price is None else price.amount, gateway.broker.capabilities)
    return intent.with_terms(reduces_only=True) if judged.reduces_account else intent


def _held_to_broker(intent: OrderRequested, judged: Assessment) -> OrderRequested | RiskRefusal | None:
    """An exit as one for no more than its broker has; None: it is for no more."""
    return None if judged.at_most is None else held_to(intent, judged.at_most, judged.at_broker, may_be_ours=judged.may_be_ours)


def _entries_met(signal: Signal, sized: SizedIntent) -> tuple[UUID, ...]:
    """Of an order that closes, or sells what is not all there yet: its strategy's own orders that may still open or enlarge that,
    under its product, and those that a close of all supersedes. None where it guards what is held already.
    """
    closes = sized.intent.terms.position_effect is PositionEffect.CLOSE and not (signal.has_target or sized.guards_held)
    if not (closes or sized.awaits_entries):
        return ()
    is_of_any_side = signal.side is None and not sized.of_product.own.quantity
    entries = sized.of_product.entries_for(None if is_of_any_side else sized.intent.terms.side)
    return tuple(dict.fromkeys(order.order_id for order in (*entries, *sized.superseded)))


def _legs_left(sized: SizedIntent, waited: Waited) -> tuple[UUID, ...]:
    """What opens after the closing leg that an exit of the other side waited for: sent by now, or about to be."""
    if sized.intent.terms.position_effect is not PositionEffect.CLOSE:
        return ()
    has, way = sized.of_product, sized.intent.terms.side.opposite
    sent = (each for each in has.orders if each.is_second_leg)
    waiting = (each for each in has.later if each.wait is not None and not set(waited.orders).isdisjoint(each.wait.orders))
    return tuple(each.order_id for each in (*sent, *waiting) if each.is_second_leg and each.side is way)


def _invalid(code: str, message: str) -> Refused:
    return Refused(reason=RejectReason.INVALID, code=code, message=message)


class RecentSignals:
    """By signal id: the order that is being made of it, or was made last. What is not here may still be known to the store."""

    def __init__(self) -> None:
        self._orders: dict[str, asyncio.Future[OrderRequested]] = {}

    async def order_of(self, signal_id: str, account_id: str) -> UUID | None:
        """Waits while another message of this id is being claimed. None: the caller claims it, with no wait in between."""
        while (order := self._orders.get(signal_id)) is not None:
            if order.done():
                intent = order.result()
                return intent.order_id if intent.account_id == account_id else None
            await asyncio.wait([order])
        return None

    @contextmanager
    def being_claimed(self, signal_id: str) -> Iterator[asyncio.Future[OrderRequested]]:
        """Others of this id wait until the order's intent is put into the future, once it is durable, or the block ends without."""
        order = self._orders[signal_id] = asyncio.get_running_loop().create_future()
        try:
            yield order
        finally:
            if not order.done():
                order.cancel()
                if self._orders.get(signal_id) is order:
                    del self._orders[signal_id]
            self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        while len(self._orders) > REMEMBERED:
            oldest = next(iter(self._orders))
            if not self._orders[oldest].done():
                return
            del self._orders[oldest]


Series: TypeAlias = tuple[str, str | None, str]
"""Account, strategy (None: the account's whole) and symbol: what signals of one series amount to depends on those before them."""


class Turn:
    """The place of a signal in its series."""

    __slots__ = ("_came", "_queue")

    def __init__(self, queue: deque[Turn]) -> None:
        self._queue = queue
        self._came: asyncio.Future[None] | None = None
        """Of one that is waited for."""
        queue.append(self)

    async def comes(self) -> None:
        """Wait until all that came earlier are decided."""
        if self._queue[0] is not self:
            self._came = asyncio.get_running_loop().create_future()
            await self._came

    def ends(self) -> None:
        """It is decided, or never will be."""
        if self in self._queue:
            self._queue.remove(self)
            if self._queue and (came := self._queue[0]._came) is not None and not came.done():
                came.set_result(None)


class Turns:
    """Signals of one series are decided in the order in which they came, however long the price of an earlier one takes."""

    def __init__(self) -> None:
        self._queues: dict[Series, deque[Turn]] = {}

    @contextmanager
    def taken(self, series: Series) -> Iterator[Turn]:
        """The next turn, from now until it is ended, or the block is."""
        queue = self._queues.setdefault(series, deque())
        turn = Turn(queue)
        try:
            yield turn
        finally:
            turn.ends()
            if not queue and self._queues.get(series) is queue:
                del self._queues[series]
