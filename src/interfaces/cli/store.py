"""Commands that change a store's identity."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from liveorder.bootstrap import change_default_account
from liveorder.interfaces.cli.options import Config, Evidence, Store, person, settings_for
from liveorder.interfaces.cli.screen import say

store = typer.Typer(no_args_is_help=True, help="Change settings that are kept in the store, while no service runs.")


@store.command("default-account")
def default_account(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="The account's name in the settings.")],
    evidence: Evidence,
    config: Config = None,
    url: Store = None,
) -> None:
    """Choose the account for signals that name none. Earlier signals keep their orders."""
    asyncio.run(change_default_account(settings_for(config, url), account_id, evidence, person()))
    say(f'signals that name no account go to {account_id}; set default_account = "{account_id}" in the settings too')
