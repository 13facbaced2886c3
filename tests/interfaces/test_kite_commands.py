"""`liveorder kite`, against the twin."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from liveorder.infrastructure.brokers.kite import tokens
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.main import app
from liveorder.testing.exchange import open_exchange
from liveorder.testing.venue.settings import VenueAccount
from tests.interfaces.command_line import CommandLine
from tests.twins.kite import API_KEY, API_SECRET, REQUEST_TOKEN, USER_ID, KiteTwin, kite_twin, venue_settings
from tests.twins.kite.server import FIRST_TOKEN

SETTINGS = """
trading_mode = "PAPER"
[logs]
directory = "logs"
[kite]
api_key = "{key}"
api_secret = "{secret}"
root = "{address}"
"""


@asynccontextmanager
async def twin(cli: CommandLine, more: str = "") -> AsyncIterator[KiteTwin]:
    """With a settings file that leads to it."""
    settings = venue_settings(VenueAccount(account_id=USER_ID, currency="INR"))
    async with open_exchange(settings) as exchange, kite_twin(exchange, settings) as running:
        cli.write("liveorder.toml", SETTINGS.format(key=API_KEY, secret=API_SECRET, address=running.address) + more)
        yield running


async def run(*arguments: str, answer: str | None = None) -> Result:
    """Off the loop that the twin lives on."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["kite", *arguments], input=answer)


def is_private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_login_asks_with_the_address_and_leaves_the_token_for_its_owner_only(cli: CommandLine) -> None:
    async with twin(cli):
        result = await run("login", answer=f"https://127.0.0.1/?status=success&request_token={REQUEST_TOKEN}\n")
    assert result.exit_code == 0, result.output
    assert "https://kite.zerodha.com/connect/login" in result.output
    assert 'access_token_file = "var/kite-access-token.json"' in result.output
    assert is_private(cli.folder / "var" / "kite-access-token.json")
    assert tokens.read(cli.folder / "var" / "kite-access-token.json").value.get_secret_value() == FIRST_TOKEN
    assert not any(secret in result.output for secret in (API_SECRET, REQUEST_TOKEN, FIRST_TOKEN))


async def test_the_token_goes_where_the_settings_read_it_or_where_the_command_says(cli: CommandLine) -> None:
    async with twin(cli, 'access_token_file = "here.json"\n'):
        result = await run("login", REQUEST_TOKEN)
        assert (result.exit_code, is_private(cli.folder / "here.json")) == (0, True)
        assert "uses it automatically" in result.output
        await run("login", REQUEST_TOKEN, "--file", "there.json")
        assert is_private(cli.folder / "there.json")


async def test_a_wrong_token_is_refused_and_nothing_is_written(cli: CommandLine) -> None:
    async with twin(cli):
        result = await run("login", "wrongtoken")
        assert (result.exit_code, files_in(cli.folder)) == (ExitCode.BROKER, {"liveorder.toml", "venue.toml"})
        assert (await run("login", "not a token")).exit_code == ExitCode.INVALID_INPUT


@pytest.mark.parametrize(("option", "code"), [(("--account", "other"), ExitCode.SETTINGS), ((), ExitCode.SETTINGS)])
async def test_of_several_accounts_one_must_be_named(cli: CommandLine, option: tuple[str, ...], code: ExitCode) -> None:
    accounts = '[[accounts]]\nid = "mine"\nbroker = "kite"\n[[accounts]]\nid = "hers"\nbroker = "kite"\n'
    async with twin(cli, accounts):
        result = await run("login", REQUEST_TOKEN, *option)
        assert result.exit_code == code
        assert "mine, hers" in result.output
        assert (await run("login", REQUEST_TOKEN, "--account", "hers")).exit_code == 0


async def test_charges_are_called_estimates(cli: CommandLine) -> None:
    async with twin(cli, 'access_token_file = "token.json"\n') as running:
        tokens.write(cli.folder / "token.json", FIRST_TOKEN, datetime.now(UTC))
        assert "nothing was traded today" in (await run("charges")).output
        order = await running.exchange.ask("submit", account=USER_ID, **_bought())
        (estimate,) = json.loads((await run("charges", "--json")).stdout)
        assert (estimate["is_estimate"], estimate["estimated_total"], estimate["instrument"]) == (True, "1.9", "NSE:RELIANCE")
        assert estimate["by_kind"] == {"brokerage": "0.31", "transaction_tax": "1.05", "stamp_duty": "0.48", "gst": "0.06"}
        assert order["order"]["state"] == "FILLED"
        page = (await run("charges")).output
        assert "Estimated charges" in page
        assert "0.06 INR" in page


def _bought() -> dict[str, object]:
    market = {"side": "BUY", "order_type": "MARKET", "time_in_force": "DAY"}
    return {"instrument": "NSE:RELIANCE", "quantity": Decimal(10)} | market
