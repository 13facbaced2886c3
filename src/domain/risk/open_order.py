"""What one open order could still do."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import WAITS_FOR_ORDERS, WaitBegan, WaitReason
from liveorder.domain.order.shares import left_to_get, shared_out
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.reversal import is_second_leg
from liveorder.domain.risk.exposure import dearest, with_trail, worst_price
from liveorder.domain.signal import Signal
from liveorder.domain.values import EXACT, ZERO, OrderRole, PositionEffect, Product, Side, total


class OpenExposure(NamedTuple):
    """What one open order could still do: units, and the money that they could come to."""

    order_id: UUID
    instrument_key: str
    side: Side
    quantity: Decimal
    value: Decimal
    is_in_doubt: bool
    strategy_name: str
    shares: tuple[tuple[str, Decimal], ...] = ()
    """Of an order that trades for several strategies: units by strategy."""
    terms: OrderTerms | None = None
    rests: bool = False
    """See `LiveOrder.rests`."""
    is_waiting: bool = False
    is_leg: bool = False
    """It waits for the order that closes, to open the other side after it."""
    is_second_leg: bool = False
    """It is the opening leg of a reversal, sent or not."""
    wait: WaitBegan | None = None
    """Of one that waits."""
    may_trade: bool = True
    """See `LiveOrder.may_trade`."""
    waits_with: Decimal | None = None
    """Of an exit that waits: the units that it was for when it came. It takes none before it is sized again. None: it is none."""
    awaits_own_entries: bool = False
    """A plain sale that leaves only once its strategy's own entries have brought all that it sells: nothing of what others hold."""

    @property
    def parts(self) -> tuple[tuple[str, Decimal], ...]:
        """Units by strategy, those of the order's own too."""
        return self.shares or ((self.strategy_name, self.quantity),)

    @property
    def product(self) -> Product | None:
        return None if self.terms is None else self.terms.product

    @property
    def role(self) -> OrderRole:
        return OrderRole.ENTRY if self.terms is None else self.terms.role

    @property
    def closes(self) -> bool:
        """Whether it is said to take off what is held."""
        effect = None if self.terms is None else self.terms.position_effect
        return effect is PositionEffect.CLOSE or self.role is not OrderRole.ENTRY

    @property
    def awaits(self) -> tuple[UUID, ...]:
        """Of one that waits for orders of its strategy to end: those."""
        return self.wait.orders if self.wait is not None and self.wait.reason in WAITS_FOR_ORDERS else ()

    @property
    def opens(self) -> bool:
        """Whether it waits and is to do more than to close, or is the opening leg of a reversal. The closing leg of one says CLOSE:
        its signal says more.
        """
        if self.wait is None or self.terms is None:
            return self.is_second_leg
        if self.terms.position_effect is not PositionEffect.CLOSE or self.terms.has_target:
            return True
        signal = Signal.restored(self.wait.signal)
        return signal.effect is not PositionEffect.CLOSE and bool(signal.sizes or signal.effect)

    def units_of(self, strategy_name: str) -> Decimal:
        return total(units for name, units in self.parts if name == strategy_name)


def open_exposure(order: LiveOrder, last_price: Decimal | None, *, atomic_replace: bool) -> OpenExposure | None:
    """The worst that the order could do yet, requests without an outcome included; None when it is over.

    An exit that waits, and the opening leg of a reversal, could do nothing yet: each is sized again when its wait is over.
    A cash order that has not learned its quantity counts its remaining money, and the units that those come to.
    """
    if order.is_finished:
        return None
    price = _worst_price_of(order, last_price) or ZERO
    if order.quantity is not None:
        units = order.worst_case_quantity(atomic_replace=atomic_replace)
        value = abs(order.intent.instrument.value_of(units, price))
    else:
        value = max((order.terms.notional or ZERO) - _spent(order), ZERO)
        units = abs(value / (price * order.intent.instrument.multiplier)) if price else ZERO
    intent, waits_with = order.intent, None
    if not order.may_trade:
        units = value = ZERO
    is_leg = order.wait is not None and order.wait.reason is WaitReason.LEG
    if order.is_waiting and (is_leg or order.terms.position_effect is PositionEffect.CLOSE):
        waits_with = None if is_leg else order.quantity or ZERO
        units, value = ZERO, ZERO
    exposure = OpenExposure(
        intent.order_id,
        intent.instrument.key,
        intent.terms.side,
        units,
        value,
        order.is_in_doubt,
        intent.strategy_name,
        terms=intent.terms,
        rests=order.rests,
        is_waiting=order.is_waiting,
        is_leg=is_leg,
        is_second_leg=is_second_leg(intent.signal_id),
        wait=order.wait if order.is_waiting else None,
        may_trade=order.may_trade,
        waits_with=waits_with,
        awaits_own_entries=intent.terms.position_effect is None
        and order.wait is not None
        and order.wait.reason is WaitReason.ENTRY,
    )
    return exposure._replace(shares=_shares(order, units)) if intent.shares else exposure


def _shares(order: LiveOrder, units: Decimal) -> tuple[tuple[str, Decimal], ...]:
    """Who shares in units that are not traded yet, as their fill would be divided; what is beyond the shares is the order's own."""
    intent, step = order.intent, order.intent.instrument.lot_size
    left = left_to_get(intent.shares, order.executions, [*order.executions.effective()], step)
    parts = shared_out(units, left, step)
    beyond = EXACT.subtract(units, total(parts))
    shared = [(share.strategy_name, part) for share, part in zip(intent.shares, parts, strict=True) if part]
    return (*shared, (intent.strategy_name, beyond)) if beyond else tuple(shared)


def _worst_price_of(order: LiveOrder, last_price: Decimal | None) -> Decimal | None:
    """Over the terms that stand and those of each replace that has no outcome."""
    intent, side, kind = order.intent, order.terms.side, order.terms.order_type
    market = dearest(intent.terms.decision_price, last_price)
    market = with_trail(side, market, intent.terms.trail_amount, intent.terms.trail_percent, intent.terms.limit_offset)
    worst = worst_price(side, kind, order.limit_price, order.stop_price, market)
    for request in order.requests.values():
        if (terms := request.terms) is not None:
            limit_price, stop_price = terms.limit_price or order.limit_price, terms.stop_price or order.stop_price
            worst = dearest(worst, worst_price(side, kind, limit_price, stop_price, market))
    return worst


def _spent(order: LiveOrder) -> Decimal:
    return abs(order.executions.totals.value * order.intent.instrument.multiplier)
