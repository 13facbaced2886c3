"""Commands for Zerodha Kite only: its access tokens expire every morning, and its trades report no charges."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from liveorder.application.reporting.columns import Column
from liveorder.bootstrap import Charges, KiteLogin, kite_charges, kite_login, kite_login_address
from liveorder.domain.values import ZERO
from liveorder.interfaces.cli.options import AccountName, AsJson, Config, a_path, quiet_settings_for
from liveorder.interfaces.cli.progress import spinner
from liveorder.interfaces.cli.screen import print_json, say, suggest
from liveorder.interfaces.cli.tables import print_table

kite = typer.Typer(no_args_is_help=True, help="Zerodha Kite: the daily login, and what today's trades cost by its calculator.")

CHARGES: tuple[Column[Charges], ...] = (
    Column("Order", lambda row: row.broker_order_id),
    Column("Instrument", lambda row: f"{row.exchange}:{row.tradingsymbol}"),
    Column("Estimated charges", lambda row: f"{row.total:f} INR", justify="right"),
    Column("GST of these", lambda row: f"{row.by_kind.get('gst', ZERO):f} INR", justify="right"),
)


@kite.command("login")
def login(
    answer: Annotated[
        str | None,
        typer.Argument(
            metavar="REQUEST_TOKEN", help="Or the whole address that the login led to. If omitted, you are asked for it."
        ),
    ] = None,
    config: Config = None,
    account: AccountName = None,
    file: Annotated[
        Path | None, typer.Option("--file", parser=a_path, metavar="PATH", help="Where to keep the access token.")
    ] = None,
) -> None:
    """Make the access token of the day."""
    settings = quiet_settings_for(config, None)
    if answer is None:
        address = kite_login_address(settings, account)
        say("Log in here, in a browser:")
        suggest(address)
        answer = typer.prompt("Paste the address that it led to (it is not shown)", hide_input=True)
    with spinner("Asking Kite for the token"):
        done = kite_login(settings, answer, account, file)
    _print_login(done)


def _print_login(done: KiteLogin) -> None:
    say(f"the access token of {done.user_id} is in {done.path}, readable by you only; it expires early tomorrow morning", "green")
    if done.is_read:
        say("a running service uses it automatically; `liveorder resume` if it was halted")
        return
    say("to use it, add to the settings file, under [kite]:")
    suggest(f'access_token_file = "{done.path}"')


@kite.command("charges")
def charges(config: Config = None, account: AccountName = None, as_json: AsJson = False) -> None:
    """What today's trades cost, by Kite's calculator. These are estimates: none of them is booked."""
    with spinner("Asking Kite"):
        found = asyncio.run(kite_charges(quiet_settings_for(config, None), account))
    if as_json:
        print_json([_plain(row) for row in found])
        return
    print_table("Estimated charges of today", CHARGES, found, "nothing was traded today")


def _plain(row: Charges) -> dict[str, object]:
    return {
        "broker_order_id": row.broker_order_id,
        "instrument": f"{row.exchange}:{row.tradingsymbol}",
        "estimated_total": f"{row.total:f}",
        "by_kind": {kind: f"{amount:f}" for kind, amount in row.by_kind.items()},
        "currency": "INR",
        "is_estimate": True,
    }
