"""Certification by tiny orders far from the market, each cancelled as soon as it was seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.application.ports.broker import Absence, Broker, SubmitRequest
from liveorder.application.ports.clock import Clock
from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRefusal,
    DuplicateClientOrderId,
    OrderValidationError,
)
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot, ReplaceRejected
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Product, Side, TradingHours
from liveorder.testing.account_money import BESIDE_IT, buying_power, taken_by
from liveorder.testing.finding import Finding, answered
from liveorder.testing.resting import resting_buy
from liveorder.testing.trial_orders import LIVE, LOOK_AGAIN_SECONDS, PATIENCE_SECONDS, TrialOrder, TrialOrders

ABSENCE, NEW_ORDER, WHILE_OPEN = "a key that never was", "a new order's key", "the key again, open"
REPLACE, CANCEL, AFTER_CANCEL = "a replace", "a cancel", "the key again, cancelled"
EXTENDED, OFF_THE_GRID, REDUCES = "an order for extended hours", "a price off the grid", "an order that only reduces"
TAKEN, REFUSED = "taken", "refused, with a reason"
IN_VAIN = f"in {PATIENCE_SECONDS:g} s"
REAL_MONEY = "not tried: it is real money"


@dataclass(frozen=True, slots=True)
class TinyOrder:
    """A day order that buys one unit or one lot, `away` (a fraction) below the market, worth at most `max_value` in its
    currency.
    """

    max_value: Decimal
    away: Decimal = Decimal("0.1")
    product: Product | None = None
    may_be_live: bool = False
    """True if a person confirmed that it may cost real money."""


class Trials:
    """Trials with orders like `first`, a limit buy that rests by the terms of `order` below `market`.

    With real money, only orders that the broker should accept are tried. If it failed to refuse an order, nobody would know what
    becomes of it.
    """

    def __init__(
        self,
        broker: Broker,
        orders: TrialOrders,
        clock: Clock,
        order: TinyOrder,
        first: SubmitRequest,
        market: Decimal,
        *,
        is_live: bool,
    ) -> None:
        self._broker, self._orders, self._clock = broker, orders, clock
        self._order, self._first, self._market, self._is_live = order, first, market, is_live

    async def findings(self) -> AsyncIterator[Finding]:
        """Yields findings as they are made. Ends if the first order is not found."""
        yield await answered(ABSENCE, self._absence())
        try:
            first = self._orders.ready(self._first)
        except OrderValidationError as refusal:
            yield Finding(NEW_ORDER, "", f"not sent: {refusal}", False)
            return
        before = await buying_power(self._broker, self._instrument)
        yield await answered(NEW_ORDER, self._create(first))
        if first.broker_order_id is None:
            return
        yield await answered(BESIDE_IT, taken_by(self._broker, self._first, before))
        yield await answered(WHILE_OPEN, self._again(WHILE_OPEN, first))
        yield await answered(REPLACE, self._change(first))
        yield await answered(CANCEL, self._cancel(first))
        yield await answered(AFTER_CANCEL, self._again(AFTER_CANCEL, first))
        for question, finding in self._others():
            yield await answered(question, finding)

    def _others(self) -> Iterator[tuple[str, Awaitable[Finding]]]:
        for kind in OrderType:
            if kind in self._declared.order_types and kind is not self._first.order_type and not kind.traits.meets_the_market:
                name = f"{'an' if kind.value[0] in 'AEIOU' else 'a'} {kind} order"
                yield name, self._taken(name, self._like(kind))
        if TradingHours.EXTENDED in self._declared.hours:
            yield EXTENDED, self._taken(EXTENDED, self._like(OrderType.LIMIT, hours=TradingHours.EXTENDED))
        if (cheaper := _other_band(self._instrument, self._limit)) is not None:
            price, tick = cheaper
            name = f"a price in steps of {tick:f}"
            yield name, self._taken(name, self._like(OrderType.LIMIT, limit_price=price), on_paper=True)
        between = self._limit + self._instrument.tick_at(self._limit) / 2
        yield OFF_THE_GRID, self._refused(OFF_THE_GRID, self._like(OrderType.LIMIT, limit_price=between))
        yield REDUCES, self._reduces()

    @property
    def _declared(self) -> BrokerCapabilities:
        return self._broker.capabilities

    @property
    def _instrument(self) -> Instrument:
        return self._first.instrument

    @property
    def _limit(self) -> Decimal:
        assert self._first.limit_price is not None
        return self._first.limit_price

    def _like(self, kind: OrderType, **changes: Any) -> SubmitRequest:
        """Another order of this type, far from the market."""
        prices: dict[str, Any] = {**resting_buy(kind, self._instrument, self._market, self._order.away)}
        in_force = self._declared.usual_time_in_force(self._instrument.asset_class, kind)
        key = self._orders.new_key()
        return self._first.but(client_order_id=key, order_type=kind, time_in_force=in_force, **prices | changes)

    # --- the first order -------------------------------------------------------------------------------------------------------

    async def _absence(self) -> Finding:
        """Look for an order that is prepared and not sent."""
        answer = await self._orders.find(self._orders.ready(self._like(OrderType.LIMIT)))
        can_tell = self._declared.key_support is not KeySupport.NONE
        declared = "absent" if can_tell else "inconclusive"
        agrees = answer is (Absence.ABSENT if can_tell else Absence.INCONCLUSIVE)
        measured = answer.value.lower() if isinstance(answer, Absence) else f"found: {answer.broker_order_id}"
        return Finding(ABSENCE, declared, measured, agrees)

    async def _create(self, order: TrialOrder) -> Finding:
        """How long until a new order can be found by its key."""
        await self._orders.send(order)
        answered_at = self._clock.monotonic()
        order.broker_order_id, taken_as = None, order.broker_order_id
        found = await self._orders.found(order, lambda found: found.status in LIVE)
        lag = self._clock.monotonic() - answered_at
        declared = f"within {self._declared.lookup_lag_seconds:g} s"
        if found is None:
            order.broker_order_id = taken_as
            return Finding(NEW_ORDER, declared, f"not found {IN_VAIN}", False)
        order.broker_order_id = found.broker_order_id
        within = lag <= self._declared.lookup_lag_seconds + LOOK_AGAIN_SECONDS * 2
        return Finding(NEW_ORDER, declared, f"after {lag:.2f} s, {_word(found)}", within)

    async def _again(self, question: str, order: TrialOrder) -> Finding:
        """Send the same bytes again. If that makes another order, it is cancelled with the rest."""
        unique = self._declared.key_support is KeySupport.UNIQUE
        declared = "refused" if unique else "not refused"
        if self._is_live and not unique:
            return Finding(question, declared, REAL_MONEY)
        try:
            is_another = await self._orders.send_again(order)
        except DuplicateClientOrderId:
            return Finding(question, declared, "refused", unique)
        return Finding(question, declared, f"taken, {'as another order' if is_another else 'as the same order'}", not unique)

    async def _change(self, order: TrialOrder) -> Finding:
        """Replace the order at the next price of the grid."""
        if not self._declared.replaces:
            return Finding(REPLACE, "not possible", "not tried")
        wanted = self._limit - self._instrument.tick_at(self._limit)
        for report in await self._orders.replace(order, wanted):
            if isinstance(report, ReplaceRejected):
                return Finding(REPLACE, "possible", f"refused: {report.reason}", False)
        found = await self._orders.found(order, lambda found: found.limit_price == wanted)
        if found is None:
            return Finding(REPLACE, "possible", f"not seen {IN_VAIN}", False)
        renamed = found.broker_order_id != order.broker_order_id
        order.broker_order_id = found.broker_order_id
        return Finding(REPLACE, "possible", f"done, {'a new' if renamed else 'the same'} order id", True)

    async def _cancel(self, order: TrialOrder) -> Finding:
        asked = self._clock.monotonic()
        end = await self._orders.cancel(order)
        if end is None:
            return Finding(CANCEL, "", f"not done {IN_VAIN}", False)
        took = self._clock.monotonic() - asked
        return Finding(CANCEL, "", f"{end.status} after {took:.2f} s", end.status is BrokerStatus.CANCELLED)

    # --- what the broker is to take, and what it is to refuse ------------------------------------------------------------------

    async def _taken(self, question: str, request: SubmitRequest, *, on_paper: bool = False) -> Finding:
        worth = self._worth(request)
        if on_paper and self._is_live:
            return Finding(question, TAKEN, REAL_MONEY)
        if worth > self._order.max_value:
            return Finding(question, TAKEN, f"not tried: it is worth {worth:f}")
        try:
            order = self._orders.ready(request)
        except OrderValidationError as refusal:
            return Finding(question, TAKEN, f"not sent: {refusal}")
        await self._orders.pause()
        try:
            await self._orders.send(order)
        except (BrokerAuthenticationError, DuplicateClientOrderId):
            raise
        except BrokerRefusal as refusal:
            return Finding(question, TAKEN, f"refused: {refusal}", False)
        seen = await self._orders.found(order, lambda found: True)
        if seen is None:
            return Finding(question, TAKEN, f"not found {IN_VAIN}", False)
        order.broker_order_id = seen.broker_order_id
        end = await self._orders.cancel(order)
        if end is None:
            return Finding(question, TAKEN, f"taken, not cancelled {IN_VAIN}", False)
        if end.status is not BrokerStatus.CANCELLED:
            return Finding(question, TAKEN, f"{end.status}: {end.reason or _word(end)}", False)
        other = _differences(seen, request)
        return Finding(question, TAKEN, f"taken as {other}" if other else f"taken: {_word(seen)}", not other)

    def _worth(self, request: SubmitRequest) -> Decimal:
        """The order's value at its own price, or at the highest price it may reach."""
        price = request.limit_price or request.stop_price or self._market * (1 + self._order.away)
        return self._instrument.value_of(request.quantity or Decimal(0), price)

    async def _refused(self, question: str, request: SubmitRequest) -> Finding:
        if self._is_live:
            return Finding(question, REFUSED, REAL_MONEY)
        try:
            order = self._orders.ready(request)
        except OrderValidationError as refusal:
            return Finding(question, REFUSED, f"not sent: {refusal}")
        await self._orders.pause()
        asked = self._clock.monotonic()
        try:
            await self._orders.send(order)
        except (BrokerAuthenticationError, DuplicateClientOrderId):
            raise
        except BrokerRefusal as refusal:
            return _in_words(question, "refused at once", str(refusal))
        end = await self._orders.found(order, lambda found: found.status is not BrokerStatus.PENDING)
        if end is None or end.status is not BrokerStatus.REJECTED:
            with suppress(BrokerError):
                await self._orders.cancel(order)
            return Finding(question, REFUSED, f"not refused {IN_VAIN}" if end is None else f"taken: {_word(end)}", False)
        order.end = end
        return _in_words(question, f"rejected after {self._clock.monotonic() - asked:.2f} s", end.reason)

    async def _reduces(self) -> Finding:
        """A sell order marked as reduce-only, where no position is held."""
        if self._instrument.asset_class not in self._declared.reduce_only_for:
            return Finding(REDUCES, "", "not sent to the broker")
        held = [each for each in await self._broker.positions() if each.instrument.key == self._instrument.key and each.quantity]
        if held:
            return Finding(REDUCES, REFUSED, f"not tried: {held[0]} is held")
        price = self._instrument.round_price(self._market * (1 + self._order.away), Side.SELL)
        return await self._refused(REDUCES, self._like(OrderType.LIMIT, side=Side.SELL, limit_price=price, reduces_only=True))


def _other_band(instrument: Instrument, price: Decimal) -> tuple[Decimal, Decimal] | None:
    """The highest price below `price` that has a different tick, and that tick."""
    bounds = [rule.from_price for rule in instrument.tick_rules if rule.from_price <= price]
    if not bounds:
        return None
    ticks = [instrument.tick_size, *(rule.tick_size for rule in instrument.tick_rules)]
    tick = ticks[len(bounds) - 1]
    return bounds[-1] - tick, tick


def _differences(seen: OrderSnapshot, request: SubmitRequest) -> str:
    """The reported terms that differ from those sent."""
    pairs = [
        ("", seen.order_type, request.order_type),
        ("limit ", seen.limit_price, request.limit_price),
        ("stop ", seen.stop_price, request.stop_price),
        ("hours ", seen.hours, request.hours),
    ]
    return ", ".join(f"{name}{seen}" for name, seen, sent in pairs if seen is not None and sent is not None and seen != sent)


def _in_words(question: str, refused: str, words: str) -> Finding:
    return Finding(question, REFUSED, f"{refused}: {words}" if words else f"{refused}, without a reason", bool(words))


def _word(order: OrderSnapshot) -> str:
    return order.native_status or str(order.status)
