"""Orders that are finished, so many of the newest, in memory: what a broker tells of them again adds nothing, and is told all day.

What is here is what the store has: events of an order are appended by this process alone, and each passes through `OrderRegister`.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from liveorder.domain.order import LiveOrder

MOST = 5_000
"""About 9 KB each. Beyond it the one that has been here longest goes; it is read again when it is spoken of."""


class FinishedOrders:
    """By id, by our key, and by each of the broker's names under which they were met."""

    def __init__(self) -> None:
        self._orders: dict[UUID, LiveOrder] = {}
        self._by_key: dict[str, UUID] = {}
        self._by_name: dict[tuple[str, str], set[UUID]] = {}
        self._names: dict[UUID, set[str]] = {}

    def get(self, order_id: UUID) -> LiveOrder | None:
        return self._orders.get(order_id)

    def with_key(self, client_order_id: str) -> UUID | None:
        return self._by_key.get(client_order_id)

    def named(self, account_id: str, broker_order_id: str) -> Iterator[LiveOrder]:
        for order_id in self._by_name.get((account_id, broker_order_id), ()):
            yield self._orders[order_id]

    def keep(self, order: LiveOrder, name: str | None) -> None:
        """Under one of the broker's names, beside those that it is here by already."""
        self._orders[order.order_id] = order
        self._by_key[order.client_order_id] = order.order_id
        names = self._names.setdefault(order.order_id, set())
        if name is not None:
            names.add(name)
            self._by_name.setdefault((order.intent.account_id, name), set()).add(order.order_id)
        if len(self._orders) > MOST:
            self.drop(next(iter(self._orders)))

    def drop(self, order_id: UUID) -> None:
        """Nothing happens where it is not here."""
        order = self._orders.pop(order_id, None)
        if order is None:
            return
        self._by_key.pop(order.client_order_id, None)
        for name in self._names.pop(order_id):
            key = order.intent.account_id, name
            self._by_name[key].discard(order_id)
            if not self._by_name[key]:
                del self._by_name[key]
