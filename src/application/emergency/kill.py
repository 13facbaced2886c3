"""The kill switch: halt, cancel entries, close positions, then ask the brokers what is left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby
from uuid import UUID

from liveorder.application.emergency.flatten import Flatten, Flattened
from liveorder.application.gateway.gateway import CallInFlight, Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import EmergencyJournal, JournalledHalt
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.runtime.concurrently import concurrently, within_store_timeout
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.domain.errors import BrokerError, LiveOrderError, StoreError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.domain.values import OrderRole

ASK_AGAIN_SECONDS = 0.25
PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class StopReport:
    """The result of a stop.

    `is_durable`: stored, or written to the emergency journal, so that the halt survives a crash. `is_flat` is True only if no call
    is in flight, and every broker was asked, answered, and holds neither order nor position.
    """

    is_durable: bool
    calls_in_flight: tuple[CallInFlight, ...]
    cancelled: tuple[UUID, ...]
    not_cancelled: tuple[str, ...]
    not_closed: tuple[str, ...]
    """Positions, or the parts of them, that were not closed, and why."""
    remaining: tuple[str, ...]
    """Orders and positions that the brokers still have, or why they could not be asked."""

    @property
    def is_flat(self) -> bool:
        return not self.remaining and not self.calls_in_flight


class Kill:
    """The kill switch, with its cancels and closing orders."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        halts: TradingHalts,
        cancel: CancelOrder,
        flatten: Flatten,
        reconcile: Reconcile,
        journal: EmergencyJournal,
        clock: Clock,
    ) -> None:
        self._orders, self._gateways, self._halts = orders, gateways, halts
        self._cancel, self._flatten, self._reconcile = cancel, flatten, reconcile
        self._journal, self._clock = journal, clock

    async def kill(
        self, detail: str, actor: str, *, cancel_all: bool = False, flatten: bool = False, wait_seconds: float = 15.0
    ) -> StopReport:
        """Halt everything first, durable or not. Then cancel entries, close positions with `flatten`, and ask the brokers.

        Orders that protect a position are kept, except with `cancel_all`, and with `flatten`, after which they would open a new
        position. Calls in flight, cancels and closing orders are each awaited for up to `wait_seconds`; what has not ended is
        listed.
        """
        is_durable = await self._halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, detail, actor)
        if not is_durable:
            is_durable = self._journal.write(JournalledHalt(detail, actor, self._clock.now()))
        in_flight = await self._calls_still_out(wait_seconds)
        asked, not_cancelled = await self._cancel_open(actor, keep_protective=not (cancel_all or flatten))
        listed = await self._until_gone(asked, wait_seconds)
        not_cancelled += [f"order {order.order_id}: cancel requested, but the broker still has the order" for order in listed]
        cancelled = [order.order_id for order in asked if order not in listed]
        closing = await self._flatten.close_all(actor) if flatten else Flattened()
        await self._until_gone(closing.orders, wait_seconds)
        remaining = await self._remaining()
        return StopReport(is_durable, in_flight, tuple(cancelled), tuple(not_cancelled), tuple(closing.failures), tuple(remaining))

    async def _calls_still_out(self, seconds: float) -> tuple[CallInFlight, ...]:
        deadline = self._clock.monotonic() + seconds
        while self._in_flight() and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.05)
        return self._in_flight()

    def _in_flight(self) -> tuple[CallInFlight, ...]:
        return tuple(call for gateway in self._gateways.values() for call in gateway.in_flight.values())

    async def _cancel_open(self, actor: str, *, keep_protective: bool) -> tuple[list[LiveOrder], list[str]]:
        wanted = [order for order in self._orders.unfinished() if not (keep_protective and order.terms.role in PROTECTIVE)]
        open_orders = [order for order in wanted if not order.status.is_closed]
        outcomes = await asyncio.gather(*(self._cancel_one(order, actor) for order in open_orders))
        return [each for each in outcomes if isinstance(each, LiveOrder)], [each for each in outcomes if isinstance(each, str)]

    async def _cancel_one(self, order: LiveOrder, actor: str) -> LiveOrder | str:
        """The order if its cancel was accepted, otherwise the reason."""
        try:
            return await self._cancel.cancel(order.order_id, CancelReason.HALTED, actor)
        except LiveOrderError as error:
            return f"order {order.order_id}: {error}"

    async def _until_gone(self, orders: Sequence[LiveOrder], seconds: float) -> Sequence[LiveOrder]:
        """Wait until the brokers no longer list the orders. Asks the brokers directly, so no store is needed. Returns the orders
        that are still listed, or that could not be asked about.
        """
        deadline = self._clock.monotonic() + seconds
        while (listed := await self._listed(orders)) and self._clock.monotonic() < deadline:
            await self._clock.sleep(ASK_AGAIN_SECONDS)
        return listed

    async def _listed(self, orders: Sequence[LiveOrder]) -> Sequence[LiveOrder]:
        of_accounts = groupby(sorted(orders, key=_account_of), key=_account_of)
        listed = await concurrently(self._listed_at_one_broker, [[*of_account] for _, of_account in of_accounts])
        return [*chain.from_iterable(listed)]

    async def _listed_at_one_broker(self, orders: Sequence[LiveOrder]) -> Sequence[LiveOrder]:
        gateway = self._gateways[_account_of(orders[0])]
        try:
            snapshots = await gateway.ask(gateway.broker.open_orders())
        except BrokerError:
            return orders
        names = {name for snapshot in snapshots for name in (snapshot.client_order_id, snapshot.broker_order_id) if name}
        return [order for order in orders if names & {order.client_order_id, order.broker_order_id}]

    async def _remaining(self) -> Sequence[str]:
        return [*chain.from_iterable(await concurrently(self._held, self._gateways.values()))]

    async def _held(self, gateway: Gateway) -> list[str]:
        """What the broker still has. The broker is asked directly, so a missing store only delays the bookkeeping."""
        with suppress(StoreError):
            await within_store_timeout(self._reconcile.reconcile(gateway.account_id))
        try:
            orders = await gateway.ask(gateway.broker.open_orders())
            positions = await gateway.ask(gateway.broker.positions())
        except BrokerError as error:
            return [f"{gateway.account_id}: the broker could not be asked: {error}"]
        live = [f"{gateway.account_id}: order {o.broker_order_id} {o.symbol} {o.status}" for o in orders]
        held = [f"{gateway.account_id}: position {held}" for held in positions if held.quantity]
        doubts = [
            f"{gateway.account_id}: in doubt {o.order_id}" for o in self._orders.unfinished(gateway.account_id) if o.is_in_doubt
        ]
        return live + held + doubts


def _account_of(order: LiveOrder) -> str:
    return order.intent.account_id
