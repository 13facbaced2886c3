"""The form of a confirmation in which other programs read it: `execution-confirmations`, numbers as exact JSON numbers."""

from __future__ import annotations

from typing import Any

import msgspec

from liveorder.application.outbox.publisher import Confirmation
from liveorder.application.reporting.views import ConfirmationView

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def execution_confirmation(confirmation: Confirmation) -> dict[str, Any]:
    """`order_id` is the broker's, None while it has given none. `event_id` is the same for every delivery."""
    view = confirmation.view
    return {
        "signal_id": view.signal_id,
        "order_id": view.broker_order_id,
        "status": view.status,
        "filled_quantity": view.filled_quantity,
        "avg_fill_price": view.average_price,
        "filled_at": view.filled_at,
        "commission": view.commission,
        "event_id": confirmation.message_id,
        "liveorder_order_id": view.order_id,
        "account_id": view.account_id,
        "strategy_name": view.strategy_name,
        "symbol": view.symbol,
        "side": view.side,
        "quantity": view.quantity,
        "order_type": view.order_type,
        "broker": view.broker,
        "total_value": view.total_value,
        "submitted_at": view.submitted_at,
        "notes": _notes(view),
    }


def in_json(confirmation: Confirmation) -> bytes:
    return _ENCODER.encode(execution_confirmation(confirmation))


def _notes(view: ConfirmationView) -> str:
    if view.notes or view.reason:
        return view.notes or str(view.reason)
    if view.filled_at is None or view.submitted_at is None:
        return ""
    seconds = max(0, round((view.filled_at - view.submitted_at).total_seconds()))
    return f"Filled in {seconds} second{'s' * (seconds != 1)}"
