"""The client library's objects, read into rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from liveorder.infrastructure.brokers.ibkr.orders import OUR_TYPES
from liveorder.infrastructure.brokers.ibkr.rows import (
    CONTRACT_FIELDS,
    ORDER_FIELDS,
    UNSET_INTEGER,
    CommissionRow,
    ExecutionRow,
    StatusRow,
    TwsOrder,
    number,
)


def text_of(value: Any) -> str:
    """The text that goes over the wire. Empty for an unset value."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int | float):
        read = number(value)
        return f"{read.normalize():f}" if read else ""
    return str(value or "")


def fields_of(subject: Any, names: tuple[str, ...]) -> dict[str, str]:
    texts = {name: text_of(getattr(subject, name)) for name in names}
    return {name: text for name, text in texts.items() if text not in ("", "?")}


def _order_id(reported: int) -> int:
    """0 for a manual order. Its executions carry TWS's number for "unset"."""
    return 0 if reported == UNSET_INTEGER else reported


def _terms_of(order: Any, contract: Any) -> dict[str, str]:
    """Zero means no price, except for a future whose order type needs one."""
    kind = OUR_TYPES.get(order.orderType)
    needed = {
        "lmtPrice": kind is not None and kind.traits.needs_limit_price,
        "auxPrice": kind is not None and kind.traits.needs_stop_price,
    }
    zeros = [name for name, is_needed in needed.items() if is_needed and contract.secType == "FUT" and getattr(order, name) == 0]
    return dict.fromkeys(zeros, "0") | fields_of(order, ORDER_FIELDS)


def open_order(contract: Any, order: Any, state: Any) -> TwsOrder:
    return TwsOrder(
        client_id=order.clientId,
        order_id=order.orderId,
        perm_id=order.permId,
        key=order.orderRef or None,
        order=_terms_of(order, contract),
        contract=fields_of(contract, CONTRACT_FIELDS),
        status=state.status,
        reason=state.warningText,
    )


def completed_order(contract: Any, order: Any, state: Any) -> TwsOrder:
    """A completed order has no client id or order id, and often no quantity. It reports what was filled, but not at what price."""
    return TwsOrder(
        perm_id=order.permId,
        key=order.orderRef or None,
        order=_terms_of(order, contract),
        contract=fields_of(contract, CONTRACT_FIELDS),
        status=state.status,
        filled=number(order.filledQuantity) or Decimal(0),
        reason=state.completedStatus,
    )


def order_status(message: tuple[Any, ...]) -> StatusRow:
    """An average of zero means that none was reported."""
    order_id, status, filled, _, average, perm_id, _, _, client_id, why_held, *_ = message
    return StatusRow(
        client_id=client_id,
        order_id=_order_id(order_id),
        perm_id=perm_id,
        status=status,
        filled=number(filled),
        average=number(average) or None,
        why_held=why_held,
    )


def execution(contract: Any, reported: Any) -> ExecutionRow:
    return ExecutionRow(
        execution_id=reported.execId,
        client_id=reported.clientId,
        order_id=_order_id(reported.orderId),
        perm_id=reported.permId,
        key=reported.orderRef or None,
        account=reported.acctNumber,
        quantity=number(reported.shares) or Decimal(0),
        price=number(reported.price) or Decimal(0),
        at=reported.time if reported.time.timestamp() else None,
        currency=contract.currency,
        contract=fields_of(contract, CONTRACT_FIELDS),
        side=reported.side,
    )


def commission(reported: Any) -> CommissionRow | None:
    """None if the amount was not reported."""
    amount = number(reported.commission)
    return None if amount is None else CommissionRow(reported.execId, amount, reported.currency)
