"""The vocabulary of trading: sides, types, durations, and exact numbers.

Every number is a `Decimal` made from a string. A binary float never enters: ``0.1 + 0.2`` is not a price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from enum import StrEnum
from functools import reduce
from typing import Annotated, NamedTuple

from pydantic import Field

ZERO = Decimal(0)
EXACT = Context(prec=1000)
"""What is added, subtracted or multiplied by it keeps its last digit, whatever context an embedding program has."""
USUAL = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[DivisionByZero, InvalidOperation, Overflow])
"""In which our own tasks reckon what has no last digit, whatever context an embedding program has."""


class Side(StrEnum):
    """Which way an order moves the position."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    def signed(self, amount: Decimal) -> Decimal:
        """Negative for a sale; to the last digit, whatever decimal context an embedding program has."""
        return amount if self is Side.BUY else amount.copy_negate()

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"
    TRAILING_STOP = "TRAILING_STOP"
    TRAILING_STOP_LIMIT = "TRAILING_STOP_LIMIT"
    """Once the price has come back by the distance it becomes a limit order, `limit_offset` worse than the stop."""
    MARKET_IF_TOUCHED = "MARKET_IF_TOUCHED"
    """A market order once the price is as good as `stop_price`: below the market for a buy, above it for a sell."""
    LIMIT_IF_TOUCHED = "LIMIT_IF_TOUCHED"
    """A limit order once the price is as good as `stop_price`."""
    MARKET_TO_LIMIT = "MARKET_TO_LIMIT"
    """What does not trade at once rests at the price of what did."""

    @property
    def traits(self) -> OrderTypeTraits:
        return ORDER_TYPE_TRAITS[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTypeTraits:
    """What is so of every order of a type. Who needs to tell types apart asks for one of these and lists no types."""

    needs_limit_price: bool = False
    needs_stop_price: bool = False
    """The price at which it becomes active, of a stop or of one that is to be touched."""
    trails: bool = False
    """Its stop follows the price at a distance, `trail_amount` or `trail_percent`."""
    needs_limit_offset: bool = False
    is_stop: bool = False
    """It becomes active when the price gets worse: what guards a position."""
    is_touched: bool = False
    """It becomes active when the price gets as good as `stop_price`."""
    meets_the_market: bool = False
    """It trades at once at what the market offers."""
    rests_at_its_limit: bool = False
    """What does not trade at once stands in the book, without waiting for a price first."""
    takes_limit_from_fill: bool = False
    """Its limit is the price of its first fill."""
    may_be_immediate: bool = False
    """It can be IOC or FOK."""

    @property
    def needs(self) -> frozenset[str]:
        """The fields for prices that such an order has, and no others; `trail_amount` stands for `trail_percent` too."""
        needed = {
            "limit_price": self.needs_limit_price,
            "stop_price": self.needs_stop_price,
            "trail_amount": self.trails,
            "limit_offset": self.needs_limit_offset,
        }
        return frozenset(name for name, is_needed in needed.items() if is_needed)


ORDER_TYPE_TRAITS: Mapping[OrderType, OrderTypeTraits] = {
    OrderType.MARKET: OrderTypeTraits(meets_the_market=True, may_be_immediate=True),
    OrderType.LIMIT: OrderTypeTraits(needs_limit_price=True, rests_at_its_limit=True, may_be_immediate=True),
    OrderType.STOP: OrderTypeTraits(needs_stop_price=True, is_stop=True),
    OrderType.STOP_LIMIT: OrderTypeTraits(needs_limit_price=True, needs_stop_price=True, is_stop=True),
    OrderType.TRAILING_STOP: OrderTypeTraits(trails=True, is_stop=True),
    OrderType.TRAILING_STOP_LIMIT: OrderTypeTraits(trails=True, needs_limit_offset=True, is_stop=True),
    OrderType.MARKET_IF_TOUCHED: OrderTypeTraits(needs_stop_price=True, is_touched=True),
    OrderType.LIMIT_IF_TOUCHED: OrderTypeTraits(needs_limit_price=True, needs_stop_price=True, is_touched=True),
    OrderType.MARKET_TO_LIMIT: OrderTypeTraits(meets_the_market=True, rests_at_its_limit=True, takes_limit_from_fill=True),
}
"""A row for each type. A new type needs one, and the words of the brokers that take it."""


class TimeInForce(StrEnum):
    """How long an order stands. GTD carries its own expiry time."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"
    OPG = "OPG"
    """In the opening auction only."""
    CLS = "CLS"
    """In the closing auction only."""

    @property
    def is_for_an_auction(self) -> bool:
        """Whether it trades at one moment that the market sets, and not before."""
        return self in (TimeInForce.OPG, TimeInForce.CLS)


def trades_at_once(order_type: OrderType, time_in_force: TimeInForce) -> bool:
    """Whether nothing of such an order rests: it meets the market, or is IOC or FOK. Not what waits for an auction."""
    if time_in_force.is_for_an_auction:
        return False
    traits = order_type.traits
    meets_it_whole = traits.meets_the_market and not traits.rests_at_its_limit
    return meets_it_whole or time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


class TradingHours(StrEnum):
    """In which hours of its exchange an order may trade."""

    REGULAR = "regular"
    EXTENDED = "extended"
    """Before the open and after the close as well, where the broker does that."""


class Product(StrEnum):
    """Indian margin products: intraday, carried derivative, delivery, delivery on margin. Other markets leave it unset."""

    MIS = "MIS"
    NRML = "NRML"
    CNC = "CNC"
    MTF = "MTF"


class AssetClass(StrEnum):
    EQUITY = "EQUITY"
    OPTION = "OPTION"
    FUTURE = "FUTURE"
    FUTURE_OPTION = "FUTURE_OPTION"
    """An option whose underlying is a future."""
    CFD = "CFD"
    """A contract for difference, named as what it is on."""
    COMBO = "COMBO"
    """Several contracts that are traded as one."""
    FOREX = "FOREX"
    CRYPTO = "CRYPTO"


class OptionRight(StrEnum):
    CALL = "CALL"
    PUT = "PUT"


class OrderRole(StrEnum):
    """What an order is for. Only an ENTRY adds risk; the others end a position or guard it, and never open one."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    STOP_LOSS = "STOP_LOSS"
    TAKE_PROFIT = "TAKE_PROFIT"


class PositionEffect(StrEnum):
    """What an order may do to its strategy's position: FIX 77."""

    OPEN = "OPEN"
    """Open or enlarge it; not on the other side of what is held."""
    CLOSE = "CLOSE"
    """Take it off, and never beyond zero, whatever short selling is allowed."""


class TradingMode(StrEnum):
    """How real the money is. A store is stamped with one and refuses the others."""

    SIMULATION = "SIMULATION"
    PAPER = "PAPER"
    LIVE = "LIVE"


Quantity = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
"""A number of shares, contracts or coins, above zero."""

FilledQuantity = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""A quantity that may be zero."""

Price = Annotated[Decimal, Field(allow_inf_nan=False)]
"""Price of one unit as its market quotes it: in the instrument's currency, or where that is the custom in cents or pence (ADR 40).
May be zero or negative (spreads, oil in 2020).
"""

Amount = Annotated[Decimal, Field(allow_inf_nan=False)]
"""A sum of money in a currency that the context names."""


class Money(NamedTuple):
    """An exact amount of one currency; a coin is one too. Two currencies never meet in one sum: see `with_money`."""

    amount: Decimal
    currency: str

    def __neg__(self) -> Money:
        return Money(self.amount.copy_negate(), self.currency)


def with_money(sums: Mapping[str, Decimal], money: Money | None) -> Mapping[str, Decimal]:
    """Exact sums by currency with one more amount in them. A currency that comes to nothing is left out."""
    if money is None or not money.amount:
        return sums
    amount = EXACT.add(sums.get(money.currency, ZERO), money.amount)
    others = {currency: known for currency, known in sums.items() if currency != money.currency}
    return others | {money.currency: amount} if amount else others


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Exact sum, whatever decimal context an embedding program has; zero of nothing."""
    return reduce(EXACT.add, amounts, ZERO)
