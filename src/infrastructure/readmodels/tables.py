"""The tables of the read models, made from the shapes that the projections declare."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

from liveorder.application.recording import domain_events
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.projections.shapes import TableSpec

CONTENT_VERSION = 4
"""Raised when rows of the same shape are to hold something else than before: then every store's read models are rebuilt."""

# Byte order in both databases, so that sorting is fast and the same everywhere.
_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
"""A key that is one whole number: on SQLite that of the row itself, which needs no index and ends every other one."""


class Tables:
    """One set of tables: in `schema` on PostgreSQL, in a file of their own (`schema` None) on SQLite."""

    def __init__(self, models: Sequence[ReadModel[Any, Any]], schema: str | None) -> None:
        self.models = models
        self.metadata = MetaData(schema=schema)
        self.checkpoint = Table(
            "checkpoint",
            self.metadata,
            Column("name", _TEXT, primary_key=True),
            Column("store_id", _TEXT, nullable=False),
            Column("shapes", _TEXT, nullable=False),
            Column("position", BigInteger, nullable=False),
        )
        self._tables = {shape.name: _table(shape, self.metadata) for shape in models}

    def of(self, shape: TableSpec[Any]) -> Table:
        return self._tables[shape.name]


def fingerprint(models: Sequence[ReadModel[Any, Any]]) -> str:
    """Of the shapes, the kinds of event and the versions: what another fingerprint wrote is rebuilt."""
    shapes = [(shape.name, shape.key, tuple(shape.all_indexes), _columns(shape)) for shape in models]
    versions = [model.version for model in models if model.version > 1]
    topics = sorted(event.topic for event in domain_events())
    return hashlib.sha256(repr((CONTENT_VERSION, shapes, topics, *versions)).encode()).hexdigest()


def _table(shape: TableSpec[Any], metadata: MetaData) -> Table:
    columns = [
        Column(
            name,
            _NUMBER if shape.key == (name,) and kind is int else BigInteger if kind is int else _TEXT,
            primary_key=name in shape.key,
            nullable=is_optional,
            autoincrement=False,
        )
        for name, kind, is_optional in _columns(shape)
    ]
    indexes = [Index(f"{shape.name}_by_{'_'.join(names)}", *names) for names in shape.all_indexes]
    return Table(shape.name, metadata, *columns, *indexes)


def _columns(shape: TableSpec[Any]) -> list[tuple[str, type, bool]]:
    """Name, `str` or `int`, and whether it may be None."""
    return [(column.name, column.stored_as, column.is_optional) for column in shape.types]
