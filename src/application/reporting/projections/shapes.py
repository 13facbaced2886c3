"""How the rows of a read model look, without SQL: a store of rows makes its tables from this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from operator import attrgetter
from types import UnionType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

Key: TypeAlias = tuple[Any, ...]
Row = TypeVar("Row", bound=tuple[Any, ...])
Stored: TypeAlias = str | int | None

_AS_STORED: dict[type, Callable[[Any], Stored]] = {
    bool: int,
    date: date.isoformat,
    datetime: lambda at: _in_utc(at).isoformat(),
    Decimal: "{:f}".format,
    UUID: str,
}
_FROM_STORED: dict[type, Callable[[Any], Any]] = {
    bool: bool,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
    Decimal: Decimal,
    UUID: UUID,
}


class ColumnType(NamedTuple):
    """A column as the row declares it. It is stored as text, `int` and `bool` as an integer."""

    name: str
    kind: Any
    is_optional: bool

    @property
    def is_known(self) -> bool:
        return self.is_plain or self.kind in _FROM_STORED or (isinstance(self.kind, type) and issubclass(self.kind, StrEnum))

    @property
    def stored_as(self) -> type:
        return int if issubclass(self.kind, int) else str

    @property
    def is_plain(self) -> bool:
        """Stored as it is."""
        return self.kind in (str, int)

    def fits(self, value: Any) -> bool:
        if value is None:
            return self.is_optional
        return isinstance(value, self.kind) and not (self.kind is date and isinstance(value, datetime))

    def loaded(self, value: Stored) -> Any:
        return value if value is None or self.is_plain else _FROM_STORED.get(self.kind, self.kind)(value)


def as_stored(value: Any) -> Stored:
    """A value of a row, or one to search by, as a table has it."""
    convert = _AS_STORED.get(type(value))
    if convert is not None:
        return convert(value)
    return str(value) if isinstance(value, StrEnum) else value


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no zone")
    return at.astimezone(UTC)


@dataclass(frozen=True, eq=False)
class TableSpec(Generic[Row]):
    """One table. `row` is a NamedTuple, `key` names the columns that are unique: none of them a `Decimal`, which sorts as text.

    A column is a `str`, `int`, `bool`, `Decimal`, `date`, `datetime` with a zone, `UUID` or `StrEnum`, or one of these or None.
    Raises `TypeError` for any other.
    """

    name: str
    row: type[Row]
    key: tuple[str, ...]
    indexes: Sequence[tuple[str, ...]] = ()
    is_kept: bool = False
    """Few rows, read again with every batch: the projector keeps those that it wrote in memory."""

    def __post_init__(self) -> None:
        for column in self.types:
            if not column.is_known or (column.kind is Decimal and column.name in self.key):
                raise TypeError(f"{self.name}.{column.name}: {column.kind.__name__} is no type of such a column")
        self.must_have(*self.key, *(name for index in self.indexes for name in index))

    def must_have(self, *columns: str) -> None:
        missing = {*columns} - {column.name for column in self.types}
        if missing:
            raise TypeError(f"{self.name}: its rows have no column {' and no '.join(sorted(missing))}")

    @property
    def all_indexes(self) -> Sequence[tuple[str, ...]]:
        return self.indexes

    @cached_property
    def types(self) -> tuple[ColumnType, ...]:
        return types_of(self.row)

    @cached_property
    def key_of(self) -> Callable[[Row], Key]:
        """The key of a row, also when it is one column, as a tuple."""
        if len(self.key) > 1:
            return attrgetter(*self.key)
        column = attrgetter(self.key[0])
        return lambda row: (column(row),)

    @cached_property
    def _is_plain(self) -> bool:
        return all(column.is_plain for column in self.types)

    def check(self, row: Any) -> None:
        """Raises `TypeError` for what is no row of this table."""
        if type(row) is not self.row:
            raise TypeError(f"{self.name}: {type(row).__name__} is not {self.row.__name__}")
        for column, value in zip(self.types, row, strict=True):
            if not column.fits(value):
                raise TypeError(f"{self.name}.{column.name}: {value!r} is no {column.kind.__name__}")

    def stored(self, rows: Sequence[Row]) -> Sequence[tuple[Stored, ...]]:
        return rows if self._is_plain else [tuple(map(as_stored, row)) for row in rows]

    def loaded(self, values: Sequence[Any]) -> Row:
        if self._is_plain:
            return self.row._make(values)  # type: ignore[attr-defined,no-any-return]  # a NamedTuple has it
        return self.row(*(column.loaded(value) for column, value in zip(self.types, values, strict=True)))


def types_of(row: type[tuple[Any, ...]]) -> tuple[ColumnType, ...]:
    """Of the fields of a NamedTuple."""
    hints = get_type_hints(row).items()
    kinds = ((name, get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)) for name, kind in hints)
    return tuple(ColumnType(name, kind[0], type(None) in kind) for name, kind in kinds)
