"""Chains: one order of ours, which is several orders at Alpaca if it was replaced."""

from __future__ import annotations

from liveorder.domain.errors import OutcomeUnknown
from liveorder.infrastructure.brokers.alpaca.failures import NotFound
from liveorder.infrastructure.brokers.alpaca.rest import Rest
from liveorder.infrastructure.brokers.alpaca.translation import Message, is_replaced, row_of

LONGEST_CHAIN = 200


class Chains:
    """Follows `replaces` backwards and `replaced_by` forwards. Caches orders that were replaced, since they no longer change."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._over: dict[str, Message] = {}

    async def by_key(self, client_order_id: str) -> list[Message] | None:
        """The chain that begins with the order sent under this key. None if there is none. Raises `BrokerError`."""
        try:
            first = await self._rest.get("/orders:by_client_order_id", client_order_id=client_order_id)
        except NotFound:
            return None
        return await self.whole(row_of(first))

    async def by_id(self, order_id: str) -> list[Message] | None:
        """The chain that contains this order."""
        try:
            found = await self._order(order_id)
        except NotFound:
            return None
        return await self.whole(found)

    async def whole(self, order: Message) -> list[Message]:
        """The chain from the first order to the live one. Raises `BrokerError` if a link could not be fetched."""
        chain = [*await self.before(order), order]
        while is_replaced(chain[-1]):
            chain.append(await self._linked(chain[-1]["replaced_by"], len(chain)))
        return chain

    async def before(self, order: Message) -> list[Message]:
        """The orders that this one replaced, oldest first."""
        chain: list[Message] = []
        while replaces := (chain or [order])[0].get("replaces"):
            chain.insert(0, await self._linked(replaces, len(chain)))
        return chain

    async def _linked(self, order_id: str, number: int) -> Message:
        if number >= LONGEST_CHAIN:
            raise OutcomeUnknown(f"alpaca: order {order_id} was replaced more than {LONGEST_CHAIN} times")
        return await self._order(order_id)

    async def _order(self, order_id: str) -> Message:
        if order_id in self._over:
            return self._over[order_id]
        order = row_of(await self._rest.get(f"/orders/{order_id}"))
        if is_replaced(order):
            self._over[order_id] = order
        return order
