"""What TWS tells in its messages, out of the client library's objects: exact numbers, and nothing that was not told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from liveorder.domain.values import AssetClass

UNSET_INTEGER = 2**31 - 1
UNSET_DOUBLE = 1e300
"""TWS sends the largest double for a number that it does not tell."""

ORDER_FIELDS = (
    "action",
    "totalQuantity",
    "orderType",
    "lmtPrice",
    "auxPrice",
    "trailingPercent",
    "trailStopPrice",
    "cashQty",
    "tif",
    "goodTillDate",
    "outsideRth",
    "account",
    "orderRef",
)
"""What an order of ours is made of, by the names of the client libraries, and what a change of it has to repeat."""
CONTRACT_FIELDS = (
    "conId",
    "symbol",
    "secType",
    "lastTradeDateOrContractMonth",
    "strike",
    "right",
    "multiplier",
    "exchange",
    "primaryExchange",
    "currency",
    "localSymbol",
    "tradingClass",
)

Fields = Mapping[str, str]
"""Of an order or a contract: what is set, as the text that goes over the wire."""


def number(value: Any) -> Decimal | None:
    """None for what was not told. The library reads numbers into doubles, whose shortest text is what was sent."""
    if value is None or value == "" or value == UNSET_INTEGER:
        return None
    if isinstance(value, float) and (not math.isfinite(value) or abs(value) > UNSET_DOUBLE):
        return None
    told = Decimal(repr(value) if isinstance(value, float) else str(value))
    return Decimal(int(told)) if told == told.to_integral_value() else told


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order, from openOrder, orderStatus or completedOrder. Ids are 0 where they were not told."""

    client_id: int = 0
    order_id: int = 0
    perm_id: int = 0
    key: str | None = None
    """orderRef: ours, somebody else's, or none."""
    order: Fields
    contract: Fields
    status: str = ""
    filled: Decimal | None = None
    average: Decimal | None = None
    reason: str = ""
    why_held: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        """Orders by hand have no order id, or one that is shared."""
        return (self.client_id, self.order_id) if self.order_id > 0 else (-1, self.perm_id)

    @property
    def quantity(self) -> Decimal | None:
        """None for a cash order, and where it was not told."""
        return number(self.order.get("totalQuantity"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    client_id: int
    order_id: int
    perm_id: int
    status: str
    filled: Decimal | None
    average: Decimal | None
    why_held: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        return (self.client_id, self.order_id) if self.order_id > 0 else (-1, self.perm_id)

    def on(self, row: OrderRow) -> OrderRow:
        return replace(
            row,
            perm_id=self.perm_id or row.perm_id,
            status=self.status,
            filled=self.filled,
            average=self.average if self.filled else None,
            why_held=self.why_held,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRow:
    """One fill, or a correction of one."""

    execution_id: str
    client_id: int
    order_id: int
    perm_id: int
    key: str | None
    account: str
    quantity: Decimal
    price: Decimal
    at: datetime
    currency: str
    contract: Fields
    side: str


@dataclass(frozen=True, slots=True)
class CommissionRow:
    execution_id: str
    amount: Decimal
    currency: str


def open_order(contract: Any, order: Any, state: Any) -> OrderRow:
    return OrderRow(
        client_id=order.clientId,
        order_id=order.orderId,
        perm_id=order.permId,
        key=order.orderRef or None,
        order=fields_of(order, ORDER_FIELDS),
        contract=fields_of(contract, CONTRACT_FIELDS),
        status=state.status,
        reason=state.warningText,
    )


def completed_order(contract: Any, order: Any, state: Any) -> OrderRow:
    """Has no client id and no order id, and often no quantity; tells what was filled, and not at what price."""
    return OrderRow(
        perm_id=order.permId,
        key=order.orderRef or None,
        order=fields_of(order, ORDER_FIELDS),
        contract=fields_of(contract, CONTRACT_FIELDS),
        status=state.status,
        filled=number(order.filledQuantity) or Decimal(0),
        reason=state.completedStatus,
    )


def order_status(told: tuple[Any, ...]) -> StatusRow:
    order_id, status, filled, _, average, perm_id, _, _, client_id, why_held, *_ = told
    return StatusRow(
        client_id=client_id,
        order_id=0 if order_id == UNSET_INTEGER else order_id,
        perm_id=perm_id,
        status=status,
        filled=number(filled),
        average=number(average),
        why_held=why_held,
    )


def execution(contract: Any, told: Any) -> ExecutionRow:
    return ExecutionRow(
        execution_id=told.execId,
        client_id=told.clientId,
        order_id=0 if told.orderId == UNSET_INTEGER else told.orderId,
        perm_id=told.permId,
        key=told.orderRef or None,
        account=told.acctNumber,
        quantity=number(told.shares) or Decimal(0),
        price=number(told.price) or Decimal(0),
        at=told.time,
        currency=contract.currency,
        contract=fields_of(contract, CONTRACT_FIELDS),
        side=told.side,
    )


def commission(told: Any) -> CommissionRow | None:
    """None where the amount was not told."""
    amount = number(told.commission)
    return None if amount is None else CommissionRow(told.execId, amount, told.currency)


ASSET_CLASSES = {
    "STK": AssetClass.EQUITY,
    "OPT": AssetClass.OPTION,
    "FUT": AssetClass.FUTURE,
    "CASH": AssetClass.FOREX,
    "CRYPTO": AssetClass.CRYPTO,
}
SECURITY_TYPES = {asset_class: name for name, asset_class in ASSET_CLASSES.items()}


def symbol_of(contract: Fields) -> str:
    """Pairs are named with both of their sides: EUR/USD, BTC/USD. What is none of ours has the exchange's own symbol."""
    kind = contract.get("secType", "")
    if kind in ("CASH", "CRYPTO"):
        return f"{contract.get('symbol')}/{contract.get('currency')}"
    return contract.get("symbol", "") if kind in ASSET_CLASSES else contract.get("localSymbol") or contract.get("symbol", "")
