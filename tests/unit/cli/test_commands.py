"""One table of commands: what help says of each is what the command says, and nothing is imported before it is called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from liveorder import __version__
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.interfaces.cli.commands import ALSO, COMMANDS, REPORT
from liveorder.interfaces.cli.main import app

VERBS = {name: verb for verbs in COMMANDS.values() for name, verb in verbs.items()}
HEAVY = (
    "alpaca",
    "exchange_calendars",
    "httpx",
    "ib_async",
    "ib_insync",
    "kiteconnect",
    "numpy",
    "pandas",
    "psycopg",
    "psycopg_pool",
    "structlog",
    "twisted",
    "liveorder.application.engine.engine",
    "liveorder.bootstrap.service",
    "liveorder.testing",
)
"""None of these is needed to read a SQLite store."""
FOR_NOTHING = (*HEAVY, "asyncio", "pydantic", "sqlalchemy", "sqlite3", "liveorder.application", "liveorder.domain.values")
"""None of these is needed to say which commands there are."""
TRIED = """
import sys
from liveorder.interfaces.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("name", VERBS)
def test_help_says_of_a_command_what_it_says_itself(name: str) -> None:
    command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]  # a group's; no context is asked
    assert " ".join(str(command.help).split()) == VERBS[name].sentence


def test_every_read_model_has_its_line_in_the_help() -> None:
    assert {name for name, verb in VERBS.items() if verb.place == REPORT} == {model.command for model in READ_MODELS}


@pytest.mark.parametrize(("short", "name"), ALSO.items())
def test_a_short_name_is_the_same_command_and_help_shows_it_once(short: str, name: str) -> None:
    group = get_command(app)
    found = group.get_command(None, short)  # type: ignore[attr-defined]  # as above
    assert found.help == group.get_command(None, name).help  # type: ignore[attr-defined]  # as above
    listed = [line.split()[1] for line in CliRunner().invoke(app, ["--help"]).stdout.splitlines() if len(line.split()) > 1]
    assert (short in listed, listed.count(name)) == (False, 1)


def test_the_package_runs_as_the_command_does() -> None:
    ran = subprocess.run([sys.executable, "-m", "liveorder", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"liveorder {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], FOR_NOTHING),
        (["--version"], FOR_NOTHING),
        (["orders"], HEAVY),
        (["order", "a"], HEAVY),
        (["order-history", "--order", "a"], HEAVY),
        (["positions"], HEAVY),
        (["fills"], HEAVY),
        (["signals"], HEAVY),
        (["status"], HEAVY),
        (["doubts"], HEAVY),
        (["summary"], HEAVY),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_nothing_that_it_does_not_need(arguments: list[str], unwanted: tuple[str, ...], a_store: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", TRIED, *arguments], cwd=a_store, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    imported = ran.stderr.split()
    assert "liveorder.interfaces.cli.main" in imported
    assert [name for name in unwanted if any(each == name or each.startswith(f"{name}.") for each in imported)] == []


@pytest.fixture(scope="module")
def a_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one order."""
    folder = tmp_path_factory.mktemp("store")
    signal = '{"signal_id":"a","symbol":"ETH/USD","side":"BUY","quantity":"0.1"}'
    command = [sys.executable, "-m", "liveorder", "submit", signal, "--json"]
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, env=os.environ)
    return folder
