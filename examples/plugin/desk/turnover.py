"""`symbol_turnover`: what each account bought and sold of each symbol in each session, as a report of its own."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple

from liveorder.plugins import (
    BY_ACCOUNT,
    BY_SESSION,
    BY_SYMBOL,
    Batch,
    Column,
    OrderView,
    ReadModel,
    RowChanges,
    Side,
    order_view,
    view_of,
)


class TurnoverRow(NamedTuple):
    session_date: date
    account_id: str
    symbol: str
    currency: str
    bought: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)


def project(batch: Batch, rows: RowChanges) -> None:
    """What an order came to before these events is taken off, and what it comes to after them is put on."""
    for change in batch.orders:
        if change.before is not None:
            _count(order_view(change.before), -1, rows)
        _count(order_view(change.after), 1, rows)


def _count(order: OrderView, times: int, rows: RowChanges) -> None:
    if order.session_date is None:
        return
    key = (order.session_date, order.account_id, order.symbol, order.currency)
    row = rows.find(SYMBOL_TURNOVER, key) or TurnoverRow(*key)
    value = times * sum((fill.quantity * fill.price for fill in order.fills), Decimal(0)) * order.multiplier
    row = row._replace(bought=row.bought + value) if order.side is Side.BUY else row._replace(sold=row.sold + value)
    if row.bought or row.sold:
        rows.put(SYMBOL_TURNOVER, row)
    else:
        rows.remove(SYMBOL_TURNOVER, key)


SYMBOL_TURNOVER = ReadModel(
    "symbol_turnover",
    TurnoverRow,
    ("session_date", "account_id", "symbol", "currency"),
    about="List what each account bought and sold of each symbol.",
    project=project,
    view=view_of(TurnoverRow),
    filters=(BY_SESSION, BY_ACCOUNT, BY_SYMBOL),
    columns=(
        Column("Session", "session_date"),
        Column("Symbol", "symbol"),
        Column("Bought", "bought", justify="right"),
        Column("Sold", "sold", justify="right"),
        Column("", "currency"),
        Column("Account", "account_id", rank=1),
    ),
)
