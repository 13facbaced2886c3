"""Stopping without the store: the brokers are spoken to directly."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from liveorder.application.engine import Connection
from liveorder.application.ports.broker import CancelRequest
from liveorder.application.ports.emergency_journal import JournalledHalt
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import clock_of, journal_of, log_of
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.values import OrderType
from liveorder.infrastructure.settings import Settings

_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)


@dataclass(frozen=True)
class EmergencyReport:
    """What an emergency stop did without the store. `is_durable`: written down, so that no service sends when it is back."""

    is_durable: bool
    cancelled: tuple[str, ...]
    not_cancelled: tuple[str, ...]
    remaining: tuple[str, ...]


async def emergency_kill(settings: Settings, detail: str, actor: str, *, cancel_all: bool = False) -> EmergencyReport:
    """Halt and cancel without the store: the halt is journalled beside it, the brokers are spoken to directly.

    Orders whose role nobody can look up are taken for entries, unless the broker says that they are stops; `cancel_all` cancels
    those too.
    """
    clock = clock_of(settings)
    is_durable = journal_of(settings).write(JournalledHalt(detail, actor, clock.now()))
    done: list[str] = []
    failed: list[str] = []
    left: list[str] = []
    left += [f"{account.id}: closed in the settings, so its broker was not asked" for account in settings.closed_accounts]
    with closing(log_of(settings, clock)) as log, connections_of(settings, clock, log) as connections:
        for connection in connections.values():
            await _cancel_everything(connection, done, failed, left, cancel_all=cancel_all)
    return EmergencyReport(is_durable, tuple(done), tuple(failed), tuple(left))


async def _cancel_everything(
    connection: Connection, done: list[str], failed: list[str], left: list[str], *, cancel_all: bool
) -> None:
    broker, account_id = connection.broker, connection.terms.account_id
    try:
        await broker.connect()
        for order in await broker.open_orders():
            name = f"{account_id}: {order.broker_order_id} {order.symbol}"
            if order.order_type in _STOPS and not cancel_all:
                left.append(f"{name}, a stop, kept")
                continue
            request = CancelRequest(order.client_order_id or "", order.broker_order_id, account_id)
            try:
                await broker.cancel(broker.prepare(request))
                done.append(name)
            except LiveOrderError as error:
                failed.append(f"{name}: {error}")
        left += [f"{account_id}: position {held}" for held in await broker.positions() if held.quantity]
    except LiveOrderError as error:
        failed.append(f"{account_id}: {error}")
    finally:
        await broker.close()
