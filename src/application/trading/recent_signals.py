"""Signals that came lately: a message that comes many times at once, or again at once, asks the store for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from liveorder.domain.order.events import Requested

REMEMBERED = 4096
"""Signals."""


class RecentSignals:
    """By signal id: the order that is being made of it, or was made last. What is not here may still be known to the store."""

    def __init__(self) -> None:
        self._orders: dict[str, asyncio.Future[Requested]] = {}

    async def order_of(self, signal_id: str, account_id: str) -> UUID | None:
        """Waits while another message of this id is being claimed. None: the caller claims it, with no wait in between."""
        while (order := self._orders.get(signal_id)) is not None:
            if order.done():
                intent = order.result()
                return intent.order_id if intent.account_id == account_id else None
            await asyncio.wait([order])
        return None

    @contextmanager
    def being_claimed(self, signal_id: str) -> Iterator[asyncio.Future[Requested]]:
        """Others of this id wait until the order's intent is put into the future, once it is durable, or the block ends without."""
        order = self._orders[signal_id] = asyncio.get_running_loop().create_future()
        try:
            yield order
        finally:
            if not order.done():
                order.cancel()
                if self._orders.get(signal_id) is order:
                    del self._orders[signal_id]
            self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        while len(self._orders) > REMEMBERED:
            oldest = next(iter(self._orders))
            if not self._orders[oldest].done():
                return
            del self._orders[oldest]
