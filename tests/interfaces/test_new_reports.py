"""A new report is one module and one line in a registry: its table, list, filters, JSON, CSV and command come with it."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from liveorder.application.reporting.projections import READ_MODELS
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.contract.event_stores import require_postgres
from tests.documentation import ROOT
from tests.interfaces.command_line import ENOUGH_SECONDS, SETTINGS, CommandLine, coin
from tests.interfaces.turnover import TurnoverRow
from tests.postgres_databases import lend_database, take_back_database, url_of_database

REGISTERED = """
from liveorder.application.reporting import projections
from tests.interfaces.turnover import ORDER_TURNOVER
projections.READ_MODELS += (ORDER_TURNOVER,)
"""
"""The one line, as it stands before anything else is imported."""
COMMANDS = f"""{REGISTERED}
import json, sys
from typer.testing import CliRunner
from liveorder.interfaces.cli.main import app
ran = [CliRunner().invoke(app, arguments) for arguments in json.loads(sys.argv[1])]
print(json.dumps([each.stdout + each.stderr for each in ran]))
"""
"""Many commands in one process."""
EMBEDDED = f"""{REGISTERED}
import sys
from liveorder import ThreadedRunner
with ThreadedRunner("liveorder.toml", logs={{"console": False}}) as runner:
    print([row.symbol for row in runner.report("order_turnover", side="BUY", newest=1)])
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def traded(request: pytest.FixtureRequest, cli: CommandLine) -> Iterator[CommandLine]:
    """Three orders, one of them refused: recorded before there was the report."""
    cli.signals(coin("a"), coin("b", quantity="0.04"), coin("c", side="SELL", quantity="1000"))
    if request.param == "sqlite":
        assert cli.trade().exit_code == 0
        yield cli
        return
    require_postgres()
    url = url_of_database(lend_database())
    cli.write("liveorder.toml", SETTINGS.replace("sqlite:///liveorder.db", url))
    assert cli.trade().exit_code == 0
    yield cli
    take_back_database(urlsplit(url).path[1:])


def python(folder: Path, code: str, *arguments: str) -> str:
    """What it prints, as a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def ran(cli: CommandLine, *commands: tuple[str, ...]) -> list[str]:
    """What each command printed."""
    printed: list[str] = json.loads(python(cli.folder, COMMANDS, json.dumps(commands)))
    return printed


def in_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_new_report_has_its_table_list_filters_and_command(traded: CommandLine) -> None:
    orders = {order["signal_id"]: order for order in traded.json("orders")}
    (day,) = {order["session_date"] for order in orders.values()} - {None}
    filters: tuple[tuple[str, ...], ...] = (
        (),
        ("--side", "sell"),
        ("--day", day),
        ("--fills", "0"),
        ("--closed", "--newest", "2"),
        ("--order", orders["a"]["order_id"], "--symbol", "ETH/USD"),
        ("--account", "other"),
    )
    rows, *found = map(json.loads, ran(traded, *(("order-turnover", "--json", *options) for options in filters)))
    first, second, refused = (next(row for row in rows if row["order_id"] == orders[name]["order_id"]) for name in "abc")
    assert first == {
        "order_id": orders["a"]["order_id"],
        "session_date": day,
        "account_id": "SIM",
        "symbol": "ETH/USD",
        "side": "BUY",
        "fills": 1,
        "turned_over": "300.0",
        "average_price": "3000",
        "closed_at": orders["a"]["closed_at"],
        "is_closed": True,
    }
    assert (refused["session_date"], refused["average_price"], refused["fills"]) == (None, None, 0)
    assert rows == sorted([first, second, refused], key=lambda row: row["order_id"])
    sent = [row for row in rows if row != refused]
    assert found == [[refused], sent, [refused], rows[1:], [first], []]


def test_a_new_report_is_shown_to_people_spreadsheets_and_programs_and_verified(traded: CommandLine) -> None:
    of_buys, lines, verified, *problems = ran(
        traded,
        ("order-turnover", "--side", "buy", "--fills", "1"),
        ("order-turnover", "--csv"),
        ("replay", "--verify", "--json"),
        ("order-turnover", "--order", "x"),
        ("order-turnover", "--day", "x"),
    )
    assert "Order turnover" in of_buys
    assert all(f" {value} " in of_buys for value in ("300", "120"))
    by_value = {line["turned_over"]: line for line in in_csv(lines)}
    assert list(by_value["300.0"]) == list(TurnoverRow._fields)
    assert (by_value["0"]["average_price"], by_value["300.0"]["is_closed"], by_value["300.0"]["fills"]) == ("", "true", "1")
    assert python(traded.folder, EMBEDDED) == "['ETH/USD']\n"
    assert (json.loads(verified)["is_equal"], json.loads(verified)["rows"]["order_turnover"]) == (True, 3)
    assert "--order: 'x' cannot be read" in problems[0]
    assert "--day: 'x' is not a date" in problems[1]


def test_every_report_is_a_table_json_and_csv(traded: CommandLine) -> None:
    for model in READ_MODELS:
        rows = traded.json(model.command)
        assert rows
        assert [list(line) for line in in_csv(traded.run(model.command, "--csv").stdout)] == [list(row) for row in rows]
        assert model.title in traded.run(model.command, "--newest", "1").stdout
        assert traded.json(model.command, "--newest", "1") == rows[-1:]


def test_one_form_is_asked_for_at_a_time(cli: CommandLine) -> None:
    refused = cli.run("orders", "--json", "--csv")
    assert refused.exit_code == ExitCode.INVALID_INPUT
    assert "leave one of them out" in refused.stderr


def test_no_text_from_outside_is_a_formula_or_a_command_in_csv(cli: CommandLine) -> None:
    cli.signals(coin("=HYPERLINK(1)", strategy_name="@x"), coin("-1+1"), coin("\u202e\u001b[31m", side="SELL", quantity="0.05"))
    assert cli.trade().exit_code == 0
    printed = cli.run("signals", "--csv").stdout
    assert not {"\x1b", "\u202e"} & set(printed)
    sent = [line for line in in_csv(printed) if line["signal_id"]]
    assert {line["signal_id"] for line in sent} == {"'=HYPERLINK(1)", "'-1+1"}
    assert "'@x" in {line["strategy_name"] for line in sent}
    assert {line["quantity"] for line in sent} == {"0.1"}
