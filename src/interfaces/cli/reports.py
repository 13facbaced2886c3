"""The commands that read models make, those of installed packages included."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from liveorder.application.reporting.projections import ORDER_HISTORY, POSITIONS, READ_MODELS, SIGNALS
from liveorder.application.reporting.views import AccountPositionView
from liveorder.bootstrap import installed_read_model
from liveorder.interfaces.cli import listings
from liveorder.interfaces.cli.lists import Command, check_form, described_by, list_command, print_rows, query_of, read
from liveorder.interfaces.cli.lookups import order_id_of
from liveorder.interfaces.cli.options import Config, Store, an_id, quiet_settings_for, settings_for


def list_named(name: str) -> Command | None:
    """The command of that name; a package's is imported. None if no read model makes it."""
    for model in READ_MODELS:
        if model.command == name:
            listing = list_command(model, SHOWN.get(name))
            return WITH_MORE[name](listing) if name in WITH_MORE else listing
    found = installed_read_model(name.replace("-", "_"))
    return None if found is None else list_command(found)


def with_retry(listing: Command) -> Command:
    """`signals`: the list, or a dead letter that a person sends after all."""

    def signals(retry: str | None, config: Config, store: Store, as_json: bool, **options: Any) -> None:
        if retry is None:
            listing(config=config, store=store, as_json=as_json, **options)
            return
        from liveorder.application.engine.command_kind import CommandKind
        from liveorder.interfaces.cli.asking import ask, code_for, show_order

        result = ask(quiet_settings_for(config, store), CommandKind.RETRY, {"dead_letter": str(an_id("retry", retry))})
        raise typer.Exit(code_for(show_order(result, as_json=as_json)))

    own = Annotated[str | None, typer.Option("--retry", metavar="ID", help="Send this dead letter after all.")]
    listed = {each.name: (each.annotation, each.default) for each in inspect.signature(listing).parameters.values()}
    return described_by(signals, listed | {"retry": (own, None)}, listing.__doc__ or "")


def by_account(listing: Command) -> Command:
    """`positions`: the list, or what each account holds of all strategies together."""

    def positions(
        by_account: bool, config: Config, store: Store, as_json: bool, as_csv: bool, newest: int | None, **options: Any
    ) -> None:
        if not by_account:
            listing(config=config, store=store, as_json=as_json, as_csv=as_csv, newest=newest, **options)
            return
        check_form(as_json=as_json, as_csv=as_csv)
        wanted = query_of(POSITIONS, newest, options)
        rows = read(settings_for(config, store), lambda reader: reader.views.account_positions(wanted))
        print_rows(AccountPositionView, rows, listings.print_account_positions, as_json=as_json, as_csv=as_csv)

    own = Annotated[bool, typer.Option("--by-account", help="All strategies of an account together.")]
    listed = {each.name: (each.annotation, each.default) for each in inspect.signature(listing).parameters.values()}
    return described_by(positions, listed | {"by_account": (own, False)}, listing.__doc__ or "")


def by_any_id(listing: Command) -> Command:
    """`order-history`: the list, and with `--order` an order by any of its ids."""

    def history(order_id: str | None, config: Config, store: Store, **options: Any) -> None:
        if order_id is not None:
            order_id = asyncio.run(order_id_of(settings_for(config, store), order_id))
        listing(order_id=order_id, config=config, store=store, **options)

    own = Annotated[str | None, typer.Option("--order", metavar="ID", help="Only of this order; any of its ids.")]
    listed = {each.name: (each.annotation, each.default) for each in inspect.signature(listing).parameters.values()}
    return described_by(history, listed | {"order_id": (own, None)}, listing.__doc__ or "")


SHOWN: Mapping[str, Callable[..., None]] = {SIGNALS.command: listings.print_signals}
"""Lists that people see as more than their table."""
WITH_MORE: Mapping[str, Callable[[Command], Command]] = {
    POSITIONS.command: by_account,
    ORDER_HISTORY.command: by_any_id,
    SIGNALS.command: with_retry,
}
"""Lists that do one thing besides."""
