"""The events of an order's life, in the order in which a quiet life has them. Topics are for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import not_
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from liveorder.domain.events import Event
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import (
    Amount,
    FilledQuantity,
    OrderRole,
    OrderType,
    Price,
    Product,
    Quantity,
    Side,
    TimeInForce,
    TradingHours,
)


class RejectReason(StrEnum):
    """Why an order is REJECTED."""

    RISK = "RISK"
    INVALID = "INVALID"
    BROKER = "BROKER"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"


STORE_RESTORED = "StoreRestored"
"""`OutcomeDoubted.error` of an order that was not sent, since the store may have forgotten that it was."""
RESTARTED, STOPPED, UNANSWERED = "Restarted", "Stopped", "Unanswered"
"""`OutcomeDoubted.error` of a request of which we do not know whether it left us at all."""
DOUBTS_OF_OURS = frozenset({STORE_RESTORED, RESTARTED, STOPPED, UNANSWERED})


class CancelReason(StrEnum):
    """Why an order is CANCELLED."""

    REQUESTED = "REQUESTED"
    TIMED_OUT = "TIMED_OUT"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    BY_BROKER = "BY_BROKER"
    STALE = "STALE"
    HALTED = "HALTED"


class RequestKind(StrEnum):
    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


# --- our intent --------------------------------------------------------------------------------------------------------------


def _is_none(value: object) -> bool:
    """Of fields that came later: not written where there is nothing, so that what earlier versions stored stays as it is."""
    return value is None


def _is_regular(value: object) -> bool:
    return value is TradingHours.REGULAR


_EXITS_AND_LINKS = ("stop_loss", "take_profit", "oco_group", "parent_order_id")


class Requested(Event):
    """The whole intent. Exactly one of `quantity` and `notional` is set."""

    topic: ClassVar[str] = "liveorder.Requested@1"

    order_id: UUID
    client_order_id: str
    signal_id: str
    signal_fingerprint: str
    namespace: str
    session_id: str
    """The run of the service that took the signal."""
    account_id: str
    strategy_name: str
    broker: str
    instrument: Instrument
    side: Side
    order_type: OrderType
    quantity: Quantity | None = None
    notional: Amount | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    trail_amount: Price | None = None
    trail_percent: Price | None = None
    limit_offset: Price | None = Field(default=None, exclude_if=_is_none)
    time_in_force: TimeInForce = TimeInForce.DAY
    hours: TradingHours = Field(default=TradingHours.REGULAR, exclude_if=_is_regular)
    expires_at: datetime | None = None
    product: Product | None = None
    role: OrderRole = OrderRole.ENTRY
    parent_order_id: UUID | None = None
    oco_group: str | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None
    protection: str | None = None
    """`external` when somebody else guards the position."""
    tags: tuple[str, ...] = ()
    decision_price: Price | None = None
    """The price that sizing and risk reckoned with."""
    score: Amount | None = None
    signal_at: datetime | None = None
    """When the signal was made, or failing that published: its age counts from here."""
    valid_until: datetime | None = None
    """After this it is stale, however young."""
    timeout_seconds: float | None = None
    """Set on the order itself; None leaves it to the rule for its type."""
    is_shadow: bool = False
    """Decided on live data, never sent."""
    reduces_only: bool = Field(default=False, exclude_if=not_)
    """Judged so that it can only reduce the position, whatever else happens."""
    passes_halt: bool = False
    """An operator's order that only reduces a position, approved although a halt stood."""

    @property
    def unattended(self) -> tuple[str, ...]:
        """The exits and links that are asked for and that nothing acts on: this package does not yet, and nobody else is named."""
        return () if self.protection is not None else tuple(name for name in _EXITS_AND_LINKS if getattr(self, name) is not None)


class Refused(Event):
    """We will not send it: a rule, an invalid order, or no attempts left."""

    topic: ClassVar[str] = "liveorder.Refused@1"

    reason: RejectReason
    code: str
    """The rule's name: `daily_trade_count`, `stale_signal`, `retries_exhausted`."""
    message: str
    measured: str | None = None
    limit: str | None = None


class Approved(Event):
    """Every rule passed, on these figures."""

    topic: ClassVar[str] = "liveorder.Approved@1"

    figures: Mapping[str, str] = Field(default_factory=dict)


# --- our requests and what became of them --------------------------------------------------------------------------------------


class SubmissionStarted(Event):
    """Stored before the broker is called; a resend sends `payload` as it stands here."""

    topic: ClassVar[str] = "liveorder.SubmissionStarted@1"

    request_id: str
    attempt: int
    reference: Mapping[str, str] = Field(default_factory=dict)
    payload: str
    deadline: datetime
    """No later than this is the call waited for; it begins only while all of its time is left before it."""
    session_date: date
    """The exchange session that the order counts to."""


NOT_BEGUN = "NotBegun"
"""As `SubmissionFailed.error`: nothing left, for a reason of ours. No attempt, and no failure of the broker."""


class SubmissionFailed(Event):
    """Surely not received, and never will be."""

    topic: ClassVar[str] = "liveorder.SubmissionFailed@1"

    request_id: str
    error: str
    message: str
    evidence: str | None = None
    """What proves the absence, where it was found by asking."""


class OutcomeDoubted(Event):
    """The request may have arrived. It stays in doubt until a report, an answer or a person settles it."""

    topic: ClassVar[str] = "liveorder.OutcomeUnknown@1"

    request_id: str
    kind: RequestKind
    error: str
    message: str


class CancelRequested(Event):
    """Stored before the broker is asked to cancel."""

    topic: ClassVar[str] = "liveorder.CancelRequested@1"

    request_id: str
    reason: CancelReason
    reference: Mapping[str, str] = Field(default_factory=dict)
    payload: str = ""
    """Empty when the order never left: there is nothing to ask of the broker."""
    deadline: datetime | None = None


class ReplaceRequested(Event):
    """Stored before the broker is asked to replace. None leaves a term as it is; `quantity` is of the whole order."""

    topic: ClassVar[str] = "liveorder.ReplaceRequested@1"

    request_id: str
    number: int
    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    reference: Mapping[str, str] = Field(default_factory=dict)
    payload: str
    deadline: datetime


# --- what the broker told ------------------------------------------------------------------------------------------------------

ForeignCurrency = Annotated[str | None, Field(exclude_if=lambda currency: currency is None)]
"""Of a commission that is not in the instrument's currency; the coin that was bought, where the broker kept some of it. None, which
is not written: it is in the instrument's.
"""


class Acknowledged(Event):
    """The broker has the order as it stands; what was pending of it is so no more. Once more when an answer shows just that."""

    topic: ClassVar[str] = "liveorder.Acknowledged@1"

    broker_order_id: str | None
    effective_quantity: Quantity | None = None
    """The broker's quantity where it fixes it: a cash order learns its own here."""


class FoundUnderKey(Event):
    """The broker has it under another client order id: a release that derives keys otherwise sent it, and the store forgot that."""

    topic: ClassVar[str] = "liveorder.FoundUnderKey@1"

    client_order_id: str


class Rejected(Event):
    """Theirs, of the order. A refused request is not a rejected order."""

    topic: ClassVar[str] = "liveorder.Rejected@1"

    message: str
    error: str = ""


class Filled(Event):
    topic: ClassVar[str] = "liveorder.Filled@1"

    execution_id: str
    quantity: Quantity
    price: Price
    commission: Amount | None = None
    """Negative for a rebate. None is not known, 0 is known to be nothing."""
    commission_currency: ForeignCurrency = None
    filled_at: datetime | None = None
    """UTC, by the broker's clock."""


class FillInferred(Event):
    """The broker told a total that its executions do not reach: `quantity` more at `price`, until the executions come."""

    topic: ClassVar[str] = "liveorder.FillInferred@1"

    execution_id: str
    quantity: Quantity
    price: Price
    evidence: str
    filled_at: datetime | None = None


class CommissionReported(Event):
    """Replaces what was known of the commission of `execution_id`; 0 is known to be nothing."""

    topic: ClassVar[str] = "liveorder.CommissionReported@1"

    execution_id: str
    commission: Amount
    commission_currency: ForeignCurrency = None


class FillCorrected(Event):
    """`execution_id` stands for `corrects` from here on, and for `supersedes`. May come before the fill that it corrects."""

    topic: ClassVar[str] = "liveorder.FillCorrected@1"

    execution_id: str
    corrects: str
    supersedes: tuple[str, ...] = Field(default=(), exclude_if=not_)
    """What `corrects` corrects, and so on back to the fill. Not written where the broker reports none of it."""
    quantity: FilledQuantity
    price: Price
    commission: Amount | None = None
    """None leaves the commission of `corrects` standing, or takes it back where `quantity` is 0; a figure, 0 too, replaces it."""
    commission_currency: ForeignCurrency = None
    filled_at: datetime | None = None


class FillBusted(Event):
    """`execution_id` did not happen, and its commission is taken back. May come before the fill that it takes back."""

    topic: ClassVar[str] = "liveorder.FillBusted@1"

    execution_id: str


class CancelPending(Event):
    topic: ClassVar[str] = "liveorder.CancelPending@1"


class CancelRefused(Event):
    """The cancel came to nothing and the order stands. `request_id` None: the answer named none."""

    topic: ClassVar[str] = "liveorder.CancelRefused@1"

    request_id: str | None
    message: str
    is_still_wanted: bool = False
    """It never arrived, so that nobody has decided against it."""


class Cancelled(Event):
    topic: ClassVar[str] = "liveorder.Cancelled@1"

    reason: CancelReason
    message: str = ""


class ReplacePending(Event):
    topic: ClassVar[str] = "liveorder.ReplacePending@1"


class Replaced(Event):
    """The order stands on these terms now. A quantity below what is filled of it means: that, and no more."""

    topic: ClassVar[str] = "liveorder.Replaced@1"

    request_id: str | None
    broker_order_id: str | None = None
    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None


class ReplaceRefused(Event):
    topic: ClassVar[str] = "liveorder.ReplaceRefused@1"

    request_id: str | None
    message: str


class Restated(Event):
    """The broker changed the order unasked. `split_ratio` restates past fills too: new units for each old one."""

    topic: ClassVar[str] = "liveorder.Restated@1"

    quantity: Quantity | None = None
    limit_price: Price | None = None
    stop_price: Price | None = None
    split_ratio: Quantity | None = None
    message: str = ""


class Triggered(Event):
    topic: ClassVar[str] = "liveorder.Triggered@1"


# --- what needs a person -------------------------------------------------------------------------------------------------------


class AnomalyNoted(Event):
    """Something that should not happen did; the events are booked as told."""

    topic: ClassVar[str] = "liveorder.AnomalyNoted@1"

    code: str
    message: str


class ReviewRequested(Event):
    topic: ClassVar[str] = "liveorder.ReviewRequested@1"

    code: str
    message: str


class ReviewResolved(Event):
    """A person looked and settled it; `evidence` in their words."""

    topic: ClassVar[str] = "liveorder.ReviewResolved@1"

    evidence: str


OrderEvents = (
    Requested
    | Refused
    | Approved
    | SubmissionStarted
    | SubmissionFailed
    | OutcomeDoubted
    | CancelRequested
    | ReplaceRequested
    | Acknowledged
    | FoundUnderKey
    | Rejected
    | Filled
    | FillInferred
    | CommissionReported
    | FillCorrected
    | FillBusted
    | CancelPending
    | CancelRefused
    | Cancelled
    | ReplacePending
    | Replaced
    | ReplaceRefused
    | Restated
    | Triggered
    | AnomalyNoted
    | ReviewRequested
    | ReviewResolved
)


def decimal_text(value: Decimal) -> str:
    """A figure as it is stored among `Approved.figures` and shown: plain digits, no exponent."""
    return f"{value:f}"
