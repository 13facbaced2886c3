"""The kill switch: halt, cancel entries, close positions, then ask the brokers what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from liveorder.application.emergency.flatten import Flatten, Flattened
from liveorder.application.emergency.stop_orders import StopOrders
from liveorder.application.gateway.gateway import CallInFlight, Gateway
from liveorder.application.orders.fees_in_kind import FeesInKind
from liveorder.application.orders.order_register import OrderRegister
from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import EmergencyJournal, JournalledHalt
from liveorder.application.recovery.reconcile import Reconcile
from liveorder.application.risk.book import RiskBook
from liveorder.application.risk.trading_halts import TradingHalts
from liveorder.application.runtime.concurrently import concurrently, within_store_timeout
from liveorder.domain.errors import BrokerError, StoreError
from liveorder.domain.order import LiveOrder
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.domain.values import ZERO, OrderRole
from liveorder.domain.wording import plain

PROTECTIVE = (OrderRole.STOP_LOSS, OrderRole.TAKE_PROFIT)


@dataclass(frozen=True, slots=True)
class StopReport:
    """The result of a stop.

    `is_durable`: stored, or written to the emergency journal, so that the halt survives a crash. `is_flat` is True only if no call
    is in flight, every broker was asked, answered, and holds neither order nor position, and no strategy holds what it lacks.
    """

    is_durable: bool
    calls_in_flight: tuple[CallInFlight, ...]
    cancelled: tuple[UUID, ...]
    not_cancelled: tuple[str, ...]
    not_closed: tuple[str, ...]
    """Positions, or the parts of them, that were not closed, and why."""
    remaining: tuple[str, ...]
    """Orders and positions that the brokers still have, or why they could not be asked; what strategies hold that they lack."""
    closing: tuple[str, ...] = ()
    """The orders that closed positions, or were to, and what each has filled by now, for people."""

    @property
    def is_flat(self) -> bool:
        return not self.remaining and not self.calls_in_flight


class Kill:
    """The kill switch, with its cancels and closing orders."""

    def __init__(
        self,
        orders: OrderRegister,
        gateways: Mapping[str, Gateway],
        halts: TradingHalts,
        stop: StopOrders,
        flatten: Flatten,
        reconcile: Reconcile,
        fees: FeesInKind,
        risk: RiskBook,
        journal: EmergencyJournal,
        clock: Clock,
    ) -> None:
        self._orders, self._gateways, self._halts = orders, gateways, halts
        self._stop, self._flatten, self._reconcile = stop, flatten, reconcile
        self._fees, self._risk = fees, risk
        self._journal, self._clock = journal, clock

    async def kill(
        self, detail: str, actor: str, *, cancel_all: bool = False, flatten: bool = False, wait_seconds: float = 15.0
    ) -> StopReport:
        """Halt everything first, durable or not. Then cancel entries, close positions with `flatten`, and ask the brokers.

        Orders that protect a position are kept, except with `cancel_all`, and with `flatten` those of what is closed, after which
        they would open a new position. Calls in flight, cancels and closing orders are each awaited for up to `wait_seconds`; what
        has not ended is listed.
        """
        waiting = [order for order in self._orders.unfinished() if order.is_waiting]
        is_durable = await self._halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, detail, actor)
        if not is_durable:
            is_durable = self._journal.write(JournalledHalt(detail, actor, self._clock.now()))
        in_flight = await self._calls_still_out(wait_seconds)
        wanted = [order for order in self._orders.unfinished() if cancel_all or order.terms.role not in PROTECTIVE]
        stopped = await self._stop.stop(wanted, actor, wait_seconds)
        closing = await self._flatten.close_all(actor, wait_seconds) if flatten else Flattened()
        remaining = await self._remaining()
        return StopReport(
            is_durable,
            in_flight,
            tuple(dict.fromkeys((*stopped.cancelled, *closing.cancelled, *await self._ended(waiting)))),
            tuple(dict.fromkeys((*stopped.not_cancelled, *closing.not_cancelled))),
            tuple(closing.failures),
            tuple(remaining),
            tuple([await self._as_it_is_now(order) for order in closing.orders]),
        )

    async def _as_it_is_now(self, sent: LiveOrder) -> str:
        order = sent
        with suppress(StoreError):
            order = await within_store_timeout(self._orders.get(sent.order_id))
        intent, price = order.intent, order.average_price
        at = "" if price is None else f" at {plain(price)}"
        filled = f"{plain(order.filled_quantity)} of {plain(order.quantity)}"
        return f"{intent.account_id}: {order.terms.side} {filled} {intent.instrument.symbol}{at}, {order.status}"

    async def _ended(self, waiting: Sequence[LiveOrder]) -> list[UUID]:
        """Those that the halt itself has ended before it was their turn to be cancelled."""
        ended = list[UUID]()
        for order in waiting:
            with suppress(StoreError):
                known = await within_store_timeout(self._orders.get(order.order_id))
                ended += [order.order_id] if known.status.is_closed and not known.is_sent else []
        return ended

    async def _calls_still_out(self, seconds: float) -> tuple[CallInFlight, ...]:
        deadline = self._clock.monotonic() + seconds
        while self._in_flight() and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.05)
        return self._in_flight()

    def _in_flight(self) -> tuple[CallInFlight, ...]:
        return tuple(call for gateway in self._gateways.values() for call in gateway.in_flight.values())

    async def _remaining(self) -> Sequence[str]:
        return [*chain.from_iterable(await concurrently(self._held, self._gateways.values()))]

    async def _held(self, gateway: Gateway) -> list[str]:
        """What the broker still has. The broker is asked directly, so a missing store only delays the bookkeeping."""
        with suppress(StoreError):
            await within_store_timeout(self._reconcile.reconcile(gateway.account_id))
        try:
            orders = await gateway.ask(gateway.broker.open_orders())
            positions = await gateway.ask(gateway.broker.positions())
        except BrokerError as error:
            return [f"{gateway.account_id}: the broker could not be asked: {error}"]
        live = [f"{gateway.account_id}: order {o.broker_order_id} {o.symbol} {o.status}" for o in orders]
        held = [f"{gateway.account_id}: position {held}" for held in positions if held.quantity]
        doubts = [
            f"{gateway.account_id}: in doubt {o.order_id}" for o in self._orders.unfinished(gateway.account_id) if o.is_in_doubt
        ]
        return live + held + doubts + self._held_here_alone(gateway.account_id, positions)

    def _held_here_alone(self, account_id: str, theirs: Sequence[BrokerPosition]) -> list[str]:
        """What strategies hold of an instrument that the broker has nothing of, but for what it may have kept as its fee."""
        known = {position.instrument.key for position in theirs if position.quantity}
        keys = [key for key in self._risk.positions(account_id) if key not in known]
        return [
            f"{account_id}: {whose.strategy_name} holds {held.quantity:f} {key} here, and the broker nothing; "
            "`liveorder reconcile` shows why"
            for key in keys
            if not self._fees.explain(account_id, key, ZERO)
            for whose, held in self._risk.holdings(account_id, key).items()
            if held.quantity
        ]
