"""Orders and events to start a test from: one BUY 100 SPY, and a clock that ticks a second for each event."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from msgspec.structs import asdict

from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.values import OrderType, Side

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
DEADLINE = START + timedelta(seconds=10)
SESSION = date(2026, 11, 20)
ORDER_ID = UUID("01991f00-0000-7000-8000-000000000001")
KEY = "LIVEORDERKEYOFATESTX"


def seconds(count: float) -> datetime:
    """So long after the order was requested."""
    return START + timedelta(seconds=count)


def intent(**changes: Any) -> ev.OrderRequested:
    """Of a MARKET order for 100, unless told otherwise."""
    fields: dict[str, Any] = {
        "order_id": ORDER_ID,
        "client_order_id": KEY,
        "signal_id": "signal-1",
        "signal_fingerprint": "0" * 64,
        "namespace": "test",
        "session_id": "session-1",
        "account_id": "U1",
        "strategy_name": "trend",
        "broker": "simulated",
        "instrument": Instrument(symbol="SPY", exchange="ARCA"),
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": None if "notional" in changes else Decimal(100),
    }
    fields |= changes
    terms = {name: fields.pop(name) for name in OrderTerms.__struct_fields__ if name in fields}
    return ev.OrderRequested(terms=OrderTerms(**terms), **fields)


def figures(*values: object) -> tuple[object, ...]:
    """Side by side; a `Decimal` and an `int` of one value are equal."""
    return values


def recorded(events: Iterable[Event], after: int = 0) -> list[RecordedEvent]:
    """The events in their places behind `after` earlier ones, each recorded a second later than the one before."""
    return [RecordedEvent(ORDER_ID, version, envelope(version), event) for version, event in enumerate(events, after + 1)]


def envelope(version: int) -> Envelope:
    return Envelope(
        event_id=UUID(int=version), actor="engine", epoch=1, correlation_id="signal-1", recorded_at=seconds(version - 1)
    )


def order_of(*events: Event) -> LiveOrder:
    """The order that these events make; the usual intent comes first where they begin with none."""
    begun = events if events and isinstance(events[0], ev.OrderRequested) else (intent(), *events)
    return LiveOrder.replay(recorded(begun))


def then(order: LiveOrder, *events: Event) -> LiveOrder:
    return order.apply(recorded(events, after=order.version))


# --- events ---------------------------------------------------------------------------------------------------------------------


def submission(attempt: int = 1) -> ev.SubmissionStarted:
    return ev.SubmissionStarted(
        request_id=f"{KEY}-s{attempt}", attempt=attempt, payload="{}", deadline=DEADLINE, session_date=SESSION
    )


def unknown(request_id: str, kind: ev.RequestKind = ev.RequestKind.SUBMIT) -> ev.OutcomeDoubted:
    return ev.OutcomeDoubted(request_id=request_id, kind=kind, error="BrokerTimeoutError", message="no answer")


def acknowledged(quantity: str | None = None) -> ev.Acknowledged:
    return ev.Acknowledged(broker_order_id="B-1", effective_quantity=None if quantity is None else Decimal(quantity))


def fill(
    execution_id: str, quantity: str | int, price: str | int = 10, fee: str | None = None, at: float | None = None
) -> ev.Filled:
    """`fee` in the instrument's currency, or in one that it names: "1.25 EUR"."""
    amount, _, currency = str(fee).partition(" ")
    return ev.Filled(
        execution_id=execution_id,
        quantity=Decimal(quantity),
        price=Decimal(price),
        commission=None if fee is None else Decimal(amount),
        commission_currency=currency or None,
        filled_at=None if at is None else seconds(at),
    )


def correction(
    execution_id: str, corrects: str, quantity: str | int, price: str | int = 10, fee: str | None = None, at: float | None = None
) -> ev.FillCorrected:
    return ev.FillCorrected(corrects=corrects, **asdict(fill(execution_id, 1, price, fee, at)) | {"quantity": Decimal(quantity)})


def bust(execution_id: str) -> ev.FillBusted:
    return ev.FillBusted(execution_id=execution_id)


def cancelled(reason: ev.CancelReason = ev.CancelReason.BY_BROKER, message: str = "") -> ev.Cancelled:
    return ev.Cancelled(reason=reason, message=message)


def cancel_request(number: int = 1, reason: ev.CancelReason = ev.CancelReason.REQUESTED) -> ev.CancelRequested:
    return ev.CancelRequested(request_id=f"{KEY}-c{number}", reason=reason, payload="{}", deadline=DEADLINE)


def replace_request(number: int = 1, quantity: str | None = None, limit: str | None = None) -> ev.ReplaceRequested:
    return ev.ReplaceRequested(
        request_id=f"{KEY}-r{number}",
        number=number,
        quantity=None if quantity is None else Decimal(quantity),
        limit_price=None if limit is None else Decimal(limit),
        payload="{}",
        deadline=DEADLINE,
    )


SENT = submission()
ACKNOWLEDGED = acknowledged()
REJECTED = ev.Rejected(message="no margin")
REFUSED = ev.Refused(reason=ev.RejectReason.RISK, code="daily_trade_count", message="10 of 10 used")
FAILED = ev.SubmissionFailed(request_id=f"{KEY}-s1", error="BrokerConnectionError", message="connection refused")
