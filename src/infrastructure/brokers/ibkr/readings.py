"""The client library's objects as rows."""

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
    """As it goes over the wire; empty for what is not set."""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, int | float):
        told = number(value)
        return f"{told.normalize():f}" if told else ""
    return str(value or "")


def fields_of(subject: Any, names: tuple[str, ...]) -> dict[str, str]:
    told = {name: text_of(getattr(subject, name)) for name in names}
    return {name: text for name, text in told.items() if text not in ("", "?")}


def _order_id(told: int) -> int:
    """0 for an order by hand, of whose executions TWS tells the number that stands for none."""
    return 0 if told == UNSET_INTEGER else told


def _terms_of(order: Any, contract: Any) -> dict[str, str]:
    """Zero is no price, but for a future's where the order needs one."""
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
    """Has no client id and no order id, and often no quantity; tells what was filled, and not at what price."""
    return TwsOrder(
        perm_id=order.permId,
        key=order.orderRef or None,
        order=_terms_of(order, contract),
        contract=fields_of(contract, CONTRACT_FIELDS),
        status=state.status,
        filled=number(order.filledQuantity) or Decimal(0),
        reason=state.completedStatus,
    )


def order_status(told: tuple[Any, ...]) -> StatusRow:
    """An average of zero is one that is not told."""
    order_id, status, filled, _, average, perm_id, _, _, client_id, why_held, *_ = told
    return StatusRow(
        client_id=client_id,
        order_id=_order_id(order_id),
        perm_id=perm_id,
        status=status,
        filled=number(filled),
        average=number(average) or None,
        why_held=why_held,
    )


def execution(contract: Any, told: Any) -> ExecutionRow:
    return ExecutionRow(
        execution_id=told.execId,
        client_id=told.clientId,
        order_id=_order_id(told.orderId),
        perm_id=told.permId,
        key=told.orderRef or None,
        account=told.acctNumber,
        quantity=number(told.shares) or Decimal(0),
        price=number(told.price) or Decimal(0),
        at=told.time if told.time.timestamp() else None,
        currency=contract.currency,
        contract=fields_of(contract, CONTRACT_FIELDS),
        side=told.side,
    )


def commission(told: Any) -> CommissionRow | None:
    """None where the amount was not told."""
    amount = number(told.commission)
    return None if amount is None else CommissionRow(told.execId, amount, told.currency)
