"""One instrument of one account: what is held of it, what is open in it, and what it could come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from liveorder.application.ports.market_data import Price
from liveorder.domain.position import Position, shown
from liveorder.domain.risk import Exposure, OpenExposure
from liveorder.domain.values import ZERO

_COST_DECIMALS = 8


@dataclass(slots=True)
class Holding:
    """Orders come and go through `open` and `close`; `measure` values the position anew."""

    key: str
    currency: str
    stored: str | Position | None = None
    """The position, as text until it is needed."""
    exposure: Exposure = field(default_factory=Exposure)
    doubts: dict[UUID, None] = field(default_factory=dict)
    """Orders in doubt, the oldest first."""
    counted: Exposure | None = None
    """What the account's sums contain of it."""

    @property
    def position(self) -> Position | None:
        if isinstance(self.stored, str):
            self.stored = Position.from_json(self.stored)
            self.currency = self.stored.currency
        return self.stored

    def open(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.plus(order.side, order.quantity, order.value)
        if order.is_in_doubt:
            self.doubts[order.order_id] = None

    def close(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.minus(order.side, order.quantity, order.value)
        self.doubts.pop(order.order_id, None)

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
