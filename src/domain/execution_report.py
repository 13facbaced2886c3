"""A broker's reports about an order, in our terms. Adapters translate into these; no other type of a broker comes further in.

A report names its order by our key (`client_order_id`) or the broker's id (`broker_order_id`), preferably both. If a broker gives a
replacement its own key, the adapter reports the order's key. A report never changes an order by itself: `reception.receive` decides
which events it amounts to.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from liveorder.domain.values import OrderType, Product, Side, TradingHours


class BrokerStatus(StrEnum):
    """A broker's own word for an order's state, folded. UNKNOWN keeps ours and asks again."""

    PENDING = "PENDING"
    """The broker has it, the market not yet. Never resend."""
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


class CloseCause(StrEnum):
    """Why an order ended without being completely filled, as reported by the broker."""

    REQUESTED = "REQUESTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    BY_BROKER = "BY_BROKER"


class ExecutionReport(Struct, frozen=True, kw_only=True):
    """Common to all reports. `occurred_at` is the broker's time, UTC, if it was reported."""

    client_order_id: str | None = None
    broker_order_id: str | None = None
    occurred_at: datetime | None = None


class Accepted(ExecutionReport, frozen=True, kw_only=True):
    """The order is at the broker. `effective_quantity` when the broker fixed or changed it (a cash order)."""

    effective_quantity: Decimal | None = None


class OrderRejected(ExecutionReport, frozen=True, kw_only=True):
    """The order itself will not trade. Not used for a refused cancel, replace or duplicate request."""

    reason: str = ""


class Execution(ExecutionReport, frozen=True, kw_only=True):
    """One fill. `execution_id` is the same on every path that can report it. `quantity` is of this fill only."""

    execution_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal | None = None
    """None if it is not known, and reported later or never; 0 if it is known to be zero."""
    commission_currency: str | None = None
    """None: the instrument's. Of a coin that is bought it may be the coin (BTC of BTC/USD): so much of it did not arrive."""


class ExecutionCorrected(ExecutionReport, frozen=True, kw_only=True):
    """`execution_id` stands in place of `corrects`, with these values; with none, where the broker takes a fill back that way.

    `supersedes`: what `corrects` corrected, and so on back to the fill, the newest first. Whoever missed `corrects` needs it.
    """

    execution_id: str
    corrects: str
    supersedes: tuple[str, ...] = ()
    quantity: Decimal
    price: Decimal
    commission: Decimal | None = None
    commission_currency: str | None = None


class ExecutionBusted(ExecutionReport, frozen=True, kw_only=True):
    """The fill `execution_id` did not happen."""

    execution_id: str


class Commission(ExecutionReport, frozen=True, kw_only=True):
    """The commission of one fill, reported separately. Replaces the commission known before."""

    execution_id: str
    commission: Decimal
    commission_currency: str | None = None


class CancelIsPending(ExecutionReport, frozen=True, kw_only=True):
    """The broker took our cancel and has not done it yet. `request_id` when it names the cancel."""

    request_id: str | None = None


class CancelRejected(ExecutionReport, frozen=True, kw_only=True):
    """The broker will not cancel; the order stands as it is. `request_id` when the answer names it."""

    reason: str = ""
    request_id: str | None = None


class OrderClosed(ExecutionReport, frozen=True, kw_only=True):
    """Cancelled, expired or done for the day: what was not filled by now will not be."""

    cause: CloseCause
    reason: str = ""


class ReplaceIsPending(ExecutionReport, frozen=True, kw_only=True):
    """The broker took our replace and has not done it yet. `request_id` when it names the replace."""

    request_id: str | None = None


class OrderReplaced(ExecutionReport, frozen=True, kw_only=True):
    """The order now stands so. A value that is None did not change. A new `broker_order_id` names the order from here on."""

    quantity: Decimal | None = None
    """Of the whole order, filled part included."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    request_id: str | None = None


class ReplaceRejected(ExecutionReport, frozen=True, kw_only=True):
    """The broker will not replace; the order stands as it was."""

    reason: str = ""
    request_id: str | None = None


class OrderRestated(ExecutionReport, frozen=True, kw_only=True):
    """The broker changed the order unasked (a split, a renewal, a change by phone). None did not change.

    `split_ratio` is new units for each old one: past fills count in the new units from here on.
    """

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    split_ratio: Decimal | None = None
    reason: str = ""


class OrderTriggered(ExecutionReport, frozen=True, kw_only=True):
    """A stop's condition was met: it works in the market now."""


class OrderSnapshot(ExecutionReport, frozen=True, kw_only=True):
    """The order as the broker has it now: the answer to a question, not an event.

    `filled_quantity` and `average_price` are cumulative. `executions` are the fills that count, as the same answer listed them, a
    corrected one as its correction; where it lists none, the difference to what we know is booked as inferred until they come.
    `cancel_pending` and `replace_pending` also count when they are False, unless `status` is UNKNOWN.
    """

    status: BrokerStatus
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    symbol: str | None = None
    exchange: str | None = None
    side: Side | None = None
    order_type: OrderType | None = None
    hours: TradingHours | None = None
    product: Product | None = None
    executions: tuple[Execution | ExecutionCorrected, ...] = ()
    cancel_pending: bool = False
    replace_pending: bool = False
    reason: str = ""
    native_status: str = ""
    """The broker's own word, for people."""


_OUTCOMES = (CancelIsPending, CancelRejected, ReplaceIsPending, OrderReplaced, ReplaceRejected)


def answering(report: ExecutionReport, request_id: str | None) -> ExecutionReport:
    """A report that a call returned: it speaks of that call's request, and not of another one that is open beside it."""
    if isinstance(report, _OUTCOMES) and report.request_id is None:
        return replace(report, request_id=request_id)
    return report


def described(report: ExecutionReport) -> dict[str, Any]:
    """The report as JSON-ready fields, for the record of what could not be matched. Hours are named where they are extended."""
    fields = {name: getattr(report, name) for name in report.__struct_fields__}
    given = {name: _plain(value) for name, value in fields.items() if value is not None and value is not TradingHours.REGULAR}
    return {"report": type(report).__name__} | given


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [described(item) if isinstance(item, ExecutionReport) else str(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, bool | int) else str(value)
