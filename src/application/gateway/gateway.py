"""One account's way to its broker: rate limit, deadline, and the sorting of every failure: ours, definite, or ambiguous."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from liveorder.application.gateway.admission import Deadlines, RateLimit
from liveorder.application.ports.broker import Absence, Broker, Prepared
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery, Instruments, ListsSymbols
from liveorder.application.ports.market_data import MarketData
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    BrokerError,
    BrokerRefusal,
    BrokerTimeoutError,
    BrokerUnavailable,
    OutcomeUnknown,
)
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import RequestKind
from liveorder.domain.order.matching import may_concern
from liveorder.domain.order.outcomes import Answered, NotBegun, NotReceived, Outcome, RefusedByBroker, Unknown
from liveorder.domain.quotes import Priced
from liveorder.domain.values import Side

T = TypeVar("T")
MOST_RESOLVED = 4096
"""Answers about instruments that are remembered."""
LONGEST_ASKING_SECONDS = 30.0
"""A question that a signal waits for is not begun again later than this after it was put first."""


@dataclass(frozen=True, slots=True)
class CallInFlight:
    """A request that has left and not returned."""

    request_id: str
    kind: RequestKind
    deadline: datetime


class Gateway:
    """Sends prepared requests of one account.

    `on_failures(account, failures in a row, last error)` is called when they reach the breaker's limit, and at once when the
    broker refuses our credentials.
    """

    def __init__(
        self,
        terms: AccountConfig,
        broker: Broker,
        market_data: MarketData,
        instruments: Instruments,
        calendar: TradingCalendar,
        clock: Clock,
        on_failures: Callable[[str, int, BrokerError], None],
        *,
        is_shadow: bool = False,
    ) -> None:
        """`is_shadow`: requests are turned away here, and only questions reach the broker."""
        self.account_id = terms.account_id
        self.terms, self.broker, self.market_data, self.instruments = terms, broker, market_data, instruments
        self._calendar, self._clock, self._on_failures, self._is_shadow = calendar, clock, on_failures, is_shadow
        limits = broker.capabilities
        self.limit = RateLimit(clock, limits.requests_per_second, limits.requests_per_minute, terms.reserved_share_for_cancels)
        self.deadlines = Deadlines(clock, terms.call_timeout_seconds, terms.own_delay_seconds)
        """A request gets its deadline when it is decided; `submit`, `cancel` or `replace` it under the same id."""
        self.in_flight: dict[str, CallInFlight] = {}
        self.is_followed = False
        """Whether the broker's stream lives."""
        self._failures = 0
        self._resolved: dict[InstrumentQuery, Instrument | None] = {}

    async def submit(self, request_id: str, prepared: Prepared, deadline: datetime) -> Outcome:
        return await self._call(CallInFlight(request_id, RequestKind.SUBMIT, deadline), self.broker.submit, prepared)

    async def cancel(self, request_id: str, prepared: Prepared, deadline: datetime) -> Outcome:
        return await self._call(CallInFlight(request_id, RequestKind.CANCEL, deadline), self.broker.cancel, prepared)

    async def replace(self, request_id: str, prepared: Prepared, deadline: datetime) -> Outcome:
        return await self._call(CallInFlight(request_id, RequestKind.REPLACE, deadline), self.broker.replace, prepared)

    async def _call(
        self, call: CallInFlight, send: Callable[[Prepared], Awaitable[Sequence[ExecutionReport]]], prepared: Prepared
    ) -> Outcome:
        if self._is_shadow:
            return NotReceived(BrokerConnectionError("a shadow run sends nothing"))
        if (reason := self.deadlines.why_not_to_begin(call.request_id, call.deadline)) is not None:
            return NotBegun(f"not sent: {reason}")
        self.in_flight[call.request_id] = call
        try:
            outcome = await self._sorted(send, prepared)
        finally:
            self.in_flight.pop(call.request_id, None)  # a cancel without the store may be out twice under one id
        self._count(outcome)
        return outcome

    async def _sorted(
        self, send: Callable[[Prepared], Awaitable[Sequence[ExecutionReport]]], prepared: Prepared
    ) -> Answered | NotReceived | RefusedByBroker | Unknown:
        try:
            async with asyncio.timeout(self.terms.call_timeout_seconds):
                return Answered(await send(prepared))
        except TimeoutError:
            return Unknown(BrokerTimeoutError(f"no answer within {self.terms.call_timeout_seconds:g} s"))
        except BrokerUnavailable as error:
            return NotReceived(error)
        except BrokerRefusal as error:
            return RefusedByBroker(error)
        except OutcomeUnknown as error:
            return Unknown(error)
        except Exception as error:  # noqa: BLE001 - an adapter's surprise is ambiguous: the request may have left
            return Unknown(OutcomeUnknown(f"{type(error).__name__} in the {self.broker.name} adapter"))

    def _count(self, outcome: Answered | NotReceived | RefusedByBroker | Unknown) -> None:
        if isinstance(outcome, Answered):
            self._failures = 0
        elif isinstance(outcome.error, BrokerAuthenticationError):
            self._on_failures(self.account_id, 1, outcome.error)
        elif isinstance(outcome, NotReceived | Unknown):
            self._failures += 1
            if self._failures >= self.terms.breaker_failures:
                failures, self._failures = self._failures, 0
                self._on_failures(self.account_id, failures, outcome.error)
        else:
            self._failures = 0

    # --- questions -------------------------------------------------------------------------------------------------------------

    async def find(self, order: LiveOrder) -> OrderSnapshot | Absence:
        """What the broker has under the order's key, or under any that it may have: ABSENT only if it is under none.

        INCONCLUSIVE too when the adapter broke its promise of time or of errors, or reported another order, which has the broker's
        id by now.
        """
        own, *others = order.possible_ids
        reference = order.submission.reference if order.submission is not None else {}
        found = await self._find(order, own, reference)
        for client_order_id in others:
            if found is not Absence.ABSENT:
                break
            found = await self._find(order, client_order_id, {})
        return found

    async def _find(self, order: LiveOrder, client_order_id: str, reference: Mapping[str, str]) -> OrderSnapshot | Absence:
        try:
            found = await self.ask(self.broker.find(client_order_id, order.broker_order_id, reference))
        except BrokerError:
            return Absence.INCONCLUSIVE
        return found if isinstance(found, Absence) or may_concern(order, found) else Absence.INCONCLUSIVE

    async def ask(self, question: Awaitable[T]) -> T:
        """The answer to a question, within a call's time. Raises `BrokerError`, whatever the adapter raised."""
        try:
            async with asyncio.timeout(self.terms.call_timeout_seconds):
                return await question
        except BrokerError:
            raise
        except TimeoutError as error:
            raise BrokerTimeoutError(f"{self.broker.name} did not answer within {self.terms.call_timeout_seconds:g} s") from error
        except Exception as error:
            raise OutcomeUnknown(f"{type(error).__name__} in the {self.broker.name} adapter") from error

    async def ask_again(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to a question that a signal depends on, asked as often as a request would be sent.

        Not again where the broker refused it, nor later than `LONGEST_ASKING_SECONDS` after the first time. Raises `BrokerError`.
        """
        last_at, attempts = self._clock.monotonic() + LONGEST_ASKING_SECONDS, 0
        while True:
            try:
                return await self.ask(question())
            except BrokerError as error:
                attempts += 1
                seconds = self.terms.retry.wait_to_ask_again(attempts, error, last_at - self._clock.monotonic())
                if seconds is None:
                    raise
                await self._clock.sleep(seconds)

    async def resolve(self, query: InstrumentQuery, *, is_away: bool = False) -> Instrument | None:
        """The instrument that is meant, whose calendar can be asked at once. Raises `BrokerError`.

        `is_away`: the broker cannot be reached; what was asked in this run before is answered as then.
        """
        if is_away and query in self._resolved:
            return self._resolved[query]
        found = self._resolved[query] = await self.ask_again(lambda: self.instruments.resolve(query))
        if len(self._resolved) > MOST_RESOLVED:
            del self._resolved[next(iter(self._resolved))]
        if found is not None:
            await self._calendar.prepare((found.calendar,))
        return found

    def listed_instead_of(self, symbol: str) -> str:
        """The end of a sentence for people: the symbols that there are, or nothing where they are not listed."""
        if not isinstance(self.instruments, ListsSymbols) or symbol in (listed := self.instruments.symbols()):
            return ""
        return f". Listed: {', '.join(listed)}"

    async def price(self, instrument: Instrument, side: Side, *, is_urgent: bool = False) -> Priced:
        """What an order of this side would meet. `is_urgent`: asked for once, as of an order that closes a position."""
        try:
            if is_urgent:
                quote = await self.ask(self.market_data.latest(instrument))
            else:
                quote = await self.ask_again(lambda: self.market_data.latest(instrument))
        except BrokerError as error:
            return Priced(problem=str(error))
        return Priced() if quote is None else quote.asked_for(side, self._clock.now(), self._max_price_age(instrument))

    def _max_price_age(self, instrument: Instrument) -> float:
        return self.terms.limits_in(instrument.currency)[1].max_price_age_seconds
