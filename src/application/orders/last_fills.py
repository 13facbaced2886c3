"""What orders filled last, before they ended unfilled: asked for before something is sized or judged by what is held.

A broker may tell of an order's end before it tells of its last fill. What is sized in between would leave a part of the position,
or find nothing to close; what opens would pass a limit.

1. Each such order is asked for once, by the next signal that closes in its instrument, or that may open anything in its account,
   where limits are of all that is held; the answer is booked like any other.
2. It is waited for no longer than an exit may wait for a question. Without an answer our own book decides.
3. What ended longer ago than `LATEST_SECONDS` is not asked for: by then its reports have come, or reconciliation finds them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from functools import partial
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.ports.clock import Clock
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import Closing
from liveorder.domain.order import LiveOrder

LATEST_SECONDS = 60.0


class LastFills:
    """Of every account, in memory: a new life asks for what was executed before it sends anything."""

    def __init__(self, track: ApplyReports, clock: Clock) -> None:
        self._track, self._clock = track, clock
        self.ended: defaultdict[str, dict[UUID, tuple[float, LiveOrder]]] = defaultdict(dict)
        """By account: the orders that nobody asked for since they ended, and when that was. Without any there is nothing to ask."""

    def note_end(self, order: LiveOrder) -> None:
        """It ended, durably."""
        if order.closing is Closing.CANCELLED and order.is_at_broker:
            self._young(order.intent.account_id)[order.order_id] = self._clock.monotonic(), order

    async def ask(self, gateway: Gateway, instrument: Instrument, *, in_all: bool) -> None:
        """Have booked what the orders filled that ended in this instrument, or in all of the account. Raises `StoreUnavailable`
        where that cannot be stored: nothing may be sized by what is held then.
        """
        ended = self._young(gateway.account_id)
        orders = [order for _, order in ended.values() if in_all or order.intent.instrument.key == instrument.key]
        _, limits = gateway.terms.limits_in(instrument.currency)
        with suppress(TimeoutError):
            async with asyncio.timeout(limits.exit_question_seconds):
                await concurrently(partial(self._ask, gateway, ended), orders, limit=QUESTIONS_AT_ONCE)

    async def _ask(self, gateway: Gateway, ended: dict[UUID, tuple[float, LiveOrder]], order: LiveOrder) -> None:
        if isinstance(await self._track.ask(gateway, order), OrderSnapshot):
            ended.pop(order.order_id, None)

    def _young(self, account_id: str) -> dict[UUID, tuple[float, LiveOrder]]:
        ended, oldest = self.ended[account_id], self._clock.monotonic() - LATEST_SECONDS
        for order_id in [order_id for order_id, (at, _) in ended.items() if at < oldest]:
            del ended[order_id]
        return ended
