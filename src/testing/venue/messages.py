"""The venue's messages about an order, ready for JSON: decimals as text, times in ISO-8601, unknown fields left out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from liveorder.domain.instrument import Instrument
from liveorder.infrastructure.brokers.simulated.wire import Message, plain
from liveorder.testing.venue.orders import Due, Trade, VenueOrder


def report(kind: str, order: VenueOrder, at: datetime, **fields: Any) -> Message:
    """A report about an order, as pushed to the streams of its account."""
    return plain(report=kind, **_address(order), at=at, **fields)


def snapshot(order: VenueOrder, instrument: Instrument, at: datetime) -> Message:
    """The order's present state."""
    return plain(
        **_address(order),
        at=at,
        state=order.state,
        cause=order.cause,
        reason=order.reason,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        average_price=order.average_price(),
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        symbol=instrument.symbol,
        exchange=instrument.exchange,
        side=order.placed.side,
        order_type=order.placed.order_type,
        hours=order.placed.hours,
        product=order.placed.product,
        cancel_pending=Due.CANCEL in order.due,
        replace_pending=Due.REPLACE in order.due,
        executions=[trade_report(order, trade) for trade in order.effective_trades()],
    )


def trade_report(order: VenueOrder, trade: Trade, with_commission: bool = True) -> Message:
    return report(
        trade.kind.lower(),
        order,
        trade.at,
        execution_id=trade.execution_id,
        corrects=trade.corrects,
        supersedes=order.superseded_by(trade) or None,
        quantity=trade.quantity,
        price=trade.price,
        **(charge_of(trade) if with_commission else {}),
    )


def charge_of(trade: Trade) -> dict[str, Any]:
    """The trade's commission. A fee in kind is not reported: the position shows it."""
    return {} if trade.in_kind else {"commission": trade.commission, "commission_currency": trade.commission_currency}


def _address(order: VenueOrder) -> Message:
    placed = order.placed
    return {"account": placed.account, "client_order_id": placed.client_order_id, "broker_order_id": order.order_id}
