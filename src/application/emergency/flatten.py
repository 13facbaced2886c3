"""Closing the positions at the brokers, by orders that can only reduce them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import groupby

from liveorder.application.gateway.gateway import Gateway
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.risk.book import RiskBook
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.trading.execute_order import ExecuteOrder
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.events import PERSON
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.domain.values import OrderRole, OrderType, Product, Side, total

PART_SECONDS = 5.0
"""Maximum wait for the order that closes one part of a position, before the order of the next part is sent."""


@dataclass(slots=True)
class Flattened:
    """The closing orders, and for people the positions that could not be closed, with the reason."""

    orders: list[LiveOrder] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Flatten:
    """Closes what the brokers report as positions. Its orders count as a person's, so a halt lets them pass."""

    def __init__(
        self, orders: OrderRegister, gateways: Mapping[str, Gateway], execute: ExecuteOrder, risk: RiskBook, clock: Clock
    ) -> None:
        self._orders, self._gateways, self._execute = orders, gateways, execute
        self._risk, self._clock = risk, clock

    async def close_all(self, actor: str) -> Flattened:
        """Send a market order for each position. A position that cannot be closed does not prevent the others."""
        closing = Flattened()
        await concurrently(lambda gateway: self._close_account(gateway, actor, closing), self._gateways.values())
        return closing

    async def _close_account(self, gateway: Gateway, actor: str, closing: Flattened) -> None:
        try:
            positions = await gateway.ask(gateway.broker.positions())
        except BrokerError as error:
            closing.failures.append(f"{gateway.account_id}: {error}")
            return
        held = [position for position in positions if position.quantity]
        for _, parts in groupby(sorted(held, key=_side), key=_side):
            before: LiveOrder | None = None
            for part, closable in self._closable(gateway, sorted(parts, key=partial(_turn, gateway.terms.default_product))):
                if before is not None:
                    await self._until_closed(before)
                before = await self._close(gateway, part, closable, actor, closing)

    async def _until_closed(self, order: LiveOrder) -> None:
        """Wait for the previous part's order. While it is open, its quantity could be counted twice, or not at all."""
        deadline = self._clock.monotonic() + PART_SECONDS
        while self._clock.monotonic() < deadline:
            known = self._orders.unfinished_with(order.order_id)
            if known is None or known.status.is_closed:
                return
            await self._clock.sleep(0.05)

    def _closable(self, gateway: Gateway, parts: Sequence[BrokerPosition]) -> list[tuple[BrokerPosition, Decimal]]:
        """For one instrument on one side, held under several products: how much of each part an order can close without opening a
        position.

        Computed before the first part is closed. Open and in-doubt orders may reduce any of the parts.
        """
        account_id, instrument = gateway.account_id, parts[0].instrument
        left = self._risk.closable(account_id, instrument, total(part.quantity for part in parts))
        found: list[tuple[BrokerPosition, Decimal]] = []
        for part in parts:
            closable = min(self._risk.closable(account_id, instrument, part.quantity), left)
            found.append((part, closable))
            left -= closable
        return found

    async def _close(
        self, gateway: Gateway, held: BrokerPosition, closable: Decimal, actor: str, closing: Flattened
    ) -> LiveOrder | None:
        """Send the closing order. A quantity that stays open is reported as a failure."""
        name = f"{gateway.account_id}: position {held.name}"
        if closable < abs(held.quantity):
            kept = abs(held.quantity) - closable
            closing.failures.append(f"{name}: {kept:f} kept; open or in-doubt orders could close it, or it is not in our book")
        if not closable:
            return None
        try:
            order = await self._execute.execute(
                self._signal(gateway, held, closable), operator=actor.removeprefix(PERSON), instrument=held.instrument
            )
        except LiveOrderError as error:
            closing.failures.append(f"{name}: {error}")
            return None
        if order.status is OrderStatus.REJECTED:
            closing.failures.append(f"{name}: {order.error_message}")
            return None
        closing.orders.append(order)
        return order

    def _signal(self, gateway: Gateway, held: BrokerPosition, quantity: Decimal) -> Signal:
        instrument = held.instrument
        return Signal(
            signal_id=f"flatten-{self._orders.recorder.new_id()}",
            account_id=gateway.account_id,
            strategy_name="flatten",
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            asset_class=instrument.asset_class,
            currency=instrument.currency,
            expiry=instrument.expiry,
            strike=instrument.strike,
            right=instrument.right,
            side=Side.SELL if held.quantity > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            quantity=quantity,
            product=held.product,
            role=OrderRole.EXIT,
            timestamp=self._clock.now(),
        )


def _side(held: BrokerPosition) -> tuple[str, bool]:
    return held.instrument.key, held.quantity > 0


def _turn(ours: Product | None, held: BrokerPosition) -> tuple[bool, bool]:
    """The order in which parts are closed. Our positions are not known by product, so our usual product comes first and a person's
    delivered shares last.
    """
    return held.product is not ours, held.product in (Product.CNC, Product.MTF)
