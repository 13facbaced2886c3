"""Commands that only look. They need no lease and disturb no service."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from liveorder.application.engine.operator_commands import CommandKind
from liveorder.application.reporting.projections import POSITIONS, READ_MODELS, SIGNALS
from liveorder.application.reporting.views import (
    AccountPositionView,
    AccountView,
    HistoryView,
    OrderView,
    as_of,
    history_view,
    order_view,
)
from liveorder.bootstrap import StoreReader, ask_for_accounts, standing_doubts
from liveorder.domain.errors import InvalidInput, OrderNotFound
from liveorder.domain.fees_in_kind import SETTLED_WITHIN
from liveorder.domain.position_adjustment import PositionAdjusted, position_stream
from liveorder.domain.values import Side
from liveorder.interfaces.cli import listings
from liveorder.interfaces.cli.account_page import print_accounts
from liveorder.interfaces.cli.asking import PATIENCE_SECONDS, ask, code_for, result_of, show_order
from liveorder.interfaces.cli.doubts_page import print_doubts
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.lists import Command, check_form, described_by, list_command, print_rows, query_of, read
from liveorder.interfaces.cli.lookups import the_order
from liveorder.interfaces.cli.options import (
    AnyId,
    AsJson,
    Config,
    Patience,
    Store,
    a_moment,
    an_id,
    person,
    quiet_settings_for,
    settings_for,
)
from liveorder.interfaces.cli.order_page import print_order
from liveorder.interfaces.cli.screen import print_json
from liveorder.interfaces.cli.status_page import print_status, status_of


def order(
    any_id: AnyId,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="As it was known then; ISO-8601, UTC if no zone.")] = None,
) -> None:
    """Show one order with its whole history."""
    moment = a_moment(at)
    page = read(settings_for(config, store), lambda reader: _page(reader, any_id, moment))
    if as_json:
        print_json(page[0].to_dict() | {"history": [item.to_dict() for item in page[1]]})
    else:
        print_order(*page)


async def _page(
    reader: StoreReader, any_id: str, at: datetime | None
) -> tuple[OrderView, Sequence[HistoryView], Sequence[PositionAdjusted]]:
    found = await the_order(reader.views, any_id)
    stream = await reader.store.stream(found.order_id)
    known = [item for item in stream if at is None or item.envelope.recorded_at <= at]
    if not known:
        raise OrderNotFound(f"{any_id} at {at}, it was requested at {found.requested_at}")
    then = as_of(stream, known[-1].envelope.recorded_at)
    assert then is not None
    order = order_view(then)
    return order, [history_view(item) for item in known], await _kept_in_kind(reader, order, at)


async def _kept_in_kind(reader: StoreReader, order: OrderView, at: datetime | None) -> list[PositionAdjusted]:
    """Fees of the order's strategy that the broker kept of the coin while a buy of it could be meant; of which one nobody says."""
    if order.side is Side.SELL or not order.filled_quantity or order.submitted_at is None:
        return []
    until = None if order.closed_at is None else order.closed_at + SETTLED_WITHIN
    return [
        event
        for item in await reader.store.stream(position_stream(order.account_id, order.instrument))
        if isinstance(event := item.event, PositionAdjusted)
        and event.strategy_name == order.strategy_name
        and order.submitted_at <= event.effective_at
        and (until is None or event.effective_at <= until)
        and (at is None or item.envelope.recorded_at <= at)
    ]


def with_retry(listing: Command) -> Command:
    """`signals`: the list, or a dead letter that a person sends after all."""

    def signals(retry: str | None, config: Config, store: Store, as_json: bool, **options: Any) -> None:
        if retry is None:
            listing(config=config, store=store, as_json=as_json, **options)
            return
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


LISTS: dict[str, Command] = {model.command: list_command(model) for model in READ_MODELS}
"""By the name of the command."""
LISTS[POSITIONS.command] = by_account(LISTS[POSITIONS.command])
LISTS[SIGNALS.command] = with_retry(list_command(SIGNALS, listings.print_signals))


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


def doubts(config: Config = None, store: Store = None, as_json: AsJson = False) -> None:
    """List requests of which nobody knows whether the broker received them."""
    found = asyncio.run(standing_doubts(settings_for(config, store), actor=person()))
    if as_json:
        print_json([doubt.to_dict() for doubt in found])
    else:
        print_doubts(found)


def status(config: Config = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show whether a service runs, whether trading is halted, and how many orders there are."""
    settings = settings_for(config, store)
    found = read(settings, lambda reader: status_of(reader, settings))
    if as_json:
        print_json(found.to_dict())
    else:
        print_status(found)
