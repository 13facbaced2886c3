"""Accounts' money, one table each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import age, moment, money
from liveorder.application.reporting.views import AccountView, FigureView
from liveorder.interfaces.cli.screen import say
from liveorder.interfaces.cli.tables import print_table


class FigureLine(NamedTuple):
    name: str
    figure: FigureView


LINES: tuple[Column[FigureLine], ...] = (
    Column("Figure", lambda line: line.name),
    Column("Amount", lambda line: money(line.figure.amount), justify="right"),
    Column("", lambda line: line.figure.currency),
    Column("Age", lambda line: age(line.figure.age_seconds), justify="right"),
    Column("Reported (UTC)", lambda line: moment(line.figure.at), rank=1),
)


def _lines(account: AccountView) -> Iterator[FigureLine]:
    for name, figure in account.figures.items():
        yield FigureLine(name.replace("_", " "), figure)
    for other in account.others:
        yield FigureLine(f"{other.kind.replace('_', ' ')} {other.part}".strip(), other)


def print_accounts(accounts: Sequence[AccountView]) -> None:
    for account in accounts:
        mode = f", {account.mode}" if account.mode is not None else ""
        title = f"{account.account_id} at {account.broker}{mode}"
        print_table(title, LINES, list(_lines(account)), f"{title}: no figures are known.")
        for note in account.notes:
            say(note, "yellow")
        if account.problem is not None:
            say(f"The broker did not answer: {account.problem}", "bold red")
