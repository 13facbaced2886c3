"""New terms of a working order, and what is left to fill under them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.order.state import LiveOrder
from liveorder.domain.values import OrderType, Side


@dataclass(frozen=True, slots=True)
class Amendment:
    """What a replace asks for; None leaves a term as it is. `quantity` is of the whole order, filled part included."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    @property
    def changed(self) -> frozenset[str]:
        """The names of the terms that change."""
        return frozenset(each.name for each in fields(self) if getattr(self, each.name) is not None)

    def on_grid(self, instrument: Instrument, side: Side, kind: OrderType) -> Amendment:
        """The quantity toward zero to the lot, prices to the tick, as of a new order. `InvalidInput` where nothing is left."""
        quantity, limit_price, stop_price = self.quantity, self.limit_price, self.stop_price
        return Amendment(
            None if quantity is None else instrument.round_quantity(quantity),
            None if limit_price is None else instrument.round_price(limit_price, side),
            None if stop_price is None else instrument.round_stop(stop_price, side, kind),
        )

    def rest_of(self, order: LiveOrder) -> OrderRequested:
        """What is left to fill under the new terms, as if it were ordered now. Without a quantity where nothing is."""
        wanted = self.quantity or order.quantity
        left = None if wanted is None else wanted - order.filled_quantity
        return order.intent.with_terms(
            quantity=left if left is not None and left > 0 else None,
            limit_price=self.limit_price if self.limit_price is not None else order.limit_price,
            stop_price=self.stop_price if self.stop_price is not None else order.stop_price,
            decision_price=self.limit_price or self.stop_price or order.terms.decision_price,
        )
