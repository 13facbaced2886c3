"""Which open buys only take off what is short: the cheapest, so that what has to be paid for is the dearest."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from liveorder.domain.values import EXACT, ZERO


class Cover(NamedTuple):
    """Units of an open buy that only take off what is short."""

    units: Decimal = ZERO
    most: Decimal = ZERO
    """Once all open sales are filled, which the broker may know already."""


NO_COVER = Cover()


class _Buy(NamedTuple):
    """In the order in which they cover: the cheapest first, of equals the one that was opened first."""

    unit_value: Decimal
    number: int
    order_id: UUID
    units: Decimal


@dataclass(slots=True)
class _Edge:
    """How far down the buys so many units reach."""

    short: Decimal = ZERO
    whole: int = 0
    """This many buys are covered whole."""
    left: Decimal = ZERO
    """Units for the next one. Not above zero: none."""

    def make_room(self, at: int, units: Decimal) -> None:
        if at < self.whole:
            self.whole, self.left = self.whole + 1, EXACT.subtract(self.left, units)

    def close_up(self, at: int, units: Decimal) -> None:
        if at < self.whole:
            self.whole, self.left = self.whole - 1, EXACT.add(self.left, units)

    def reach(self, short: Decimal, buys: list[_Buy]) -> range:
        """Move to where so many units reach. Returns the places of buys whose share may be another now."""
        began_at = self.whole
        if short != self.short:
            self.left, self.short = EXACT.add(self.left, EXACT.subtract(short, self.short)), short
        while self.left < 0 and self.whole:
            self.whole -= 1
            self.left = EXACT.add(self.left, buys[self.whole].units)
        while self.whole < len(buys) and self.left >= buys[self.whole].units:
            self.left = EXACT.subtract(self.left, buys[self.whole].units)
            self.whole += 1
        return range(min(began_at, self.whole), min(max(began_at, self.whole) + 1, len(buys)))

    def share(self, at: int, units: Decimal) -> Decimal:
        if at < self.whole:
            return units
        return max(self.left, ZERO) if at == self.whole else ZERO


class Covers:
    """Divides what is short of one instrument among its open buys, no unit twice.

    A change takes time in proportion to the buys whose share changes, however many are open.
    """

    def __init__(self) -> None:
        self._buys: list[_Buy] = []
        self._by_id: dict[UUID, _Buy] = {}
        self._opened = 0
        self._now, self._once_sold = _Edge(), _Edge()
        self._touched: dict[UUID, None] = {}
        self._covers: dict[UUID, Cover] = {}
        self._divided = ZERO, ZERO

    @property
    def is_idle(self) -> bool:
        """Whether no buy is open, and none has ceased to be since the last division."""
        return not self._buys and not self._touched

    def open(self, order_id: UUID, units: Decimal, value: Decimal) -> None:
        """A buy of `units` that are worth `value` together. One without units takes no part."""
        if not units:
            return
        self._opened += 1
        buy = self._by_id[order_id] = _Buy(value / units, self._opened, order_id, units)
        at = bisect_left(self._buys, buy)
        insort(self._buys, buy)
        self._touched[order_id] = None
        for edge in (self._now, self._once_sold):
            if at == edge.whole and at + 1 < len(self._buys):
                self._touched[self._buys[at + 1].order_id] = None
            edge.make_room(at, units)

    def close(self, order_id: UUID) -> None:
        if (buy := self._by_id.pop(order_id, None)) is None:
            return
        at = bisect_left(self._buys, buy)
        del self._buys[at]
        self._touched[order_id] = None
        for edge in (self._now, self._once_sold):
            edge.close_up(at, buy.units)

    def divide(self, short: Decimal, sold: Decimal) -> dict[UUID, Cover]:
        """The covers that changed since the last time. `short`: units, negative if long; `sold`: of open sales."""
        if not self._touched and self._divided == (short, sold):
            return {}
        self._divided = short, sold
        for edge, units in ((self._now, short), (self._once_sold, EXACT.add(short, sold))):
            for at in edge.reach(units, self._buys):
                self._touched[self._buys[at].order_id] = None
        changed: dict[UUID, Cover] = {}
        for order_id in self._touched:
            cover = self._cover_of(order_id)
            if cover == self._covers.get(order_id, NO_COVER):
                continue
            changed[order_id] = cover
            if cover == NO_COVER:
                del self._covers[order_id]
            else:
                self._covers[order_id] = cover
        self._touched.clear()
        return changed

    def _cover_of(self, order_id: UUID) -> Cover:
        if (buy := self._by_id.get(order_id)) is None:
            return NO_COVER
        at = bisect_left(self._buys, buy)
        return Cover(self._now.share(at, buy.units), self._once_sold.share(at, buy.units))
