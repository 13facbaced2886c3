"""Taking in what did not come from a signal: an order placed elsewhere, a position that was there before; a person says so.

Each becomes an order with the ordinary events, so that positions still come from fills alone and every report knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.apply_reports import ApplyReports
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.ports.order_store import Claiming
from liveorder.application.recording import Cause
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import held_by_product
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.claim import Recognition
from liveorder.domain.errors import DecisionRefused, InvalidInput, SignalAlreadyKnown
from liveorder.domain.events import Event
from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.given_by_hand import amount_given, evidence_given, price_given, strategy_given
from liveorder.domain.identifiers import KeyRing, fingerprint
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder, requests
from liveorder.domain.order.events import Acknowledged, Filled, OrderRequested, ReviewResolved
from liveorder.domain.order.reception import apply_report
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.reconciliation import product_adopted
from liveorder.domain.resent_signal import claim_of
from liveorder.domain.values import OrderType, Product, Side

ADOPTED = "adopted"


def adopted_signal_id(broker_order_id: str) -> str:
    """What stands for the signal of an order that had none: the same however often it is adopted."""
    return f"{ADOPTED}-order-{broker_order_id}"


class Adopt:
    """Adopts orders and positions of known accounts."""

    def __init__(
        self,
        terms: ExecutionConfig,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        track: ApplyReports,
        risk: RiskBook,
    ) -> None:
        self._terms, self._orders, self._gateways, self._track, self._risk = terms, orders, gateways, track, risk

    async def adopt_order(
        self, account_id: str, broker_order_id: str, evidence: str, actor: str, strategy_name: str = ADOPTED
    ) -> LiveOrder:
        """Make a live order of the broker's one of ours, for the strategy. Raises `DecisionRefused` when it is not listed there.

        One that bears a key of ours keeps it: the signal that it once was, when it comes again, is this order.
        """
        gateway, evidence = self._gateway(account_id), evidence_given(evidence)
        listed = await gateway.ask(gateway.broker.open_orders())
        snapshots = [snapshot for snapshot in listed if snapshot.broker_order_id == broker_order_id]
        if not snapshots:
            raise DecisionRefused(f"{gateway.broker.name} lists no open order {broker_order_id} on {account_id}")
        snapshot = snapshots[0]
        if snapshot.side is None or snapshot.order_type is None or snapshot.quantity is None:
            raise DecisionRefused(f"{gateway.broker.name} does not tell side, type and quantity of {broker_order_id}")
        instrument = await self._instrument(gateway, snapshot.symbol or "", snapshot.exchange)
        intent = self._intent(
            gateway,
            adopted_signal_id(broker_order_id),
            strategy_name,
            instrument,
            snapshot.side,
            order_type=snapshot.order_type,
            quantity=snapshot.quantity,
            limit_price=snapshot.limit_price,
            stop_price=snapshot.stop_price,
            product=snapshot.product,
        )
        if snapshot.client_order_id is not None and self._orders.identity.keys.is_ours(snapshot.client_order_id, account_id):
            intent = intent.but(client_order_id=snapshot.client_order_id)
        events = self._as_it_stands(intent, snapshot)
        order = await self._record(intent, [*events, ReviewResolved(evidence=evidence)], evidence, actor)
        return await self._track.attach_waiting_reports(order)

    async def adopt_position(
        self,
        account_id: str,
        symbol: str,
        exchange: str | None,
        quantity: Decimal,
        price: Decimal,
        evidence: str,
        actor: str,
        name: str | None = None,
        strategy_name: str = ADOPTED,
        product: Product | None = None,
    ) -> LiveOrder:
        """Book `quantity` (signed, units) at `price` as if the strategy's: an opening position, or the difference to the broker's.

        `product`: under which the broker holds it, where it keeps a position for each. Without it, on an account that has a usual
        one, the broker is asked. Raises `InvalidInput` where its answer leaves it open, and `BrokerError`.

        The same `name` again is the same adoption, and books nothing more; without one each call is another.
        """
        evidence, quantity = evidence_given(evidence), amount_given(quantity, "quantity")
        if not quantity:
            raise InvalidInput("quantity", "a position of nothing", "give the signed number of units to add")
        gateway = self._gateway(account_id)
        instrument = await self._instrument(gateway, symbol, exchange)
        price = price_given(price, instrument)
        side = Side.BUY if quantity > 0 else Side.SELL
        name = f"{ADOPTED}-position-{name or self._orders.recorder.new_id()}"
        if product is None and gateway.terms.default_product is not None:
            product = await self._product(gateway, instrument.key, quantity)
        terms = {"order_type": OrderType.MARKET, "quantity": abs(quantity), "product": product}
        intent = self._intent(gateway, name, strategy_name, instrument, side, **terms)
        filled = Filled(execution_id=name, quantity=abs(quantity), price=price)
        events: list[Event] = [intent, Acknowledged(broker_order_id=None), filled, ReviewResolved(evidence=evidence)]
        return await self._record(intent, events, evidence, actor)

    async def _product(self, gateway: Gateway, key: str, quantity: Decimal) -> Product | None:
        theirs = held_by_product(await gateway.ask(gateway.broker.positions())).get(key, {})
        return product_adopted(self._risk.account_by_product(gateway.account_id, key), theirs, quantity)

    def _as_it_stands(self, intent: OrderRequested, snapshot: OrderSnapshot) -> list[Event]:
        return [intent, *apply_report(requests.draft_of(intent), snapshot)]

    def _gateway(self, account_id: str) -> Gateway:
        gateway = self._gateways.get(account_id)
        if gateway is None:
            raise InvalidInput("account_id", f"{account_id} is not in the settings", f"use {', '.join(self._gateways)}")
        return gateway

    async def _instrument(self, gateway: Gateway, symbol: str, exchange: str | None) -> Instrument:
        instrument = await gateway.resolve(InstrumentQuery(symbol=symbol, exchange=exchange))
        if instrument is None:
            raise InvalidInput("symbol", f"{symbol} is unknown to {gateway.broker.name}", "name its exchange")
        return instrument

    def _intent(
        self, gateway: Gateway, signal_id: str, strategy_name: str, instrument: Instrument, side: Side, **terms: Any
    ) -> OrderRequested:
        keys = self._orders.identity.keys
        return OrderRequested(
            order_id=self._orders.recorder.new_id(),
            client_order_id=keys.client_order_id(gateway.account_id, signal_id),
            signal_id=signal_id,
            signal_fingerprint=fingerprint({"signal_id": signal_id}),
            namespace=keys.namespace,
            session_id=self._terms.session_id,
            account_id=gateway.account_id,
            strategy_name=strategy_given(strategy_name, "strategy"),
            broker=gateway.broker.name,
            instrument=instrument,
            terms=OrderTerms(side=side, tags=(ADOPTED,), **terms),
        )

    async def _record(self, intent: OrderRequested, events: list[Event], evidence: str, actor: str) -> LiveOrder:
        keys, name, number = self._orders.identity.keys, intent.signal_id, 1
        while True:
            known_by = Recognition(intent.signal_id, intent.account_id, (intent.client_order_id,))
            claim = Claiming(claim_of(intent, keys), known_by)
            cause = Cause(actor, correlation_id=intent.signal_id, causation_id=evidence)
            try:
                return await self._orders.record(None, [intent, *events[1:]], cause, order_id=intent.order_id, claim=claim)
            except SignalAlreadyKnown as error:
                known = [await self._orders.get(each.order_id) for each in error.claims]
            if same := [order for order in known if not _is_anothers(order, intent)]:
                return same[0]
            number += 1
            intent = _renamed(intent, f"{name}~{number}", keys)


def _is_anothers(known: LiveOrder, intent: OrderRequested) -> bool:
    """Whether a signal has the id of this adoption: an earlier release let others give such an id."""
    is_named_so = known.intent.signal_id == intent.signal_id
    return is_named_so and known.intent.signal_fingerprint != intent.signal_fingerprint


def _renamed(intent: OrderRequested, signal_id: str, keys: KeyRing) -> OrderRequested:
    """The fingerprint stays: by that it is the same adoption. So does a key that the broker has it by."""
    is_derived = intent.client_order_id == keys.client_order_id(intent.account_id, intent.signal_id)
    key = keys.client_order_id(intent.account_id, signal_id) if is_derived else intent.client_order_id
    return intent.but(signal_id=signal_id, client_order_id=key)
