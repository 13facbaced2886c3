"""New terms for a working order. One replace has one outcome; while it is in doubt, the next is refused."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from liveorder.application.gateway import Answered, Gateway, NotReceived, Outcome, RefusedByBroker
from liveorder.application.kill_switch import halting_scopes
from liveorder.application.orders import ENGINE, Cause, Orders
from liveorder.application.ports.broker import Prepared, ReplaceRequest
from liveorder.application.ports.market_data import Quote
from liveorder.application.risk_gate import RiskGate
from liveorder.application.track_orders import TrackOrders
from liveorder.domain.errors import DecisionRefused, OrderValidationError
from liveorder.domain.execution_report import ReplaceRejected
from liveorder.domain.facts import Fact
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.facts import ReplaceRequested


class ReplaceOrder:
    """Replaces quantity, limit and stop price of single orders."""

    def __init__(self, orders: Orders, gateways: Mapping[str, Gateway], track: TrackOrders, gate: RiskGate) -> None:
        self._orders, self._gateways, self._track, self._gate = orders, gateways, track, gate

    async def replace(
        self,
        order_id: UUID,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        actor: str = ENGINE,
    ) -> LiveOrder:
        """Ask for the new terms; None leaves one as it is, `quantity` is of the whole order.

        Prices are rounded passively to the tick. The new terms pass the risk rules like a new order. Raises `OrderNotFound`,
        `DecisionRefused` (closed, unacknowledged, halted, against a limit, a replace in doubt, nothing to change) and the errors
        of `OrderStore.append`: then nothing was sent.
        """
        known = (await self._orders.get(order_id)).intent
        gateway = self._gateways[known.account_id]
        await gateway.limit.take()
        quote = await gateway.market_data.latest(known.instrument)
        async with self._orders.hold(order_id) as held:
            facts = self._decide(gateway, held, quote, quantity, limit_price, stop_price)
            cause = Cause(actor, correlation_id=held.intent.signal_id)
            order = await self._orders.record(held, facts, cause, unless_halted=halting_scopes(gateway.account_id))
        request = facts[0]
        assert isinstance(request, ReplaceRequested)
        prepared = Prepared(request.reference, request.payload)
        outcome = await gateway.replace(request.request_id, prepared, request.deadline)
        return await self._book(order, request.request_id, outcome)

    def _decide(
        self,
        gateway: Gateway,
        order: LiveOrder,
        quote: Quote | None,
        quantity: Decimal | None,
        limit_price: Decimal | None,
        stop_price: Decimal | None,
    ) -> list[Fact]:
        if quantity is limit_price is stop_price is None:
            raise DecisionRefused("quantity, limit_price or stop_price: a replace changes at least one; name it")
        requests.check_replace(order, quantity)
        instrument, side = order.intent.instrument, order.intent.side
        limit_price = None if limit_price is None else instrument.round_price(limit_price, side)
        stop_price = None if stop_price is None else instrument.round_price(stop_price, side)
        judged = self._gate.judge_replacement(gateway, order, quote, quantity, limit_price, stop_price)
        if judged.refusal is not None:
            raise DecisionRefused(f"{judged.refusal.code}: {judged.refusal.message}")
        asked = ReplaceRequest(
            order.client_order_id,
            order.broker_order_id,
            gateway.account_id,
            requests.next_replace_number(order),
            quantity,
            limit_price,
            stop_price,
            order.submission.reference if order.submission is not None else {},
        )
        try:
            prepared = gateway.broker.prepare(asked)
        except OrderValidationError as error:
            raise DecisionRefused(str(error)) from error
        deadline = gateway.new_deadline()
        return requests.request_replace(order, quantity, limit_price, stop_price, prepared.reference, prepared.payload, deadline)

    async def _book(self, order: LiveOrder, request_id: str, outcome: Outcome) -> LiveOrder:
        if isinstance(outcome, Answered):
            for report in outcome.reports:
                order = await self._track.book_on(order.order_id, report, request_id)
            return order
        if isinstance(outcome, NotReceived | RefusedByBroker):
            refused = ReplaceRejected(reason=f"{type(outcome.error).__name__}: {outcome.error}", request_id=request_id)
            return await self._track.book_on(order.order_id, refused, request_id)
        async with self._orders.hold(order.order_id) as held:
            facts = requests.doubt(held, request_id, type(outcome.error).__name__, str(outcome.error))
            return await self._orders.record(held, facts, Cause(correlation_id=held.intent.signal_id))
