"""Many rows in few statements: what each database takes fastest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Select, Table, bindparam, delete, func, select, tuple_
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import SQLAlchemyError

from liveorder.application.reporting.projections.draft import Changes
from liveorder.application.reporting.projections.shapes import Key, Row, Stored, TableSpec, as_stored
from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.infrastructure.readmodels.tables import Tables

_STATEMENTS = 64
"""Statements kept: a few for each table of a few sets."""


def write(connection: Connection, tables: Tables, changes: Changes) -> None:
    for shape, rows, keys in changes:
        if keys:
            connection.execute(_delete(tables.of(shape)), [_key_values(shape, key) for key in keys])
        if rows:
            _WRITERS[connection.dialect.name](connection, tables.of(shape), shape.stored(rows))


class SqlPrior:
    """A `RowReader` within the transaction of `connection`. Raises `ViewsUnavailable`, which is no failure of who asks."""

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self._connection, self._tables = connection, tables

    def row(self, shape: TableSpec[Row], key: Key) -> Row | None:
        table = self._tables.of(shape)
        columns = tuple_(*(table.c[name] for name in shape.key))
        found = self._found(select(table).where(columns == tuple_(*map(as_stored, key))))
        return shape.loaded(found[0]) if found else None

    def rows_from(self, shape: TableSpec[Row], group: tuple[str, str], order: tuple[str, int]) -> list[Row]:
        table = self._tables.of(shape)
        (group_name, member), (order_name, least) = group, order
        wanted = select(table).where(table.c[group_name] == member, table.c[order_name] >= least)
        return [shape.loaded(found) for found in self._found(wanted.order_by(table.c[order_name]))]

    def _found(self, wanted: Select[Any]) -> Sequence[Any]:
        try:
            return self._connection.execute(wanted).all()
        except SQLAlchemyError as error:
            raise ViewsUnavailable(f"the read models cannot be read: {error}") from error


@lru_cache(_STATEMENTS)
def _delete(table: Table) -> Any:
    return delete(table).where(*(column == bindparam(f"key_{column.name}") for column in table.primary_key))


def _key_values(shape: TableSpec[Any], key: Key) -> dict[str, Stored]:
    return {f"key_{name}": as_stored(value) for name, value in zip(shape.key, key, strict=True)}


def _write_sqlite(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    connection.exec_driver_sql(_sqlite_upsert(table), list(rows))


@lru_cache(_STATEMENTS)
def _sqlite_upsert(table: Table) -> str:
    """As text with one `?` a column, so that rows go to the driver as they are."""
    insert = sqlite.insert(table)
    upsert = insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=_updates(table, insert.excluded))
    return str(upsert.compile(dialect=sqlite.dialect(paramstyle="qmark")))


def _write_postgres(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = zip(table.columns.keys(), zip(*rows, strict=True), strict=True)
    connection.exec_driver_sql(_postgres_upsert(table, connection.dialect), {name: list(values) for name, values in columns})


@lru_cache(_STATEMENTS)
def _postgres_upsert(table: Table, dialect: Dialect) -> str:
    """One array a column, unnested by the server; sent as binary, since texts full of quotes are slow to escape."""
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.dialects.postgresql import ARRAY

    names = [column.name for column in table.columns]
    arrays = [bindparam(column.name, type_=ARRAY(column.type)) for column in table.columns]
    rows = func.unnest(*arrays).table_valued(*names).render_derived()
    insert = postgresql.insert(table)
    filled = insert.from_select(names, select(*(rows.c[name] for name in names)))
    upsert = filled.on_conflict_do_update(index_elements=list(table.primary_key), set_=_updates(table, insert.excluded))
    return str(upsert.compile(dialect=dialect)).replace(")s::", ")b::")


def _updates(table: Table, excluded: Any) -> dict[str, Any]:
    return {column.name: excluded[column.name] for column in table.columns if not column.primary_key}


_WRITERS = {"sqlite": _write_sqlite, "postgresql": _write_postgres}
