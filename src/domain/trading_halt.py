"""The stop that survives restarts: whose new orders may not go out, why, and whether signals trade by themselves.

A halt has a scope: everything, one account, or one account's connection. Halts of different scopes stand independently; each is
lifted by its own name, so that a connection that comes back lifts its own halt and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, reduce
from typing import TypeGuard

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.wording import in_brackets, words

EVERYTHING = "*"
"""The scope of a halt that stands for every account."""
HALT_STREAM = stream_id("trading_halt")
"""In which all halts of a store are."""
SUSPICION = timedelta(hours=24)
"""For so long after a restored store was trusted again, a signal that does not say its time may be an old one: a trading day."""


def account_scope(account_id: str) -> str:
    return f"account:{account_id}"


def connection_scope(account_id: str) -> str:
    return f"connection:{account_id}"


@cache
def halting_scopes(account_id: str) -> tuple[str, ...]:
    """The scopes of which no halt may stand for this account's submissions, the widest first."""
    return (EVERYTHING, account_scope(account_id), connection_scope(account_id))


def waits_stopped_by(account_id: str) -> tuple[str, ...]:
    """The halts for which the store must refuse to let an order begin to wait: all but the one that ends by itself."""
    return halting_scopes(account_id)[:-1]


def stopped_by(intent: OrderRequested) -> tuple[str, ...]:
    """The halts for which the store must refuse to let a submission of this intent begin."""
    return () if intent.terms.passes_halt else halting_scopes(intent.account_id)


def covered_by(scope: str) -> str:
    """Whom a halt of this scope stops, for people."""
    kind, _, account_id = scope.partition(":")
    if kind == "connection":
        return f"account {account_id} until it is connected again"
    return "every account" if scope == EVERYTHING else f"{kind} {account_id}"


class HaltReason(StrEnum):
    KILL_SWITCH = "KILL_SWITCH"
    """A person stopped it."""
    CIRCUIT_BREAKER = "CIRCUIT_BREAKER"
    """The broker failed too many times in a row."""
    RESTORED_STORE = "RESTORED_STORE"
    """The store may not know what was sent: restored, copied, or empty on an account that has orders."""
    RECONCILIATION = "RECONCILIATION"
    """The broker's account and ours differ beyond what may be traded on."""
    BROKER_AUTH = "BROKER_AUTH"
    """Credentials refused or expired."""
    CONNECTION_LOST = "CONNECTION_LOST"
    """The broker could not be reached. The one halt that ends by itself: once it was reached and asked about everything."""

    @property
    def ends_by_itself(self) -> bool:
        return self is HaltReason.CONNECTION_LOST


def told_by(text: str) -> tuple[HaltReason, str]:
    """Reason and detail of a halt that a process put in its place beside the owner: in our words, or its own, as a backup does."""
    reason, _, detail = text.partition(": ")
    if reason in set(HaltReason):
        return HaltReason(reason), detail or "put in place by another process"
    return HaltReason.RESTORED_STORE, text


# --- events -------------------------------------------------------------------------------------------------------------------


class TradingHalted(Event):
    """No new order of the scope may be sent. `detail` is for people."""

    topic = "liveorder.TradingHalted@1"
    category = "HALT"
    notice = NoticeEvent.HALT

    scope: str
    reason: HaltReason
    detail: str = ""

    def sentence(self) -> str:
        return f"Trading halted for {covered_by(self.scope)}: {words(self.reason)}{in_brackets(self.detail)}"


class TradingResumed(Event):
    """The halt of exactly this scope is lifted."""

    topic = "liveorder.TradingResumed@1"
    category = "HALT"
    notice = NoticeEvent.HALT

    scope: str
    detail: str = ""

    def sentence(self) -> str:
        return f"Trading resumed for {covered_by(self.scope)}{in_brackets(self.detail)}"


class AutoTradingSwitched(Event):
    """From here on this holds in place of the setting."""

    topic = "liveorder.AutoTradingSwitched@1"
    category = "HALT"
    notice = NoticeEvent.HALT

    enabled: bool
    detail: str = ""

    def sentence(self) -> str:
        return f"Auto-trading switched {'on' if self.enabled else 'off'}{in_brackets(self.detail)}"


# --- decisions and state -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TradingHalt:
    """Immutable; a decision returns the new events, and `evolve` returns the state after them."""

    standing: Mapping[str, TradingHalted] = field(default_factory=dict)
    """The halts that stand, by scope, each with the reason that came first, or a graver one that came later."""
    auto_trading: bool | None = None
    """What a person switched; None: the setting decides."""

    def halt(self, scope: str, reason: HaltReason, detail: str) -> list[TradingHalted]:
        """Nothing new when the scope is halted already, but for a graver reason: what must be looked at then is another thing."""
        known = self.standing.get(scope)
        if known is None:
            return [TradingHalted(scope=scope, reason=reason, detail=detail)]
        before = f"{detail}; halted before: {known.reason} {known.detail}".rstrip()
        return [TradingHalted(scope=scope, reason=reason, detail=before)] if _outweighs(reason, known.reason) else []

    def resume(self, scope: str, detail: str) -> list[Event]:
        """Nothing new when no halt has exactly this scope."""
        return [TradingResumed(scope=scope, detail=detail)] if scope in self.standing else []

    def switch_auto_trading(self, enabled: bool, detail: str) -> list[Event]:
        return [] if enabled is self.auto_trading else [AutoTradingSwitched(enabled=enabled, detail=detail)]

    def stands_for(self, account_id: str) -> TradingHalted | None:
        """The halt that stops this account, the widest first; None when it may trade."""
        return next((self.standing[scope] for scope in halting_scopes(account_id) if scope in self.standing), None)

    def evolve(self, events: Iterable[Event]) -> TradingHalt:
        return reduce(TradingHalt._after, events, self)

    def _after(self, event: Event) -> TradingHalt:
        match event:
            case TradingHalted():
                known = self.standing.get(event.scope)
                is_news = known is None or _outweighs(event.reason, known.reason)
                return replace(self, standing={**self.standing, event.scope: event}) if is_news else self
            case TradingResumed():
                return replace(self, standing={scope: halt for scope, halt in self.standing.items() if scope != event.scope})
            case AutoTradingSwitched():
                return replace(self, auto_trading=event.enabled)
            case _:
                return self


def _outweighs(reason: HaltReason, known: HaltReason) -> bool:
    """That a store may have forgotten what it sent: lifting any other halt must not make that forgotten too."""
    return reason is HaltReason.RESTORED_STORE and known is not HaltReason.RESTORED_STORE


def is_of_a_restored_store(halted: TradingHalted | None) -> TypeGuard[TradingHalted]:
    return halted is not None and halted.reason is HaltReason.RESTORED_STORE


@dataclass(frozen=True, slots=True)
class StandingHalts:
    """What may not go out now, by halts that are stored and by those that could not be stored yet."""

    halts: TradingHalt
    auto_trading: bool
    """Whether signals trade by themselves: what a person switched, else the setting."""
    trusted_since: Mapping[str, datetime] = field(default_factory=dict)
    """By scope: when the halt of a restored store was lifted last."""
    suspected_at: Mapping[str, datetime] = field(default_factory=dict)
    """By scope: when the halt of a restored store began last."""

    def stands_for(self, account_id: str) -> TradingHalted | None:
        """The halt that stops this account, the widest first; None when it may trade."""
        return self.halts.stands_for(account_id)

    def is_waiting_for_broker(self, account_id: str, *, is_spared: bool = False) -> bool:
        """Whether all that stops this account is a halt that ends by itself. `is_spared`: a kill does not stop the order."""
        reasons = self._reasons(account_id)
        return reasons - ({HaltReason.KILL_SWITCH} if is_spared else set()) == {HaltReason.CONNECTION_LOST}

    def is_killed(self, account_id: str, *, by_that_alone: bool = False) -> bool:
        """Whether a person's kill stands. `by_that_alone`: nothing else stops the account, but for a lost connection."""
        reasons = self._reasons(account_id)
        if by_that_alone:
            return reasons - {HaltReason.CONNECTION_LOST} == {HaltReason.KILL_SWITCH}
        return HaltReason.KILL_SWITCH in reasons

    def _reasons(self, account_id: str) -> set[HaltReason]:
        if not (standing := self.halts.standing):
            return set()
        return {standing[scope].reason for scope in halting_scopes(account_id) if scope in standing}

    def stops(self, intent: OrderRequested) -> bool:
        """Whether the order must not go out now. One that a person sent while a halt stood passes it."""
        return not intent.terms.passes_halt and self.stands_for(intent.account_id) is not None

    def delays(self, intent: OrderRequested) -> bool:
        """Whether it is stopped only until its broker is connected again, and waits for that."""
        return not intent.terms.passes_halt and self.is_waiting_for_broker(intent.account_id)

    def may_have_forgotten(self, account_id: str, decided_at: datetime | None, now: datetime) -> bool:
        """Whether the store may have sent a signal of this time (None: not known) in a life that it has lost."""
        scopes, standing = halting_scopes(account_id), self.halts.standing
        if any(is_of_a_restored_store(standing.get(scope)) for scope in scopes):
            return True
        since = max((self.trusted_since[scope] for scope in scopes if scope in self.trusted_since), default=None)
        if since is None:
            return False
        return now < since + SUSPICION if decided_at is None else decided_at <= since

    def may_have_forgotten_sending(self, account_id: str, unsent_at: datetime) -> bool:
        """Whether a life that the store has lost may have sent an order which at this time was surely at no broker."""
        scopes, known = halting_scopes(account_id), (self.suspected_at, self.trusted_since)
        return any(unsent_at <= moments[scope] for moments in known for scope in scopes if scope in moments)
