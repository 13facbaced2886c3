"""What is traded, and the grid that its prices and quantities live on."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from pydantic import BaseModel, ConfigDict

from liveorder.domain.errors import InvalidInput
from liveorder.domain.values import AssetClass, OptionRight, Price, Quantity, Side


class Instrument(BaseModel):
    """One tradable contract. Identity is `key`; tick, lot, multiplier and calendar come from the `instruments` port."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    exchange: str
    asset_class: AssetClass = AssetClass.EQUITY
    currency: str = "USD"
    tick_size: Quantity = Decimal("0.01")
    """Smallest step of a price, in the currency."""
    lot_size: Quantity = Decimal(1)
    """Smallest step of a quantity, in units."""
    multiplier: Quantity = Decimal(1)
    """Money that one unit earns when the price moves by one."""
    calendar: str = "24/7"
    """Name of its exchange calendar (`XNYS`, `XBOM`); `24/7` never closes."""
    expiry: date | None = None
    strike: Price | None = None
    right: OptionRight | None = None

    @property
    def key(self) -> str:
        """Identity as text: `EXCHANGE:SYMBOL`, with expiry, strike and right where it has them."""
        if self.expiry is None and self.strike is None and self.right is None:
            return f"{self.exchange}:{self.symbol}"
        parts = [self.exchange, self.symbol]
        if self.expiry is not None:
            parts.append(self.expiry.isoformat())
        if self.strike is not None:
            parts.append(f"{self.strike.normalize():f}")
        if self.right is not None:
            parts.append(self.right.value)
        return ":".join(parts)

    def round_price(self, price: Decimal, side: Side) -> Decimal:
        """To the tick, passively: a buy down, a sell up, so that rounding never pays more than was asked."""
        rounding = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING
        return (price / self.tick_size).to_integral_value(rounding=rounding) * self.tick_size

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """To the lot, toward zero. Raises `InvalidInput` when nothing is left."""
        rounded = (quantity / self.lot_size).to_integral_value(rounding=ROUND_DOWN) * self.lot_size
        if rounded <= 0:
            raise InvalidInput(
                "quantity", f"{quantity} is less than one lot of {self.lot_size} {self.symbol}", "ask for at least one lot"
            )
        return rounded

    def value_of(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Money that `quantity` units are worth at `price`, in the instrument's currency; exact."""
        return quantity * price * self.multiplier
