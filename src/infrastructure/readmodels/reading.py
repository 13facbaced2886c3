"""Rows of the read models as views."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, Table, func, or_, select

from liveorder.application.reporting.projections.confirmations import EXECUTION_CONFIRMATIONS
from liveorder.application.reporting.projections.daily_summary import DAILY_SUMMARY, SummaryRow
from liveorder.application.reporting.projections.fills import FILLS, FillRow
from liveorder.application.reporting.projections.order_history import ORDER_HISTORY, HistoryRow, recorded_event
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.application.reporting.projections.positions import POSITIONS, PositionRow
from liveorder.application.reporting.projections.shapes import TableSpec
from liveorder.application.reporting.projections.signals import SIGNALS
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import (
    BookedFillView,
    ConfirmationView,
    DailySummaryView,
    HistoryView,
    OrderView,
    PositionView,
    SignalView,
    View,
    history_view,
)
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.readmodels.tables import Tables

MOST_ORDERS_OF_A_POSITION = 100
V = TypeVar("V", bound=View)


class RowQueries:
    """Each method is one query, or one and a look-up, on the connection given."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def orders(self, connection: Connection, wanted: Query) -> list[OrderView]:
        return self._bodies(connection, ORDERS, OrderView, wanted, "began")

    def find_orders(self, connection: Connection, any_id: str) -> list[OrderView]:
        table = self._tables.of(ORDERS)
        ids = (table.c.order_id, table.c.client_order_id, table.c.broker_order_id, table.c.signal_id)
        found = select(table.c.body).where(or_(*(column == any_id for column in ids))).order_by(table.c.began)
        return [OrderView.model_validate_json(body) for body in connection.scalars(found)]

    def history(self, connection: Connection, order_id: UUID) -> list[HistoryView]:
        table = self._tables.of(ORDER_HISTORY)
        found = select(table).where(table.c.order_id == str(order_id)).order_by(table.c.version)
        return [history_view(recorded_event(HistoryRow(*row))) for row in connection.execute(found)]

    def fills(self, connection: Connection, wanted: Query) -> list[BookedFillView]:
        table = self._tables.of(FILLS)
        fills = select(table).where(table.c.adjusted_for == "")
        return [FillRow(*row).view() for row in _listed(connection, fills, table, wanted, "booked")]

    def positions(self, connection: Connection, wanted: Query) -> list[PositionView]:
        table = self._tables.of(POSITIONS)
        rows = _listed(connection, select(table), table, wanted, "last_booked")
        return [PositionRow(*row).view(self._order_ids(connection, row.holding, row.opened)) for row in rows]

    def _order_ids(self, connection: Connection, holding: str, opened: int) -> tuple[UUID, ...]:
        table = self._tables.of(FILLS)
        found = (
            select(table.c.order_id)
            .where(table.c.holding == holding, table.c.booked >= opened, table.c.adjusted_for == "")
            .group_by(table.c.order_id)
            .order_by(func.min(table.c.booked).desc())
            .limit(MOST_ORDERS_OF_A_POSITION)
        )
        return tuple(reversed([UUID(order_id) for order_id in connection.scalars(found)]))

    def signals(self, connection: Connection, wanted: Query) -> list[SignalView]:
        return self._bodies(connection, SIGNALS, SignalView, wanted, "began")

    def confirmations(self, connection: Connection, wanted: Query) -> list[ConfirmationView]:
        orders, confirmations = self._tables.of(ORDERS), self._tables.of(EXECUTION_CONFIRMATIONS)
        outcome = (confirmations.c.total_value, confirmations.c.filled_at, confirmations.c.notes)
        joined = orders.join(confirmations, orders.c.began == confirmations.c.began)
        both = select(orders.c.body, *outcome).select_from(joined)
        rows = _listed(connection, both, orders, wanted, "began")
        return [
            ConfirmationView.model_validate(json.loads(body) | {"total_value": total_value, "filled_at": filled_at, "notes": notes})
            for body, total_value, filled_at, notes in rows
        ]

    def daily_summary(self, connection: Connection, wanted: Query) -> list[DailySummaryView]:
        table = self._tables.of(DAILY_SUMMARY)
        return [SummaryRow(*row).view() for row in _listed(connection, select(table), table, wanted, *DAILY_SUMMARY.key)]

    def _bodies(self, connection: Connection, shape: TableSpec[Any], view: type[V], wanted: Query, *order: str) -> list[V]:
        table = self._tables.of(shape)
        rows = _listed(connection, select(table.c.body), table, wanted, *order)
        return [view.model_validate_json(body) for (body,) in rows]


def _listed(connection: Connection, found: Select[Any], table: Table, wanted: Query, *order: str) -> Sequence[Any]:
    """The rows wanted, by the columns `order`; of many, the newest."""
    found = found.where(*(_column(table, name) == value for name, value in _filters(table, wanted).items()))
    if wanted.newest is None:
        return connection.execute(found.order_by(*(table.c[name] for name in order))).all()
    newest = found.order_by(*(table.c[name].desc() for name in order)).limit(wanted.newest)
    return connection.execute(newest).all()[::-1]


def _filters(table: Table, wanted: Query) -> dict[str, str | int]:
    values = {
        "account_id": wanted.account_id,
        "strategy_name": wanted.strategy_name,
        "symbol": wanted.symbol,
        "execution_status" if table.name == SIGNALS.name else "status": wanted.status,
        "session_date": None if wanted.session_date is None else wanted.session_date.isoformat(),
        "is_open": None if wanted.is_open is None else int(wanted.is_open),
    }
    return {name: value for name, value in values.items() if value is not None}


def _column(table: Table, name: str) -> Any:
    if name not in table.c:
        raise InvalidInput(name, f"{table.name} cannot be searched by it", f"choose among {', '.join(table.c.keys())}")
    return table.c[name]
