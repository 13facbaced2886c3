"""Orders as they stand: the columns to look for, and the whole view as JSON."""

from __future__ import annotations

from typing import NamedTuple

from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.application.reporting.views import order_view, session_date


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
    session_date: str | None
    body: str


ORDERS = TableSpec(
    "orders",
    OrderRow,
    ("began",),
    (("order_id",), ("client_order_id",), ("broker_order_id",), ("signal_id",), ("is_open",), ("session_date",)),
)


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
        None if session is None else session.isoformat(),
        order_view(order, change.effective).to_json(),
    )


MODEL = ReadModel((ORDERS,), _project)
