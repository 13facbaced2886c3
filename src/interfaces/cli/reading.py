"""Commands that only look. They need no lease and disturb no service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from liveorder.application.reporting.views import HistoryView, OrderView, as_of, history_view, order_view
from liveorder.bootstrap import StoreReader
from liveorder.domain.errors import OrderNotFound
from liveorder.domain.fees_in_kind import SETTLED_WITHIN
from liveorder.domain.position_adjustment import PositionAdjusted, position_stream
from liveorder.domain.values import Side
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.lists import read
from liveorder.interfaces.cli.lookups import the_order
from liveorder.interfaces.cli.options import AnyId, AsJson, Config, Store, a_moment, settings_for
from liveorder.interfaces.cli.order_page import print_order
from liveorder.interfaces.cli.screen import print_json
from liveorder.interfaces.cli.status_page import StatusView, print_status, status_of


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


def status(
    check: Annotated[
        bool, typer.Option("--check", help="End with exit code 15 if no service runs, and with 10 if trading is halted.")
    ] = False,
    config: Config = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Show whether a service runs, whether trading is halted, and how many orders there are."""
    settings = settings_for(config, store)
    found = read(settings, lambda reader: status_of(reader, settings))
    if as_json:
        print_json(found.to_dict())
    else:
        print_status(found)
    if check:
        raise typer.Exit(_health_of(found))


def _health_of(status: StatusView) -> ExitCode:
    """A service that hangs loses its lease, so that it counts as none."""
    if status.owner is None:
        return ExitCode.UNHEALTHY
    return ExitCode.HALTED if status.halts else ExitCode.OK
