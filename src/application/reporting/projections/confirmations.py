"""What a confirmation adds to its order. The order's own fields are in `orders` and joined where it is read."""

from __future__ import annotations

import json
from datetime import UTC
from typing import NamedTuple

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import moment, number, part, price, status
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.orders import ORDERS, OrderRow
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.views import ConfirmationView, is_confirmable
from liveorder.application.reporting.views.confirmations import outcome


class ConfirmationRow(NamedTuple):
    began: int
    """Key of its order."""
    total_value: str
    filled_at: str | None
    notes: str


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        if is_confirmable(change.after):
            draft.put(EXECUTION_CONFIRMATIONS, _row(change))


def _row(change: OrderChange) -> ConfirmationRow:
    total_value, filled_at, notes = outcome(change.after, change.effective)
    at = None if filled_at is None else filled_at.astimezone(UTC).isoformat()
    return ConfirmationRow(change.began, f"{total_value:f}", at, notes)


def _view(row: ConfirmationRow, order: OrderRow) -> ConfirmationView:
    added = {"total_value": row.total_value, "filled_at": row.filled_at, "notes": row.notes}
    return ConfirmationView.model_validate(json.loads(order.body) | added)


EXECUTION_CONFIRMATIONS = ReadModel(
    "execution_confirmations",
    ConfirmationRow,
    ("began",),
    about="List what was sent to strategies about orders that traded or ended.",
    project=_project,
    view=ConfirmationView,
    shown=_view,
    beside=ORDERS,
    filters=ORDERS.filters,
    columns=(
        Column("Order", "client_order_id", is_id=True),
        Column("Symbol", "symbol"),
        Column("Side", "side"),
        Column("Filled", lambda order: part(order.filled_quantity, order.quantity), justify="right"),
        Column("Average", lambda order: price(order.average_price), rank=1, justify="right"),
        Column("Value", lambda order: number(order.total_value), rank=2, justify="right"),
        Column("Status", lambda order: status(order.status.value)),
        Column("Filled at (UTC)", lambda order: moment(order.filled_at), rank=3),
        Column("Strategy", "strategy_name", rank=4, tells=True),
        Column("Account", "account_id", rank=4, tells=True),
        Column("Signal", "signal_id", rank=5, is_id=True),
        Column("Notes", "notes", rank=6, is_text=True),
    ),
)
