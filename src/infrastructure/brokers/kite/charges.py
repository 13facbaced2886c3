"""What today's trades cost, by Kite's calculator. This is an estimate; the evening's contract note states what is charged.

Kite reports no commission with a trade, and an execution has no place for an estimate. So no commission is booked, and estimates
are only shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.infrastructure.brokers.kite.fields import Row, number, text
from liveorder.infrastructure.brokers.kite.session import KiteSession
from liveorder.infrastructure.brokers.kite.translation import has_traded, rows_of

_ASKED = ("order_id", "exchange", "tradingsymbol", "transaction_type", "variety", "product", "order_type")


@dataclass(frozen=True, slots=True)
class EstimatedCharges:
    """The estimated charges of one order, in rupees. `by_kind` splits up the total."""

    broker_order_id: str
    exchange: str
    tradingsymbol: str
    total: Decimal
    by_kind: Mapping[str, Decimal]


async def estimated_charges(session: KiteSession) -> list[EstimatedCharges]:
    """Estimates for every order that traded today. Raises `BrokerError`."""
    traded = [row for row in await session.ask(rows_of, "orders") if has_traded(row)]
    return await session.ask(_read, "get_virtual_contract_note", [_question(row) for row in traded]) if traded else []


def _question(row: Row) -> dict[str, Any]:
    """The calculator takes a float. It goes into the question only; no float is read back."""
    asked = {name: text(row, name) for name in _ASKED}
    return asked | {"quantity": int(row["filled_quantity"]), "average_price": float(row["average_price"])}


def _read(answer: Any) -> list[EstimatedCharges]:
    return [_estimate(row) for row in rows_of(answer)]


def _estimate(row: Row) -> EstimatedCharges:
    charges: Row = row["charges"]
    total = number(charges, "total")
    if total is None:
        raise ValueError("charges without a total")
    kinds = {name: figure for name in charges if name != "total" and (figure := _figure(charges, name))}
    return EstimatedCharges(text(row, "order_id"), text(row, "exchange"), text(row, "tradingsymbol"), total, kinds)


def _figure(charges: Row, name: str) -> Decimal | None:
    """A figure, or the total of a table such as GST. None for anything else."""
    value = charges[name]
    if isinstance(value, dict):
        return number(value, "total")
    return number(charges, name) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
