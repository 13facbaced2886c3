"""Sending commands to the service that owns the store, or owning the store briefly to carry them out; and reading the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from liveorder.application.engine.operator_commands import CommandKind
from liveorder.application.reporting.views import OrderView
from liveorder.bootstrap import Settings, send_command
from liveorder.domain.lifecycle import OrderStatus
from liveorder.interfaces.cli.exit_codes import ExitCode, code_named
from liveorder.interfaces.cli.failures import Failed
from liveorder.interfaces.cli.lookups import order_id_of
from liveorder.interfaces.cli.options import person
from liveorder.interfaces.cli.order_page import print_order
from liveorder.interfaces.cli.screen import print_json

PATIENCE_SECONDS = 30.0


def ask(settings: Settings, kind: CommandKind, arguments: Mapping[str, Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Send a command and return its result. Raises `Failed` for an error."""
    return asyncio.run(_ask(settings, kind, dict(arguments), seconds))


def ask_about(settings: Settings, kind: CommandKind, any_id: str, seconds: float, **arguments: Any) -> Any:
    """As `ask`, for a command about one order, named by any of its ids."""

    async def look_up_and_ask() -> Any:
        order_id = await order_id_of(settings, any_id)
        return await _ask(settings, kind, {"order_id": order_id, **arguments}, seconds)

    return asyncio.run(look_up_and_ask())


async def _ask(settings: Settings, kind: CommandKind, arguments: dict[str, Any], seconds: float) -> Any:
    return result_of(await send_command(settings, kind, arguments, actor=person(), timeout_seconds=seconds))


def result_of(answer: Mapping[str, Any]) -> Any:
    """The result. Raises `Failed` for an error."""
    if answer["ok"]:
        return answer["result"]
    raise Failed(code_named(answer["error"]), answer["message"])


def show_order(result: Mapping[str, Any], *, as_json: bool) -> OrderView:
    """Print the order in the answer."""
    order = OrderView.model_validate(result)
    if as_json:
        print_json(result)
    else:
        print_order(order)
    return order


def code_for(order: OrderView) -> ExitCode:
    """The exit code of a command that places this order."""
    if "in_doubt" in order.flags:
        return ExitCode.OUTCOME_UNKNOWN
    return ExitCode.REFUSED if order.status is OrderStatus.REJECTED else ExitCode.OK
