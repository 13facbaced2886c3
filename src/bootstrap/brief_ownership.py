"""Owning a store for the time of one command, while no service runs."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.engine.engine import Engine
from liveorder.application.engine.operator_commands import carry_out
from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.bootstrap.doors import doors_of_a_command
from liveorder.bootstrap.service import open_service
from liveorder.infrastructure.settings import Settings

MOMENT_SECONDS = 2.0
"""Maximum wait for orders to close."""


async def own_for_a_moment(
    settings: Settings, kind: CommandKind, arguments: dict[str, Any], actor: str
) -> tuple[dict[str, Any], tuple[UUID, ...]]:
    """The answer, as `carry_out` gives it, and the orders that are left open. Raises as `open_service` does."""
    usable = settings.for_stopping() if kind is CommandKind.KILL else settings
    async with open_service(usable, find_doors=doors_of_a_command) as service:
        answer = await carry_out(service.engine, kind, arguments, actor)
        await _come_to_rest(service.engine)
        with suppress(ViewsUnavailable):  # the command is done; the next reader updates the views
            await service.settle_views()
        return answer, tuple(order.order_id for order in service.engine.orders.unfinished())


async def _come_to_rest(engine: Engine) -> None:
    """Give orders just sent a moment to fill, since nobody follows them after this process ends."""
    give_up_at = engine.clock.monotonic() + MOMENT_SECONDS
    while not engine.is_quiet and engine.clock.monotonic() < give_up_at:
        await engine.clock.sleep(0.05)
