"""What a real broker does, held against what its adapter declares: by asking, and by tiny orders far from the market.

The safe part of the contract. Nothing it sends is meant to trade, and whatever it sent is cancelled at the end, also when it fails.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from liveorder.application.ports.broker import (
    Absence,
    BrokerCapabilities,
    CancelRequest,
    KeySupport,
    ReplaceRequest,
    SubmitRequest,
)
from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerError, DuplicateClientOrderId, InvalidInput, LiveOrderError
from liveorder.domain.execution_report import Accepted, BrokerStatus, OrderSnapshot
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderType, Product, Side, TradingMode
from liveorder.testing.stage import Placed

T = TypeVar("T")

LOOK_AGAIN_SECONDS = 0.25
PATIENCE_SECONDS = 30.0
"""What has not come about by then is told as such."""
NEW_ORDER, WHILE_OPEN, AFTER_CANCEL = "a new order's key", "the key again, open", "the key again, cancelled"
_LIVE = (BrokerStatus.PENDING, BrokerStatus.WORKING)


@dataclass(frozen=True, slots=True)
class Finding:
    """`agrees` is None where nothing is declared about it."""

    question: str
    declared: str
    measured: str
    agrees: bool | None = None


@dataclass(frozen=True, slots=True)
class TinyOrder:
    """A buy of one unit or one lot for the day, `away` (a fraction) below the market, worth at most `max_value` in its currency."""

    query: InstrumentQuery
    max_value: Decimal
    away: Decimal = Decimal("0.1")
    product: Product | None = None
    may_be_live: bool = False
    """Whether somebody confirmed that it may cost real money."""


class Certification:
    """Of one account's broker. `findings` come as they are made."""

    def __init__(self, brokerage: Brokerage, account_id: str, clock: Clock) -> None:
        self._brokerage, self._broker = brokerage, brokerage.broker
        self._account_id, self._clock = account_id, clock
        self._is_live = True
        self._sent: list[Placed] = []
        self._numbers = iter(range(1, 1000))

    async def findings(self, order: TinyOrder | None) -> AsyncIterator[Finding]:
        """Without an order nothing is sent.

        Raises `BrokerError` when it cannot connect, `InvalidInput` for an order that cannot be, before anything is sent.
        """
        account = await self._broker.connect()
        self._is_live = account.mode is TradingMode.LIVE
        yield Finding("account", self._account_id, f"{account.account_id}, {account.mode}, {account.currency}")
        yield await _answered("open orders", self._open_orders())
        yield await _answered("executions of a day", self._executions())
        yield await _answered("positions", self._positions())
        if order is None:
            return
        if self._is_live and not order.may_be_live:
            remedy = "use the credentials of a paper account, or set it to LIVE and confirm"
            raise InvalidInput("TRADING_MODE", f"{self._account_id} is LIVE", remedy)
        try:
            request = await self._request(order)
            yield Finding("order", "", f"buy {request.quantity:f} {request.instrument.key} at {request.limit_price:f}")
            yield await _answered("a key that never was", self._absence(request))
            yield await _answered(NEW_ORDER, self._create(request))
            if self._is_known:
                yield await _answered(WHILE_OPEN, self._again(WHILE_OPEN))
                yield await _answered("a replace", self._change(request))
                yield await _answered("a cancel", self._cancel())
                yield await _answered(AFTER_CANCEL, self._again(AFTER_CANCEL))
        finally:
            left = await self._cancel_everything()
        yield Finding("left at the end", "nothing", ", ".join(left) or "nothing", not left)

    @property
    def _declared(self) -> BrokerCapabilities:
        return self._broker.capabilities

    # --- asking ----------------------------------------------------------------------------------------------------------------

    async def _open_orders(self) -> Finding:
        orders = await self._broker.open_orders()
        complete = "complete" if self._declared.open_orders_are_complete else "perhaps not complete"
        return Finding("open orders", complete, f"{len(orders)} listed")

    async def _executions(self) -> Finding:
        told = await self._broker.executions_since(self._clock.now() - timedelta(days=1))
        return Finding("executions of a day", "", f"{len(told)} told")

    async def _positions(self) -> Finding:
        return Finding("positions", "", f"{len(await self._broker.positions())} told")

    async def _absence(self, request: SubmitRequest) -> Finding:
        """Of an order that is made ready and not sent."""
        unsent = replace(request, client_order_id=self._key())
        answer = await self._broker.find(unsent.client_order_id, None, self._broker.prepare(unsent).reference)
        can_tell = self._declared.key_support is not KeySupport.NONE
        declared = "absent" if can_tell else "inconclusive"
        agrees = answer is (Absence.ABSENT if can_tell else Absence.INCONCLUSIVE)
        return Finding("a key that never was", declared, _told(answer), agrees)

    @property
    def _is_known(self) -> bool:
        """Whether the order was taken and found, so that more can be tried with it."""
        return bool(self._sent) and self._sent[0].broker_order_id is not None

    # --- trying ----------------------------------------------------------------------------------------------------------------

    async def _request(self, order: TinyOrder) -> SubmitRequest:
        instrument = await self._brokerage.instruments.resolve(order.query)
        if instrument is None:
            raise InvalidInput("symbol", f"{order.query.symbol} is unknown, or several fit", "name its exchange too")
        quote = await self._brokerage.market_data.latest(instrument)
        price = None if quote is None else quote.met_by(Side.BUY, self._clock.now(), math.inf)
        if price is None:
            raise InvalidInput("symbol", f"there is no price of {instrument.key}", "name another, or try in market hours")
        limit = instrument.round_price(price.amount * (1 - order.away), Side.BUY)
        value = instrument.value_of(instrument.lot_size, limit)
        if value > order.max_value:
            worth = f"one lot of {instrument.key} is worth {value:f}"
            raise InvalidInput("max_value", worth, "name a cheaper symbol, or allow more")
        return self._resting(instrument, _least(instrument, limit, order.max_value), limit, order.product)

    def _resting(self, instrument: Instrument, quantity: Decimal, limit: Decimal, product: Product | None) -> SubmitRequest:
        return SubmitRequest(
            client_order_id=self._key(),
            account_id=self._account_id,
            instrument=instrument,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            time_in_force=self._declared.usual_time_in_force(instrument.asset_class, OrderType.LIMIT),
            quantity=quantity,
            limit_price=limit,
            product=product,
        )

    def _key(self) -> str:
        """Of a signal that this run makes up."""
        made_up = f"{self._clock.now().isoformat()} {next(self._numbers)}"
        return SignalKey("certify", self._account_id, made_up).client_order_id

    async def _create(self, request: SubmitRequest) -> Finding:
        """How long until a new order can be found by its key."""
        placed = Placed(request, self._broker.prepare(request))
        self._sent.append(placed)
        reports = await self._broker.submit(placed.prepared)
        answered = self._clock.monotonic()
        ids = [each.broker_order_id for each in reports if isinstance(each, Accepted)]
        self._sent[0] = replace(placed, broker_order_id=next(iter(ids), None))
        found = await self._found(lambda order: order.status in _LIVE, by_key_alone=True)
        lag = self._clock.monotonic() - answered
        declared = f"within {self._declared.lookup_lag_seconds:g} s"
        if found is None:
            return Finding(NEW_ORDER, declared, f"not found in {PATIENCE_SECONDS:g} s", False)
        self._sent[0] = replace(self._sent[0], broker_order_id=found.broker_order_id)
        within = lag <= self._declared.lookup_lag_seconds + LOOK_AGAIN_SECONDS * 2
        return Finding(NEW_ORDER, declared, f"after {lag:.2f} s, {found.native_status or found.status}", within)

    async def _again(self, question: str) -> Finding:
        """The same bytes once more. What that makes is cancelled with the rest."""
        unique = self._declared.key_support is KeySupport.UNIQUE
        declared = "refused" if unique else "not refused"
        if self._is_live and not unique:
            return Finding(question, declared, "not tried: it is real money")
        try:
            reports = await self._broker.submit(self._sent[0].prepared)
        except DuplicateClientOrderId:
            return Finding(question, declared, "refused", unique)
        ids = [each.broker_order_id for each in reports if isinstance(each, Accepted)]
        known = {placed.broker_order_id for placed in self._sent}
        self._sent += [replace(self._sent[0], broker_order_id=each) for each in ids if each not in known]
        another = "as another order" if set(ids) - known else "as the same order"
        return Finding(question, declared, f"taken, {another}", not unique)

    async def _change(self, request: SubmitRequest) -> Finding:
        if not self._declared.replaces:
            return Finding("a replace", "not possible", "not tried")
        assert request.limit_price is not None
        wanted = request.limit_price - request.instrument.tick_at(request.limit_price)
        first = self._sent[0]
        reference = first.prepared.reference
        change = ReplaceRequest(first.key, first.broker_order_id, self._account_id, 1, limit_price=wanted, reference=reference)
        await self._broker.replace(self._broker.prepare(change))
        found = await self._found(lambda order: order.limit_price == wanted)
        if found is None:
            return Finding("a replace", "possible", f"not seen in {PATIENCE_SECONDS:g} s", False)
        renamed = found.broker_order_id != first.broker_order_id
        self._sent[0] = replace(first, broker_order_id=found.broker_order_id)
        return Finding("a replace", "possible", f"done, {'a new' if renamed else 'the same'} order id", True)

    async def _cancel(self) -> Finding:
        asked = self._clock.monotonic()
        await self._ask_to_cancel(self._sent[0])
        found = await self._found(lambda order: order.status not in _LIVE)
        if found is None:
            return Finding("a cancel", "", f"not done in {PATIENCE_SECONDS:g} s", False)
        agrees = found.status is BrokerStatus.CANCELLED
        return Finding("a cancel", "", f"{found.status} after {self._clock.monotonic() - asked:.2f} s", agrees)

    # --- the end ---------------------------------------------------------------------------------------------------------------

    async def _cancel_everything(self) -> list[str]:
        """What is still live after it, or may be."""
        left = []
        for placed in self._sent:
            with suppress(LiveOrderError):
                await self._ask_to_cancel(placed)
            if await self._may_live(placed):
                left.append(f"order {placed.broker_order_id or placed.key}")
        return left

    async def _may_live(self, placed: Placed) -> bool:
        async def ended() -> bool | None:
            found = await self._find(placed)
            return True if isinstance(found, OrderSnapshot) and found.status not in _LIVE else None

        return not await self._within(ended)

    async def _ask_to_cancel(self, placed: Placed) -> None:
        request = CancelRequest(placed.key, placed.broker_order_id, self._account_id, placed.prepared.reference)
        await self._broker.cancel(self._broker.prepare(request))

    async def _find(self, placed: Placed, *, by_key_alone: bool = False) -> OrderSnapshot | Absence:
        broker_order_id = None if by_key_alone else placed.broker_order_id
        return await self._broker.find(placed.key, broker_order_id, placed.prepared.reference)

    async def _found(self, when: Callable[[OrderSnapshot], bool], *, by_key_alone: bool = False) -> OrderSnapshot | None:
        async def look() -> OrderSnapshot | None:
            answer = await self._find(self._sent[0], by_key_alone=by_key_alone)
            return answer if isinstance(answer, OrderSnapshot) and when(answer) else None

        return await self._within(look)

    async def _within(self, look: Callable[[], Awaitable[T | None]]) -> T | None:
        until = self._clock.monotonic() + PATIENCE_SECONDS
        while (seen := await look()) is None and self._clock.monotonic() < until:
            await self._clock.sleep(LOOK_AGAIN_SECONDS)
        return seen


def _least(instrument: Instrument, limit: Decimal, max_value: Decimal) -> Decimal:
    """One unit where that is allowed, else one lot: brokers that trade parts of a unit refuse orders worth next to nothing."""
    unit = max(Decimal(1), instrument.lot_size)
    return unit if instrument.value_of(unit, limit) <= max_value else instrument.lot_size


async def _answered(question: str, answer: Awaitable[Finding]) -> Finding:
    """What fails is a finding too."""
    try:
        return await answer
    except BrokerError as error:
        return Finding(question, "", f"{type(error).__name__}: {error}", False)


def _told(answer: OrderSnapshot | Absence) -> str:
    return answer.value.lower() if isinstance(answer, Absence) else f"found: {answer.broker_order_id}"
