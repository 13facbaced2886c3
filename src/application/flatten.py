"""Close what the brokers hold for us, by orders that can only reduce it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from liveorder.application.execute_order import ExecuteOrder
from liveorder.application.gateway import Gateway
from liveorder.application.orders import Orders
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.risk_book import RiskBook
from liveorder.application.side_by_side import side_by_side
from liveorder.domain.errors import BrokerError, LiveOrderError
from liveorder.domain.facts import PERSON
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.domain.values import OrderRole, OrderType, Side


@dataclass(slots=True)
class Closing:
    """The orders that close positions, and for people what could not be closed and why."""

    orders: list[LiveOrder] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Flatten:
    """Works from the brokers' own positions; a person's orders, so that a halt lets them pass."""

    def __init__(
        self, orders: Orders, gateways: Mapping[str, Gateway], execute: ExecuteOrder, risk: RiskBook, clock: Clock
    ) -> None:
        self._orders, self._gateways, self._execute = orders, gateways, execute
        self._risk, self._clock = risk, clock

    async def close_all(self, actor: str) -> Closing:
        """A market order for each position; one that cannot be closed does not keep the others open."""
        closing = Closing()
        await side_by_side(lambda gateway: self._close_account(gateway, actor, closing), self._gateways.values())
        return closing

    async def _close_account(self, gateway: Gateway, actor: str, closing: Closing) -> None:
        """One after the other: what one closing order takes is not there for the next."""
        try:
            positions = await gateway.ask(gateway.broker.positions())
        except BrokerError as error:
            closing.failures.append(f"{gateway.account_id}: {error}")
            return
        for held in positions:
            if held.quantity:
                await self._close(gateway, held, actor, closing)

    async def _close(self, gateway: Gateway, held: BrokerPosition, actor: str, closing: Closing) -> None:
        """No more than surely only reduces: what open and in-doubt orders could still take stays, and is told."""
        name = f"{gateway.account_id}: position {held.instrument.key}"
        closable = self._risk.closable(gateway.account_id, held.instrument, held.quantity)
        if closable < abs(held.quantity):
            kept = abs(held.quantity) - closable
            closing.failures.append(f"{name}: {kept:f} kept; open or in-doubt orders could take it, or it is not in our book")
        if not closable:
            return
        try:
            order = await self._execute.execute(self._signal(gateway, held, closable), operator=actor.removeprefix(PERSON))
        except LiveOrderError as error:
            closing.failures.append(f"{name}: {error}")
            return
        if order.status is OrderStatus.REJECTED:
            closing.failures.append(f"{name}: {order.error_message}")
        else:
            closing.orders.append(order)

    def _signal(self, gateway: Gateway, held: BrokerPosition, quantity: Decimal) -> Signal:
        instrument = held.instrument
        return Signal(
            signal_id=f"flatten-{self._orders.new_id()}",
            account_id=gateway.account_id,
            strategy_name="flatten",
            symbol=instrument.symbol,
            exchange=instrument.exchange,
            asset_class=instrument.asset_class,
            expiry=instrument.expiry,
            strike=instrument.strike,
            right=instrument.right,
            side=Side.SELL if held.quantity > 0 else Side.BUY,
            order_type=OrderType.MARKET,
            quantity=quantity,
            role=OrderRole.EXIT,
            timestamp=self._clock.now(),
        )
