"""The read models: what is asked of them, and how the projector feeds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Protocol, Self
from uuid import UUID

from liveorder.application.reporting.projections.draft import Changes, RowReader
from liveorder.application.reporting.projections.read_model import ReadModel, V
from liveorder.application.reporting.projections.shapes import Key, TableSpec
from liveorder.application.reporting.views import (
    AccountPositionView,
    BookedFillView,
    ConfirmationView,
    DailySummaryView,
    HistoryView,
    OrderView,
    PositionView,
    SignalView,
)
from liveorder.domain.errors import InvalidInput, StoreError

MOST_ROWS = 2**63 - 1
"""The largest number that a database counts rows by."""


class ViewsUnavailable(StoreError):
    """The read models cannot be reached or written now. Trading does not depend on them."""


class ViewsBlocked(ViewsUnavailable):
    """What was begun there took too long. It may still run, and is left to itself."""


class ProjectionFailed(StoreError):
    """The code of a package's projection raised, or made what is no row of its own."""


class SetAside(ViewsUnavailable):
    """A projection of a package that this process feeds no more. Nothing else is touched."""


class Superseded(StoreError):
    """Another projector moved the read models on; nothing of this batch was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a list is to hold. None asks for nothing in particular; a filter that a list has no column for is an error.

    `newest` is how many, the newest ones; the list itself always goes from old to new. Raises `InvalidInput` for a `newest` that is
    no whole number above 0; what else a filter takes is judged by its list.
    """

    account_id: str | None = None
    strategy_name: str | None = None
    symbol: str | None = None
    status: str | None = None
    """Of an order (`OrderStatus`), of a signal (that or `DEAD_LETTER`), of a position (OPEN, CLOSED)."""
    session_date: date | None = None
    is_open: bool | None = None
    """Orders only: True for those not closed, or with a request unanswered."""
    newest: int | None = None
    others: Mapping[str, object] = field(default_factory=dict)
    """Filters that only some report has, by name."""

    def __post_init__(self) -> None:
        if self.newest is not None and not (type(self.newest) is int and 0 < self.newest <= MOST_ROWS):
            raise InvalidInput("newest", f"{self.newest!r:.60} is not a number of rows", "give a whole number above 0")

    @classmethod
    def of(cls, **wanted: Any) -> Self:
        """Of filters by name; what is no field here is one of `others`."""
        own = {each.name for each in fields(cls)} - {"others"}
        others = {name: wanted.pop(name) for name in wanted.keys() - own}
        return cls(others=others, **wanted)

    @property
    def filters(self) -> dict[str, object]:
        """All that narrow the list, by name. One of `others` is there also where it is None: its list may not have it."""
        own = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("newest", "others")}
        return {name: value for name, value in own.items() if value is not None} | {**self.others}


EVERYTHING = Query()


class Views(Protocol):
    """Lists, by the read models. They trail the log: `wait_for` a position to read what was written there.

    Raises `ViewsUnavailable`, and `InvalidInput` for a filter that a list does not have.
    """

    async def listed(self, model: ReadModel[Any, V], wanted: Query = EVERYTHING) -> Sequence[V]:
        """Any of the read models; those below are some by name."""
        ...

    async def orders(self, wanted: Query = EVERYTHING) -> Sequence[OrderView]: ...

    async def find_orders(self, any_id: str) -> Sequence[OrderView]:
        """By order, client, broker or signal id, whole or as lists shorten it. Several when orders share it."""
        ...

    async def history(self, order_id: UUID) -> Sequence[HistoryView]: ...

    async def fills(self, wanted: Query = EVERYTHING) -> Sequence[BookedFillView]: ...

    async def positions(self, wanted: Query = EVERYTHING) -> Sequence[PositionView]: ...

    async def account_positions(self, wanted: Query = EVERYTHING) -> Sequence[AccountPositionView]:
        """All strategies of an account together. Raises `InvalidInput` for a strategy's name."""
        ...

    async def signals(self, wanted: Query = EVERYTHING) -> Sequence[SignalView]: ...

    async def confirmations(self, wanted: Query = EVERYTHING) -> Sequence[ConfirmationView]: ...

    async def daily_summary(self, wanted: Query = EVERYTHING) -> Sequence[DailySummaryView]: ...

    async def position(self) -> int:
        """How far in the log they are; 0 when empty."""
        ...

    async def wait_for(self, position: int, timeout_seconds: float) -> bool:
        """Whether they are that far, as soon as they are or when the time is up."""
        ...


class ViewsWriter(Protocol):
    """One set of read models, as its projector has it. Raises `ViewsUnavailable`."""

    async def open(self, store_id: UUID) -> None:
        """Make the tables ready, empty when they were of another store or of other shapes."""
        ...

    async def close(self) -> None: ...

    async def position(self) -> int: ...

    async def apply(self, after: int, upto: int, project: Callable[[RowReader], Changes]) -> None:
        """Move from position `after` to `upto` and write what `project` returns, together or not at all.

        `project` runs within the transaction, off the event loop. Raises `Superseded` when the position is not `after` any more.
        """
        ...

    async def clear(self) -> None:
        """Empty, at position 0."""
        ...

    async def twin(self) -> ViewsWriter:
        """A second set elsewhere, open and empty. It is gone when it is closed."""
        ...

    async def rows(self, shape: TableSpec[Any], beyond: Key | None, limit: int) -> Sequence[Any]:
        """At most `limit` rows by key, those behind the key `beyond`."""
        ...
