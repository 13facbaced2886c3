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


@dataclass
class Shared:
    """The deals of one order that trades for several, in the order in which they were first told, and what each is to have."""

    units: dict[str, Fraction]
    own: str
    """Whose what is dealt beyond that is."""
    deals: list[Deal] = field(default_factory=list)

    def parts(self, wanted: Deal) -> dict[str, Fraction]:
        """By whose they are: whole units in proportion to what is still to be dealt, the rest to whom most is left."""
        left = dict(self.units)
        for deal in self.deals:
            size, whole = abs(deal.units) if not deal.is_busted else Fraction(0), sum(left.values(), Fraction(0))
            parts = dict(left)
            if size < whole:
                parts = {name: Fraction(size * units // whole) for name, units in left.items()}
                rest = size - sum(parts.values())
                for name in sorted(left, key=lambda name: parts[name] - left[name]):
                    more = min(rest, left[name] - parts[name])
                    parts[name], rest = parts[name] + more, rest - more
            if deal is wanted:
                beyond = size - sum(parts.values())
                return parts | {self.own: parts.get(self.own, Fraction(0)) + beyond} if beyond else parts
            left = {name: units - parts[name] for name, units in left.items()}
        raise AssertionError("it is none of the order's")

    def fees(self, deal: Deal) -> dict[str, Fraction]:
        """Of what it cost, to eight decimals, the rest with the largest part."""
        assert deal.fee is not None
        amount, parts = deal.fee[0], self.parts(deal)
        whole = sum(parts.values(), Fraction(0))
        if not whole:
            return {name: amount if name == next(iter(parts)) else Fraction(0) for name in parts}
        fees = {name: Fraction(amount * units * 10**8 // whole, 10**8) for name, units in parts.items()}
        largest = max(parts, key=lambda name: parts[name])
        fees[largest] += amount - sum(fees.values(), Fraction(0))
        return fees


@dataclass
class Part:
    """Somebody's part of a deal, as `Book` reads a deal."""

    whole: Deal
    order: Shared
    name: str

    @property
    def is_busted(self) -> bool:
        return self.whole.is_busted

    @property
    def price(self) -> Fraction:
        return self.whole.price

    @property
    def units(self) -> Fraction:
        return self.order.parts(self.whole).get(self.name, Fraction(0)) * (1 if self.whole.units > 0 else -1)

    @property
    def fee(self) -> tuple[Fraction, str] | None:
        if self.whole.fee is None:
            return None
        return self.order.fees(self.whole).get(self.name, Fraction(0)), self.whole.fee[1]


class Standing(NamedTuple):
    units: Fraction
    cost: Fraction
    """Of the units that are held, by average; negative is what a short was sold for."""
    earned: Fraction
    """By what was closed, before fees."""
    fees: dict[str, Fraction]


@dataclass
class Book:
    deals: list[Deal | Part] = field(default_factory=list)

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
