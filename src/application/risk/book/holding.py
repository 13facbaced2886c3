"""One instrument of one account: what is held of it, what is open in it, and what it could come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from liveorder.application.risk.book.kept_fills import products_of
from liveorder.domain.position import Position, shown
from liveorder.domain.position_booking import summed
from liveorder.domain.products import beyond_ours
from liveorder.domain.quotes import Price
from liveorder.domain.risk import Cover, Covers, Exposure, OpenExposure, ProductPart, Stake
from liveorder.domain.values import EXACT, ZERO, Product, Side, total

_COST_DECIMALS = 8
_NO_STAKE = Stake()


@dataclass(slots=True)
class InstrumentFigures:
    """Orders come and go through `open` and `close`; `measure` values the position anew."""

    key: str
    currency: str
    stored: dict[str, str | Position] = field(default_factory=dict)
    """The positions that it is the sum of, by the keys of their rows; as texts until they are needed."""
    products: dict[str, dict[Product, Decimal]] = field(default_factory=dict)
    """Signed units by product, of the rows that have some."""
    place_of_unknown: Product | None = None
    """Under which the broker holds what our rows have of no known product; None: not known."""
    under_products: dict[UUID, None] = field(default_factory=dict)
    """Open orders that name a product."""
    rows: dict[str, dict[str, None]] = field(default_factory=dict)
    """The keys of each strategy's rows."""
    open_of: dict[str, Stake] = field(default_factory=dict)
    """What each strategy has open, without what it holds."""
    orders: dict[str, dict[UUID, OpenExposure]] = field(default_factory=dict)
    """Each strategy's open orders."""
    leaving: dict[str, Decimal] = field(default_factory=dict)
    """Signed units by which a strategy's holding is about to change without an order."""
    exposure: Exposure = field(default_factory=Exposure)
    doubts: dict[UUID, None] = field(default_factory=dict)
    """Orders in doubt, the oldest first."""
    covers: Covers = field(default_factory=Covers)
    """Which open buys take off what is short, or could."""
    counted: Exposure | None = None
    """What the account's sums contain of it."""

    _sum: Position | None = None
    """None while it is not known."""

    def hold(self, strategy_name: str, row_key: str, state: str) -> None:
        """The row of one of its positions is this now."""
        self.stored[row_key], self._sum = state, None
        self.rows.setdefault(strategy_name, {})[row_key] = None
        if products := products_of(state):
            self.products[row_key] = products
        else:
            self.products.pop(row_key, None)

    @property
    def position(self) -> Position | None:
        if self._sum is None and self.stored:
            self._sum = summed(self.parts().values())
            assert self._sum is not None
            self.currency = self._sum.currency
        return self._sum

    def parts(self) -> dict[str, Position]:
        """By the keys of their rows."""
        return {key: self._part(key) for key in self.stored}

    def _part(self, row_key: str) -> Position:
        state = self.stored[row_key]
        if isinstance(state, str):
            state = self.stored[row_key] = Position.from_json(state)
        return state

    @property
    def stake(self) -> Stake:
        """The whole account's."""
        return Stake(self.exposure.quantity, self.exposure.buys.quantity, self.exposure.sells.quantity)

    def position_of(self, strategy_name: str) -> Position | None:
        return summed(self._part(key) for key in self.rows.get(strategy_name, ()))

    def stake_of(self, strategy_name: str) -> Stake:
        """What is about to leave it is not there any more, and what is about to come is not there yet."""
        held = total([self._part(key).quantity for key in self.rows.get(strategy_name, ())])
        if self.leaving:
            held = _once_left(held, self.leaving.get(strategy_name, ZERO))
        _, buys, sells = self.open_of.get(strategy_name, _NO_STAKE)
        return Stake(held, buys, sells)

    def orders_of(self, strategy_name: str | None) -> Mapping[UUID, OpenExposure]:
        """Open orders of a strategy; None: of all."""
        if strategy_name is not None:
            return self.orders.get(strategy_name, {})
        return {order_id: order for of_one in self.orders.values() for order_id, order in of_one.items()}

    def units_by_product(self, row_key: str) -> dict[Product | None, Decimal]:
        """Signed units of the position in this row; under None what is of no known product."""
        return self._units_by_product(row_key, self.place_of_unknown)

    def _units_by_product(self, row_key: str, place_of_unknown: Product | None) -> dict[Product | None, Decimal]:
        units = dict[Product | None, Decimal](self.products.get(row_key, {}).items())
        unknown = EXACT.subtract(self._part(row_key).quantity, total(units.values()))
        units[place_of_unknown] = EXACT.add(units.get(place_of_unknown, ZERO), unknown)
        return {product: each for product, each in units.items() if each}

    def place(self, theirs: Mapping[Product | None, Decimal]) -> None:
        """Note under which product the broker holds what is of no known one, where its figures by product show that."""
        ours: defaultdict[Product | None, Decimal] = defaultdict(Decimal)
        for row_key in self.stored:
            for product, units in self._units_by_product(row_key, None).items():
                ours[product] = EXACT.add(ours[product], units)
        if beyond := [*beyond_ours(ours, theirs)]:
            self.place_of_unknown = beyond[0] if len(beyond) == 1 else None

    def parts_under(
        self, strategies: Collection[str] | None, difference_of: Callable[[Product | None], Decimal | None], uncounted: set[UUID]
    ) -> dict[Product | None, ProductPart]:
        """What these strategies (None: all) have under each product, without `uncounted` orders; empty where none is known."""
        if not self.products and not self.under_products and self.place_of_unknown is None:
            return {}
        parts: defaultdict[Product | None, ProductPart] = defaultdict(ProductPart)
        for name, rows in self.rows.items():
            is_own, leaving = strategies is None or name in strategies, self.leaving.get(name, ZERO)
            for product, units in (item for key in rows for item in self.units_by_product(key).items()):
                own = _once_left(units, leaving) if is_own else ZERO
                parts[product] = parts[product].plus(ProductPart(Stake(own), Exposure(units)))
        for order in self.orders_of(None).values():
            if order.order_id not in uncounted:
                own = order.quantity if strategies is None else total(units for name, units in order.parts if name in strategies)
                stake = Stake().plus(order.side, own)
                part = ProductPart(stake, Exposure().plus(order.side, order.quantity, ZERO))
                parts[order.product] = parts[order.product].plus(part)
        return {product: part._replace(difference=difference_of(product)) for product, part in parts.items()}

    def change(self, strategy_name: str, units: Decimal) -> None:
        """So many signed units are about to come or go; the reverse takes it back."""
        about = EXACT.add(self.leaving.pop(strategy_name, ZERO), units)
        if about:
            self.leaving[strategy_name] = about

    def open(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.plus(order.side, order.quantity, order.value)
        for name, units in order.parts:
            self.open_of[name] = self.open_of.get(name, _NO_STAKE).plus(order.side, units)
            self.orders.setdefault(name, {})[order.order_id] = order
        if order.side is Side.BUY:
            self.covers.open(order.order_id, order.quantity, order.value)
        if order.is_in_doubt:
            self.doubts[order.order_id] = None
        if order.product is not None:
            self.under_products[order.order_id] = None

    def close(self, order: OpenExposure) -> None:
        self.exposure = self.exposure.minus(order.side, order.quantity, order.value)
        self.covers.close(order.order_id)
        for name, units in order.parts:
            self.open_of[name] = self.open_of[name].minus(order.side, units)
            self.orders[name].pop(order.order_id, None)
        self.doubts.pop(order.order_id, None)
        self.under_products.pop(order.order_id, None)

    def share_out(self) -> Mapping[UUID, Cover]:
        """What of the open buys only takes off what is short, where that changed."""
        if self.covers.is_idle:
            return {}
        held = ZERO if self.position is None else self.position.quantity
        return self.covers.divide(EXACT.minus(held), self.exposure.sells.quantity)

    def measure(self, price: Price | None) -> None:
        """Value the position at `price`, or at cost where there is none."""
        position = self.position
        if position is not None:
            open_now = self.exposure
            self.exposure = Exposure(position.quantity, value_of(position, price), open_now.buys, open_now.sells)


def _once_left(held: Decimal, change: Decimal) -> Decimal:
    """Signed units once so many have left; those that are to come are not there yet."""
    if held * change >= 0:
        return held
    left = EXACT.add(held, change)
    return left if left * held > 0 else ZERO


def value_of(position: Position, price: Price | None) -> Decimal:
    """Money, in the position's currency, never negative."""
    if not position.quantity:
        return ZERO
    if price is None:
        return shown(abs(position.cost), _COST_DECIMALS)
    return abs(position.quantity * price.amount * position.multiplier)
