"""A report, all of it: what each order turned over, in columns of every type."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.read_model import (
    BY_ACCOUNT,
    BY_SESSION,
    BY_SYMBOL,
    Batch,
    Filter,
    ReadModel,
    view_of,
)
from liveorder.application.reporting.views import session_date
from liveorder.domain.values import Side


class TurnoverRow(NamedTuple):
    order_id: UUID
    session_date: date | None
    account_id: str
    symbol: str
    side: Side
    fills: int
    turned_over: Decimal
    average_price: Decimal | None
    closed_at: datetime | None
    is_closed: bool


def _project(batch: Batch, draft: RowChanges) -> None:
    for change in batch.orders:
        order = change.after
        row = TurnoverRow(
            order_id=order.order_id,
            session_date=session_date(order),
            account_id=order.intent.account_id,
            symbol=order.intent.instrument.symbol,
            side=order.terms.side,
            fills=len(change.effective),
            turned_over=sum((each.quantity * each.price for each in change.effective), Decimal(0)),
            average_price=order.average_price,
            closed_at=order.closed_at,
            is_closed=order.status.is_closed,
        )
        draft.put(ORDER_TURNOVER, row)


ORDER_TURNOVER = ReadModel(
    "order_turnover",
    TurnoverRow,
    ("order_id",),
    about="List what each order turned over.",
    project=_project,
    view=view_of(TurnoverRow),
    filters=(
        BY_SESSION,
        BY_ACCOUNT,
        BY_SYMBOL,
        Filter("side", "--side", "Only bought, or sold.", Side),
        Filter("fills", "--fills", "Only of so many fills.", int),
        Filter("is_closed", "--closed", "Only what is over.", bool),
        Filter("order_id", "--order", "Only this order.", UUID),
    ),
    columns=(Column("Symbol", "symbol"), Column("Turned over", "turned_over"), Column("Closed (UTC)", "closed_at", rank=1)),
)
