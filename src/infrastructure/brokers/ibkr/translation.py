"""From TWS's rows to our reports. Nothing here raises for an unknown status: such an order is reported as UNKNOWN."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CancelIsPending,
    CancelRejected,
    CloseCause,
    Execution,
    ExecutionCorrected,
    ExecutionReport,
    OrderClosed,
    OrderRejected,
    OrderReplaced,
    OrderSnapshot,
)
from liveorder.domain.values import Side, TradingHours, total
from liveorder.infrastructure.brokers.ibkr.contracts import symbol_of
from liveorder.infrastructure.brokers.ibkr.orders import OUR_TYPES
from liveorder.infrastructure.brokers.ibkr.rows import TwsOrder, number

_STATUS = {
    "ApiPending": BrokerStatus.PENDING,
    "PendingSubmit": BrokerStatus.PENDING,
    "PendingCancel": BrokerStatus.WORKING,
    "PreSubmitted": BrokerStatus.WORKING,
    "Submitted": BrokerStatus.WORKING,
    "Filled": BrokerStatus.FILLED,
    "Cancelled": BrokerStatus.CANCELLED,
    "ApiCancelled": BrokerStatus.CANCELLED,
}
"""Inactive is left out: TWS reports it for refused orders and for waiting ones."""
_SIDE = {"BUY": Side.BUY, "SELL": Side.SELL, "SSHORT": Side.SELL}


def status_of(native: str) -> BrokerStatus:
    return _STATUS.get(native, BrokerStatus.UNKNOWN)


def has_ended(row: TwsOrder) -> bool:
    return status_of(row.status) in (BrokerStatus.FILLED, BrokerStatus.CANCELLED)


def is_live(row: TwsOrder) -> bool:
    return status_of(row.status) in (BrokerStatus.PENDING, BrokerStatus.WORKING)


def address(row: TwsOrder) -> dict[str, Any]:
    return {"client_order_id": row.key, "broker_order_id": str(row.perm_id) if row.perm_id else None}


def pushed(row: TwsOrder) -> ExecutionReport:
    """The report of a changed order state. Fills are left to executions, so that none is booked twice."""
    match status_of(row.status):
        case BrokerStatus.CANCELLED:
            return OrderClosed(**address(row), cause=CloseCause.BY_BROKER, reason=row.reason)
        case BrokerStatus.UNKNOWN:
            return OrderSnapshot(**address(row), **_kind(row), status=BrokerStatus.UNKNOWN, native_status=_native(row))
        case _ if row.status == "PendingCancel":
            return CancelIsPending(**address(row))
        case _:
            return Accepted(**address(row))


def submitted(row: TwsOrder) -> Sequence[ExecutionReport] | None:
    """What the first status of an order means for its submission. Inactive means nothing: if the order was refused, an error
    follows.
    """
    return None if row.status in ("", "Inactive") else [pushed(row)]


def cancelled(row: TwsOrder) -> Sequence[ExecutionReport] | None:
    if row.status == "Filled":
        return [CancelRejected(**address(row), reason="too late: filled")]
    return [pushed(row)] if row.status in ("PendingCancel", "Cancelled", "ApiCancelled") else None


def replaced(row: TwsOrder) -> OrderReplaced:
    return OrderReplaced(**address(row), **_terms(row))


def refused(row: TwsOrder, reason: str) -> OrderRejected:
    return OrderRejected(**address(row), reason=reason)


def doubtful(row: TwsOrder, message: str) -> OrderSnapshot:
    """TWS reported something about the order whose meaning is not known."""
    return OrderSnapshot(**address(row), **_kind(row), status=BrokerStatus.UNKNOWN, native_status=message)


def thrown_out(row: TwsOrder, error: str) -> OrderSnapshot:
    return OrderSnapshot(**address(row), **_kind(row), status=BrokerStatus.REJECTED, native_status=_native(row), reason=error)


def snapshot(row: TwsOrder, executions: tuple[Execution | ExecutionCorrected, ...]) -> OrderSnapshot:
    """The filled quantity is the larger of the broker's total and the sum of the executions, since either can lag behind."""
    known = total(each.quantity for each in executions)
    filled = row.filled or Decimal(0)
    return OrderSnapshot(
        **address(row),
        **_kind(row),
        **_terms(row),
        status=status_of(row.status),
        filled_quantity=max(filled, known),
        average_price=row.average if filled > known else _average_of(executions),
        executions=executions,
        cancel_pending=row.status == "PendingCancel",
        reason=row.reason,
        native_status=_native(row),
    )


def _average_of(executions: Sequence[Execution | ExecutionCorrected]) -> Decimal | None:
    quantity = total(each.quantity for each in executions)
    return total(each.quantity * each.price for each in executions) / quantity if quantity else None


def _kind(row: TwsOrder) -> dict[str, Any]:
    hours = TradingHours.EXTENDED if row.order.get("outsideRth") == "1" else TradingHours.REGULAR
    return {
        "symbol": symbol_of(row.contract),
        "exchange": row.contract.get("primaryExchange") or row.contract.get("exchange"),
        "side": _SIDE.get(row.order.get("action", "")),
        "order_type": OUR_TYPES.get(row.order.get("orderType", "")),
        "hours": hours if row.order.get("orderType") else None,
    }


def _terms(row: TwsOrder) -> dict[str, Any]:
    """A trailing stop's auxPrice is its trailing distance. An order that meets the market has a limit of 0 until it rests."""
    kind = OUR_TYPES.get(row.order.get("orderType", ""))
    limit_price = number(row.order.get("lmtPrice")) if kind is None or not kind.traits.trails else None
    return {
        "quantity": row.quantity,
        "limit_price": limit_price if kind is None or kind.traits.needs_limit_price else limit_price or None,
        "stop_price": number(row.order.get("auxPrice")) if kind is not None and kind.traits.needs_stop_price else None,
    }


def _native(row: TwsOrder) -> str:
    return f"{row.status} ({row.why_held})" if row.why_held else row.status
