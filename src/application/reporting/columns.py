"""The columns of a list for people, without the screen that shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar, get_args

from liveorder.application.reporting.figures import NOTHING, Styled, moment, number

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Column(Generic[R]):
    """`cell` is a field's name, or a function of the row that returns `Styled`, text, or a value to be written as its type is.

    Columns of rank 0 always stay; where the screen is too narrow, those of the highest rank go first. One that `tells` whose a row
    is stays wherever rows differ in it, and is shortened in its middle; one that `is_id` is never shortened: commands take it.
    Sentences (`is_text`) give way before others.
    """

    title: str
    cell: str | Callable[[R], object]
    rank: int = 0
    justify: Literal["left", "right"] = "left"
    tells: bool = False
    is_id: bool = False
    is_text: bool = False

    def of(self, row: R) -> Styled:
        value = getattr(row, self.cell) if isinstance(self.cell, str) else self.cell(row)
        return value if isinstance(value, Styled) else Styled(_written(value))


def columns_of(fields: Mapping[str, Any]) -> tuple[Column[Any], ...]:
    """One for each field, by its type."""
    return tuple(
        Column(name.replace("_", " ").capitalize(), name, justify="right" if _is_number(kind) else "left")
        for name, kind in fields.items()
    )


def _is_number(kind: Any) -> bool:
    return not {int, Decimal}.isdisjoint(get_args(kind) or (kind,))


def _written(value: object) -> str:
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return number(value)
        case datetime():
            return moment(value)
    return str(value)
