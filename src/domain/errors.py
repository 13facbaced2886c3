"""Everything that can go wrong, sorted by what the caller may do about it.

The one distinction that money depends on: after `BrokerUnavailable` the broker surely did not receive the request, so it may
be sent again; after `OutcomeUnknown` it may have arrived, so it must be asked about and never sent again blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from liveorder.domain.claim import IdempotencyClaim


class LiveOrderError(Exception):
    """Root of every error that this package raises on purpose."""


class InvalidInput(LiveOrderError):
    """A value that cannot be used. Names the field and the remedy.

    >>> str(InvalidInput("limit_price", "a LIMIT order needs one", "add limit_price"))
    'limit_price: a LIMIT order needs one; add limit_price'
    """

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field, self.problem, self.remedy = field, problem, remedy


class OrderNotFound(LiveOrderError):
    """No order has this id."""

    def __init__(self, order_id: object) -> None:
        super().__init__(f"no order with id {order_id}; see `liveorder orders`")


class StoppedBefore(LiveOrderError):
    """liveorder stopped before this was done. What is stored of it is taken up at the next start."""

    def __init__(self) -> None:
        super().__init__("stopped before this was done; what is stored of it is taken up at the next start: ask again then")


class DecisionRefused(LiveOrderError):
    """The order cannot take this step in the state that it is in (cancel of a closed order, say)."""


class RunnerClosed(LiveOrderError, RuntimeError):
    """A runner was called before its block began or after it ended. Nothing was done."""


# --- brokers -------------------------------------------------------------------------------------------------------------------


class BrokerError(LiveOrderError):
    """A request to a broker did not simply succeed."""


class BrokerUnavailable(BrokerError):
    """Definite and passing: surely not received. May be sent again, after a wait."""


class BrokerConnectionError(BrokerUnavailable):
    """No connection was made, so nothing left this process."""


class BrokerRateLimitError(BrokerUnavailable):
    """The broker turned the request away for coming too fast. `retry_after_seconds` when it said how long."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(BrokerError):
    """Ambiguous: the request may have arrived. Ask about it; never send it again blindly."""


class BrokerTimeoutError(OutcomeUnknown):
    """No answer within the request's deadline."""


class BrokerRefusal(BrokerError):
    """Definite and final: the broker read the request and will not take it. Sending it again would not help."""


class InsufficientBalanceError(BrokerRefusal):
    """Not enough cash or margin."""


class InvalidSymbolError(BrokerRefusal):
    """The broker does not know, or does not trade, this instrument."""


class OrderValidationError(BrokerRefusal):
    """The broker found a field of the order unacceptable."""


class BrokerAuthenticationError(BrokerRefusal):
    """Credentials absent, refused or expired. Trading on this account stops until a person renews them."""


class DuplicateClientOrderId(BrokerRefusal):
    """The broker already holds an order with this key: it is ours, so it is fetched, not sent."""


class OrderRetryExhaustedError(LiveOrderError):
    """Every allowed attempt failed definitely. `original_error` is the last failure."""

    def __init__(self, attempts: int, original_error: BrokerError) -> None:
        super().__init__(f"gave up after {attempts} attempts: {original_error}")
        self.attempts, self.original_error = attempts, original_error


# --- storage -------------------------------------------------------------------------------------------------------------------


class StoreError(LiveOrderError):
    """The event store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Nothing can be written now (disk full, locked, no connection). While this lasts nothing is sent to a broker."""


class NotAnswered(StoreUnavailable):
    """The owner of the store did not answer a command in time. It may still carry it out: look before asking again."""


class StoreRefused(StoreError):
    """This store must not be used: damaged, written by a newer version, of another identity, or on a network file system."""


class VersionConflict(StoreError):
    """Another writer appended to this stream first. Reload before deciding again."""


class SignalAlreadyKnown(StoreError):
    """The signal came before. `claims` are those that fit it: usually one, and its order is what the signal became."""

    def __init__(self, claims: Sequence[IdempotencyClaim]) -> None:
        super().__init__(f"this signal already became order {', '.join(str(claim.order_id) for claim in claims)}")
        self.claims = tuple(claims)


class DeadLetterStands(StoreError):
    """The message was refused before, and stays refused until a person retries it."""

    def __init__(self, dead_letter: UUID) -> None:
        super().__init__(f"this message is dead letter {dead_letter}; `liveorder signals --retry {dead_letter}` sends it")
        self.dead_letter = dead_letter


class TradingIsHalted(StoreError):
    """A halt stands, so this submission was not stored and must not be sent."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"trading is halted ({scope}); see `liveorder status`")
        self.scope = scope


class LeaseLost(StoreError):
    """Another process owns this store now, or it was exchanged for another. This process may neither append nor send."""


# --- settings ------------------------------------------------------------------------------------------------------------------


class SettingsError(LiveOrderError):
    """A setting is missing, unknown or contradictory; the message names it and the remedy."""


def described(error: BaseException) -> str:
    """Kind and text of what foreign code raised; its text may raise too."""
    try:
        return f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - foreign code
        return type(error).__name__
