"""What an installed package brings is used from the settings file alone; what is wrong with it is said by its name."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liveorder import Runner
from liveorder.application.outbox.messages import ALERTS
from liveorder.domain.notice_event import NoticeEvent
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.simulation import EXAMPLES
from tests.documentation import ROOT, SNIPPETS
from tests.installing import install_project
from tests.interfaces.command_line import COMMAND, ENOUGH_SECONDS, SETTINGS, CommandLine, coin, resting

SIGNAL = {"signal_id": "s-1", "symbol": "SPY", "side": "BUY", "quantity": 3, "strategy_name": "first"}


class SyslogServer:
    """Keeps the lines that it is sent, connection after connection."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._lines: list[str] = []
        self._serving = threading.Thread(target=self._serve)
        self._serving.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, connection.makefile(encoding="utf-8") as file:
                lines = file.read().splitlines()
            if lines == ["end"]:
                return
            self._lines += lines

    def close(self) -> list[str]:
        """All lines of the connections before this call."""
        if self._serving.is_alive():
            host, port = self.address.split(":")
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(b"end\n")
            self._serving.join()
            self._listening.close()
        return self._lines


@pytest.fixture
def syslog() -> Iterator[SyslogServer]:
    server = SyslogServer()
    yield server
    server.close()


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Where the example is installed, beside liveorder."""
    target = tmp_path / "installed"
    install_project(EXAMPLES / "plugin", target)
    return target


def liveorder(folder: Path, beside: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(beside), "COLUMNS": "200"} | variables
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
    )


def test_the_example_is_used_from_the_settings_file_alone(tmp_path: Path, beside: Path, syslog: SyslogServer) -> None:
    desk = tmp_path / "desk"
    (desk / "inbox").mkdir(parents=True)
    (desk / "inbox" / "1.json").write_text(json.dumps(SIGNAL))
    shutil.copy(EXAMPLES / "plugin" / "liveorder.toml", desk)

    ran = liveorder(desk, beside, "run", "--until-idle", "--json", SYSLOG=syslog.address)

    assert ran.returncode == 0, ran.stderr
    (order,) = json.loads(ran.stdout)["orders"]
    assert (order["signal_id"], order["broker"], order["status"], order["average_price"]) == ("s-1", "desk", "FILLED", "500.25")
    (booked,) = rows_of(desk / "desk.jsonl")
    assert (booked["symbol"], booked["side"], booked["quantity"]) == ("SPY", "BUY", "3")
    assert [path.name for path in (desk / "inbox").iterdir()] == ["1.done"]
    with (desk / "filled.csv").open(newline="") as file:
        assert [(row["signal_id"], row["status"]) for row in csv.DictReader(file)] == [("s-1", "FILLED")]
    assert [line for line in syslog.close() if "Order filled: 3 @ 500.25" in line]
    listed = liveorder(desk, beside, "symbol-turnover", "--symbol", "SPY", "--json", SYSLOG=syslog.address)
    (row,) = json.loads(listed.stdout)
    assert (row["account_id"], row["bought"], row["sold"], row["currency"]) == ("acc_desk", "1500.75", "0", "USD")
    verified = liveorder(desk, beside, "replay", "--verify", "--json", SYSLOG=syslog.address)
    assert (json.loads(verified.stdout)["is_equal"], json.loads(verified.stdout)["rows"]["symbol_turnover"]) == (True, 1)


def test_a_second_run_finds_the_signal_known_and_tells_nobody_again(tmp_path: Path, beside: Path, syslog: SyslogServer) -> None:
    desk = tmp_path / "desk"
    (desk / "inbox").mkdir(parents=True)
    shutil.copy(EXAMPLES / "plugin" / "liveorder.toml", desk)
    for name in ("1.json", "2.json"):
        (desk / "inbox" / name).write_text(json.dumps(SIGNAL))
        ran = liveorder(desk, beside, "run", "--until-idle", "--json", SYSLOG=syslog.address)
        assert ran.returncode == 0, ran.stderr
    assert len(rows_of(desk / "desk.jsonl")) == 1
    assert (desk / "filled.csv").read_text().count("\n") == 2
    assert len([line for line in syslog.close() if "Order filled" in line]) == 1


async def test_an_embedding_program_reads_the_sources_of_its_settings_file(cli: CommandLine) -> None:
    cli.signals(coin("from-the-file"))
    cli.write("liveorder.toml", SETTINGS + '[[sources]]\nurl = "file:signals.jsonl"\n')
    arrived: asyncio.Queue[str] = asyncio.Queue()
    async with (
        asyncio.timeout(ENOUGH_SECONDS),
        Runner.open("liveorder.toml", on_fill=lambda order, fill: arrived.put_nowait(order.signal_id)),
    ):
        assert await arrived.get() == "from-the-file"


def test_the_page_shows_the_entry_points_of_the_example() -> None:
    shown = tomllib.loads(SNIPPETS["docs/writing-a-plugin.md-1"].text)["project"]["entry-points"]
    assert shown == tomllib.loads((EXAMPLES / "plugin" / "pyproject.toml").read_text())["project"]["entry-points"]


@pytest.mark.parametrize(("module", "number"), [("broker", 3), ("turnover", 4)])
def test_the_page_shows_what_makes_the_example_a_plugin(module: str, number: int) -> None:
    source = (EXAMPLES / "plugin" / "desk" / f"{module}.py").read_text()
    shown = SNIPPETS[f"docs/writing-a-plugin.md-{number}"].text
    assert [line for line in shown.splitlines() if line not in source.splitlines()] == []


def test_the_page_names_every_event_and_how_it_is_told() -> None:
    page = (ROOT / "docs" / "writing-a-plugin.md").read_text()
    rows = [line for line in page.splitlines() if line.endswith(("| on |", "| off |"))]
    told = {name: "| on |" in row for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == {event.value: event in ALERTS for event in NoticeEvent}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_source_is_named_on_the_command_line_too(cli: CommandLine) -> None:
    cli.signals(coin("by-url"))
    ran = cli.run("run", "--signals", f"file:{cli.folder}/signals.jsonl", "--until-idle", "--json")
    assert [order["signal_id"] for order in json.loads(ran.stdout)["orders"]] == ["by-url"]


def test_signals_come_from_the_settings_and_the_command_line_side_by_side(cli: CommandLine) -> None:
    cli.signals(coin("one"))
    cli.write("more.jsonl", json.dumps(coin("two")))
    cli.write("liveorder.toml", SETTINGS + '[[sources]]\nurl = "file:more.jsonl"\n')
    ran = cli.run("run", "--signals", "signals.jsonl", "--until-idle", "--json")
    assert {order["signal_id"] for order in json.loads(ran.stdout)["orders"]} == {"one", "two"}


@pytest.mark.parametrize("url", ["pigeon://me:hunter2-secret@loft", "pigeon://loft?token=hunter2-secret"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(url: str, cli: CommandLine) -> None:
    ran = cli.run("run", "--signals", url)
    assert ran.exit_code == ExitCode.USAGE
    assert "hunter2" not in ran.output
    assert "password" in ran.output


def test_a_source_that_never_ends_is_refused_where_the_end_is_waited_for(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS + '[[sources]]\nurl = "file:signals.jsonl?follow=true"\n')
    ran = cli.run("run", "--until-idle")
    assert ran.exit_code == ExitCode.INVALID_INPUT
    assert "never ends" in ran.output


def test_a_door_that_cannot_be_opened_does_not_stand_in_the_way_of_a_command(cli: CommandLine) -> None:
    cli.signals(resting("one"))
    assert cli.trade().exit_code == ExitCode.OK
    doors = '[[sources]]\nurl = "file:absent.jsonl"\n[[publishers]]\nurl = "pigeon://loft"\n[[notifiers]]\nurl = "${NOT_SET}"\n'
    cli.write("liveorder.toml", SETTINGS + doors)
    assert cli.run("run", "--until-idle").exit_code == ExitCode.INVALID_INPUT
    cancelled = cli.run("cancel", "one")
    assert cancelled.exit_code == ExitCode.OK, cancelled.output
    assert [order["status"] for order in cli.json("orders")] == ["CANCELLED"]


def test_doctor_names_a_door_that_nothing_serves_and_masks_its_password(cli: CommandLine) -> None:
    cli.write("liveorder.toml", SETTINGS + '[[publishers]]\nurl = "pigeon://me:hunter2-secret@loft"\n')
    ran = cli.run("doctor", "--json")
    assert "hunter2" not in ran.output
    checks = {check["name"]: check for check in json.loads(ran.stdout)["checks"]}
    assert checks["publishers.0.url"]["detail"].startswith("there is no publisher 'pigeon'; use one of file")
