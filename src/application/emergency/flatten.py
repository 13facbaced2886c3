"""Closing the positions at the brokers, by orders that can only reduce them and that each strategy has its share of.

1. Instrument by instrument: its orders are cancelled just before its closing order leaves, and what an order that is not surely
   gone could still take is left to it.
2. A closing order's signal id counts the closings of the instrument on that day. The next number exists only once the order before
   it is closed by definite evidence: so whatever dies in between, what is one closing is one order.
3. What strategies hold against each other needs no order. It is crossed when the closing orders are over, in one commit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from uuid import UUID

from liveorder.application.emergency.stop_orders import StopOrders
from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.orders.position_register import PositionRegister
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.recording import Cause
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.position_figures import PositionFigures
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.claim import recognition
from liveorder.domain.closing import ByProduct, ClosingOrder, Crossing, HeldPart, closing_of, crossings
from liveorder.domain.errors import BrokerError, LiveOrderError, StoreError
from liveorder.domain.events import PERSON
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.position_adjustment import PositionTransferred
from liveorder.domain.position_booking import HoldingKey, Whose, holding_key
from liveorder.domain.position_owner import FLATTEN
from liveorder.domain.signal import Signal
from liveorder.domain.values import EXACT, OrderRole, OrderType, Product, Side, total

PART_SECONDS = 5.0
"""Maximum wait for a cancelled order, and for the order that closes one part of a position, before the next order is sent."""
_PRICE = Context(prec=28)


@dataclass(slots=True)
class Flattened:
    """The closing orders, the orders cancelled before them, and for people what could not be closed or cancelled, and why."""

    orders: list[LiveOrder] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    not_cancelled: list[str] = field(default_factory=list)


class Flatten:
    """Closes what the brokers report as positions. Its orders count as a person's, so a halt lets them pass."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        execute: ExecuteOrder,
        stop: StopOrders,
        positions: PositionRegister,
        risk: RiskBook,
        figures: PositionFigures,
        clock: Clock,
    ) -> None:
        self._orders, self._gateways, self._execute, self._stop = orders, gateways, execute, stop
        self._positions, self._risk, self._figures, self._clock = positions, risk, figures, clock
        self._turn = asyncio.Lock()

    async def close_all(self, actor: str, wait_seconds: float) -> Flattened:
        """Send a market order for each position. A position that cannot be closed does not prevent the others.

        Orders that are cancelled first, and the closing orders, are each awaited for up to `wait_seconds`.
        """
        closing = Flattened()
        async with self._turn:
            closed = await concurrently(
                lambda gateway: self._close_account(gateway, actor, wait_seconds, closing), self._gateways.values()
            )
            await self._stop.until_gone(closing.orders, wait_seconds)
            await self._until_closed(closing.orders)
            for gateway, instruments in zip(self._gateways.values(), closed, strict=True):
                for key, orders in instruments.items():
                    await self._cross(gateway, key, orders, actor, closing)
        return closing

    # --- closing orders --------------------------------------------------------------------------------------------------------

    async def _close_account(
        self, gateway: Gateway, actor: str, wait_seconds: float, closing: Flattened
    ) -> Mapping[str, Sequence[LiveOrder]]:
        """By instrument, the closing orders that left."""
        closed: dict[str, Sequence[LiveOrder]] = {}
        try:
            held = await self._held(gateway)
            for key in sorted({*held, *self._held_here(gateway.account_id), *self._ordered(gateway.account_id)}):
                if await self._cancel_orders(gateway.account_id, key, actor, wait_seconds, closing):
                    held = await self._held(gateway)
                closed[key] = await self._close(gateway, held[key], actor, closing)
        except BrokerError as error:
            closing.failures.append(f"{gateway.account_id}: {error}")
        return closed

    async def _held(self, gateway: Gateway) -> defaultdict[str, list[BrokerPosition]]:
        """By instrument, what the broker holds of it now. Raises `BrokerError`."""
        held = defaultdict(list)
        for position in await self._figures.hear(gateway):
            if position.quantity:
                held[position.instrument.key].append(position)
        return held

    def _held_here(self, account_id: str) -> set[str]:
        """Instruments that some strategy holds, if only against another."""
        keys = self._risk.positions(account_id)
        return {key for key in keys if any(held.quantity for held in self._risk.holdings(account_id, key).values())}

    def _ordered(self, account_id: str) -> set[str]:
        return {order.intent.instrument.key for order in self._orders.unfinished(account_id) if not order.status.is_closed}

    async def _cancel_orders(self, account_id: str, key: str, actor: str, wait_seconds: float, closing: Flattened) -> bool:
        """Whether there were any that nobody has cancelled yet. Waits until we know what became of them, too."""
        unfinished = [order for order in self._orders.unfinished(account_id) if order.intent.instrument.key == key]
        orders = [order for order in unfinished if not (order.status.is_closed or order.cancel_requested)]
        stopped = await self._stop.stop(orders, actor, wait_seconds)
        closing.cancelled += stopped.cancelled
        closing.not_cancelled += stopped.not_cancelled
        await self._until_closed([order for order in orders if order.order_id in stopped.cancelled])
        return bool(orders)

    async def _until_closed(self, orders: Sequence[LiveOrder]) -> None:
        """Wait until we know that they are. While one is open, its quantity could be counted twice, or not at all."""
        deadline = self._clock.monotonic() + PART_SECONDS
        while self._clock.monotonic() < deadline:
            known = (self._orders.unfinished_with(order.order_id) for order in orders)
            if all(order is None or order.status.is_closed for order in known):
                return
            await self._clock.sleep(0.05)

    async def _close(
        self, gateway: Gateway, parts: Sequence[BrokerPosition], actor: str, closing: Flattened
    ) -> Sequence[LiveOrder]:
        """The orders for what is held under each product, one after the other. What stays open is reported as a failure."""
        if not parts:
            return []
        account_id, instrument = gateway.account_id, parts[0].instrument
        plan = closing_of(
            self._own(account_id, holding_key(Whose(account_id, FLATTEN, instrument))),
            [HeldPart(part.product, part.quantity) for part in parts],
            buying=self._open(account_id, instrument.key, Side.BUY),
            selling=self._open(account_id, instrument.key, Side.SELL),
            usual=gateway.terms.default_product,
            lot_size=instrument.lot_size,
        )
        names = {part.product: f"{account_id}: position {part.name}" for part in parts}
        closing.failures += [f"{names[kept.part.product]}: {kept.quantity:f} kept; {kept.reason}" for kept in plan.kept]
        sent: list[LiveOrder] = []
        for wanted in plan.orders:
            await self._until_closed(sent)
            try:
                order = await self._send(gateway, instrument, wanted, actor)
            except LiveOrderError as error:
                closing.failures.append(f"{names[wanted.product]}: {error}")
                continue
            sent.append(order)
            if order.status is OrderStatus.REJECTED:
                closing.failures.append(f"{names[wanted.product]}: {order.error_message}")
            else:
                closing.orders.append(order)
        return sent

    def _open(self, account_id: str, key: str, side: Side) -> ByProduct:
        """Units that open and in-doubt orders of each strategy could still trade."""
        units: defaultdict[Product | None, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for order in self._risk.open_orders(account_id):
            if (order.instrument_key, order.side) == (key, side):
                of_product = units[order.product]
                for name, part in order.parts:
                    of_product[name] = EXACT.add(of_product[name], part)
        return units

    def _own(self, account_id: str, contract: HoldingKey) -> ByProduct:
        """Signed units of the contract; strategies that hold none are left out."""
        own: defaultdict[Product | None, dict[str, Decimal]] = defaultdict(dict)
        for key, parts in self._risk.units_by_product(account_id, contract.instrument).items():
            if key._replace(strategy_name=contract.strategy_name) == contract:
                for product, units in parts.items():
                    own[product][key.strategy_name] = units
        return own

    async def _send(self, gateway: Gateway, instrument: Instrument, order: ClosingOrder, actor: str) -> LiveOrder:
        """The order, or the one before it where that is not surely closed. Raises `LiveOrderError`."""
        signal_id, before = await self._next(gateway.account_id, instrument, order.product)
        if before is not None:
            return before
        signal = _signal(gateway.account_id, instrument, order, signal_id, self._clock)
        return await self._execute.execute(signal, operator=actor.removeprefix(PERSON), instrument=instrument, shares=order.shares)

    async def _next(self, account_id: str, instrument: Instrument, product: Product | None) -> tuple[str, LiveOrder | None]:
        """The id of the next closing of today, and the order of the one before, unless that is closed by definite evidence."""
        place = "-".join([self._clock.now().date().isoformat(), instrument.key, *([product] if product else [])])
        store, number = self._orders.identity, 1
        while True:
            signal_id = f"{FLATTEN}-{place}-{number}"
            claims = await self._orders.claims(recognition(store.keys, signal_id, account_id, store.account_ids))
            if not claims:
                return signal_id, None
            order = await self._orders.get(claims[0].order_id)
            if order.intent.strategy_name == FLATTEN and _is_out(order):  # an earlier release let others give such an id
                return signal_id, order
            number += 1

    # --- what needs no order ---------------------------------------------------------------------------------------------------

    async def _cross(self, gateway: Gateway, key: str, sent: Sequence[LiveOrder], actor: str, closing: Flattened) -> None:
        """Close what strategies hold against each other, unless an order may still change it."""
        account_id = gateway.account_id
        contracts = {held._replace(strategy_name=FLATTEN) for held in self._risk.holdings(account_id, key)}
        against = [contract for contract in sorted(contracts) if self._crossings(account_id, contract)]
        if not against:
            return
        kept = f"{account_id}: {key}: what strategies hold against each other is kept"
        try:
            orders = [await self._orders.get(order.order_id) for order in sent]
            unsure = any(order.intent.instrument.key == key and _is_out(order) for order in self._orders.unfinished(account_id))
            if unsure or any(not order.filled_quantity for order in orders):
                closing.failures.append(f"{kept}; an order is not filled")
                return
            for contract in against:
                await self._cross_contract(gateway, contract, orders, actor)
        except (BrokerError, StoreError) as error:
            closing.failures.append(f"{kept}: {error}")

    async def _cross_contract(self, gateway: Gateway, contract: HoldingKey, orders: Sequence[LiveOrder], actor: str) -> None:
        instrument = await self._positions.instrument(contract)
        price, of_what = await self._price(gateway, instrument, orders)

        def decide() -> Sequence[PositionTransferred]:
            held = self._risk.holdings(gateway.account_id, contract.instrument)
            return [
                PositionTransferred(
                    account_id=gateway.account_id,
                    from_strategy=crossing.long,
                    to_strategy=crossing.short,
                    instrument=instrument,
                    quantity=crossing.quantity,
                    price=held[contract._replace(strategy_name=crossing.long)].cost_of_one if price is None else price,
                    effective_at=self._clock.now(),
                    evidence=f"kill --flatten: held against each other, crossed at {of_what}",
                    transfer_id=str(self._orders.recorder.new_id()),
                    product=product,
                )
                for product, crossing in self._crossings(gateway.account_id, contract)
            ]

        await self._positions.record(gateway.account_id, contract.instrument, decide, Cause(actor, FLATTEN))

    def _crossings(self, account_id: str, contract: HoldingKey) -> list[tuple[Product | None, Crossing]]:
        """What strategies hold of the contract against each other, under the same product."""
        own = self._own(account_id, contract)
        return [(product, crossing) for product, holders in own.items() for crossing in crossings(holders)]

    async def _price(self, gateway: Gateway, instrument: Instrument, orders: Sequence[LiveOrder]) -> tuple[Decimal | None, str]:
        """The average of the closing orders, else the last quote; None: at cost. And what it is, for people."""
        units = total(order.filled_quantity for order in orders)
        if units:
            value = total(order.executions.totals.value for order in orders)
            return _PRICE.divide(value, units), "the average of the closing order"
        priced = await gateway.price(instrument, Side.SELL, is_urgent=True)
        if priced.price is not None:
            return priced.price.amount, f"the quote of {priced.price.at.isoformat()}"
        return None, f"cost, for want of a quote{': ' if priced.problem else ''}{priced.problem}"


def _is_out(order: LiveOrder) -> bool:
    """Whether it may still trade."""
    return not order.status.is_closed or order.is_in_doubt


def _signal(account_id: str, instrument: Instrument, order: ClosingOrder, signal_id: str, clock: Clock) -> Signal:
    signal = Signal(
        account_id=account_id,
        strategy_name=FLATTEN,
        symbol=instrument.symbol,
        exchange=instrument.exchange,
        asset_class=instrument.asset_class,
        currency=instrument.currency,
        expiry=instrument.expiry,
        strike=instrument.strike,
        right=instrument.right,
        side=order.side,
        order_type=OrderType.MARKET,
        quantity=order.quantity,
        product=order.product,
        role=OrderRole.EXIT,
        timestamp=clock.now(),
    )
    return signal.model_copy(update={"signal_id": signal_id})
