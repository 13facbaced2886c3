"""What a broker may still keep of what was bought, as a fee that it tells by nothing but what it holds.

A difference up to that is such a fee; a larger one is a difference. What was bought longer ago than `SETTLED_WITHIN` counts no
more: a broker whose fees are lower than it may take would else leave more and more room for differences of another kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from typing import NamedTuple

from liveorder.domain.errors import InvalidInput
from liveorder.domain.instrument import Instrument
from liveorder.domain.record import Record
from liveorder.domain.values import EXACT, ZERO, total

SETTLED_WITHIN = timedelta(days=7)
"""A fee is taken at once or at the end of the day; a service that was down over a long weekend still finds it."""
UNIT_STEP = Decimal("1E-9")
"""Brokers keep coins in nine decimals, and round a fee up."""
_PRICE_STEP = Decimal("1E-8")


def largest_fee(quantity: Decimal, rate: Decimal) -> Decimal:
    """In units of what was bought, on one fill."""
    return EXACT.multiply(quantity, rate).quantize(UNIT_STEP, rounding=ROUND_UP, context=EXACT)


class Bought(NamedTuple):
    """What one strategy bought in one session."""

    session: date
    strategy_name: str
    quantity: Decimal
    value: Decimal
    """Σ quantity × price."""
    most: Decimal
    """The largest fee on it, in units."""
    taken: Decimal = ZERO
    """Of which so much was taken."""

    @property
    def left(self) -> Decimal:
        return max(EXACT.subtract(self.most, self.taken), ZERO)

    def plus(self, fill: Bought) -> Bought:
        return self._replace(
            quantity=EXACT.add(self.quantity, fill.quantity),
            value=EXACT.add(self.value, fill.value),
            most=EXACT.add(self.most, fill.most),
        )


class Share(NamedTuple):
    """A strategy's part of a fee: so many units, at what it paid for them."""

    strategy_name: str
    units: Decimal
    price: Decimal


class FeesDue(Record):
    """Of one instrument in one account. The oldest first."""

    instrument: Instrument
    bought: tuple[Bought, ...] = ()

    def with_fill(self, fill: Bought) -> FeesDue:
        """Bought by its strategy in its session; negative figures take back, from the newest that they can be of."""
        kept = [*self._within(fill.session)]
        own = [place for place, each in enumerate(kept) if each.strategy_name == fill.strategy_name]
        if own and (fill.most < 0 or kept[own[-1]].session == fill.session):
            kept[own[-1]] = kept[own[-1]].plus(fill)
        elif fill.most > 0:
            kept.append(fill)
        return self.but(bought=tuple(each for each in kept if each.most > 0))

    def with_fee(self, session: date, strategy_name: str, units: Decimal) -> FeesDue:
        """So much was taken, of what the strategy bought first."""
        kept = []
        for each in self._within(session):
            part = min(units, each.left) if each.strategy_name == strategy_name else ZERO
            units = EXACT.subtract(units, part)
            kept.append(each._replace(taken=EXACT.add(each.taken, part)))
        return self.but(bought=tuple(kept))

    def moved(self, session: date, giver: str, taker: str, units: Decimal, held: Decimal) -> FeesDue:
        """Of `held` units of the giver so many became the taker's: what may still be kept of them is kept of its own."""
        kept: list[Bought] = []
        for each in self._within(session):
            if each.strategy_name != giver or not each.left:
                kept.append(each)
                continue
            share = EXACT.divide(EXACT.multiply(each.left, min(units, held)), held)
            most = min(share.quantize(UNIT_STEP, rounding=ROUND_UP, context=EXACT), each.left)
            quantity = EXACT.divide(EXACT.multiply(each.quantity, most), each.left).quantize(UNIT_STEP, context=EXACT)
            part = Bought(each.session, taker, quantity, EXACT.multiply(quantity, _average([each])), most)
            kept += [each.plus(part._replace(quantity=-quantity, value=-part.value, most=-most)), part]
        return self.but(bought=tuple(kept))

    def left(self, session: date, strategy_name: str | None = None) -> Decimal:
        """Units that may still be taken; of what one strategy bought, where it is named."""
        return total(each.left for each in self._within(session) if strategy_name in (None, each.strategy_name))

    def share_of(self, strategy_name: str, missing: Decimal, session: date) -> Decimal:
        """Units of what the broker lacks that are a strategy's part of the fee, as `shares` would book them."""
        fee = min(max(missing, ZERO), self.left(session))
        return total(share.units for share in self.shares(fee, session) if share.strategy_name == strategy_name) if fee else ZERO

    def explains(self, missing: Decimal, session: date) -> bool:
        """Whether so many units that the broker lacks can be its fee: any more than that are a difference."""
        return ZERO < missing <= self.left(session)

    def shares(self, units: Decimal, session: date) -> list[Share]:
        """`units`, no more than are left, among the strategies by what each may still lose; to the last digit."""
        whose: defaultdict[str, list[Bought]] = defaultdict(list)
        for each in self._within(session):
            if each.left:
                whose[each.strategy_name].append(each)
        left, shares = total(each.left for parts in whose.values() for each in parts), []
        step = EXACT.scaleb(Decimal(1), min(_exponent(units), _exponent(left)))
        for name, parts in whose.items():
            own = total(each.left for each in parts)
            part = EXACT.divide(EXACT.multiply(units, own), left).quantize(step, rounding=ROUND_DOWN, context=EXACT)
            units, left = EXACT.subtract(units, part), EXACT.subtract(left, own)
            if part:
                shares.append(Share(name, part, _average(parts)))
        return shares

    def _within(self, session: date) -> Iterator[Bought]:
        return (each for each in self.bought if each.session >= session - SETTLED_WITHIN)


@dataclass(frozen=True, slots=True)
class Stock:
    """What our book has of an instrument, of which the broker may have kept a part. In units."""

    held: Decimal
    selling: Decimal
    """Open orders could still sell so many."""
    paid_in_kind: Decimal
    """Of what was bought, kept as fees and booked as such."""
    largest_fee: Decimal
    """The broker may still keep so many."""

    @property
    def free(self) -> Decimal:
        """What is held here and no open order sells."""
        return EXACT.subtract(self.held, self.selling)

    def covers(self, wanted: Decimal) -> bool:
        """Whether so many can be sold, whatever the broker kept."""
        return wanted <= EXACT.subtract(self.free, self.largest_fee)

    def sellable(self, wanted: Decimal, instrument: Instrument, theirs: Decimal | None) -> Decimal:
        """`wanted`, or what the broker has, to the lot, where that is less by its fees alone: what was bought can be sold, whole.

        `theirs`: what the broker says that it holds. Where it does not say, it kept all that it may: an exit is not to be refused
        for dust.
        """
        missing = self.largest_fee if theirs is None else EXACT.subtract(self.held, theirs)
        free = EXACT.subtract(self.free, min(max(missing, ZERO), self.largest_fee))
        if not free < wanted <= EXACT.add(self.free, self.paid_in_kind):
            return wanted
        try:
            return instrument.round_quantity(free)
        except InvalidInput:
            return wanted


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def _average(parts: list[Bought]) -> Decimal:
    value, quantity = total(each.value for each in parts), total(each.quantity for each in parts)
    return EXACT.divide(value, quantity).quantize(_PRICE_STEP, context=EXACT)
