"""Orders that stand too long are asked about, cancelled, and left to what the broker then says; so are those that turn up late.

Counted from the stored start of the submission, so that a restart neither forgets nor forgives the time before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from liveorder.application.gateway.gateway import AccountTerms, Gateway
from liveorder.application.orders.apply_reports import TrackOrders
from liveorder.application.orders.order_register import Orders
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.sessions import Sessions
from liveorder.application.runtime.concurrently import QUESTIONS_AT_ONCE, side_by_side
from liveorder.application.trading.cancel_order import CancelOrder
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.facts import CancelReason
from liveorder.domain.values import OrderRole, TimeInForce

ASK_AGAIN_SECONDS = 30.0
"""A cancel for lateness that came to nothing is tried again after this, and then at intervals that double."""
LONGEST_WAIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class _Tried:
    wait_seconds: float
    not_before: datetime


def seconds_allowed(order: LiveOrder, terms: AccountTerms) -> tuple[float, bool] | None:
    """How long the order may stand, and whether only session time counts; None for as long as it likes."""
    intent = order.intent
    if intent.timeout_seconds is not None:
        return intent.timeout_seconds, False
    if (intent.role is not OrderRole.ENTRY and intent.role is not OrderRole.EXIT) or intent.time_in_force.is_for_an_auction:
        return None
    if not intent.order_type.traits.rests_at_its_limit:
        return (terms.market_timeout_seconds, True) if intent.order_type.traits.meets_the_market else None
    return (terms.day_limit_timeout_seconds, True) if intent.time_in_force is TimeInForce.DAY else None


class OrderTimeouts:
    """Looks at every open order at an interval."""

    def __init__(
        self,
        orders: Orders,
        gateways: Mapping[str, Gateway],
        sessions: Sessions,
        track: TrackOrders,
        cancel: CancelOrder,
        clock: Clock,
        log: EventLog,
        *,
        check_seconds: float = 1.0,
    ) -> None:
        self._orders, self._gateways, self._sessions = orders, gateways, sessions
        self._track, self._cancel = track, cancel
        self._clock, self._log, self._check_seconds = clock, log, check_seconds
        self._tried: dict[UUID, _Tried] = {}

    async def check_for_ever(self, account_id: str) -> None:
        while True:
            await self._clock.sleep(self._check_seconds)
            await self.check(account_id)

    async def check(self, account_id: str) -> None:
        """Ask about and cancel what is late, or unwanted since before it came. What is in doubt is being asked about already."""
        now = self._clock.now()
        self._forget_what_has_ended()
        late = [
            (order, reason)
            for order in self._orders.unfinished(account_id)
            if (reason := self._why_to_cancel(order, now)) is not None
            and (order.cancel_wish is not None or self._is_due(order, now))
        ]
        await side_by_side(lambda each: self._end(*each), late, QUESTIONS_AT_ONCE)

    def _forget_what_has_ended(self) -> None:
        unfinished = {order.order_id for order in self._orders.unfinished()}
        self._tried = {order_id: tried for order_id, tried in self._tried.items() if order_id in unfinished}

    def _is_due(self, order: LiveOrder, now: datetime) -> bool:
        tried = self._tried.get(order.order_id)
        if tried is not None and now < tried.not_before:
            return False
        seconds = ASK_AGAIN_SECONDS if tried is None else min(tried.wait_seconds * 2, LONGEST_WAIT_SECONDS)
        self._tried[order.order_id] = _Tried(seconds, now + timedelta(seconds=seconds))
        return True

    def _why_to_cancel(self, order: LiveOrder, now: datetime) -> CancelReason | None:
        if order.cancel_wish is not None and order.is_at_broker:
            return order.cancel_wish
        return CancelReason.TIMED_OUT if self.is_late(order, now) else None

    def is_late(self, order: LiveOrder, now: datetime) -> bool:
        """Whether it stands longer than it may. One in doubt never is."""
        since = order.submitted_at
        if since is None or order.status.is_closed or order.is_in_doubt or order.submission_is_open:
            return False
        allowed = seconds_allowed(order, self._gateways[order.intent.account_id].terms)
        if allowed is None:
            return False
        seconds, in_session = allowed
        if (now - since).total_seconds() < seconds:
            return False
        intent = order.intent
        return not in_session or self._sessions.open_seconds_between(intent.instrument, since, now, intent.hours) >= seconds

    async def _end(self, order: LiveOrder, reason: CancelReason) -> None:
        try:
            await self._track.ask(self._gateways[order.intent.account_id], order)
            if not (await self._orders.get(order.order_id)).status.is_closed:
                await self._cancel.cancel(order.order_id, reason)
        except LiveOrderError as error:
            self._log.write("ERROR", f"A late order could not be cancelled yet: {error}", order_id=str(order.order_id))
