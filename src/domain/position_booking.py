"""The one fold of fills into what is held and earned; the risk ledger and the reports both rest on it.

Fills are booked in the order in which they were first reported. That order never changes: a late fill does not change what was
realised before it, a correction takes the place of the fill it corrects, and a busted fill drops out as if it had never happened.
So what is held is a function of the set of effective fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import replace

from liveorder.domain.instrument import Instrument
from liveorder.domain.position import Position
from liveorder.domain.values import EXACT, ZERO, Money, total, with_money

NOTHING = Fraction(0)


class BookedFill(NamedTuple):
    """One effective execution, or a fee that was taken without one."""

    place: int
    """The log position at which it, or the first execution that it corrects, was reported."""
    quantity: Decimal
    """Signed: negative is sold."""
    price: Decimal
    multiplier: Decimal
    fee: Money | None
    is_in_kind: bool
    """Whether the fee is units of what was bought."""
    at: datetime | None

    @property
    def counts(self) -> bool:
        """What was corrected to nothing does not, unless the broker charges for it all the same."""
        return bool(self.quantity) or (self.fee is not None and bool(self.fee.amount))


class Holding(Struct, frozen=True):
    position: Position
    opened: int = 0
    """Place in the log of the fill with which the position last left zero or crossed it; 0 before any fill."""
    last: int = 0
    """Of the newest fill."""

    def book(self, fill: BookedFill) -> tuple[Holding, Fraction]:
        """What is held after it, and what it earned before commission; exact."""
        found, fee = self._by(fill.multiplier), fill.fee
        own = fee.amount if fee is not None and not fill.is_in_kind and fee.currency == found.position.currency else None
        after = found._moved(found.position.fill(fill.quantity, fill.price, own or ZERO, fill.at), fill.place)
        earned = after._earned_since(found)
        if fee is None or own is not None:
            return after, earned
        if not fill.is_in_kind:
            return replace(after, position=after.position.charge(fee)), earned
        paid = after._moved(after.position.pay_in_kind(fee.amount, fill.price, fill.at), fill.place)
        return paid, earned + paid._earned_since(after)

    def book_all(self, fills: Iterable[BookedFill]) -> Holding:
        """Those that count, in the order of their places."""
        holding = self
        for fill in fills:
            if fill.counts:
                holding, _ = holding.book(fill)
        return holding

    def without(self, fill: BookedFill) -> Holding:
        """As near to what would be held without it as can be found without the fills that came after it.

        Exact where all of it can still be part of what is held and nothing was closed since; else the reverse fill.
        """
        position, fee = self.position, fill.fee
        if fee is not None and fill.is_in_kind:
            position = position.pay_in_kind(-fee.amount, fill.price, position.opened_at)
        elif fee is not None:
            position = position.charge(-fee)
        left = EXACT.subtract(position.quantity, fill.quantity)
        if left * fill.quantity < 0:
            return replace(self, position=position.fill(-fill.quantity, fill.price, ZERO, position.opened_at))
        money = EXACT.multiply(EXACT.multiply(fill.quantity, fill.price), position.multiplier)
        cost = position.cost - Fraction(*money.as_integer_ratio()) if left else NOTHING
        cash_flow, opened_at = EXACT.add(position.cash_flow, money), position.opened_at if left else None
        return replace(self, position=replace(position, quantity=left, cost=cost, cash_flow=cash_flow, opened_at=opened_at))

    def _moved(self, after: Position, place: int) -> Holding:
        before = self.position.quantity
        crosses = before * after.quantity < 0
        return Holding(after, place if crosses or not before else self.opened, place)

    def _by(self, multiplier: Decimal) -> Holding:
        """As a fill by this multiplier finds it. Of two, the smaller one knows the unit that prices are quoted in."""
        if self.last and multiplier >= self.position.multiplier:
            return self
        return replace(self, position=self.position.with_multiplier(multiplier))

    def _earned_since(self, before: Holding) -> Fraction:
        """One that only opens earns nothing."""
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


class Owner(Protocol):
    """Says whose a position is, and of what: the intent of an order, or what a position event changes."""

    @property
    def account_id(self) -> str: ...

    @property
    def strategy_name(self) -> str: ...

    @property
    def instrument(self) -> Instrument: ...


class Whose(NamedTuple):
    """One of the owners of an order that trades for several strategies."""

    account_id: str
    strategy_name: str
    instrument: Instrument


class HoldingKey(NamedTuple):
    """What is held together: by account, strategy and contract. A contract whose multiplier changes is another contract, and not
    one of which an earlier version did not know that it is quoted in cents.
    """

    account_id: str
    strategy_name: str
    instrument: str
    currency: str
    contract_multiplier: str


def holding_key(owner: Owner) -> HoldingKey:
    instrument = owner.instrument
    multiplier = f"{instrument.contract_multiplier.normalize():f}"
    return HoldingKey(owner.account_id, owner.strategy_name, instrument.key, instrument.currency, multiplier)


def nothing(owner: Owner) -> Holding:
    """Before its first fill."""
    return Holding(Position.flat(owner.instrument.currency, owner.instrument.multiplier))


def summed(positions: Iterable[Position]) -> Position | None:
    """An account's position in an instrument, of those of its strategies; None of none.

    Units, money paid and received, and fees are sums. So are results, but for what `netted` says.
    """
    parts = [*positions]
    if len(parts) <= 1:
        return parts[0] if parts else None
    held = [part for part in parts if part.quantity] or parts[-1:]
    others: Mapping[str, Decimal] = {}
    for part in parts:
        for currency, paid in part.other_commissions.items():
            others = with_money(others, Money(paid, currency))
    quantity = total(part.quantity for part in parts)
    return Position(
        held[0].currency,
        max(part.multiplier for part in held),
        quantity,
        sum((part.cost for part in parts), NOTHING) + netted(parts),
        total(part.cash_flow for part in parts),
        total(part.commission for part in parts),
        min((part.opened_at for part in held if part.opened_at is not None), default=None) if quantity else None,
        others,
        total(part.paid_in_kind for part in parts) if quantity else ZERO,
    )


def netted(positions: Iterable[Position]) -> Fraction:
    """What an account earned beyond the sum of its strategies' results, since some hold against each other.

    What they hold against each other is closed for the account, though for none of them: what is left cost as much as those who
    hold it paid on average. So a position that one strategy opened, and another one closed, is a result of the account.
    """
    held = [position for position in positions if position.quantity]
    if len({position.side for position in held}) < 2:
        return NOTHING
    quantity = total(position.quantity for position in held)
    alike = [position for position in held if position.quantity * quantity > 0]
    cost = NOTHING
    if alike:
        units = total(position.quantity for position in alike)
        cost = sum((position.cost for position in alike), NOTHING) * Fraction(quantity) / Fraction(units)
    return cost - sum((position.cost for position in held), NOTHING)
