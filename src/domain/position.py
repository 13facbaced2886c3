"""What is held of one instrument and what it has earned, folded from fills by average cost.

Sums are exact and stored as they are: an average is derived from them, and rounded only where it is shown. All money is in the
instrument's currency, but for fees that are charged in another: these are kept apart, by currency. Whatever the fills, this holds
to the last digit::

    realized_gross + unrealized(mark) == cash_flow + quantity * mark * multiplier

A fee in kind is taken out of what is held: so many units are given away at what they are worth, and that is the commission.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from fractions import Fraction
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from liveorder.domain.errors import InvalidInput
from liveorder.domain.values import ZERO, Money, with_money

AVERAGE_PRICE_DECIMALS = 8
COST_DECIMALS = 60
"""Partial closes of a position that is never flat lengthen its cost without end; past 60 decimals it is rounded, half to even.

What is rounded off the cost goes to the realised result, so the identity above stays exact.
"""

_LONGEST_DENOMINATOR = 10**COST_DECIMALS
_ALWAYS_WRITTEN = ("currency", "multiplier", "quantity", "cost", "cash_flow", "commission")
# The ambient context would round silently past 28 digits: coins have 18 decimals, and there are trillions of some.
_EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation])
_28_DIGITS = Context(prec=28)


class PositionSide(StrEnum):
    LONG = "LONG"
    SHORT = "SHORT"
    FLAT = "FLAT"


class PositionStatus(StrEnum):
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class Position(Struct, frozen=True):
    """One instrument in one account. Begin with `flat`; every change returns a new position."""

    currency: str
    multiplier: Decimal
    """Money that one unit earns when the price moves by one."""
    quantity: Decimal = ZERO
    """In units; negative is short."""
    cost: Fraction = Fraction(0)
    """What the open quantity was bought for; negative is what a short was sold for. Without commission."""
    cash_flow: Decimal = ZERO
    """Money received less money paid in all fills, without commission."""
    commission: Decimal = ZERO
    """Paid so far; expensed when incurred, also on opening fills."""
    opened_at: datetime | None = None
    """When the position left zero, or last crossed it. None if it is flat or the time was not reported."""
    other_commissions: Mapping[str, Decimal] = field(default_factory=dict)
    """Paid in other currencies, by currency: in no result, for want of a rate."""
    paid_in_kind: Decimal = ZERO
    """Units that fees took out of it since it last left zero, or the dust of a sale: without them so many more would be held."""

    @classmethod
    def flat(cls, currency: str, multiplier: Decimal) -> Position:
        return cls(currency, multiplier)

    def fill(self, signed_quantity: Decimal, price: Decimal, commission: Decimal, at: datetime | None) -> Position:
        """Book a fill of `signed_quantity` units, negative is sold; one that crosses zero closes, then opens at its own price.

        One that adds to a position of no more than fees took out of it begins anew: what is held is dust that no order can sell.
        """
        filled = self._moved(signed_quantity, price, commission, at)
        adds = _direction(self.quantity) * _direction(signed_quantity) > 0
        return replace(filled, paid_in_kind=ZERO) if adds and abs(self.quantity) <= self.paid_in_kind else filled

    def _moved(self, signed_quantity: Decimal, price: Decimal, commission: Decimal, at: datetime | None) -> Position:
        after = _EXACT.add(self.quantity, signed_quantity)
        stays_open = _direction(self.quantity) * _direction(after) > 0
        return Position(
            self.currency,
            self.multiplier,
            after,
            _bounded(self._cost_of(after, signed_quantity, price)),
            _EXACT.subtract(self.cash_flow, self._value(signed_quantity, price)),
            _EXACT.add(self.commission, commission),
            self.opened_at if stays_open else at if after else None,
            self.other_commissions,
            self.paid_in_kind if stays_open else ZERO,
        )

    def _cost_of(self, after: Decimal, signed_quantity: Decimal, price: Decimal) -> Fraction:
        before = _direction(self.quantity)
        if before * _direction(signed_quantity) >= 0:
            return self.cost + _fraction(self._value(signed_quantity, price))
        if before * _direction(after) > 0:
            return self.cost * _fraction(after) / _fraction(self.quantity)
        return _fraction(self._value(after, price))

    def _value(self, quantity: Decimal, price: Decimal) -> Decimal:
        return _EXACT.multiply(_EXACT.multiply(quantity, price), self.multiplier)

    def charge(self, commission: Money) -> Position:
        """Book a commission apart from its fill; negative gives one back."""
        if commission.currency == self.currency:
            return replace(self, commission=_EXACT.add(self.commission, commission.amount))
        return replace(self, other_commissions=with_money(self.other_commissions, commission))

    def pay_in_kind(self, units: Decimal, price: Decimal, at: datetime | None) -> Position:
        """Book a fee of so many units, each worth `price`; negative gives one back."""
        paid = self._moved(units.copy_negate(), price, self._value(units, price), at)
        return replace(paid, paid_in_kind=_EXACT.add(paid.paid_in_kind, units)) if paid.quantity else paid

    def split(self, ratio: Decimal | Fraction) -> Position:
        """Restate in new units, `ratio` for each old one; cost is unchanged.

        Raises `InvalidInput` when the new quantity is no decimal number: the odd remainder is settled in cash, as a fill.
        """
        if ratio <= 0:
            raise InvalidInput("ratio", f"{ratio} is not above zero", "give new units for each old one")
        quantity = _fraction(self.quantity) * Fraction(ratio)
        try:
            restated = _EXACT.divide(Decimal(quantity.numerator), Decimal(quantity.denominator))
        except Inexact:
            raise InvalidInput("ratio", f"{ratio} leaves {quantity} units", "book the odd remainder as a fill first") from None
        return replace(self, quantity=restated)

    def with_multiplier(self, multiplier: Decimal) -> Position:
        """By another multiplier: what was earned stays as it was booked, what is held counts for what it cost by this one."""
        if multiplier == self.multiplier:
            return self
        excess = self.cost - self.cost * _fraction(multiplier) / _fraction(self.multiplier)
        moved = _EXACT.normalize(shown(excess, COST_DECIMALS))
        cost, cash_flow = self.cost - _fraction(moved), _EXACT.add(self.cash_flow, moved)
        return replace(self, multiplier=multiplier, cost=cost, cash_flow=cash_flow)

    @property
    def side(self) -> PositionSide:
        if self.quantity > 0:
            return PositionSide.LONG
        return PositionSide.SHORT if self.quantity < 0 else PositionSide.FLAT

    @property
    def status(self) -> PositionStatus:
        return PositionStatus.OPEN if self.quantity else PositionStatus.CLOSED

    @property
    def average_price(self) -> Decimal | None:
        """Cost of one unit, to 8 decimals, half to even, for showing; None when flat."""
        if not self.quantity:
            return None
        return shown(self.cost / (_fraction(self.quantity) * _fraction(self.multiplier)), AVERAGE_PRICE_DECIMALS)

    @property
    def cost_of_one(self) -> Decimal:
        """What units go at that leave the position and earn nothing: the average cost to 28 digits, half to even; 0 when flat."""
        if not self.quantity:
            return ZERO
        cost = self.cost / (_fraction(self.quantity) * _fraction(self.multiplier))
        return _28_DIGITS.divide(Decimal(cost.numerator), Decimal(cost.denominator))

    @property
    def realized_gross(self) -> Fraction:
        """Earned by what was closed, before commission; exact."""
        return _fraction(self.cash_flow) + self.cost

    @property
    def realized_net(self) -> Fraction:
        """Earned by what was closed, less all commission, that of opening fills too; exact."""
        return self.realized_gross - _fraction(self.commission)

    def unrealized(self, mark: Decimal) -> Fraction:
        """What closing at `mark` would earn, before commission; exact."""
        return _fraction(self._value(self.quantity, mark)) - self.cost

    def to_json(self) -> str:
        """Everything, exactly, as the text of a JSON object; its numbers are strings."""
        return json.dumps(self.to_fields())

    def to_fields(self) -> dict[str, Any]:
        """What `to_json` writes."""
        fields = {name: str(getattr(self, name)) for name in _ALWAYS_WRITTEN}
        written: dict[str, Any] = fields | {"opened_at": self.opened_at and self.opened_at.isoformat()}
        if self.other_commissions:
            written["other_commissions"] = {currency: f"{paid:f}" for currency, paid in sorted(self.other_commissions.items())}
        if self.paid_in_kind:
            written["paid_in_kind"] = f"{self.paid_in_kind:f}"
        return written

    @classmethod
    def from_json(cls, text: str) -> Position:
        """The position that `to_json` wrote."""
        return cls.from_fields(json.loads(text))

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Position:
        """Of what `to_fields` made; other fields are passed over."""
        opened_at = fields["opened_at"]
        return cls(
            currency=fields["currency"],
            multiplier=Decimal(fields["multiplier"]),
            quantity=Decimal(fields["quantity"]),
            cost=Fraction(fields["cost"]),
            cash_flow=Decimal(fields["cash_flow"]),
            commission=Decimal(fields["commission"]),
            opened_at=None if opened_at is None else datetime.fromisoformat(opened_at),
            other_commissions={currency: Decimal(paid) for currency, paid in fields.get("other_commissions", {}).items()},
            paid_in_kind=Decimal(fields.get("paid_in_kind", 0)),
        )


def shown(amount: Fraction, decimals: int = 2) -> Decimal:
    """Half to even, to so many decimal places; for showing, never for storing."""
    return _EXACT.scaleb(Decimal(round(amount * 10**decimals)), -decimals)


def _direction(quantity: Decimal) -> int:
    return (quantity > 0) - (quantity < 0)


def _fraction(number: Decimal) -> Fraction:
    return Fraction(*number.as_integer_ratio())


def _bounded(cost: Fraction) -> Fraction:
    return cost if cost.denominator <= _LONGEST_DENOMINATOR else round(cost, COST_DECIMALS)
