"""One instrument of one account: what is held of it, what is open in it, and what it could come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from liveorder.domain.position import Position, shown
from liveorder.domain.position_booking import summed
from liveorder.domain.quotes import Price
from liveorder.domain.risk import Exposure, OpenExposure
from liveorder.domain.values import EXACT, ZERO, Side

_COST_DECIMALS = 8


class Cover(NamedTuple):
    """Units of an open buy that only take off what is short."""

    units: Decimal = ZERO
    most: Decimal = ZERO
    """Once all open sales are filled, which the broker may know already."""


NO_COVER = Cover()


@dataclass(slots=True)
class InstrumentFigures:
    """Orders come and go through `open` and `close`; `measure` values the position anew."""

    key: str
    currency: str
    stored: dict[str, str | Position] = field(default_factory=dict)
    """The positions that it is the sum of, by the keys of their rows; as texts until they are needed."""
    exposure: Exposure = field(default_factory=Exposure)
    doubts: dict[UUID, None] = field(default_factory=dict)
    """Orders in doubt, the oldest first."""
    buys: dict[UUID, OpenExposure] = field(default_factory=dict)
    """Those that are open."""
    covers: Mapping[UUID, Cover] = field(default_factory=dict)
    """By open buy, where it takes off what is short, or could."""
    counted: Exposure | None = None
    """What the account's sums contain of it."""

    _sum: Position | None = None
    """None while it is not known."""

    def hold(self, row_key: str, state: str) -> None:
        """The row of one of its positions is this now."""
        self.stored[row_key], self._sum = state, None

    @property
    def position(self) -> Position | None:
        if self._sum is None and self.stored:
            self._sum = summed(self._parts())
            assert self._sum is not None
            self.currency = self._sum.currency
        return self._sum

    def _parts(self) -> list[Position]:
        """By strategy and contract."""
        for key, state in self.stored.items():
            if isinstance(state, str):
                self.stored[key] = Position.from_json(state)
        return [position for position in self.stored.values() if isinstance(position, Position)]

    def open(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.plus(order.side, order.quantity, order.value)
        if order.side is Side.BUY:
            self.buys[order.order_id] = order
        if order.is_in_doubt:
            self.doubts[order.order_id] = None

    def close(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.minus(order.side, order.quantity, order.value)
        self.buys.pop(order.order_id, None)
        self.doubts.pop(order.order_id, None)

    def share_out(self) -> Mapping[UUID, Cover]:
        """Divide what is short among the open buys, no unit twice and at the worst: the cheapest come first, the dear ones add.

        Returns those that changed.
        """
        if not self.buys and not self.covers:
            return {}
        before, held = self.covers, ZERO if self.position is None else self.position.quantity
        now, most = self._shares(-held), self._shares(EXACT.subtract(self.exposure.sells.quantity, held))
        self.covers = {order_id: Cover(now.get(order_id, ZERO), units) for order_id, units in most.items()}
        changed = {order_id: cover for order_id, cover in self.covers.items() if cover != before.get(order_id)}
        return changed | dict.fromkeys(before.keys() - self.covers.keys(), NO_COVER)

    def _shares(self, short: Decimal) -> Mapping[UUID, Decimal]:
        """By open buy, in units."""
        shares: dict[UUID, Decimal] = {}
        if short <= 0:
            return shares
        for order in sorted((each for each in self.buys.values() if each.quantity), key=_unit_value):
            if (units := min(order.quantity, short)) <= 0:
                break
            shares[order.order_id] = units
            short = EXACT.subtract(short, units)
        return shares

    def measure(self, price: Price | None) -> None:
        """Value the position at `price`, or at cost where there is none."""
        position = self.position
        if position is not None:
            open_now = self.exposure
            self.exposure = Exposure(position.quantity, _value(position, price), open_now.buys, open_now.sells)


def _value(position: Position, price: Price | None) -> Decimal:
    """Money, in the position's currency, never negative."""
    if not position.quantity:
        return ZERO
    if price is None:
        return shown(abs(position.cost), _COST_DECIMALS)
    return abs(position.quantity * price.amount * position.multiplier)


def _unit_value(order: OpenExposure) -> Decimal:
    return order.value / order.quantity
