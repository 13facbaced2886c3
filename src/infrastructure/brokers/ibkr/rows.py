"""TWS's messages as rows, read from the client library's objects: exact numbers, and None for what was not reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

UNSET_INTEGER = 2**31 - 1
_LARGEST = Decimal("1e300")
"""TWS sends the largest double for an unset number."""

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
"""The fields of our orders, under the client libraries' names. A change has to repeat them."""
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
"""The set fields of an order or a contract, as the text that goes over the wire."""


def number(value: Any) -> Decimal | None:
    """The exact number. None if it was not reported. The library parses numbers into doubles, and a double's shortest text is what
    TWS sent.
    """
    if value is None or value == "" or value == UNSET_INTEGER:
        return None
    try:
        exact = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None
    if not exact.is_finite() or abs(exact) > _LARGEST:
        return None
    return Decimal(int(exact)) if exact == exact.to_integral_value() else exact


def above_zero(value: Any) -> Decimal | None:
    """None if the number was not reported or is not above zero. For fields in which zero or less means "unset"."""
    exact = number(value)
    return exact if exact is not None and exact > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwsOrder:
    """One order, from openOrder, orderStatus or completedOrder. An id that was not reported is 0."""

    client_id: int = 0
    order_id: int = 0
    perm_id: int = 0
    key: str | None = None
    """orderRef: our key, another program's, or none."""
    order: Fields
    contract: Fields
    status: str = ""
    filled: Decimal | None = None
    average: Decimal | None = None
    reason: str = ""
    why_held: str = ""

    @property
    def identity(self) -> tuple[int, int]:
        """A manual order has no order id, or one that is shared."""
        return (self.client_id, self.order_id) if self.order_id > 0 else (-1, self.perm_id)

    @property
    def quantity(self) -> Decimal | None:
        """None for a cash order, or if it was not reported."""
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
    """None if its time could not be read."""
    currency: str
    contract: Fields
    side: str


@dataclass(frozen=True, slots=True)
class CommissionRow:
    execution_id: str
    amount: Decimal
    currency: str
