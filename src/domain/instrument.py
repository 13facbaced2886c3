"""What is traded, and the grid that its prices and quantities live on."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal
from functools import cached_property

from liveorder.domain.errors import InvalidInput
from liveorder.domain.record import Later, Record
from liveorder.domain.values import EXACT, AssetClass, OptionRight, OrderType, Price, Quantity, Side


class TickRule(Record):
    """The step of prices from one price on."""

    from_price: Price
    tick_size: Quantity


class Instrument(Record, dict=True):
    """One tradable contract. Identity is `key`; tick, lot, multiplier and calendar come from the `instruments` port."""

    symbol: str
    exchange: str
    asset_class: AssetClass = AssetClass.EQUITY
    currency: str = "USD"
    tick_size: Quantity = Decimal("0.01")
    """Smallest step of a price, as prices are quoted."""
    tick_rules: Later[tuple[TickRule, ...]] = ()
    """Where prices step wider, in rising order; each begins at a price of the grid below it. Elsewhere `tick_size` holds.

    Not written where there are none, so that what earlier versions stored stays as it is.
    """
    lot_size: Quantity = Decimal(1)
    """Smallest step of a quantity, in units."""
    multiplier: Quantity = Decimal(1)
    """Money that one unit earns when the price, as it is quoted, moves by one."""
    price_magnifier: Later[Quantity] = Decimal(1)
    """How many of the unit that prices are quoted in make one of the currency: 100 for cents and pence (ADR 40).

    `multiplier` allows for it. Not written where it is 1, so that what earlier versions stored stays as it is.
    """
    calendar: str = "24/7"
    """Name of its exchange calendar (`XNYS`, `XBOM`); `24/7` never closes."""
    expiry: date | None = None
    strike: Price | None = None
    right: OptionRight | None = None

    @cached_property
    def key(self) -> str:
        """Identity as text: `EXCHANGE:SYMBOL`, with expiry, strike and right where it has them; of a CFD, that and its currency."""
        if self.asset_class is AssetClass.CFD:
            return f"{self.exchange}:{self.symbol}:CFD:{self.currency}"
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

    @property
    def contract_multiplier(self) -> Decimal:
        """As the exchange states it, for prices in the currency: 5000 of corn, of which a cent more earns 50 USD."""
        return EXACT.multiply(self.multiplier, self.price_magnifier)

    @property
    def coin(self) -> str | None:
        """What a unit is, where that is money by itself: the BTC of BTC/USD. A fee can be taken out of it."""
        return coin_of(self.symbol, self.asset_class)

    @property
    def may_be_below_zero(self) -> bool:
        """Whether its price can be zero or negative."""
        return self.asset_class in (AssetClass.FUTURE, AssetClass.COMBO)

    def tick_at(self, price: Decimal) -> Decimal:
        """The step of prices as far from zero as this one."""
        ticks = [rule.tick_size for rule in self.tick_rules if rule.from_price <= price.copy_abs()]
        return ticks[-1] if ticks else self.tick_size

    def round_price(self, price: Decimal, side: Side, field: str = "limit_price") -> Decimal:
        """To the tick, passively: a buy down, a sell up, so that rounding never pays more than was asked.

        Raises `InvalidInput`, which names `field`, when nothing is left; a future's or a combo's may be zero or below.
        """
        rounding, tick = ROUND_FLOOR if side is Side.BUY else ROUND_CEILING, self.tick_at(price)
        rounded = EXACT.multiply(EXACT.divide(price, tick).to_integral_value(rounding=rounding), tick)
        if rounded <= 0 and not self.may_be_below_zero:
            raise InvalidInput(
                field, f"{price:f} is less than one tick of {self.tick_size:f} {self.symbol}", "give at least one tick"
            )
        return rounded

    def round_stop(self, price: Decimal, side: Side, kind: OrderType, field: str = "stop_price") -> Decimal:
        """To the tick: a stop away from the market, so that it does not become active sooner than was asked; else passively."""
        return self.round_price(price, side.opposite if kind.traits.is_stop else side, field)

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """To the lot, toward zero. Raises `InvalidInput` when nothing is left."""
        lots = EXACT.divide(quantity, self.lot_size).to_integral_value(rounding=ROUND_DOWN)
        rounded = EXACT.multiply(lots, self.lot_size)
        if rounded <= 0:
            raise InvalidInput(
                "quantity", f"{quantity:f} is less than one lot of {self.lot_size:f} {self.symbol}", "ask for at least one lot"
            )
        return rounded

    def value_of(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Money that `quantity` units are worth at `price`, in the instrument's currency; exact."""
        return EXACT.multiply(EXACT.multiply(quantity, price), self.multiplier)


def coin_of(symbol: str, asset_class: AssetClass) -> str | None:
    """The BTC of BTC/USD; None for what is no money by itself."""
    return symbol.partition("/")[0] if asset_class is AssetClass.CRYPTO else None
