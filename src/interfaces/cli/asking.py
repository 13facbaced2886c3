"""Sending commands to the service that owns the store, or owning the store briefly to carry them out; and reading the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.reporting.views import OrderView
from liveorder.bootstrap import UNFOLLOWED, Settings, send_command
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import TradingMode
from liveorder.interfaces.cli.error_codes import code_named
from liveorder.interfaces.cli.exit_codes import ExitCode
from liveorder.interfaces.cli.failures import Failed
from liveorder.interfaces.cli.lookups import order_id_of
from liveorder.interfaces.cli.options import person
from liveorder.interfaces.cli.order_page import print_order
from liveorder.interfaces.cli.screen import print_json, screen, shown

PATIENCE_SECONDS = 30.0


def ask(settings: Settings, kind: CommandKind, arguments: Mapping[str, Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Send a command and return its result. Raises `Failed` for an error."""
    return result_of(answer_to(settings, kind, arguments, seconds))


def answer_to(settings: Settings, kind: CommandKind, arguments: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
    """Send a command and return its whole answer, for `result_of` and `warn_of_nobody`."""
    return asyncio.run(send_command(settings, kind, dict(arguments), actor=person(), timeout_seconds=seconds))


def ask_about(settings: Settings, kind: CommandKind, any_id: str, seconds: float, **arguments: Any) -> Any:
    """As `ask`, for a command about one order, named by any of its ids."""

    async def look_up_and_ask() -> Mapping[str, Any]:
        order_id = await order_id_of(settings, any_id)
        asked = {"order_id": order_id, **arguments}
        return await send_command(settings, kind, asked, actor=person(), timeout_seconds=seconds)

    return result_of(asyncio.run(look_up_and_ask()))


def result_of(answer: Mapping[str, Any]) -> Any:
    """The result. Raises `Failed` for an error."""
    if answer["ok"]:
        return answer["result"]
    raise Failed(code_named(answer["error"]), answer["message"])


def warn_of_nobody(settings: Settings, answer: Mapping[str, Any], orders: Sequence[OrderView]) -> None:
    """Say on standard error that orders are open and no service follows them, where that is so."""
    count = sum(str(order.order_id) in answer.get(UNFOLLOWED, ()) for order in orders)
    if not count:
        return
    stands_still = settings.mode is TradingMode.SIMULATION and settings.simulation.venue is None
    venue = "the simulated exchange stands still, and " if stands_still else ""
    what = "this order" if count == 1 else f"these {count} orders"
    text = (
        f"no service runs, so nobody follows {what}: until `liveorder run` does, {venue}fills are not booked here, and no time-out "
        "or waiting order is acted on; it asks the broker first"
    )
    screen(errors=True).print(shown(text, "yellow"))


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
