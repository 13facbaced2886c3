"""A position as it grows, fill by fill, in the order in which the fills were first told.

That order never changes: a fill that is told late does not move what was realised before it, a correction stands in the place of
what it corrects, and what is busted drops out as if it had never been. So a holding is a function of the set of effective fills.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from liveorder.domain.order.facts import Requested
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import PositionAdjusted
from liveorder.domain.values import Money

NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Holding:
    position: Position
    opened: int = 0
    """Place in the log of the fill with which the position last left zero or crossed it; 0 before any fill."""
    last: int = 0
    """Of the newest fill."""

    def book(self, quantity: Decimal, price: Decimal, commission: Decimal, at: datetime | None, booked: int) -> Holding:
        """`quantity` is signed: negative is sold."""
        return self._moved(self.position.fill(quantity, price, commission, at), booked)

    def pay_in_kind(self, units: Decimal, price: Decimal, at: datetime | None, booked: int) -> Holding:
        """A fee of so many units, each worth `price`."""
        return self._moved(self.position.pay_in_kind(units, price, at), booked)

    def _moved(self, after: Position, booked: int) -> Holding:
        before = self.position.quantity
        crosses = before * after.quantity < 0
        return Holding(after, booked if crosses or not before else self.opened, booked)

    def by(self, multiplier: Decimal) -> Holding:
        """As a fill by this multiplier finds it. Of two, the smaller one knows the unit that prices are quoted in."""
        if self.last and multiplier >= self.position.multiplier:
            return self
        return replace(self, position=self.position.with_multiplier(multiplier))

    def charge(self, commission: Money) -> Holding:
        """A commission in another currency."""
        return replace(self, position=self.position.charge(commission))

    def earned_since(self, before: Holding) -> Fraction:
        """By one fill, before commission; exact. One that only opens earns nothing."""
        if before.position.quantity * (self.position.quantity - before.position.quantity) >= 0:
            return NOTHING
        return self.position.realized_gross - before.position.realized_gross

    def to_text(self) -> str:
        return f"{self.opened} {self.last} {self.position.to_json()}"

    @classmethod
    def from_text(cls, text: str) -> Holding:
        """The holding that `to_text` wrote."""
        opened, last, state = text.split(" ", 2)
        return cls(Position.from_json(state), int(opened), int(last))


Owner: TypeAlias = Requested | PositionAdjusted
"""Says whose a position is, and of what."""


def nothing(owner: Owner) -> Holding:
    """Before its first fill."""
    return Holding(Position.flat(owner.instrument.currency, owner.instrument.multiplier))


def holding_key(owner: Owner) -> str:
    """What is held together: by account, strategy and contract. A contract whose multiplier changes is another contract, and not
    one of which an earlier version did not know that it is quoted in cents.
    """
    instrument = owner.instrument
    multiplier = f"{instrument.contract_multiplier.normalize():f}"
    return repr((owner.account_id, owner.strategy_name, instrument.key, instrument.currency, multiplier))
