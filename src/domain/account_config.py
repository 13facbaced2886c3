"""What the operator settled for an account: the rules are asked of it, as they are of what its broker declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from liveorder.domain.errors import BrokerError, BrokerRefusal
from liveorder.domain.instrument import Instrument
from liveorder.domain.limit_tables import LimitTable
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.outcomes import NotBegun, NotReceived, Outcome
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.values import Product, TradingMode

OWN_DELAY_SECONDS = 2.0
"""Allowed at least for our own side, between a decision and its call."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts in all, and the wait before each but the first: `first_wait_seconds`, doubled, at most `longest_wait_seconds`.

    >>> [RetryPolicy(attempts=7).wait_after(n) for n in range(1, 7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    """

    attempts: int = 3
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0

    def allows_after(self, attempts_made: int) -> bool:
        return attempts_made < self.attempts

    def wait_after(self, attempts_made: int, error: BrokerError | None = None) -> float:
        """Seconds to wait after that many failed attempts; longer where the broker said how long."""
        own = min(self.first_wait_seconds * 2.0 ** min(attempts_made - 1, 30), self.longest_wait_seconds)
        return max(own, getattr(error, "retry_after_seconds", None) or 0.0)

    def wait_for(self, order: LiveOrder, error: BrokerError | None = None) -> float:
        """Seconds before the next submission of an order; none before it is given up. What was not begun is no attempt."""
        if order.was_not_begun:
            return self.wait_after(order.not_begun)
        return self.wait_after(order.failures, error) if self.allows_after(order.failures) else 0.0

    def wait_to_ask_again(self, attempts_made: int, error: BrokerError, seconds_left: float) -> float | None:
        """Seconds before a question that failed is put again; None: it is not.

        Not where the broker refused it, nor more often than a request is sent, nor when the wait would take more than is left.
        """
        seconds = self.wait_after(attempts_made, error)
        is_refused = isinstance(error, BrokerRefusal)
        return None if is_refused or not self.allows_after(attempts_made) or seconds > seconds_left else seconds

    def is_used_up_by(self, order: LiveOrder) -> bool:
        """Whether the order was sent as often as it may be."""
        return order.is_sent and not self.allows_after(order.failures)

    def wait_to_cancel_again(self, order: LiveOrder, outcome: Outcome | None, attempts: int) -> float | None:
        """Seconds before a cancel that came to nothing is asked for again, after so many attempts; None: it is not.

        At once, as often as it takes, where it was not begun for a reason of ours.
        """
        if order.status.is_closed:
            return None
        if isinstance(outcome, NotBegun):
            return 0.0
        if isinstance(outcome, NotReceived) and self.allows_after(attempts):
            return self.wait_after(attempts, outcome.error)
        return None

    def replaces_again(self, outcome: Outcome, starts: int) -> bool:
        """Whether a replace is decided and asked for anew: it was not begun for a reason of ours, and not too often."""
        return isinstance(outcome, NotBegun) and self.allows_after(starts)


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """Of one account. Times in seconds."""

    account_id: str
    currency: str = "USD"
    mode: TradingMode = TradingMode.SIMULATION
    limits: RiskLimits = field(default_factory=RiskLimits)
    """Of orders in `currency`."""
    limits_by_currency: Mapping[str, RiskLimits] = field(default_factory=dict)
    """Of orders in other currencies; one that is not here is not traded in."""
    tables: tuple[LimitTable, ...] = ()
    """Limits by strategy and by symbol, in `currency`."""
    default_exchange: str | None = None
    default_product: Product | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    call_timeout_seconds: float = 10.0
    """Each call that begins has all of it."""
    own_delay_seconds: float = OWN_DELAY_SECONDS
    """What our own side may take at least between a decision and its call."""
    market_timeout_seconds: float = 60.0
    day_limit_timeout_seconds: float = 300.0
    """Of session time."""
    equity: Decimal | None = None
    """In place of what the broker reports, or of nothing where it reports none."""
    breaker_failures: int = 5
    """Broker failures in a row that halt the account."""
    reserved_share_for_cancels: float = 0.2

    def limits_in(self, currency: str) -> tuple[str, RiskLimits]:
        """The currency that an order in `currency` is reckoned in, and its limits: the account's own where it has none."""
        own = self.limits_by_currency.get(currency)
        return (self.currency, self.limits) if own is None else (currency, own)

    def tables_of(self, strategy_name: str, instrument: Instrument) -> tuple[LimitTable, ...]:
        """Those that an order of the strategy in the instrument has to pass beside the account's limits."""
        if not self.tables:
            return ()
        key = instrument.key
        return tuple(table for table in self.tables if table.covers(strategy_name, key))

    def is_long_only(self, strategy_name: str, instrument: Instrument) -> bool:
        """Whether the account, or a table of limits, forbids the strategy to sell the instrument short."""
        _, limits = self.limits_in(instrument.currency)
        tables = self.tables_of(strategy_name, instrument)
        return not (limits.allow_short_selling and all(table.limits.allow_short_selling for table in tables))

    def sizing_limits(self, strategy_name: str, instrument: Instrument) -> RiskLimits:
        """The limits in the instrument's currency, with the `position_size` of its tables in place of the account's."""
        _, limits = self.limits_in(instrument.currency)
        sizes = [table.position_size for table in self.tables_of(strategy_name, instrument) if table.position_size is not None]
        return limits.model_copy(update={"position_size": min(sizes)}) if sizes else limits
