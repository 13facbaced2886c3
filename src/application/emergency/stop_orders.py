"""Cancelling open orders, and knowing that they are gone. Works without the store: the brokers themselves are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.ports.clock import Clock
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason

ASK_AGAIN_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Stopped:
    """Orders that are gone, and for people those that are not, with the reason."""

    cancelled: tuple[UUID, ...] = ()
    not_cancelled: tuple[str, ...] = ()


class StopOrders:
    def __init__(self, gateways: Mapping[str, Gateway], cancel: CancelOrder, clock: Clock) -> None:
        self._gateways, self._cancel, self._clock = gateways, cancel, clock

    async def stop(self, orders: Sequence[LiveOrder], actor: str, seconds: float) -> Stopped:
        """Cancel those that are open, and wait up to `seconds` until the brokers list them no more."""
        open_orders = [order for order in orders if not order.status.is_closed]
        outcomes = await asyncio.gather(*(self._cancel_one(order, actor) for order in open_orders))
        asked = [each for each in outcomes if isinstance(each, LiveOrder)]
        listed = await self.until_gone(asked, seconds)
        refused = [each for each in outcomes if isinstance(each, str)]
        refused += [f"order {order.order_id}: cancel requested, but the broker still has the order" for order in listed]
        return Stopped(tuple(order.order_id for order in asked if order not in listed), tuple(refused))

    async def _cancel_one(self, order: LiveOrder, actor: str) -> LiveOrder | str:
        """The order if its cancel was accepted, otherwise the reason."""
        try:
            return await self._cancel.cancel(order.order_id, CancelReason.HALTED, actor)
        except LiveOrderError as error:
            return f"order {order.order_id}: {error}"

    async def until_gone(self, orders: Sequence[LiveOrder], seconds: float) -> Sequence[LiveOrder]:
        """Wait until the brokers no longer list the orders. Returns those that are still listed, or cannot be asked about."""
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


def _account_of(order: LiveOrder) -> str:
    return order.intent.account_id
