"""What a read model declares: columns of types that a table can hold, and filters and lists of columns that are there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from liveorder.application.reporting.projections.read_model import BY_ACCOUNT, BY_SYMBOL, ReadModel, view_of, written_with_another
from liveorder.application.reporting.read_models import Query
from liveorder.domain.errors import InvalidInput


class Row(NamedTuple):
    symbol: str
    value: Decimal | None
    at: datetime


class NestedRow(NamedTuple):
    parts: list[str]


def model(**changes: Any) -> ReadModel[Row, Any]:
    declared: dict[str, Any] = {"name": "rows", "row": Row, "key": ("symbol",), "about": "", "view": view_of(Row)}
    return ReadModel(**declared | {"project": written_with_another} | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "Two Words"}, "'Two Words' is no name of a read model"),
        ({"row": NestedRow, "key": ("parts",)}, "rows.parts: list is no type"),
        ({"key": ("value",)}, "rows.value: Decimal is no type"),
        ({"key": ("account",)}, "rows: its rows have no column account"),
        ({"indexes": (("x", "symbol"),)}, "no column x"),
        ({"order": ("x",)}, "no column x"),
        ({"only": {"x": 1}}, "no column x"),
        ({"filters": (BY_SYMBOL, BY_ACCOUNT)}, "no column account_id"),
    ],
)
def test_what_does_not_fit_together_is_refused_where_it_is_declared(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        model(**changes)


def test_a_row_comes_back_from_its_table_as_it_was() -> None:
    in_mumbai = datetime(2025, 3, 10, 9, 20, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    row = Row("SPY", Decimal("10.10"), in_mumbai)
    (values,) = model().stored([row])
    assert values == ("SPY", "10.10", "2025-03-10T03:50:00+00:00")
    assert model().loaded(values) == row
    assert model().loaded(("SPY", None, values[2])).value is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        model().stored([Row("SPY", None, datetime(2025, 3, 10))])  # noqa: DTZ001 - that is what is refused


def test_a_view_of_a_row_is_shown_as_others_are() -> None:
    view = model().make_view(Row("SPY", Decimal("1E+3"), datetime(2025, 3, 10, tzinfo=UTC)))
    assert view.to_dict() == {"symbol": "SPY", "value": "1000", "at": "2025-03-10T00:00:00Z"}
    assert [(column.title, column.justify) for column in model().table_columns] == [
        ("Symbol", "left"),
        ("Value", "right"),
        ("At", "left"),
    ]


def test_filters_of_a_report_stand_beside_those_that_many_have() -> None:
    wanted = Query.of(symbol="SPY", newest=3, session_date=date(2025, 3, 10), side="BUY")
    assert (wanted.newest, wanted.filters) == (3, {"symbol": "SPY", "session_date": date(2025, 3, 10), "side": "BUY"})
    with pytest.raises(InvalidInput, match="rows cannot be searched by it; use one of symbol"):
        list(model(filters=(BY_SYMBOL,)).conditions(wanted.filters))
