"""A position's book in the plainest way, in exact fractions, as an oracle: it imports nothing of what it judges.

Deals stand in the order in which they were first told. A correction takes the place of what it corrects, and what is busted is as
if it had never been. So the book is made anew from all deals whenever it is asked.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

OWN = "own"
"""Of fees: in the currency of prices."""
KIND = "kind"
"""In units of what is bought."""


@dataclass
class Deal:
    """Units are signed: negative is sold."""

    units: Fraction
    price: Fraction
    own_fee: tuple[Fraction, str] | None = None
    """That its newest word was told with."""
    is_busted: bool = False

    def __post_init__(self) -> None:
        self.known_fee = self.own_fee

    @property
    def fee(self) -> tuple[Fraction, str] | None:
        """The newest that is known; where nothing was dealt in the end, that of the newest word."""
        return self.known_fee if self.units else self.own_fee

    def correct(self, units: Fraction, price: Fraction, fee: tuple[Fraction, str] | None) -> None:
        self.units, self.price, self.own_fee = units, price, None
        if fee is not None:
            self.charge(fee)

    def charge(self, fee: tuple[Fraction, str]) -> None:
        self.own_fee = self.known_fee = fee

    def split(self, ratio: int) -> None:
        self.units, self.price = self.units * ratio, self.price / ratio


class Standing(NamedTuple):
    units: Fraction
    cost: Fraction
    """Of the units that are held, by average; negative is what a short was sold for."""
    earned: Fraction
    """By what was closed, before fees."""
    fees: dict[str, Fraction]


@dataclass
class Book:
    deals: list[Deal] = field(default_factory=list)

    def standing(self) -> Standing:
        units, cost, earned = Fraction(0), Fraction(0), Fraction(0)
        fees: defaultdict[str, Fraction] = defaultdict(Fraction)
        for deal in self.deals:
            if deal.is_busted:
                continue
            units, cost, earned = _after(units, cost, earned, deal.units, deal.price)
            if deal.fee is None:
                continue
            amount, money = deal.fee
            if money == KIND:  # so many units are given away at the deal's price, and that is what the fee costs
                units, cost, earned = _after(units, cost, earned, -amount, deal.price)
                amount, money = amount * deal.price, OWN
            fees[money] += amount
        return Standing(units, cost, earned, {money: paid for money, paid in fees.items() if paid})


def _after(
    units: Fraction, cost: Fraction, earned: Fraction, more: Fraction, price: Fraction
) -> tuple[Fraction, Fraction, Fraction]:
    if units * more >= 0:
        return units + more, cost + more * price, earned
    closed = min(abs(more), abs(units)) * (1 if units > 0 else -1)
    paid = cost * closed / units
    units, cost, earned = units - closed, cost - paid, earned + closed * price - paid
    opened = more + closed
    return units + opened, cost + opened * price, earned
