"""An order and its fills, as shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import takewhile
from typing import Any
from uuid import UUID

from pydantic import Field

from liveorder.application.reporting.views.fields import Moment, Number, Numbers, View, plain, rounded
from liveorder.application.reporting.views.fills import FillView, fill_view
from liveorder.domain.events import RecordedEvent
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Requested
from liveorder.domain.order.executions import BookedExecution
from liveorder.domain.values import AssetClass, OrderRole, OrderType, Product, Side, TimeInForce, TradingHours


class OrderView(View):
    """An order as its events make it. Quantities in units, filled part included; prices in `currency`."""

    order_id: UUID
    version: int
    """Number of events that this is made from."""
    client_order_id: str
    broker_order_id: str | None
    signal_id: str
    session_id: str
    account_id: str
    strategy_name: str
    broker: str
    symbol: str
    exchange: str
    asset_class: AssetClass
    instrument: str
    """Key of the contract: exchange, symbol, expiry, strike, right."""
    currency: str
    multiplier: Number
    side: Side
    order_type: OrderType
    limit_price: Number | None
    stop_price: Number | None
    trail_amount: Number | None
    trail_percent: Number | None
    limit_offset: Number | None
    time_in_force: TimeInForce
    hours: TradingHours
    expires_at: Moment | None
    product: Product | None
    role: OrderRole
    parent_order_id: UUID | None
    oco_group: str | None
    stop_loss: Number | None
    take_profit: Number | None
    protection: str | None
    tags: tuple[str, ...]
    decision_price: Number | None
    quantity: Number | None
    """None until a cash order learns it."""
    notional: Number | None
    filled_quantity: Number
    remaining_quantity: Number
    average_price: Number | None
    commission: Number
    """In `currency`."""
    other_commissions: Numbers = Field(default_factory=dict)
    """What was charged in other currencies, by currency, as it was told with the fills. A fee that was taken out of the coin
    that is traded stands here in units of the coin; in the position it is part of `commission`, at what it was worth. A fee that
    is not told with the fill is in the position alone."""
    status: OrderStatus
    reason: str | None
    flags: tuple[str, ...]
    reviews: tuple[str, ...]
    anomalies: tuple[str, ...]
    attempts: int
    is_shadow: bool
    session_date: date | None
    """The exchange session that it counts to; None while it was never submitted."""
    requested_at: Moment | None
    submitted_at: Moment | None
    closed_at: Moment | None
    last_update_at: Moment | None
    error_message: str | None
    fills: tuple[FillView, ...]


def order_view(order: LiveOrder, effective: Sequence[BookedExecution] | None = None) -> OrderView:
    """`effective`: its executions that count, where they are known already."""
    return OrderView(**order_fields(order, tuple(order.executions.effective()) if effective is None else effective))


def order_fields(order: LiveOrder, effective: Iterable[BookedExecution]) -> dict[str, Any]:
    """The values of an `OrderView`."""
    return _wanted(order.intent) | _done(order, effective)


def _wanted(intent: Requested) -> dict[str, Any]:
    """What never changes."""
    instrument = intent.instrument
    return {name: getattr(intent, name) for name in _AS_REQUESTED} | {
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "asset_class": instrument.asset_class,
        "instrument": instrument.key,
        "currency": instrument.currency,
        "multiplier": instrument.multiplier,
    }


def _done(order: LiveOrder, effective: Iterable[BookedExecution]) -> dict[str, Any]:
    return {name: getattr(order, name) for name in _AS_IT_STANDS} | {
        "average_price": rounded(order.average_price),
        "commission": order.commission,
        "other_commissions": {currency: plain(amount) for currency, amount in order.other_commissions.items()},
        "anomalies": tuple(sorted(order.anomalies)),
        "session_date": session_date(order),
        "fills": tuple(fill_view(execution, order.intent.instrument.currency) for execution in effective),
    }


_AS_IT_STANDS = (
    "version",
    "broker_order_id",
    "limit_price",
    "stop_price",
    "quantity",
    "filled_quantity",
    "remaining_quantity",
    "status",
    "reason",
    "flags",
    "reviews",
    "attempts",
    "requested_at",
    "submitted_at",
    "closed_at",
    "last_update_at",
    "error_message",
)


_AS_REQUESTED = tuple(name for name in OrderView.model_fields if name in Requested.model_fields and name not in _AS_IT_STANDS)


def as_of(stream: Sequence[RecordedEvent], at: datetime) -> LiveOrder | None:
    """The order as we knew it at that time; None when it was not there yet. Our own record counts, not the broker's times."""
    known = list(takewhile(lambda item: item.envelope.recorded_at <= at, stream))
    return LiveOrder.replay(known) if known else None


def session_date(order: LiveOrder) -> date | None:
    """Session of the newest submission; None while there was none."""
    return order.submission.session_date if order.submission is not None else None
