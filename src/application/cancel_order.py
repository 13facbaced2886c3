"""Asking the broker to cancel: durable first like every request, but a store that cannot be written does not stop it.

Cancelling twice is harmless and not cancelling can be ruinous, so here the call wins over the log: the request is journalled beside
the store, sent, and booked when the store is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from liveorder.application.gateway import Answered, Gateway, NotReceived, Outcome, RefusedByBroker
from liveorder.application.orders import ENGINE, Cause, Orders
from liveorder.application.ports.broker import CancelRequest, Prepared
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import EmergencyJournal, JournalledCancel
from liveorder.application.ports.event_log import EventLog
from liveorder.application.track_orders import TrackOrders
from liveorder.domain.errors import DecisionRefused, OrderValidationError, StoreUnavailable
from liveorder.domain.execution_report import CancelRejected
from liveorder.domain.facts import Fact
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.facts import CancelReason, CancelRequested


class CancelOrder:
    """Cancels single orders, whoever asks for it."""

    def __init__(
        self,
        orders: Orders,
        gateways: Mapping[str, Gateway],
        track: TrackOrders,
        journal: EmergencyJournal,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._orders, self._gateways, self._track = orders, gateways, track
        self._journal, self._clock, self._log = journal, clock, log

    async def cancel(self, order_id: UUID, reason: CancelReason = CancelReason.REQUESTED, actor: str = ENGINE) -> LiveOrder:
        """Ask, try again after definite failures, and book the answer. The order may be filled all the same: what counts is the
        broker's report. Raises `OrderNotFound`, and `DecisionRefused` when it is closed already or cannot be named to the broker.
        """
        attempts = 0
        while True:
            order, outcome = await self._ask_once(order_id, reason, actor)
            attempts += 1
            retry = self._gateways[order.intent.account_id].terms.retry
            if not isinstance(outcome, NotReceived) or not retry.allows_after(attempts) or order.status.is_closed:
                return order
            await self._clock.sleep(retry.wait_after(attempts))

    async def _ask_once(self, order_id: UUID, reason: CancelReason, actor: str) -> tuple[LiveOrder, Outcome | None]:
        async with self._orders.hold(order_id) as held:
            order, gateway = held, self._gateways[held.intent.account_id]
            cause = Cause(actor, correlation_id=held.intent.signal_id)
            facts = self._decide(gateway, held, reason)
            try:
                order = await self._orders.record(held, facts, cause)
            except StoreUnavailable as error:
                if not isinstance(facts[0], CancelRequested):
                    raise
                self._journal_instead(order, facts[0], actor, error)
        request = facts[0]
        if not isinstance(request, CancelRequested):
            return order, None
        outcome = await self._send(gateway, request)
        return await self._book(order, request, outcome), outcome

    def _decide(self, gateway: Gateway, order: LiveOrder, reason: CancelReason) -> list[Fact]:
        reference = order.submission.reference if order.submission is not None else {}
        asked = CancelRequest(order.client_order_id, order.broker_order_id, order.intent.account_id, reference)
        try:
            prepared = gateway.broker.prepare(asked)
        except OrderValidationError as error:
            raise DecisionRefused(f"order {order.order_id} cannot be named to the broker yet: {error}") from error
        return requests.request_cancel(order, reason, prepared.reference, prepared.payload, gateway.new_deadline())

    def _journal_instead(self, order: LiveOrder, request: CancelRequested, actor: str, error: StoreUnavailable) -> None:
        self._journal.write(JournalledCancel(order.order_id, request.request_id, request.reason.value, actor, self._clock.now()))
        self._log.write("ERROR", f"Cancel sent without the store: {error}", order_id=str(order.order_id))

    async def _send(self, gateway: Gateway, request: CancelRequested) -> Outcome:
        assert request.deadline is not None
        await gateway.limit.take(is_urgent=True)
        prepared = Prepared(request.reference, request.payload)
        return await gateway.cancel(request.request_id, prepared, request.deadline)

    async def _book(self, order: LiveOrder, request: CancelRequested, outcome: Outcome) -> LiveOrder:
        """Record what became of the request; while the store is away, its answer is found again by the poll."""
        try:
            return await self._book_outcome(order, request.request_id, outcome)
        except StoreUnavailable as error:
            self._log.write("ERROR", f"Answer to a cancel not booked yet: {error}", order_id=str(order.order_id))
            return order

    async def _book_outcome(self, order: LiveOrder, request_id: str, outcome: Outcome) -> LiveOrder:
        if isinstance(outcome, Answered):
            for report in outcome.reports:
                order = await self._track.book_on(order.order_id, report, request_id)
            return order
        if isinstance(outcome, NotReceived | RefusedByBroker):
            refused = CancelRejected(reason=f"{type(outcome.error).__name__}: {outcome.error}", request_id=request_id)
            return await self._track.book_on(order.order_id, refused, request_id)
        async with self._orders.hold(order.order_id) as held:
            facts = requests.doubt(held, request_id, type(outcome.error).__name__, str(outcome.error))
            return await self._orders.record(held, facts, Cause(correlation_id=held.intent.signal_id))

    async def book_journalled(self, entry: JournalledCancel) -> None:
        """Give a cancel that was sent without the store its fact."""
        async with self._orders.hold(entry.order_id) as order:
            if not order.status.is_closed:
                fact = CancelRequested(request_id=entry.request_id, reason=CancelReason(entry.reason))
                await self._orders.record(order, [fact], Cause(entry.actor, causation_id="emergency journal"))
