"""README trades: its commands and its program, as they stand there, from an empty folder, in session and on a Sunday."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.documentation import ROOT, SNIPPETS, Snippet
from tests.interfaces.command_line import CommandLine
from tests.interfaces.test_snippets import IN_SESSION, ON_A_SUNDAY, printed

OF_THE_PAGE = [snippet for snippet in SNIPPETS.values() if snippet.page == "README.md"]
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text()
INSTALLS = ["pip", "install", "."]
"""Run by `dev/check_wheel.py`, which installs what is built and nothing else."""
ON_ANY_DAY = pytest.mark.parametrize("time", [IN_SESSION, ON_A_SUNDAY], ids=["in session", "on a Sunday"])


@pytest.fixture
def empty(cli: CommandLine) -> CommandLine:
    """A new user's folder."""
    for path in cli.folder.iterdir():
        path.unlink()
    return cli


def snippet(language: str, holds: str) -> Snippet:
    (found,) = (each for each in OF_THE_PAGE if each.language == language and holds in each.text)
    return found


def commands(found: Snippet) -> list[list[str]]:
    """The arguments of each call of liveorder. Nothing else is shown but the installation."""
    lines = [shlex.split(line, comments=True) for line in found.text.splitlines()]
    assert {line[0] for line in lines if line != INSTALLS} == {"liveorder"}
    return [line[1:] for line in lines if line != INSTALLS]


def test_nothing_else_is_to_be_run() -> None:
    assert [each.language for each in OF_THE_PAGE] == ["mermaid", "sh", "json", "sh", "python"]


def test_the_example_is_traded(empty: CommandLine) -> None:
    """By the clock that it brings: its signals and quotes are of one morning."""
    (demo,) = commands(snippet("sh", "pip install"))
    assert empty.run(*demo).exit_code == 0
    orders = empty.json(
        "orders", "--config", str(ROOT / "examples" / "liveorder.toml"), "--store", "sqlite:///var/demo/liveorder.db"
    )
    assert len([order for order in orders if order["status"] == "FILLED"]) == 9


@ON_ANY_DAY
def test_the_signals_are_traded_by_the_commands(empty: CommandLine, monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    monkeypatch.setenv("LIVEORDER_SIMULATION__STARTS_AT", time)
    signals = snippet("json", "signal_id").text
    empty.write("signals.jsonl", signals)
    run, *rest = commands(snippet("sh", "signals.jsonl"))
    done = empty.run(*run)
    assert done.exit_code == 0, done.output
    assert f"{len(signals.splitlines())} orders placed by this run" in done.stdout
    for arguments in rest:
        assert "FILLED" in empty.run(*arguments).stdout
    orders: list[dict[str, Any]] = empty.json("orders")
    assert [order["status"] for order in orders] == ["FILLED"] * len(signals.splitlines())
    assert min(float(order["filled_quantity"]) for order in orders) >= 1
    assert "0 orders placed by this run" in empty.run(*run).stdout


def test_the_run_says_in_one_line_what_is_simulated(empty: CommandLine) -> None:
    empty.write("signals.jsonl", "")
    (told,) = [
        line for line in empty.run("run", "--signals", "signals.jsonl", "--until-idle").stderr.splitlines() if "simulated" in line
    ]
    assert told.endswith(
        "Simulation: orders go to a simulated exchange in this process, and nowhere else; its market is always open, "
        "its prices are made up, and it began with SIM 1,000,000 USD"
    )


@ON_ANY_DAY
def test_the_program_trades(tmp_path: Path, time: str) -> None:
    text = snippet("python", "Runner.open").text
    assert re.fullmatch(r"FILLED 10 \d+(\.\d+)?\n", printed(text, tmp_path, LIVEORDER_SIMULATION__STARTS_AT=time))


def test_the_figure_of_safety_is_covered_by_the_page_that_it_names() -> None:
    readme = (ROOT / "README.md").read_text()
    (claimed,) = re.findall(r"in ([\d,]+) kills of real processes", readme)
    (measured,) = re.findall(
        r"^\*\*(\d+) kills in \d+ trials; promises broken in 0\.\*\*\n\n`make killmatrix KILLS", RELIABILITY, re.MULTILINE
    )
    assert int(measured) >= int(claimed.replace(",", ""))


def test_the_signals_of_others_are_taken_as_they_are() -> None:
    shipped = [json.loads(line) for line in (ROOT / "examples" / "signals.jsonl").read_text().splitlines()[:2]]
    for shown, whole in zip(snippet("json", "signal_id").text.splitlines(), shipped, strict=True):
        assert json.loads(shown).items() <= whole.items()
