"""One account as the risk rules see it: positions and open orders by instrument, with their sums kept up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from liveorder.application.risk.book.funds import Funds
from liveorder.application.risk.book.holding import InstrumentFigures, value_of
from liveorder.application.risk.book.rows import SessionDay, holding_of
from liveorder.application.risk.book.tallies import Tallies
from liveorder.domain.fees_in_kind import FeesDue
from liveorder.domain.order import LiveOrder
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.position_booking import HoldingKey
from liveorder.domain.quotes import Price
from liveorder.domain.risk import Exposure, OpenExposure, SentOrder, likeness, open_exposure
from liveorder.domain.values import EXACT, ZERO, Product, total


class Sums(NamedTuple):
    """Money, over all instruments of one currency: what positions could be worth, and the gross exposure.

    Sums live long: what is added must come off again to the last digit.
    """

    position_value: Decimal = ZERO
    gross: Decimal = ZERO

    def plus(self, exposure: Exposure) -> Sums:
        position_value, gross = exposure.sums
        return Sums(EXACT.add(self.position_value, position_value), EXACT.add(self.gross, gross))

    def minus(self, exposure: Exposure) -> Sums:
        position_value, gross = exposure.sums
        return Sums(EXACT.subtract(self.position_value, position_value), EXACT.subtract(self.gross, gross))


class Beside(NamedTuple):
    sums: Sums
    taken: int


_NOTHING = Sums()


class _Weighed(NamedTuple):
    """An order, and what it could still do as of when it last changed; None when it is over."""

    order: LiveOrder
    exposure: OpenExposure | None


class AccountBook:
    """A change notes which instrument it touches; `refresh` brings the sums up to date, in time proportional to those."""

    def __init__(self, account_id: str, prices: Mapping[str, Price]) -> None:
        self.account_id, self._prices = account_id, prices
        self.changes = 0
        """How often anything of it changed: what was worked out of it holds as long as this is the same."""
        self._tracked: dict[UUID, _Weighed] = {}
        self._reserved: dict[UUID, _Weighed] = {}
        self._holdings: dict[str, InstrumentFigures] = {}
        self._touched: set[str] = set()
        self._sums: dict[str, Sums] = {}
        self._taken: set[str] = set()
        """Keys of the instruments that are held or being opened, as of the last `refresh`."""
        self._atomic_replace = False
        self.funds = Funds()
        self.open: dict[UUID, OpenExposure] = {}
        self._waiting: dict[UUID, OpenExposure] = {}
        """Of the open ones, those that are not judged yet."""
        self.unattempted: set[UUID] = set()
        """Open orders that will count as trades at their first attempt."""
        self.days: dict[date, SessionDay] = {}
        self.tallies = Tallies()
        self.fees_due: dict[str, FeesDue] = {}
        """By instrument."""
        self.differences: dict[str, Decimal | None] = {}
        """By instrument: the broker's quantity less ours when they were compared; None: the broker's is not known."""
        self.product_differences: dict[str, Mapping[Product | None, Decimal]] = {}
        """The same by product, of instruments that differ, where the broker keeps a position for each."""

    # --- orders ----------------------------------------------------------------------------------------------------------------

    def track(self, order: LiveOrder) -> None:
        if order.is_finished:
            self._tracked.pop(order.order_id, None)
        else:
            self._tracked[order.order_id] = self._weighed(order)
        self._recount(order)

    def follow(self, order: LiveOrder) -> None:
        """What was reserved for the order is durable."""
        reserved = self._reserved.pop(order.order_id, None)
        if reserved is not None and reserved.order is order and reserved.exposure is not None:
            self._tracked[order.order_id] = reserved
            self._recount(order)
        else:
            self.track(order)

    def reserve(self, order: LiveOrder) -> None:
        self._reserved[order.order_id] = self._weighed(order)
        self._recount(order)

    def release(self, order_id: UUID) -> bool:
        """Whether it was reserved here."""
        if (reserved := self._reserved.pop(order_id, None)) is None:
            return False
        self._recount(reserved.order)
        return True

    def set_atomic_replace(self, atomic_replace: bool) -> None:
        if atomic_replace is not self._atomic_replace:
            self._atomic_replace = atomic_replace
            for weighed in (self._tracked, self._reserved):
                weighed.update({order_id: self._weighed(known.order) for order_id, known in weighed.items()})
            for known in [*{**self._tracked, **self._reserved}.values()]:
                self._recount(known.order)

    def _weighed(self, order: LiveOrder) -> _Weighed:
        price = self._prices.get(order.intent.instrument.key)
        last_price = None if price is None else price.amount
        return _Weighed(order, open_exposure(order, last_price, atomic_replace=self._atomic_replace))

    def _recount(self, order: LiveOrder) -> None:
        """Count the worse of what is durable of this order and what is reserved for it, in place of what was counted."""
        self.changes += 1
        order_id, instrument = order.order_id, order.intent.instrument
        durable, reserved = self._tracked.get(order_id), self._reserved.get(order_id)
        counted, worst = self.open.get(order_id), _worse(durable, reserved)
        if worst is not None and worst.is_waiting and reserved is not None and not reserved.order.is_waiting:
            worst = worst._replace(is_waiting=False, wait=None)  # it is judged, and counts for those before it too
        holding = self.holding(instrument.key, instrument.currency)
        if worst != counted:
            self._exchange(holding, counted, worst)
        self.funds.count(order if durable is None else durable.order, worst)
        self._cover(holding)
        if worst is not None and (durable is None or not durable.order.is_sent):
            self.unattempted.add(order_id)
        else:
            self.unattempted.discard(order_id)

    def _cover(self, holding: InstrumentFigures) -> None:
        """What is bought back costs no buying power."""
        for order_id, cover in holding.share_out().items():
            self.funds.cover(order_id, cover)

    def _exchange(self, holding: InstrumentFigures, counted: OpenExposure | None, worst: OpenExposure | None) -> None:
        if counted is not None:
            del self.open[counted.order_id]
            self._waiting.pop(counted.order_id, None)
            holding.close(counted)
        if worst is not None:
            self.open[worst.order_id] = worst
            if worst.is_waiting:
                self._waiting[worst.order_id] = worst
            holding.open(worst)
        self._touched.add(holding.key)

    def uncounted(self, judged: UUID | None) -> tuple[OpenExposure, ...]:
        """What does not count where the order `judged` is judged: that itself, and later ones that wait. None: all count."""
        if judged is None or not (self._waiting or judged in self.open):
            return ()
        later = (each for each in self._waiting.values() if each.order_id > judged)
        return (*later, self.open[judged]) if judged in self.open else tuple(later)

    def not_of_held(
        self, holding: InstrumentFigures, whose: str | None, uncounted: Sequence[OpenExposure]
    ) -> tuple[OpenExposure, ...]:
        """Of one instrument: `uncounted` orders, and waiting sales of other strategies, which will be of nothing that is held now.
        `whose`: the strategy; None: all are its.
        """
        if not (uncounted or self._waiting):
            return ()
        left_out = {each.order_id: each for each in uncounted}
        if whose is not None:
            sales = (each for each in self._waiting.values() if each.awaits_own_entries and not each.units_of(whose))
            left_out |= {each.order_id: each for each in sales}
        return tuple(each for each in left_out.values() if each.instrument_key == holding.key)

    def last_alike(self, strategy_name: str, key: str, alike: str, judged: UUID | None) -> SentOrder | None:
        """The newest order of the strategy in the instrument `key` with this likeness, whether it was sent or is about to be."""
        uncounted = {judged, *(each.order_id for each in self.uncounted(judged))}
        found = [
            SentOrder(order.order_id, order.submitted_at or order.requested_at)
            for order, _ in (*self._tracked.values(), *self._reserved.values())
            if order.requested_at is not None and order.intent.strategy_name == strategy_name and order.order_id not in uncounted
            if order.intent.instrument.key == key and likeness(order.terms) == alike
        ]
        sent = self.tallies.of(strategy_name, key).last_alike(alike)
        return max((each for each in (*found, sent) if each is not None), key=lambda each: each.at, default=None)

    # --- positions -------------------------------------------------------------------------------------------------------------

    def hold(self, key: str, strategy_name: str, row_key: str, state: str) -> None:
        """The row of one of the positions in the instrument `key` is this now."""
        self.holding(key, "").hold(strategy_name, row_key, state)
        self._touch(key)

    def touch(self, key: str) -> None:
        """The price changed."""
        if key in self._holdings:
            self._touch(key)

    def _touch(self, key: str) -> None:
        self.changes += 1
        self._touched.add(key)

    def holding(self, key: str, currency: str) -> InstrumentFigures:
        if (known := self._holdings.get(key)) is None:
            known = self._holdings[key] = InstrumentFigures(key, currency)
        return known

    def instruments(self) -> Iterable[InstrumentFigures]:
        return self._holdings.values()

    def valued(self, key: str, positions: Sequence[Position]) -> Exposure:
        """Some positions in one instrument, at its last price."""
        price = self._prices.get(key)
        return Exposure(total(each.quantity for each in positions), total(value_of(each, price) for each in positions))

    def quantity(self, key: str) -> Decimal:
        """Signed units held."""
        position = self.position(key)
        return ZERO if position is None else position.quantity

    def position(self, key: str) -> Position | None:
        return self._holdings[key].position if key in self._holdings else None

    def holdings(self, key: str) -> Mapping[HoldingKey, Position]:
        """By strategy and contract."""
        if key not in self._holdings:
            return {}
        return {holding_of(self.account_id, row_key): held for row_key, held in self._holdings[key].parts().items()}

    def units_by_product(self, key: str) -> Mapping[HoldingKey, Mapping[Product | None, Decimal]]:
        """Signed units by strategy and contract, then by product; under None what is of no known product."""
        if key not in self._holdings:
            return {}
        figures = self._holdings[key]
        return {holding_of(self.account_id, row_key): figures.units_by_product(row_key) for row_key in figures.stored}

    def place(self, key: str, theirs: Mapping[Product | None, Decimal]) -> None:
        if key in self._holdings:
            self.changes += 1
            self._holdings[key].place(theirs)

    def expect(self, change: PositionChange, *, is_over: bool) -> None:
        self.changes += 1
        units = change.quantity.copy_negate() if is_over else change.quantity
        self.holding(change.instrument.key, change.instrument.currency).change(change.strategy_name, units)

    def differ(self, key: str, difference: Decimal | None, by_product: Mapping[Product | None, Decimal] | None) -> None:
        """The broker's less ours, None where it is not known; by product, where it keeps a position for each."""
        self.agree(key)
        self.differences[key] = difference
        if by_product:
            self.product_differences[key] = by_product

    def agree(self, key: str) -> None:
        self.changes += 1
        self.differences.pop(key, None)
        self.product_differences.pop(key, None)

    def difference_of(self, key: str, product: Product | None) -> Decimal | None:
        if (by_product := self.product_differences.get(key)) is not None:
            return by_product.get(product, ZERO)
        return self.differences.get(key, ZERO)

    def positions(self) -> dict[str, Position]:
        found = ((key, holding.position) for key, holding in self._holdings.items())
        return {key: position for key, position in found if position is not None}

    # --- sums ------------------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        for key in self._touched:
            self._cover(self._holdings[key])
            self._count(self._holdings[key])
        self._touched.clear()

    def _count(self, holding: InstrumentFigures) -> None:
        self._sums[holding.currency] = self.others(holding, holding.currency)
        holding.measure(self._prices.get(holding.key))
        self._sums[holding.currency] = self._sums.get(holding.currency, _NOTHING).plus(holding.exposure)
        holding.counted = holding.exposure
        if holding.exposure.is_taken:
            self._taken.add(holding.key)
        else:
            self._taken.discard(holding.key)

    def others(self, holding: InstrumentFigures, currency: str) -> Sums:
        """The sums of a currency without one instrument, as of the last `refresh`."""
        sums = self._sums.get(currency, _NOTHING)
        if holding.counted is None or holding.currency != currency:
            return sums
        return sums.minus(holding.counted)

    def beside(self, holding: InstrumentFigures, currency: str, uncounted: Iterable[OpenExposure]) -> Beside:
        """What other instruments come to, as of the last `refresh`: their sums in a currency; how many are held or being opened."""
        sums, taken = self.others(holding, currency), len(self._taken) - (holding.key in self._taken)
        for key in {each.instrument_key for each in uncounted} - {holding.key}:
            there = self._holdings[key]
            less = without(there, uncounted)
            taken -= key in self._taken and not less.is_taken
            if there.currency == currency and there.counted is not None:
                sums = sums.minus(there.counted).plus(less)
        return Beside(sums, taken)


def without(holding: InstrumentFigures, uncounted: Iterable[OpenExposure]) -> Exposure:
    """An instrument's exposure without some of its open orders; those of others change nothing."""
    exposure = holding.exposure
    for each in uncounted:
        if each.instrument_key == holding.key:
            exposure = exposure.minus(each.side, each.quantity, each.value)
    return exposure


def _worse(durable: _Weighed | None, reserved: _Weighed | None) -> OpenExposure | None:
    """By units, then by money; the durable one when they weigh the same."""
    one = None if durable is None else durable.exposure
    other = None if reserved is None else reserved.exposure
    if one is None or other is None:
        return one or other
    return one if (one.quantity, one.value) >= (other.quantity, other.value) else other
