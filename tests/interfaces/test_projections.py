"""Projections of installed packages, named in the settings alone: one that goes wrong holds up neither trading nor the others."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liveorder import Runner
from liveorder.application.reporting.read_models import SetAside
from liveorder.domain.errors import InvalidInput
from liveorder.interfaces.cli.exit_codes import ExitCode
from tests.harness.worlds import RememberedLog
from tests.installing import install_module
from tests.interfaces.command_line import COMMAND, ENOUGH_SECONDS, SETTINGS, CommandLine, coin

PACKAGE = """
from threading import Event
from typing import NamedTuple
from liveorder.plugins import BY_SYMBOL, ReadModel, order_view, view_of

class Row(NamedTuple):
    symbol: str
    orders: int

def count(batch, rows):
    for change in batch.orders:
        if change.before is None:
            symbol = order_view(change.after).symbol
            row = rows.find(GOOD, (symbol,)) or Row(symbol, 0)
            rows.put(GOOD, row._replace(orders=row.orders + 1))

def fail(batch, rows):
    raise RuntimeError("never mind")

def block(batch, rows):
    Event().wait()

def model(name, project):
    return ReadModel(name, Row, ("symbol",), about=name, project=project, view=view_of(Row), filters=(BY_SYMBOL,))

GOOD, FAILING, BLOCKING = model("counted", count), model("failing", fail), model("blocking", block)
"""
POINTS = {"counted": "tally:GOOD", "failing": "tally:FAILING", "blocking": "tally:BLOCKING"}


@pytest.fixture
def installed(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    target = cli.folder / "installed"
    install_module(target, "tally", "1.0", PACKAGE, {"liveorder.projections": POINTS})
    monkeypatch.syspath_prepend(target)
    yield target
    sys.modules.pop("tally", None)


def settings(*names: str) -> str:
    return f"projections = {json.dumps(names)}\n{SETTINGS}"


async def test_one_that_fails_is_set_aside_and_trading_and_the_others_go_on(cli: CommandLine, installed: Path) -> None:
    log = RememberedLog()
    cli.write("liveorder.toml", settings("failing", "counted", "blocking"))
    async with asyncio.timeout(ENOUGH_SECONDS), Runner.open("liveorder.toml", log=log) as runner:
        order = await runner.buy("ETH/USD", "0.1", signal_id="one")
        assert (await runner.wait_closed(order.order_id)).status == "FILLED"
        assert [(row.symbol, row.orders) for row in await runner.report("counted", symbol="ETH/USD")] == [("ETH/USD", 1)]
        assert [row.symbol for row in await runner.report("fills")] == ["ETH/USD"]
        for _ in range(2):
            with pytest.raises(SetAside, match="failing is set aside until the next start: RuntimeError: never mind"):
                await runner.report("failing")
        with pytest.raises(InvalidInput, match="there is no nothing"):
            await runner.report("nothing")
    assert len([line for line in log.of("ERROR") if "failing" in line]) == 1
    assert [line for line in log.of("ERROR") if "counted" in line] == []


def test_one_that_never_returns_keeps_no_process_alive(cli: CommandLine, installed: Path) -> None:
    cli.write("liveorder.toml", settings("blocking", "counted"))
    cli.signals(coin("one"))
    ran = subprocess.run(
        [*COMMAND, "run", "--signals", "signals.jsonl", "--until-idle", "--json"],
        cwd=cli.folder,
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=False,
        capture_output=True,
        text=True,
        timeout=2 * ENOUGH_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr
    assert [order["status"] for order in json.loads(ran.stdout)["orders"]] == ["FILLED"]
    assert [row["symbol"] for row in cli.json("counted")] == ["ETH/USD"]
    assert [row["symbol"] for row in cli.json("fills")] == ["ETH/USD"]


def test_a_list_of_a_package_is_kept_once_the_settings_name_it(cli: CommandLine, installed: Path) -> None:
    cli.signals(coin("one"))
    assert cli.trade().exit_code == ExitCode.OK
    unnamed = cli.run("counted")
    assert unnamed.exit_code == ExitCode.SETTINGS
    assert "projections: counted is not among them" in unnamed.stderr
    cli.write("liveorder.toml", settings("failing", "counted"))
    assert cli.json("counted") == [{"symbol": "ETH/USD", "orders": 1}]
    failed = cli.run("failing")
    assert failed.exit_code != ExitCode.OK
    assert "the projection failing is set aside until the next start: RuntimeError: never mind" in failed.stderr
    assert cli.run("replay").exit_code != ExitCode.OK
    assert cli.json("counted") == [{"symbol": "ETH/USD", "orders": 1}]
    checks = {check["name"]: check for check in json.loads(cli.run("doctor", "--json").stdout)["checks"]}
    assert (checks["projections.1"]["is_healthy"], checks["projections.1"]["detail"]) == (True, "counted")
    assert (checks["projection counted"]["is_healthy"], checks["projection failing"]["is_healthy"]) == (True, False)
    assert "failing is set aside until the next start: RuntimeError: never mind" in checks["projection failing"]["detail"]


def test_a_command_that_owns_the_store_opens_none(cli: CommandLine, installed: Path) -> None:
    cli.signals(coin("one", order_type="LIMIT", limit_price="2900", time_in_force="GTC"))
    assert cli.trade().exit_code == ExitCode.OK
    cli.write("liveorder.toml", settings("not_installed"))
    refused = cli.run("run", "--until-idle")
    assert refused.exit_code == ExitCode.SETTINGS
    assert "projections.0: there is no projection 'not_installed'" in refused.stderr
    assert cli.run("cancel", "one").exit_code == ExitCode.OK
    assert [order["status"] for order in cli.json("orders")] == ["CANCELLED"]
