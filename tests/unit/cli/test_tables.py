"""Which columns of a list stay where the screen is too narrow for all of them."""

from __future__ import annotations

from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from liveorder.application.reporting.columns import Column
from liveorder.interfaces.cli.tables import fitting, table


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


class Held(NamedTuple):
    order: str
    symbol: str
    strategy: str
    account: str
    note: str


HELD: list[Column[Held]] = [
    Column("Order", "order", is_id=True),
    Column("Symbol", "symbol"),
    Column("Strategy", "strategy", rank=5, tells=True),
    Column("Account", "account", rank=4, tells=True),
    Column("Note", "note", rank=1),
]
FIRST = Held("LIVEORDERKEYOFATESTX", "SPY", "momentum_spx_intraday_trend_version_1", "paper_account_of_ann", "a note")


def lines(rows: list[Held], width: int) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        console.print(table("", HELD, rows, width))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_what_tells_whose_a_row_is_stays_shortened_and_still_tells_it() -> None:
    second = FIRST._replace(strategy="momentum_spx_intraday_trend_version_2", account="paper_account_of_bob")
    shown = lines([FIRST, second], 64)
    assert max(map(len, shown)) <= 64
    one, other = shown[-2:]
    assert one.split()[0] == other.split()[0] == FIRST.order
    assert one.split()[2:] != other.split()[2:]
    assert one.split()[2] != other.split()[2]
    assert one.split()[3] != other.split()[3]


def test_an_id_is_never_shortened() -> None:
    second = FIRST._replace(strategy="momentum_spx_intraday_trend_version_2")
    assert all(FIRST.order in line for line in lines([FIRST, second], 44)[-2:])


def test_what_is_the_same_in_all_rows_is_not_needed_to_tell_them_apart() -> None:
    shown = lines([FIRST, FIRST._replace(symbol="QQQ")], 40)
    assert "momentum" not in " ".join(shown)
