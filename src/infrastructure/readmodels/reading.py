"""Rows of the read models as views."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, or_, select

from liveorder.application.reporting.figures import CUT
from liveorder.application.reporting.projections import FILLS, ORDERS, POSITIONS
from liveorder.application.reporting.projections.positions import PositionRow, account_positions
from liveorder.application.reporting.projections.read_model import ReadModel, V
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import AccountPositionView, OrderView
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.readmodels.tables import Tables

MOST_ORDERS_OF_A_POSITION = 100
_FILLS_AT_A_TIME = 200
LEAST_OF_AN_ID = 3
"""Characters before the ellipsis of a shortened id."""
_LAST = "\U0010ffff"
"""Sorts behind every character of an id, in both databases."""


class RowQueries:
    """Each method is one query, or one and a look-up, on the connection given."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def listed(self, connection: Connection, model: ReadModel[Any, V], wanted: Query) -> list[V]:
        """The views wanted, in the model's order; of many, the newest."""
        rows = connection.execute(self._selected(model, wanted)).all()
        if wanted.newest is not None:
            rows = rows[::-1]
        if model is POSITIONS:
            return [model.make_view(held := PositionRow(*row), self._order_ids(connection, held)) for row in rows]
        if model.beside is None:
            return [model.make_view(model.loaded(row)) for row in rows]
        width = len(model.types)
        return [model.make_view(model.loaded(row[:width]), model.beside.loaded(row[width:])) for row in rows]

    def _selected(self, model: ReadModel[Any, V], wanted: Query) -> Select[Any]:
        """Rows from old to new, with the columns of the table beside theirs; where some are enough, from new to old."""
        table = searched = self._tables.of(model)
        found = select(table)
        if model.beside is not None:
            searched = self._tables.of(model.beside)
            keys = zip(model.key, model.beside.key, strict=True)
            found = select(table, searched).where(*(table.c[name] == searched.c[other] for name, other in keys))
        found = found.where(*(table.c[name] == value for name, value in model.only.items()))
        found = found.where(*(searched.c[name] == value for name, value in model.conditions(wanted.filters)))
        order = [searched.c[name] for name in (model.listed_by if model.beside is None else model.beside.key)]
        if wanted.newest is None:
            return found.order_by(*order)
        return found.order_by(*(column.desc() for column in order)).limit(wanted.newest)

    def _order_ids(self, connection: Connection, held: PositionRow) -> tuple[UUID, ...]:
        """Of the newest fills since it was opened, by their first fill."""
        table, first = self._tables.of(FILLS), dict[str, int]()
        fills = select(table.c.order_id, table.c.booked).where(table.c.holding == held.holding, table.c.adjusted_for == "")
        fills = fills.where(table.c.booked >= held.opened).order_by(table.c.booked.desc()).limit(_FILLS_AT_A_TIME)
        before = held.last_booked + 1
        while len(first) < MOST_ORDERS_OF_A_POSITION:
            page = connection.execute(fills.where(table.c.booked < before)).all()
            first |= {order_id: booked for order_id, booked in page}  # noqa: C416 -- rows, which `dict` takes only at run time
            if len(page) < _FILLS_AT_A_TIME:
                break
            before = page[-1].booked
        return tuple(UUID(order_id) for order_id in sorted(first, key=first.__getitem__)[-MOST_ORDERS_OF_A_POSITION:])

    def account_positions(self, connection: Connection, wanted: Query) -> list[AccountPositionView]:
        """Those of every account and contract. Raises `InvalidInput` for one strategy's."""
        if wanted.strategy_name is not None:
            raise InvalidInput("strategy_name", "an account's position is of all strategies together", "leave it out")
        statuses = {status for name, status in POSITIONS.conditions(wanted.filters) if name == "status"}
        selected = self._selected(POSITIONS, replace(wanted, status=None, is_open=None, newest=None))
        found = account_positions(PositionRow(*row) for row in connection.execute(selected))
        found = [view for view in found if statuses <= {view.status.value}]
        return found if wanted.newest is None else found[-wanted.newest :]

    def find_orders(self, connection: Connection, any_id: str) -> list[OrderView]:
        table = self._tables.of(ORDERS)
        ids = (table.c.order_id, table.c.client_order_id, table.c.broker_order_id, table.c.signal_id)
        found = select(table.c.body).where(or_(*(_is(column, any_id) for column in ids))).order_by(table.c.began)
        return [OrderView.model_validate_json(body) for body in connection.scalars(found)]


def _is(column: Column[Any], any_id: str) -> ColumnElement[bool]:
    """An id as it is, or as lists shorten it: with what is left out as one ellipsis. Searched by what it begins with."""
    head, cut, tail = any_id.partition(CUT)
    if not cut or len(head) < LEAST_OF_AN_ID:
        return column == any_id
    return and_(column >= head, column < head + _LAST, column.endswith(tail, autoescape=True))
