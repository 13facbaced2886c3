"""What a signal is sized by, and what it comes to. Quantities are in units, exact until they are rounded toward zero to the lot;
money is in the instrument's currency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN, Context, Decimal
from uuid import UUID

from msgspec import Struct, field
from msgspec.structs import replace

from liveorder.domain.broker_account import BrokerAccount
from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.risk import OpenExposure, RiskRefusal
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.domain.standing import Standing
from liveorder.domain.values import EXACT, PositionEffect, Product, Side
from liveorder.domain.wording import plain

MAX_EQUITY_AGE_SECONDS = 60.0
"""An order is sized by no older equity."""

_HUNDRED = Decimal(100)
TOWARD_ZERO = Context(prec=28, rounding=ROUND_DOWN)
"""What does not divide evenly must not be rounded up to the next lot."""


class Basis(Struct, frozen=True):
    """What a signal is sized by."""

    instrument: Instrument
    price: Decimal | None
    """At which it would trade, as far as is known."""
    limits: RiskLimits
    takes_notional: bool
    """Whether the broker takes an amount of money in place of a quantity."""
    standing: Standing
    equity: Decimal | RiskRefusal | None = None
    """Of the account, or why it is not known; None where the signal does not ask for it."""
    product: Product | None = None
    """Of orders that name none."""
    may_cancel: bool = True
    """Whether exits that are in the way can be cancelled first."""
    crosses_zero: bool = False
    """Whether the broker takes one order that closes and opens."""
    is_second_leg: bool = False
    """Whether it opens what a reversal is to open, after its closing leg."""
    order_id: UUID | None = None
    """Of the order that it becomes; None: later than all others."""
    has_waited: bool = False
    is_long_only: bool = True
    """No sale that opens may go short: a table of limits can forbid it where `limits` do not."""
    is_of_one_product: bool = False
    """See `under`."""

    @property
    def may_reverse(self) -> bool:
        return not (self.is_long_only or self.is_second_leg)

    def under(self, product: Product | None) -> Basis:
        """By what there is under the product alone."""
        standing, is_of_it = self.standing.under(product, self.product), bool(self.standing.parts)
        return replace(self, standing=standing, product=product or self.product, is_of_one_product=is_of_it)

    @property
    def what(self) -> str:
        """For people: the symbol, and the product where it is sized by that alone."""
        return f"{self.instrument.symbol} under {self.product}" if self.is_of_one_product else self.instrument.symbol


class Amount(Struct, frozen=True):
    """What a signal comes to: a quantity or an amount of money, or why it comes to nothing."""

    side: Side
    effect: PositionEffect | None
    quantity: Decimal | None = None
    notional: Decimal | None = None
    problem: InvalidInput | None = None
    refusal: RiskRefusal | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    """By which it was reckoned, for people."""
    in_the_way: tuple[OpenExposure, ...] = ()
    """The strategy's own orders that are to be cancelled before it can be sent."""
    both_legs: Decimal | None = None
    """Of an order that closes and after which, once it is wholly filled, another one opens the other side: units of the two. None:
    it is no such leg.
    """
    superseded: tuple[OpenExposure, ...] = ()
    """Orders of the strategy that wait to do something else. What was asked last counts: they end first, whatever it comes to."""
    in_doubt: tuple[OpenExposure, ...] = ()
    """Those of which has to be known what became of them before it can be sized."""
    outcomes: tuple[Amount, ...] = ()
    """What it may come to once that is known: an order for each outcome that leaves one."""
    guards_held: bool = False
    """It guards a position, and its quantity is of what is held and no other exit takes. No take-profit while a stop-loss waits."""
    awaits_entries: bool = False
    """It is a sale of more than is held where nothing may be short, and orders that are open bring the rest."""
    product: Product | None = None
    """Under which it goes out; None: as the signal says, else the usual one."""
    of_product: Standing | None = None
    """By which it was sized; None: it was not. Over all products while it is of no certain one."""

    @property
    def is_first_leg(self) -> bool:
        return self.both_legs is not None


def equity_of(account: BrokerAccount | None, currency: str, now: datetime) -> Decimal | RiskRefusal:
    """The account's equity in `currency`, if its broker reported it within `MAX_EQUITY_AGE_SECONDS`."""
    figure = None if account is None else account.equity
    if figure is None:
        return _no_equity("the broker reports no equity of the account", "none")
    if figure.currency != currency:
        return _no_equity(f"the account's equity is in {figure.currency}, the order in {currency}", figure.currency)
    age_seconds = (now - figure.at).total_seconds()
    if age_seconds > MAX_EQUITY_AGE_SECONDS:
        return _no_equity(f"the account's equity is {age_seconds:.0f} s old", f"{age_seconds:.3f}")
    if figure.amount <= 0:
        return _no_equity(f"the account's equity is {plain(figure.amount)} {currency}", plain(figure.amount))
    return figure.amount


def _no_equity(why: str, measured: str) -> RiskRefusal:
    remedy = "give quantity or notional, or set `equity` of the account"
    return RiskRefusal("no_equity", f"{why}; {remedy}", measured, f"{MAX_EQUITY_AGE_SECONDS:g}")


def refused(signal: Signal, side: Side, effect: PositionEffect | None, refusal: RiskRefusal | None) -> Amount:
    """What was asked for, as it was."""
    return Amount(side, effect, signal.quantity, signal.notional, refusal=refusal)


def of_no_product(signal: Signal, side: Side, effect: PositionEffect | None, refusal: RiskRefusal, by: Basis) -> Amount:
    """It has no product whatever becomes of open orders, so it waits for none."""
    return replace(refused(signal, side, effect, refusal), of_product=Standing(by.standing.whose))


def no_reversal(side: Side, by: Basis) -> RiskRefusal:
    expected, who, symbol = plain(by.standing.expected), by.standing.whose, by.instrument.symbol
    message = (
        f"{who} has {expected} {symbol}, what is on order included, and a {side} would turn it round; "
        "close it first (position_effect CLOSE), and open the other side once that is filled"
    )
    return RiskRefusal("reversal", message, expected, "0")


def no_price(by: Basis, remedy: str) -> RiskRefusal:
    message = f"no price of {by.instrument.symbol} to size the order by; give {remedy}"
    return RiskRefusal("no_fresh_price", message, "none", f"{by.limits.max_price_age_seconds:g}")


def rounded(amount: Amount, units: Decimal, by: Basis, too_little: Callable[[], InvalidInput] | None = None) -> Amount:
    """The amount as so many units, toward zero to the lot; as it is where that is less than one lot, with `too_little` or the
    instrument's own words.
    """
    try:
        return replace(amount, quantity=by.instrument.round_quantity(units), notional=None)
    except InvalidInput as problem:
        return replace(amount, problem=problem if too_little is None else too_little())


def part_of(whole: Decimal, percent: Decimal) -> Decimal:
    return EXACT.divide(EXACT.multiply(whole, percent), _HUNDRED)


def units_for(budget: Decimal, by: Basis) -> Decimal | None:
    """Units that an amount of money comes to, never rounded up; None where no price above zero is known."""
    if by.price is None or by.price <= 0:
        return None
    return TOWARD_ZERO.divide(budget, EXACT.multiply(by.price, by.instrument.multiplier))
