"""Which columns of a list stay where the screen is too narrow for all of them."""

from __future__ import annotations

from typing import NamedTuple

from rich.text import Text

from liveorder.application.reporting.columns import Column
from liveorder.interfaces.cli.tables import fitting


class Row(NamedTuple):
    symbol: str
    account: str
    strategy: str
    note: str


COLUMNS: list[Column[Row]] = [
    Column("Symbol", "symbol"),
    Column("Account", "account", rank=1),
    Column("Strategy", "strategy", rank=2),
]
COLUMNS.append(Column("Note", "note", rank=3))


def titles(rows: list[Row], width: int) -> list[str]:
    cells = [[Text(column.of(row).plain) for column in COLUMNS] for row in rows]
    return [COLUMNS[place].title for place in fitting(COLUMNS, cells, width)]


def test_all_stay_where_there_is_room() -> None:
    assert titles([Row("SPY", "SIM", "trend", "a note")], 80) == ["Symbol", "Account", "Strategy", "Note"]


def test_the_least_important_go_first() -> None:
    rows = [Row("SPY", "A", "trend", "one"), Row("SPY", "B", "mean", "two")]
    assert titles(rows, 30) == ["Symbol", "Account", "Strategy"]
    assert titles(rows, 16) == ["Symbol", "Account"]
    assert titles(rows, 1) == ["Symbol"]


def test_what_is_the_same_in_all_rows_goes_before_what_tells_them_apart() -> None:
    rows = [Row("SPY", "SIM", "trend", "one"), Row("SPY", "SIM", "mean", "two")]
    assert titles(rows, 30) == ["Symbol", "Strategy", "Note"]


def test_of_one_row_the_least_important_go_first() -> None:
    assert titles([Row("SPY", "SIM", "trend", "one")], 18) == ["Symbol", "Account"]
