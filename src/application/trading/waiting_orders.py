"""Orders that wait: judged and sent once what they wait for came, ended once that did not come in time.

What an order waits for stands in its events, so a restart goes on waiting.
"""

from __future__ import annotations

from collections.abc import Mapping

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import CancelReason
from liveorder.domain.waiting import has_lapsed


class WaitingOrders:
    """Looks at every waiting order at an interval."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        execute: ExecuteOrder,
        clock: Clock,
        log: ActivityLog,
        *,
        check_seconds: float = 0.5,
    ) -> None:
        self._orders, self._gateways, self._execute = orders, gateways, execute
        self._clock, self._log, self._check_seconds = clock, log, check_seconds

    async def check_for_ever(self, account_id: str) -> None:
        while True:
            await self._clock.sleep(self._check_seconds)
            await self.check(account_id)

    async def check(self, account_id: str) -> None:
        waiting = [order for order in self._orders.unfinished(account_id) if order.is_waiting]
        await concurrently(self._take_up, waiting, limit=QUESTIONS_AT_ONCE)

    async def _take_up(self, order: LiveOrder) -> None:
        assert order.wait is not None
        try:
            if has_lapsed(order.wait, self._clock.now()):
                await self._end(order)
            elif self._execute.is_to_be_judged(order):
                await self._execute.judge_waiting(order)
        except LiveOrderError as error:
            self._log.write("ERROR", f"A waiting order could not be taken up yet: {error}", order_id=str(order.order_id))

    async def _end(self, order: LiveOrder) -> None:
        async with self._orders.hold(order.order_id) as held:
            if held.wait is not None and held.is_waiting and has_lapsed(held.wait, self._clock.now()):
                ended = requests.cancel_unsent(held, CancelReason.STALE, f"it waited {held.wait.message}, in vain")
                await self._orders.record(held, ended, Cause(correlation_id=held.intent.signal_id))
