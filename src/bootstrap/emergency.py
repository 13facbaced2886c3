"""Stopping without the store, by talking to the brokers directly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from liveorder.application.engine.engine import AccountConnection
from liveorder.application.ports.broker import CancelRequest
from liveorder.application.ports.emergency_journal import JournalledHalt
from liveorder.application.runtime.concurrently import concurrently
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import clock_of, journal_of, log_of
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.infrastructure.settings import AccountSettings, Settings

T = TypeVar("T")


@dataclass(frozen=True)
class EmergencyReport:
    """The result of an emergency stop.

    `is_durable`: the halt is written to `journal`, so that a service of this store that reads it there sends nothing.
    """

    is_durable: bool
    journal: str
    cancelled: tuple[str, ...]
    not_cancelled: tuple[str, ...]
    remaining: tuple[str, ...]


async def emergency_kill(settings: Settings, detail: str, actor: str, *, cancel_all: bool = False) -> EmergencyReport:
    """Halt and cancel without the store. The halt is written to the emergency journal, and all brokers are asked concurrently.

    An order's role cannot be looked up here. Orders count as entries unless the broker reports them as stops; `cancel_all` cancels
    stops too.
    """
    clock = clock_of(settings)
    journal = journal_of(settings)
    is_durable = journal.write(JournalledHalt(detail, actor, clock.now()))
    closed = [f"{account.id}: not traded by these settings, so its broker was not asked" for account in settings.closed_accounts]
    unmade: list[str] = []

    def cannot_be_made(account: AccountSettings, error: Exception) -> None:
        unmade.append(f"{account.id}: {_said_by(error)}")

    with (
        closing(log_of(settings, clock)) as log,
        connections_of(settings, clock, log, on_error=cannot_be_made) as connections,
    ):
        stops = [_Stop(connection, cancel_all) for connection in connections.values()]
        await concurrently(_Stop.cancel_everything, stops)
    return EmergencyReport(
        is_durable,
        str(journal.path.absolute()),
        tuple(name for stop in stops for name in stop.done),
        (*unmade, *(name for stop in stops for name in stop.failed)),
        (*closed, *(name for stop in stops for name in stop.left)),
    )


@dataclass
class _Stop:
    """The stop at one account. Any exception of its broker is that account's failure, and each call has the call time-out."""

    connection: AccountConnection
    cancel_all: bool
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    async def cancel_everything(self) -> None:
        broker = self.connection.broker
        try:
            await self._in_time(broker.connect())
            for order in await self._in_time(broker.open_orders()):
                await self._cancel(order)
            held = [position for position in await self._in_time(broker.positions()) if position.quantity]
            self.left += [f"{self._account_id}: position {position}" for position in held]
        except Exception as error:  # noqa: BLE001 - a broker's adapter may raise anything
            self.failed.append(f"{self._account_id}: {_said_by(error)}")
        finally:
            with suppress(Exception):
                await self._in_time(broker.close())

    async def _cancel(self, order: OrderSnapshot) -> None:
        name = f"{self._account_id}: {order.broker_order_id} {order.symbol}"
        if order.order_type is not None and order.order_type.traits.is_stop and not self.cancel_all:
            self.left.append(f"{name}, a stop, kept")
            return
        request = CancelRequest(order.client_order_id or "", order.broker_order_id, self._account_id)
        broker = self.connection.broker
        try:
            await self._in_time(broker.cancel(broker.prepare(request)))
            self.done.append(name)
        except Exception as error:  # noqa: BLE001 - a broker's adapter may raise anything
            self.failed.append(f"{name}: {_said_by(error)}")

    @property
    def _account_id(self) -> str:
        return self.connection.terms.account_id

    async def _in_time(self, call: Awaitable[T]) -> T:
        async with asyncio.timeout(self.connection.terms.call_timeout_seconds):
            return await call


def _said_by(error: Exception) -> str:
    """The error's text. Messages of other libraries are left out, since they may contain a secret."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) if isinstance(error, LiveOrderError) else f"{type(error).__name__} in the adapter"
