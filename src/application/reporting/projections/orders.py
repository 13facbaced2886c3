"""Orders as they stand: the columns to look for, and the whole view as JSON."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import NOTHING, fees, number, part, price, status, without_year
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import (
    BY_ACCOUNT,
    BY_SESSION,
    BY_STRATEGY,
    BY_SYMBOL,
    Batch,
    Filter,
    ReadModel,
)
from liveorder.application.reporting.views import OrderView, order_view, session_date
from liveorder.domain.lifecycle import OrderStatus


class OrderRow(NamedTuple):
    began: int
    """Place of `Requested` in the log: as good as `order_id`, and lists go by it."""
    order_id: str
    client_order_id: str
    broker_order_id: str | None
    signal_id: str
    account_id: str
    strategy_name: str
    symbol: str
    status: str
    is_open: int
    """1 until it is closed and nothing is unanswered."""
    is_waiting: int
    """1 while it waits before it is judged."""
    session_date: str | None
    body: str


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        draft.put(ORDERS, _row(change))


def _row(change: OrderChange) -> OrderRow:
    order, intent, session = change.after, change.after.intent, session_date(change.after)
    return OrderRow(
        change.began,
        change.order_id,
        intent.client_order_id,
        order.broker_order_id,
        intent.signal_id,
        intent.account_id,
        intent.strategy_name,
        intent.instrument.symbol,
        order.status.value,
        int(not order.is_finished),
        int(order.is_waiting),
        None if session is None else session.isoformat(),
        order_view(order, change.effective).to_json(),
    )


def order_type(order: OrderView) -> str:
    """With its prices: ``LIMIT 228.50``."""
    given = (order.stop_price, order.limit_price, order.trail_amount)
    parts = [price(value).replace(",", "") for value in given if value is not None]
    if order.trail_percent is not None:
        parts.append(f"{number(order.trail_percent)}%")
    if order.limit_offset is not None:
        parts.append(f"limit {price(order.limit_offset)} off")
    return " ".join([order.order_type.value.replace("TRAILING_STOP", "TRAILING"), *parts])


def asked(order: OrderView) -> str:
    """What its signal asked for, where it came to another amount: ``percent 50``."""
    names = ("asked_quantity", "asked_notional", "percent", "risk_percent", "target_quantity", "target_percent")
    given = {name.removeprefix("asked_"): getattr(order, name) for name in names}
    return ", ".join(f"{name.replace('_', ' ')} {number(value)}" for name, value in given.items() if value is not None)


def why(order: OrderView) -> str:
    """Reason and message, for an order that did not go as it was asked."""
    return "; ".join(text for text in (order.reason, order.error_message) if text)


def notable_flags(order: OrderView) -> list[str]:
    """All but the one that every live order has."""
    return [flag for flag in order.flags if flag != "acknowledged"]


def _fees_of_order(order: OrderView) -> str:
    return fees(order.commission, order.other_commissions) if order.commission or order.other_commissions else NOTHING


ORDERS = ReadModel(
    "orders",
    OrderRow,
    ("began",),
    (("order_id",), ("client_order_id",), ("broker_order_id",), ("signal_id",)),
    about="List orders, old to new.",
    project=_project,
    view=OrderView,
    shown=lambda row: OrderView.model_validate_json(row.body),
    filters=(
        Filter("status", "--status", "Only with this status.", OrderStatus),
        BY_SYMBOL,
        BY_STRATEGY,
        BY_ACCOUNT,
        BY_SESSION,
        Filter("is_open", "--open", "Only orders of which something is still expected.", bool),
        Filter("is_waiting", "--waiting", "Only orders that wait before they are sent: for the open, or their broker.", bool),
    ),
    columns=(
        Column("Order", lambda order: order.client_order_id, is_id=True),
        Column("Requested", lambda order: without_year(order.requested_at), rank=3),
        Column("Symbol", lambda order: order.symbol),
        Column("Side", lambda order: order.side.value),
        Column("Type", order_type, rank=2),
        Column("Filled", lambda order: part(order.filled_quantity, order.quantity), justify="right"),
        Column("Average", lambda order: price(order.average_price), rank=1, justify="right"),
        Column("Fees", _fees_of_order, rank=6, justify="right"),
        Column("Status", lambda order: status(order.status.value)),
        Column("Signal", lambda order: order.signal_id, rank=4, is_id=True),
        Column("Strategy", lambda order: order.strategy_name, rank=5, tells=True),
        Column("Account", lambda order: order.account_id, rank=4, tells=True),
        Column("Broker id", lambda order: order.broker_order_id or NOTHING, rank=7, is_id=True),
        Column("Flags", lambda order: ", ".join(notable_flags(order)), rank=8),
    ),
)
