"""New terms for a working order. One replace has one outcome; while it is in doubt, the next is refused."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.broker import Prepared, ReplaceRequest
from liveorder.application.recording import ENGINE, Cause
from liveorder.application.risk.risk_gate import RiskGate
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.domain.errors import DecisionRefused, OrderValidationError
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.amendment import Amendment
from liveorder.domain.order.events import ReplaceRequested, RequestKind
from liveorder.domain.order.outcomes import NotBegun, Outcome
from liveorder.domain.quotes import Priced
from liveorder.domain.trading_halt import halting_scopes


class ReplaceOrder:
    """Replaces quantity, limit and stop price of single orders."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        gate: RiskGate,
        halts: TradingHalts,
        track: ApplyReports,
    ) -> None:
        self._orders, self._gateways, self._gate = orders, gateways, gate
        self._halts, self._track = halts, track

    async def replace(
        self,
        order_id: UUID,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        actor: str = ENGINE,
    ) -> LiveOrder:
        """Ask for the new terms; None leaves one as it is, `quantity` is of the whole order. After a delay of ours it is decided
        and asked anew, as often as the account's retry policy allows.

        Quantities and prices are rounded as for a new order. The new terms pass the risk rules like one. Raises `OrderNotFound`,
        `DecisionRefused` (closed, unacknowledged, halted, against a limit, a replace in doubt, nothing to change, a broker that
        replaces nothing), `InvalidInput` for less than a lot or a tick, and the errors of `OrderStore.append`: then nothing was
        sent.
        """
        known = (await self._orders.get(order_id)).intent
        gateway = self._gateways[known.account_id]
        terms = Amendment(quantity, limit_price, stop_price).on_grid(known.instrument, known.terms.side, known.terms.order_type)
        starts = 0
        while True:
            order, outcome = await self._ask_once(gateway, order_id, terms, actor)
            starts += 1
            if self._is_halted(gateway) or not gateway.terms.retry.replaces_again(outcome, starts):
                return order

    async def _ask_once(self, gateway: Gateway, order_id: UUID, terms: Amendment, actor: str) -> tuple[LiveOrder, Outcome]:
        await gateway.limit.take()
        order = await self._orders.get(order_id)
        priced = await gateway.price(order.intent.instrument, order.terms.side)
        await self._gate.look(gateway, terms.rest_of(order), priced)
        async with self._orders.hold(order_id) as held:
            request = self._decide(gateway, held, priced, terms, actor)
            cause, scopes = Cause(actor, correlation_id=held.intent.signal_id), halting_scopes(gateway.account_id)
            order = await self._orders.record(held, [request], cause, unless_halted=scopes, adds_risk=True)
        outcome: Outcome
        if self._is_halted(gateway):
            outcome = NotBegun("not sent: trading was halted between the commit and the call")
        else:
            prepared = Prepared(request.reference, request.payload)
            outcome = await gateway.replace(request.request_id, prepared, request.deadline)
        return await self._track.book_outcome(order, RequestKind.REPLACE, request.request_id, outcome), outcome

    def _decide(self, gateway: Gateway, order: LiveOrder, priced: Priced, terms: Amendment, actor: str) -> ReplaceRequested:
        if terms == Amendment():
            raise DecisionRefused("quantity, limit_price or stop_price: a replace changes at least one; name it")
        if not gateway.broker.capabilities.replaces:
            raise DecisionRefused(f"{gateway.broker.name} replaces no orders; cancel it and order anew")
        requests.check_replace(order, terms.quantity)
        judged = self._gate.judge_replacement(gateway, order, priced, terms, is_operators=actor != ENGINE)
        if judged.refusal is not None:
            raise DecisionRefused(f"{judged.refusal.code}: {judged.refusal.message}")
        asked = ReplaceRequest(
            order.client_order_id,
            order.broker_order_id,
            gateway.account_id,
            requests.next_replace_number(order),
            terms.quantity,
            terms.limit_price,
            terms.stop_price,
            order.submission.reference if order.submission is not None else {},
        )
        try:
            prepared = gateway.broker.prepare(asked)
        except OrderValidationError as error:
            raise DecisionRefused(str(error)) from error
        (request,) = requests.request_replace(
            order,
            terms.quantity,
            terms.limit_price,
            terms.stop_price,
            prepared.reference,
            prepared.payload,
            gateway.deadlines.new(requests.next_replace_id(order)),
        )
        assert isinstance(request, ReplaceRequested)
        return request

    def _is_halted(self, gateway: Gateway) -> bool:
        return self._halts.now.stands_for(gateway.account_id) is not None
