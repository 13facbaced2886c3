"""What a read model is: its rows, what a batch of events does to them, and how people and programs list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints
from uuid import UUID

from pydantic import create_model

from liveorder.application.reporting.columns import Column, columns_of
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.shapes import ColumnType, Row, Stored, TableSpec, as_stored, types_of
from liveorder.application.reporting.views.fields import Moment, Number, View
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import RecordedEvent
from liveorder.domain.wording import one_of

V = TypeVar("V", bound=View)
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order of the log, and the orders that they change."""

    events: Sequence[RecordedEvent]
    orders: Sequence[OrderChange]


@dataclass(frozen=True, slots=True)
class Filter:
    """By what a list can be narrowed: to the rows whose `column` is what is asked for."""

    name: str
    """In Python, and of the column where `column` does not say otherwise."""
    option: str
    """On the command line: `--symbol`."""
    help: str
    takes: type | Callable[[str], object] = str
    """A type (`str`, `date`, `UUID`, `bool` for a flag, a `StrEnum`), or a function that makes the value from the option's text and
    leaves a text that it made as it is. It raises `ValueError` for what cannot be used.
    """
    column: str = ""
    means: Mapping[object, Stored] = field(default_factory=dict)
    """What a value is in the column, where it is something else there."""

    def value_of(self, given: object, column: ColumnType) -> object:
        """What a program or an option gives, as this takes it: words in any case, days and ids as text too.

        Raises `InvalidInput`.
        """
        if not isinstance(self.takes, type):
            if isinstance(given, str):
                return self._made_by(self.takes, given)
            if column.fits(given):
                return given
            raise InvalidInput(self.name, f"{given!r:.60} is not a text", "give it as a text")
        if type(given) is self.takes or (self.takes is str and isinstance(given, str)):
            return given
        if not isinstance(given, str) or self.takes is bool:
            raise InvalidInput(self.name, f"{given!r:.60} is not {_named(self.takes)}", f"give {_named(self.takes)}")
        if issubclass(self.takes, StrEnum):
            return _word(self.name, given, self.takes)
        return self._made_by(date.fromisoformat if self.takes is date else self.takes, given)

    def _made_by(self, make: Callable[[str], object], text: str) -> object:
        try:
            return make(text)
        except (ValueError, ArithmeticError) as error:
            wanted = f"give {_named(self.takes)}" if isinstance(self.takes, type) else str(error)
            raise InvalidInput(self.name, f"{text!r:.60} cannot be used", wanted) from None


def _named(kind: type) -> str:
    """In words."""
    words: dict[type, str] = {
        str: "a text",
        bool: "True or False",
        date: "a date, or a text like 2025-03-10",
        UUID: "an id, as UUID or as text",
        int: "a whole number",
    }
    if issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    return words.get(kind, f"a {kind.__name__}")


def _word(field: str, given: str, words: type[StrEnum]) -> StrEnum:
    found = next((word for word in words if word.lower() == given.lower()), None)
    if found is None:
        raise InvalidInput(field, f"{given!r:.60} is not one of its words", one_of(given, words))
    return found


BY_ACCOUNT = Filter("account_id", "--account", "Only this account.")
BY_STRATEGY = Filter("strategy_name", "--strategy", "Only this strategy.")
BY_SYMBOL = Filter("symbol", "--symbol", "Only this symbol.")
BY_SESSION = Filter("session_date", "--day", "Only this exchange session.", date)


def written_with_another(batch: Batch, draft: RowChanges) -> None:
    """For rows that the function of another read model writes together with its own."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ReadModel(TableSpec[Row], Generic[Row, V]):
    """A report, all of it: its table, its list with filters, JSON, CSV and columns, and its command come from this alone."""

    about: str
    """One sentence: what the list shows."""
    project: Callable[[Batch, RowChanges], None]
    """A function of the log: the same rows come of the same events, however they were split into batches."""
    view: type[V]
    """What readers get; `view_of(row)` where that is the row as it is."""
    shown: Callable[..., V] | None = None
    """Makes a view from a row, where the view has other fields than the row."""
    beside: TableSpec[Any] | None = None
    """A table with rows of the same keys: `shown` gets that row too, and the filters are columns of that table."""
    only: Mapping[str, Stored] = field(default_factory=dict)
    """Rows with something else in these columns are not listed."""
    order: tuple[str, ...] = ()
    """Columns by which the list goes from old to new; the key where none are named."""
    filters: tuple[Filter, ...] = ()
    columns: tuple[Column[V], ...] = ()
    """Of the table for people; each field of the view where none are named."""
    version: int = 1
    """Raised when the same columns are to hold something else: then the rows are made anew from the log."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if _NAME.fullmatch(self.name) is None:
            raise TypeError(f"{self.name!r} is no name of a read model: it takes small letters, digits and single _ between them")
        self.must_have(*self.only, *self.order)
        (self.beside or self).must_have(*(each.column or each.name for each in self.filters))

    @property
    def all_indexes(self) -> Sequence[tuple[str, ...]]:
        """Those that are named, and one for each filter, in the order of the list, so that the newest few are found without the
        others. Not where all rows are few, or the filters are columns of another table.
        """
        if self.is_kept or self.beside is not None:
            return self.indexes
        by_filter = ((each.column or each.name, *self.listed_by) for each in self.filters)
        return tuple(dict.fromkeys((*self.indexes, *by_filter)))

    @property
    def listed_by(self) -> tuple[str, ...]:
        """Columns by which the list goes from old to new."""
        return self.order or self.key

    @property
    def command(self) -> str:
        return self.name.replace("_", "-")

    @property
    def title(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @cached_property
    def table_columns(self) -> tuple[Column[V], ...]:
        kinds = get_type_hints(self.view)
        return self.columns or columns_of({name: kinds[name] for name in self.view.model_fields})

    def make_view(self, row: Row, *beside: Any) -> V:
        if self.shown is not None:
            return self.shown(row, *beside)
        return self.view(**row._asdict())  # type: ignore[attr-defined]  # a NamedTuple has it, which no type can say

    def conditions(self, wanted: Mapping[str, object]) -> Iterator[tuple[str, Stored]]:
        """Columns with what they must be. Raises `InvalidInput` for what is no filter of this list, or no value of one."""
        filters = {each.name: each for each in self.filters}
        columns = {each.name: each for each in (self.beside or self).types}
        for name, given in wanted.items():
            if name not in filters:
                raise InvalidInput(name, f"{self.name} cannot be searched by it", one_of(name, [*filters, "newest"]))
            if given is not None:
                found = filters[name]
                column = found.column or name
                value = found.value_of(given, columns[column])
                yield column, found.means[value] if value in found.means else as_stored(value)


def view_of(row: type[tuple[Any, ...]]) -> type[View]:
    """The view that a row is as it stands: decimals without exponents, times in UTC."""
    types = ((column.name, _SHOWN.get(column.kind, column.kind), column.is_optional) for column in types_of(row))
    fields: dict[str, Any] = {name: (kind | None if is_optional else kind, ...) for name, kind, is_optional in types}
    return create_model(row.__name__, __base__=View, __module__=row.__module__, **fields)


_SHOWN: dict[type, Any] = {Decimal: Number, datetime: Moment}
