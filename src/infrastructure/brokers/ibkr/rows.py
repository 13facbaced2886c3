"""What TWS tells in its messages, out of the client library's objects: exact numbers, and nothing that was not told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

UNSET_INTEGER = 2**31 - 1
_LARGEST = Decimal("1e300")
"""TWS sends the largest double for a number that it does not tell."""

ORDER_FIELDS = (
    "action",
    "totalQuantity",
    "orderType",
    "lmtPrice",
    "auxPrice",
    "trailingPercent",
    "trailStopPrice",
    "lmtPriceOffset",
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
    try:
        told = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None
    if not told.is_finite() or abs(told) > _LARGEST:
        return None
    return Decimal(int(told)) if told == told.to_integral_value() else told


def above_zero(value: Any) -> Decimal | None:
    """None for what was not told, and for what stands for that where only more than zero makes sense."""
    told = number(value)
    return told if told is not None and told > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwsOrder:
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

    def on(self, row: TwsOrder) -> TwsOrder:
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
    at: datetime | None
    """None where its time could not be read."""
    currency: str
    contract: Fields
    side: str


@dataclass(frozen=True, slots=True)
class CommissionRow:
    execution_id: str
    amount: Decimal
    currency: str
