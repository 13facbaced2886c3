"""What a read model is: its rows, what a batch of events does to them, and how people and programs list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import create_model

from liveorder.application.reporting.columns import Column, columns_of
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.shapes import Row, Stored, TableSpec, as_stored, types_of
from liveorder.application.reporting.views.fields import Moment, Number, View
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import RecordedEvent

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
    """A type (`str`, `date`, `bool` for a flag, a `StrEnum`), or a function that makes the value from the option's text."""
    column: str = ""
    means: Mapping[object, Stored] = field(default_factory=dict)
    """What a value is in the column, where it is something else there."""


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
        """Columns with what they must be. Raises `InvalidInput` for what is no filter of this list."""
        filters = {each.name: each for each in self.filters}
        for name, value in wanted.items():
            if name not in filters:
                raise InvalidInput(name, f"{self.name} cannot be searched by it", f"choose among {', '.join(filters) or 'none'}")
            found = filters[name]
            yield found.column or name, found.means[value] if value in found.means else as_stored(value)


def view_of(row: type[tuple[Any, ...]]) -> type[View]:
    """The view that a row is as it stands: decimals without exponents, times in UTC."""
    types = ((column.name, _SHOWN.get(column.kind, column.kind), column.is_optional) for column in types_of(row))
    fields: dict[str, Any] = {name: (kind | None if is_optional else kind, ...) for name, kind, is_optional in types}
    return create_model(row.__name__, __base__=View, __module__=row.__module__, **fields)


_SHOWN: dict[type, Any] = {Decimal: Number, datetime: Moment}
