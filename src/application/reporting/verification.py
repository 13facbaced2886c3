"""Two sets of read models, compared row by row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from liveorder.application.reporting.projections.shapes import Key, TableSpec
from liveorder.application.reporting.read_models import ViewsWriter

_PAGE = 1000
MOST_DIFFERENCES = 100
"""Of one table; the comparison goes on to the next one there."""


@dataclass(frozen=True, slots=True)
class RowDifference:
    """A row that is not the same in both; None where there is none."""

    table: str
    key: Key
    live: tuple[Any, ...] | None
    rebuilt: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class Verification:
    """`rows`: how many were compared in each table, up to `position` of the log."""

    position: int
    rows: dict[str, int]
    differences: tuple[RowDifference, ...]

    def with_those_of(self, other: Verification) -> Verification:
        return replace(self, rows=self.rows | other.rows, differences=self.differences + other.differences)

    @property
    def is_equal(self) -> bool:
        return not self.differences


async def compare(tables: Sequence[TableSpec[Any]], live: ViewsWriter, rebuilt: ViewsWriter, position: int) -> Verification:
    rows: dict[str, int] = {}
    differences: list[RowDifference] = []
    for shape in tables:
        rows[shape.name], found = await _compare_table(shape, live, rebuilt)
        differences += found
    return Verification(position, rows, tuple(differences))


async def _compare_table(shape: TableSpec[Any], live: ViewsWriter, rebuilt: ViewsWriter) -> tuple[int, list[RowDifference]]:
    """Both sides come sorted by key, so one walk along the two finds all."""
    ours, theirs = _rows(shape, live), _rows(shape, rebuilt)
    our, their = await anext(ours, None), await anext(theirs, None)
    count, found = 0, list[RowDifference]()
    while (our is not None or their is not None) and len(found) < MOST_DIFFERENCES:
        count += 1
        key = min(shape.key_of(row) for row in (our, their) if row is not None)
        mine = our if our is not None and shape.key_of(our) == key else None
        other = their if their is not None and shape.key_of(their) == key else None
        if mine != other:
            found.append(RowDifference(shape.name, key, mine, other))
        our = our if mine is None else await anext(ours, None)
        their = their if other is None else await anext(theirs, None)
    return count, found


async def _rows(shape: TableSpec[Any], views: ViewsWriter) -> AsyncIterator[Any]:
    beyond: Key | None = None
    while page := await views.rows(shape, beyond, _PAGE):
        for row in page:
            yield row
        beyond = shape.key_of(page[-1])
