"""Orders that stand too long are asked about, cancelled, and left to what the broker then says; so are those that turn up late.

How long is too long is decided in `domain.timeouts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, concurrently
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, OrderRequested
from liveorder.domain.timeouts import LateCancel, time_allowed, why_to_cancel


class OrderTimeouts:
    """Looks at every open order at an interval."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        calendar: TradingCalendar,
        track: ApplyReports,
        cancel: CancelOrder,
        clock: Clock,
        log: ActivityLog,
        *,
        check_seconds: float = 1.0,
    ) -> None:
        self._orders, self._gateways, self._calendar = orders, gateways, calendar
        self._track, self._cancel = track, cancel
        self._clock, self._log, self._check_seconds = clock, log, check_seconds
        self._tried: dict[UUID, LateCancel] = {}

    async def check_for_ever(self, account_id: str) -> None:
        while True:
            await self._clock.sleep(self._check_seconds)
            await self.check(account_id)

    async def check(self, account_id: str) -> None:
        """Ask about and cancel what is late, or unwanted since before it came. What is in doubt is being asked about already."""
        now, unfinished = self._clock.now(), self._orders.unfinished()
        self._tried = {order.order_id: tried for order in unfinished if (tried := self._tried.get(order.order_id)) is not None}
        unwanted = list[tuple[LiveOrder, CancelReason]]()
        for order in self._orders.unfinished(account_id):
            intent, terms = order.intent, self._gateways[account_id].terms
            allowed = time_allowed(intent, terms.market_timeout_seconds, terms.day_limit_timeout_seconds)
            reason = why_to_cancel(order, allowed, now, partial(self._open_seconds, intent))
            if reason is None:
                continue
            if order.cancel_wish is None:
                if (due := LateCancel.due_after(self._tried.get(order.order_id), self._clock.monotonic())) is None:
                    continue
                self._tried[order.order_id] = due
            unwanted.append((order, reason))
        await concurrently(lambda each: self._end(*each), unwanted, limit=QUESTIONS_AT_ONCE)

    def _open_seconds(self, intent: OrderRequested, since: datetime, until: datetime) -> float:
        return self._calendar.open_seconds_for(intent.instrument, since, until, intent.terms.hours)

    async def _end(self, order: LiveOrder, reason: CancelReason) -> None:
        try:
            await self._track.ask(self._gateways[order.intent.account_id], order)
            if not (await self._orders.get(order.order_id)).status.is_closed:
                await self._cancel.cancel(order.order_id, reason)
        except LiveOrderError as error:
            self._log.write("ERROR", f"A late order could not be cancelled yet: {error}", order_id=str(order.order_id))
