"""`liveorder certify` on twins that run by hand, as a person would try it, and what it takes to let it near real money."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.main import app

REAL = {"TRADING_MODE": "LIVE", "ALPACA_API_KEY": "k", "ALPACA_SECRET_KEY": "s", "ALPACA_BASE_URL": "http://127.0.0.1:1"}
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30


@asynccontextmanager
async def twin(broker: str, until: str) -> AsyncIterator[str]:
    """What it prints, up to the line that has `until` in it."""
    command = [sys.executable, "-m", f"tests.twins.{broker}", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    told = ""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while until not in told.rpartition("\n")[0]:
                line = await process.stdout.readline()
                assert line, f"the twin ended; it said {told!r}"
                told += line.decode()
        yield told
    finally:
        process.kill()
        await process.communicate()


async def certify(*arguments: str, typed: str | None = None, environment: Mapping[str, str] | None = None) -> Result:
    """In a thread: the command has a loop of its own."""
    invoked: Any = CliRunner().invoke
    return await asyncio.to_thread(invoked, app, ["certify", *arguments], input=typed, env=environment)


def tried(result: Result) -> bool:
    """Whether an order was sent and everything about it agreed."""
    assert result.exit_code == ExitCode.OK, result.output
    return "a new order's key" in result.output and "left at the end" in result.output


async def test_alpaca_on_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with twin("alpaca", "DATA_URL") as told:
        environment = dict(re.findall(r"^(\w+)=(\S+)$", told, re.MULTILINE))
        result = await certify("--broker", "alpaca", "--symbol", "AAPL", environment=environment)
    assert tried(result)
    assert "refused" in result.output


async def test_what_was_found_before_an_error_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with twin("alpaca", "DATA_URL") as told:
        environment = dict(re.findall(r"^(\w+)=(\S+)$", told, re.MULTILINE))
        result = await certify("--broker", "alpaca", "--symbol", "NOSUCHTHING", environment=environment)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert "executions of a day" in result.output
    assert "NOSUCHTHING is unknown" in result.output
    assert "does what its adapter declares" not in result.output


async def test_kite_at_another_address_than_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with twin("kite", "root =") as told:
        (tmp_path / "liveorder.toml").write_text(told)
        result = await certify("--broker", "kite", "--symbol", "RELIANCE", "--max-value", "2000")
    assert tried(result)
    assert "taken, as another order" in result.output


async def test_interactive_brokers_on_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with twin("ibkr", "TWS at") as told:
        found = re.search(r":(\d+), account", told)
        assert found is not None
        environment = {"TRADING_MODE": "PAPER", "IBKR_HOST": "127.0.0.1", "IBKR_PORT": found[1]}
        result = await certify("--broker", "ibkr", "--symbol", "AAPL", environment=environment)
    assert tried(result)


@pytest.mark.parametrize(
    ("arguments", "typed", "told"),
    [
        ((), None, "use a paper account"),
        (("--live", "another"), None, "is not the account that would be used"),
        (("--live", "alpaca"), None, "--max-value"),
        (("--live", "alpaca", "--max-value", "20"), "yes\n", "not the account's name"),
        (("--live", "alpaca", "--max-value", "20", "--away", "120"), None, "between 0 and 100"),
    ],
)
async def test_real_money_needs_the_account_a_bound_and_its_name_typed(
    arguments: tuple[str, ...], typed: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = await certify("--broker", "alpaca", *arguments, typed=typed, environment=REAL)
    assert result.exit_code == ExitCode.INVALID_INPUT
    assert told in result.output


async def test_real_money_that_was_confirmed_gets_as_far_as_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens."""
    monkeypatch.chdir(tmp_path)
    confirmed = ("--live", "alpaca", "--max-value", "20")
    result = await certify("--broker", "alpaca", *confirmed, typed="alpaca\n", environment=REAL)
    assert result.exit_code == ExitCode.BROKER
