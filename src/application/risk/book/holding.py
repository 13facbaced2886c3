"""One instrument of one account: what is held of it, what is open in it, and what it could come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from liveorder.domain.position import Position, shown
from liveorder.domain.position_booking import summed
from liveorder.domain.quotes import Price
from liveorder.domain.risk import Cover, Covers, Exposure, OpenExposure, Stake
from liveorder.domain.values import EXACT, ZERO, Side, total

_COST_DECIMALS = 8
_NO_STAKE = Stake()


@dataclass(slots=True)
class InstrumentFigures:
    """Orders come and go through `open` and `close`; `measure` values the position anew."""

    key: str
    currency: str
    stored: dict[str, str | Position] = field(default_factory=dict)
    """The positions that it is the sum of, by the keys of their rows; as texts until they are needed."""
    rows: dict[str, dict[str, None]] = field(default_factory=dict)
    """The keys of each strategy's rows."""
    open_of: dict[str, Stake] = field(default_factory=dict)
    """What each strategy has open, without what it holds."""
    orders: dict[str, dict[UUID, OpenExposure]] = field(default_factory=dict)
    """Each strategy's open orders."""
    leaving: dict[str, Decimal] = field(default_factory=dict)
    """Signed units by which a strategy's holding is about to change without an order."""
    exposure: Exposure = field(default_factory=Exposure)
    doubts: dict[UUID, None] = field(default_factory=dict)
    """Orders in doubt, the oldest first."""
    covers: Covers = field(default_factory=Covers)
    """Which open buys take off what is short, or could."""
    counted: Exposure | None = None
    """What the account's sums contain of it."""

    _sum: Position | None = None
    """None while it is not known."""

    def hold(self, strategy_name: str, row_key: str, state: str) -> None:
        """The row of one of its positions is this now."""
        self.stored[row_key], self._sum = state, None
        self.rows.setdefault(strategy_name, {})[row_key] = None

    @property
    def position(self) -> Position | None:
        if self._sum is None and self.stored:
            self._sum = summed(self.parts().values())
            assert self._sum is not None
            self.currency = self._sum.currency
        return self._sum

    def parts(self) -> dict[str, Position]:
        """By the keys of their rows."""
        return {key: self._part(key) for key in self.stored}

    def _part(self, row_key: str) -> Position:
        state = self.stored[row_key]
        if isinstance(state, str):
            state = self.stored[row_key] = Position.from_json(state)
        return state

    @property
    def stake(self) -> Stake:
        """The whole account's."""
        return Stake(self.exposure.quantity, self.exposure.buys.quantity, self.exposure.sells.quantity)

    def position_of(self, strategy_name: str) -> Position | None:
        return summed(self._part(key) for key in self.rows.get(strategy_name, ()))

    def stake_of(self, strategy_name: str) -> Stake:
        """What is about to leave it is not there any more, and what is about to come is not there yet."""
        held = total(self._part(key).quantity for key in self.rows.get(strategy_name, ()))
        if self.leaving and held * (change := self.leaving.get(strategy_name, ZERO)) < 0:
            left = EXACT.add(held, change)
            held = left if left * held > 0 else ZERO
        return self.open_of.get(strategy_name, _NO_STAKE)._replace(quantity=held)

    def change(self, strategy_name: str, units: Decimal) -> None:
        """So many signed units are about to come or go; the reverse takes it back."""
        about = EXACT.add(self.leaving.pop(strategy_name, ZERO), units)
        if about:
            self.leaving[strategy_name] = about

    def open(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.plus(order.side, order.quantity, order.value)
        for name, units in order.parts:
            self.open_of[name] = self.open_of.get(name, _NO_STAKE).plus(order.side, units)
            self.orders.setdefault(name, {})[order.order_id] = order
        if order.side is Side.BUY:
            self.covers.open(order.order_id, order.quantity, order.value)
        if order.is_in_doubt:
            self.doubts[order.order_id] = None

    def close(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.minus(order.side, order.quantity, order.value)
        self.covers.close(order.order_id)
        for name, units in order.parts:
            self.open_of[name] = self.open_of[name].minus(order.side, units)
            self.orders[name].pop(order.order_id, None)
        self.doubts.pop(order.order_id, None)

    def share_out(self) -> Mapping[UUID, Cover]:
        """What of the open buys only takes off what is short, where that changed."""
        if self.covers.is_idle:
            return {}
        held = ZERO if self.position is None else self.position.quantity
        return self.covers.divide(EXACT.minus(held), self.exposure.sells.quantity)

    def measure(self, price: Price | None) -> None:
        """Value the position at `price`, or at cost where there is none."""
        position = self.position
        if position is not None:
            open_now = self.exposure
            self.exposure = Exposure(position.quantity, value_of(position, price), open_now.buys, open_now.sells)


def value_of(position: Position, price: Price | None) -> Decimal:
    """Money, in the position's currency, never negative."""
    if not position.quantity:
        return ZERO
    if price is None:
        return shown(abs(position.cost), _COST_DECIMALS)
    return abs(position.quantity * price.amount * position.multiplier)
