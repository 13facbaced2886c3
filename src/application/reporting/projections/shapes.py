"""How the rows of a read model look, told without SQL: a store of rows makes its tables from this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

Key: TypeAlias = tuple[str | int, ...]
Row = TypeVar("Row", bound=tuple[Any, ...])


@dataclass(frozen=True)
class TableSpec(Generic[Row]):
    """One table. `row` is a NamedTuple of `str`, `int` and their options with None; `key` names the columns that are unique."""

    name: str
    row: type[Row]
    key: tuple[str, ...]
    indexes: Sequence[tuple[str, ...]] = ()
    is_kept: bool = False
    """Few rows, read again with every batch: the projector keeps those that it wrote in memory."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.row._fields)  # type: ignore[attr-defined]  # a NamedTuple has them, which no type can say

    @cached_property
    def key_of(self) -> Callable[[Row], Key]:
        """The key of a row, also when it is one column, as a tuple."""
        if len(self.key) > 1:
            return attrgetter(*self.key)
        column = attrgetter(self.key[0])
        return lambda row: (column(row),)
