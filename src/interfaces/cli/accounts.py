"""`account`: an account's money, as its broker reports it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from liveorder.application.reporting.views import AccountView
from liveorder.bootstrap import ask_for_accounts
from liveorder.domain.errors import InvalidInput
from liveorder.interfaces.cli.account_page import print_accounts
from liveorder.interfaces.cli.asking import PATIENCE_SECONDS, result_of
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.options import AsJson, Config, Patience, Store, person, quiet_settings_for
from liveorder.interfaces.cli.screen import print_json


def account(
    account_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Of [[accounts]]; without it all.")] = None,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    timeout: Patience = PATIENCE_SECONDS,
) -> None:
    """Show equity, cash, margin and buying power as the broker reports them, each with its age."""
    settings = quiet_settings_for(config, store)
    known = [each.id for each in settings.trading_accounts]
    if account_id is not None and account_id not in known:
        raise InvalidInput("ID", f"{account_id} is not traded by these settings", f"name one of {', '.join(known)}")
    answer = asyncio.run(ask_for_accounts(settings, account_id, actor=person(), timeout_seconds=timeout))
    found = [AccountView.model_validate(each) for each in result_of(answer)]
    if as_json:
        print_json([each.to_dict() for each in found])
    else:
        print_accounts(found)
    raise typer.Exit(ExitCode.BROKER if any(each.problem is not None for each in found) else ExitCode.OK)
