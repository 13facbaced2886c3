"""What one batch of events does to the rows: written here first, and by the store of rows in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from liveorder.application.reporting.projections.shapes import Key, Row, TableSpec

Changes: TypeAlias = Iterable[tuple[TableSpec[Any], Sequence[Any], Sequence[Key]]]
"""Each shape with the rows to write and the keys of the rows to remove."""

RowCache: TypeAlias = dict[tuple[str, Key], Any]
"""Rows of kept shapes as they stand, by shape name and key; None where there is none."""


class RowReader(Protocol):
    """The rows as they were before the batch, read within its transaction."""

    def row(self, shape: TableSpec[Row], key: Key) -> Row | None: ...

    def rows_from(self, shape: TableSpec[Row], group: tuple[str, str], order: tuple[str, int]) -> list[Row]:
        """Rows whose column `group[0]` equals `group[1]` and whose column `order[0]` is at least `order[1]`, by that column."""
        ...


class RowChanges:
    """Changes by shape and key. A later change of the same row replaces the earlier one."""

    def __init__(self, prior: RowReader, kept: RowCache) -> None:
        self.prior = prior
        self._kept = kept
        self._changes: dict[TableSpec[Any], dict[Key, Any]] = {}
        self._replaced: dict[TableSpec[Any], list[tuple[Any, Any]]] = {}

    def put(self, shape: TableSpec[Row], row: Row) -> None:
        self._changes.setdefault(shape, {})[shape.key_of(row)] = row

    def put_all(self, shape: TableSpec[Row], rows: Iterable[Row]) -> None:
        key_of = shape.key_of
        self._changes.setdefault(shape, {}).update((key_of(row), row) for row in rows)

    def remove(self, shape: TableSpec[Row], key: Key) -> None:
        self._changes.setdefault(shape, {})[key] = None

    def replace(self, shape: TableSpec[Row], old: Row | None, new: Row | None) -> None:
        """Put `new` where `old` was, None where there is none, and remember both for the models that count them."""
        if new is not None:
            self.put(shape, new)
        elif old is not None:
            self.remove(shape, shape.key_of(old))
        self._replaced.setdefault(shape, []).append((old, new))

    def replaced(self, shape: TableSpec[Row]) -> Sequence[tuple[Row | None, Row | None]]:
        return self._replaced.get(shape, ())

    def find(self, shape: TableSpec[Row], key: Key) -> Row | None:
        """The row as this batch leaves it so far."""
        changes: dict[Key, Row | None] = self._changes.get(shape, {})
        if key in changes:
            return changes[key]
        if not shape.is_kept:
            return self.prior.row(shape, key)
        if (shape.name, key) not in self._kept:
            self._kept[shape.name, key] = self.prior.row(shape, key)
        kept: Row | None = self._kept[shape.name, key]
        return kept

    def changes(self) -> Changes:
        for shape, changes in self._changes.items():
            yield shape, [row for row in changes.values() if row is not None], [k for k, row in changes.items() if row is None]

    def keep(self) -> None:
        """The changes are durable: later batches start from them."""
        for shape, changes in self._changes.items():
            if shape.is_kept:
                self._kept.update({(shape.name, key): row for key, row in changes.items()})
