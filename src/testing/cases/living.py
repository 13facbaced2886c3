"""Restarts and reconnects of the adapter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from liveorder.domain.errors import BrokerAuthenticationError
from liveorder.domain.execution_report import BrokerStatus
from liveorder.testing.case import case, require
from liveorder.testing.stage import Stage
from liveorder.testing.venue.faults import Fault, FaultKind, Point


@case
async def another_life_finds_what_the_last_one_sent(stage: Stage) -> None:
    """After our restart, the order is found with its fills, by key and reference alone. It can be cancelled."""
    placed, since = await stage.rest(), datetime.now(UTC) - timedelta(hours=1)
    await stage.fill(placed, 4)
    await stage.reopen()
    found = await stage.found(placed, lambda order: order.filled_quantity == 4, "part-filled")
    require(found.client_order_id == placed.key, f"it is found under the key {found.client_order_id}")
    listed = [each.broker_order_id for each in await stage.broker.open_orders()]
    require(found.broker_order_id in listed, f"the open orders are {listed}")
    fills = await stage.executions(placed, since)
    require([each.quantity for each in fills] == [4], f"its executions are reported as {fills}")
    await stage.cancel(placed)
    await stage.found(placed, lambda order: order.status is BrokerStatus.CANCELLED, "cancelled")


@case
async def fills_while_we_were_away_have_the_ids_that_they_would_have_had(stage: Stage) -> None:
    """An execution has the same id in every process."""
    placed, since = await stage.rest(), datetime.now(UTC) - timedelta(hours=1)
    await stage.fill(placed, 4)
    await stage.found(placed, lambda order: order.filled_quantity == 4, "part-filled")
    before = {each.execution_id for each in await stage.executions(placed, since)}
    await stage.reopen()
    after = {each.execution_id for each in await stage.executions(placed, since)}
    require(before == after, f"the fill's id was {before} and is {after}")


@case
async def connecting_again_changes_nothing(stage: Stage) -> None:
    """The engine reconnects after every lost stream, even if everything else still works."""
    placed = await stage.rest()
    await stage.broker.connect()
    await stage.found(placed)
    await stage.rest()


@case
async def refused_credentials_keep_it_from_connecting(stage: Stage) -> None:
    """`BrokerAuthenticationError` at the start, without a secret in it."""
    await stage.venue.lay(*(Fault(kind=FaultKind.UNAUTHORIZED, on=point) for point in (Point.CONNECT, Point.ACCOUNT)))
    try:
        await stage.broker.connect()
    except BrokerAuthenticationError as error:
        require(not any(secret in str(error) for secret in stage.secrets), "the error holds a secret")
        return
    require(False, "it connected with refused credentials")
