"""Asking the broker to cancel: durable first like every request, but a store that cannot be written does not stop it.

Cancelling twice is harmless and not cancelling can be ruinous, so here the call wins over the log: the request is journalled beside
the store, sent, and booked when the store is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.broker import CancelRequest, Prepared
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import EmergencyJournal, JournalledCancel
from liveorder.application.recording import ENGINE, Cause
from liveorder.application.runtime.concurrently import STORE_TIMEOUT_SECONDS, within_store_timeout
from liveorder.domain.errors import DecisionRefused, OrderValidationError, StoreUnavailable
from liveorder.domain.events import Event
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import CancelReason, CancelRequested, RequestKind
from liveorder.domain.order.outcomes import NotBegun, Outcome, was_refused


class CancelOrder:
    """Cancels single orders."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        track: ApplyReports,
        journal: EmergencyJournal,
        clock: Clock,
        log: ActivityLog,
    ) -> None:
        self._orders, self._gateways, self._track = orders, gateways, track
        self._journal, self._clock, self._log = journal, clock, log

    async def cancel(
        self,
        order_id: UUID,
        reason: CancelReason = CancelReason.REQUESTED,
        actor: str = ENGINE,
        made_way_for: UUID | None = None,
    ) -> LiveOrder:
        """Ask, try again after definite failures, at once after delays of ours, and book the answer. The order may be filled all
        the same: what counts is the broker's report. Raises `OrderNotFound`, and `DecisionRefused` when it is closed already or
        cannot be named to the broker. `made_way_for`: the order that is to go out once this one has ended; nothing is asked any
        more once that does not wait.
        """
        attempts = 0
        while True:
            if made_way_for is not None and not self._waits(made_way_for):
                return await self._orders.get(order_id)
            order, outcome = await self._ask_once(order_id, reason, actor, made_way_for)
            attempts += not isinstance(outcome, NotBegun)
            seconds = self._gateways[order.intent.account_id].terms.retry.wait_to_cancel_again(order, outcome, attempts)
            if seconds is None:
                return await self._ask_why(order) if was_refused(outcome) else order
            if seconds:
                await self._clock.sleep(seconds)

    def _waits(self, order_id: UUID) -> bool:
        known = self._orders.unfinished_with(order_id)
        return known is not None and known.is_waiting

    async def _ask_why(self, order: LiveOrder) -> LiveOrder:
        """Mostly because it was filled, which the caller must know before it decides anything else."""
        try:
            await within_store_timeout(self._track.ask(self._gateways[order.intent.account_id], order))
            return await self._orders.get(order.order_id)
        except StoreUnavailable as error:
            self._log.write("ERROR", f"Not booked yet why a cancel was refused: {error}", order_id=str(order.order_id))
            return order

    async def _ask_once(
        self, order_id: UUID, reason: CancelReason, actor: str, made_way_for: UUID | None
    ) -> tuple[LiveOrder, Outcome | None]:
        known = self._orders.unfinished_with(order_id) or await self._orders.get(order_id)
        gateway = self._gateways[known.intent.account_id]
        await gateway.limit.take(is_urgent=True)
        try:
            async with asyncio.timeout(STORE_TIMEOUT_SECONDS), self._orders.hold(order_id) as held:
                events = self._decide(gateway, held, reason, made_way_for)
                order = await self._orders.record(held, events, Cause(actor, correlation_id=held.intent.signal_id))
                request = events[0]
        except (StoreUnavailable, TimeoutError) as error:
            if made_way_for is not None:  # what it would make way for cannot be sent now
                raise StoreUnavailable(f"the order was not cancelled to make way: {_why(error)}") from error
            order, request = self._journal_instead(gateway, self._orders.unfinished_with(order_id) or known, reason, actor, error)
        if not isinstance(request, CancelRequested):
            return order, None
        assert request.deadline is not None
        outcome = await gateway.cancel(request.request_id, Prepared(request.reference, request.payload), request.deadline)
        return await self._book(order, request, outcome), outcome

    def _decide(self, gateway: Gateway, order: LiveOrder, reason: CancelReason, made_way_for: UUID | None = None) -> list[Event]:
        reference = order.submission.reference if order.submission is not None else {}
        asked = CancelRequest(order.client_order_id, order.broker_order_id, order.intent.account_id, reference)
        try:
            prepared = gateway.broker.prepare(asked)
        except OrderValidationError as error:
            raise DecisionRefused(f"order {order.order_id} cannot be named to the broker yet: {error}") from error
        deadline = gateway.deadlines.new(requests.next_cancel_id(order))
        return requests.request_cancel(order, reason, prepared.reference, prepared.payload, deadline, made_way_for)

    def _journal_instead(
        self, gateway: Gateway, order: LiveOrder, reason: CancelReason, actor: str, error: StoreUnavailable | TimeoutError
    ) -> tuple[LiveOrder, CancelRequested]:
        """Raises `StoreUnavailable` for an order that never left: there is nobody to ask, and nothing but the store to tell it."""
        request = self._decide(gateway, order, reason)[0]
        why = _why(error)
        if not isinstance(request, CancelRequested):
            raise StoreUnavailable(f"the order was not cancelled: {why}") from error
        self._journal.write(JournalledCancel(order.order_id, request.request_id, request.reason.value, actor, self._clock.now()))
        self._log.write("ERROR", f"Cancel sent without the store: {why}", order_id=str(order.order_id))
        return order, request

    async def _book(self, order: LiveOrder, request: CancelRequested, outcome: Outcome) -> LiveOrder:
        """Record what became of the request; while the store is away, its answer is found again by the poll."""
        try:
            return await within_store_timeout(self._track.book_outcome(order, RequestKind.CANCEL, request.request_id, outcome))
        except StoreUnavailable as error:
            self._log.write("ERROR", f"Answer to a cancel not booked yet: {error}", order_id=str(order.order_id))
            return order

    async def book_journalled(self, entry: JournalledCancel) -> None:
        """Give a cancel that was sent without the store its event, once. Raises `OrderNotFound` for an order of another store."""
        async with self._orders.hold(entry.order_id) as order:
            events = requests.book_sent_cancel(order, entry.request_id, CancelReason(entry.reason))
            await self._orders.record(order, events, Cause(entry.actor, causation_id="emergency journal"))


def _why(error: StoreUnavailable | TimeoutError) -> str:
    return str(error) or f"it has not answered for {STORE_TIMEOUT_SECONDS:g} s"
