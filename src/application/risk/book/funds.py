"""An account's buying power: what its broker reported last, and what our orders have taken of it since.

The figure contains the orders that the broker was known to have when it was asked. The others count on top of it, with all that
they have spent and could spend yet, so that two orders decided at once cannot both pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct

from liveorder.domain.broker_account import BrokerAccount, Figure
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import Executions
from liveorder.domain.risk import NO_COVER, BuyingPower, Cover, OpenExposure, is_paid_in_full, share_of
from liveorder.domain.values import EXACT, ZERO, AssetClass, total

PACE_SECONDS = 1.0
"""At least between two questions about one account, for all callers together; longer where the broker takes many amiss."""

_Key: TypeAlias = tuple[str, str, str]
"""Exchange, asset class, currency."""


@dataclass(slots=True)
class _Part:
    """Purchases that are paid for alike, and what they have taken since the figure in all."""

    exchange: str
    asset_class: AssetClass
    currency: str
    taken: Decimal = ZERO


class _Purchase(Struct):
    """An order that is paid in full. Money in the instrument's currency."""

    part: _Part
    executions: Executions
    """Of which `spent` and `bought_back` are the sum."""
    worst: OpenExposure | None = None
    """What it could do yet."""
    cover: Cover = NO_COVER
    """The part of that which only buys back what is short, and costs no buying power."""
    bought_back: Decimal = ZERO
    """What it has paid for such units."""
    spent: Decimal = ZERO
    """What it has paid for the others."""
    cost: Decimal = ZERO
    """What it has spent, and could spend yet."""
    reported: Decimal = ZERO
    """Of its cost, what the broker's figure contains."""
    taken: Decimal = ZERO
    """Of the broker's figure, since."""
    is_at_broker: bool = False
    is_over: bool = False
    changed_at: datetime | None = None

    def may_be_missing(self, asked_at: datetime, lag_seconds: float) -> bool:
        """Whether an answer can be too old for the order as it is now."""
        return self.changed_at is not None and asked_at < self.changed_at + timedelta(seconds=lag_seconds)

    def follow(self, executions: Executions, multiplier: Decimal) -> None:
        """The first units that fill are those that buy back."""
        before, after = self.executions.totals, executions.totals
        self.executions = executions
        units = EXACT.subtract(after.quantity, before.quantity)
        if self.cover.units and units > 0:
            paid = abs(EXACT.multiply(EXACT.subtract(after.value, before.value), multiplier))
            back = share_of(paid, min(self.cover.units, units), units)
            self.bought_back = EXACT.add(self.bought_back, back)
        paid = abs(EXACT.multiply(after.value, multiplier))
        self.spent = max(EXACT.subtract(paid, self.bought_back), ZERO)

    def reckon(self) -> None:
        """After a change of what it has spent or could spend yet."""
        self.cost = EXACT.add(self.spent, self._could_spend(self.cover.units))
        self.settle()

    @property
    def least(self) -> Decimal:
        """What the broker takes off for it at least, by all that it may know."""
        return self.cost if self.cover.most == self.cover.units else EXACT.add(self.spent, self._could_spend(self.cover.most))

    def _could_spend(self, covered: Decimal) -> Decimal:
        """Money, at the worst: for the units that do not buy back."""
        if self.worst is None or not covered or not self.worst.quantity:  # what covers is divided anew a little later
            return ZERO if self.worst is None else self.worst.value
        return share_of(self.worst.value, max(EXACT.subtract(self.worst.quantity, covered), ZERO), self.worst.quantity)

    def settle(self) -> None:
        """After a change of cost or report."""
        taken = max(EXACT.subtract(self.cost, self.reported), ZERO) if self.reported else self.cost
        if taken != self.taken:
            self.part.taken = EXACT.add(self.part.taken, EXACT.subtract(taken, self.taken))
            self.taken = taken


class Question(NamedTuple):
    """When the broker was asked, and what the purchases that it knew cost then at least."""

    asked_at: datetime
    costs: Mapping[UUID, Decimal]


class Funds:
    """Of one account."""

    def __init__(self) -> None:
        self.account: BrokerAccount | None = None
        """As reported last, in the order of the questions."""
        self.asked_at: datetime | None = None
        """When that was asked."""
        self.freed_at: datetime | None = None
        """When an order of ours last may have raised the buying power: it sold, bought back, or ended with a part unfilled."""
        self._withheld: dict[Figure, Decimal] = {}
        """Of a figure that may be older than our last purchases: what they cost, as far as it tells more than was reckoned."""
        self._purchases: dict[UUID, _Purchase] = {}
        self._parts: dict[_Key, _Part] = {}

    # --- orders ----------------------------------------------------------------------------------------------------------------

    def count(self, order: LiveOrder, worst: OpenExposure | None) -> None:
        """The order as it is known now, and what it could still do."""
        known, is_over = self._purchases.get(order.order_id), order.is_finished
        if known is None and worst is not None and _is_purchase(order):
            known = self._purchases[order.order_id] = _Purchase(self._part(order.intent.instrument), Executions.none())
        if known is not None and order.executions is not known.executions and (worst is not None or is_over):
            known.follow(order.executions, order.intent.instrument.multiplier)
        if order.last_update_at is not None and _frees(order, known):
            self.freed_at = order.last_update_at if self.freed_at is None else max(self.freed_at, order.last_update_at)
        if known is None:
            return
        if worst is None and not is_over:  # a reservation that came to nothing, or an older word of what is over already
            if not known.is_over:
                self._forget(order.order_id, known)
            return
        known.worst, known.is_at_broker, known.is_over = None if is_over else worst, order.is_at_broker, is_over
        known.changed_at = order.last_update_at
        known.reckon()

    def cover(self, order_id: UUID, cover: Cover) -> None:
        """This part of what the order could still do only buys back what is short."""
        if (known := self._purchases.get(order_id)) is not None:
            known.cover = cover
            known.reckon()

    def _part(self, instrument: Instrument) -> _Part:
        key = (instrument.exchange, instrument.asset_class.value, instrument.currency)
        if (part := self._parts.get(key)) is None:
            part = self._parts[key] = _Part(instrument.exchange, instrument.asset_class, instrument.currency)
        return part

    def _forget(self, order_id: UUID, known: _Purchase) -> None:
        known.cost = ZERO
        known.settle()
        del self._purchases[order_id]

    # --- the broker's figures --------------------------------------------------------------------------------------------------

    def ask(self, now: datetime) -> Question:
        """To be taken just before the broker is asked."""
        known = {order_id: each.least for order_id, each in self._purchases.items() if each.is_at_broker or each.is_over}
        return Question(now, known)

    def report(self, question: Question, account: BrokerAccount, lag_seconds: float = 0.0) -> None:
        """What the broker answered, which can be so old. An answer to an earlier question than the last one's changes nothing."""
        if self.asked_at is not None and question.asked_at < self.asked_at:
            return
        figures = ((key, self._figure(part)) for key, part in self._parts.items())
        reckoned = {key: self._left(figure) for key, figure in figures if figure is not None}
        self.account, self.asked_at, self._withheld = account, question.asked_at, {}
        missing: dict[Figure, Decimal] = {}
        for order_id, cost in question.costs.items():
            if (known := self._purchases.get(order_id)) is None:
                continue
            known.reported = cost
            known.settle()
            figure, may_be_missing = self._figure(known.part), known.may_be_missing(question.asked_at, lag_seconds)
            if may_be_missing and figure is not None:
                missing[figure] = EXACT.add(missing.get(figure, ZERO), cost)
            if known.is_over and not known.taken and not may_be_missing:
                self._forget(order_id, known)
        self._withhold(missing, reckoned)

    def _withhold(self, missing: Mapping[Figure, Decimal], reckoned: Mapping[_Key, Decimal]) -> None:
        """A figure that tells more than was reckoned before it may lack what it would have to contain."""
        for key, before in reckoned.items():
            figure = self._figure(self._parts[key])
            if figure is not None and figure in missing and figure not in self._withheld:
                more = EXACT.subtract(self._left(figure), before)
                self._withheld[figure] = max(min(missing[figure], more), ZERO)

    def figure_for(self, instrument: Instrument) -> Figure | None:
        """By which its purchases are judged; None where the broker tells none in its currency."""
        return self._figure(self._part(instrument))

    def is_settled(self, lag_seconds: float) -> bool:
        """Whether the figure contains all that our orders freed; an answer of the broker's can be so old."""
        return self.asked_at is None or self.would_settle(self.asked_at, lag_seconds)

    def would_settle(self, asked_at: datetime, lag_seconds: float) -> bool:
        """Whether a question at that time would be answered with all of it."""
        return self.freed_at is None or self.freed_at + timedelta(seconds=lag_seconds) <= asked_at

    def is_to_be_asked(self, now: datetime, since_asked: float, oldest_seconds: float, can: BrokerCapabilities) -> bool:
        """Whether the broker is asked for its figures anew, where none is wanted that is older than `oldest_seconds`.

        Sooner where our own orders freed money since: the figure is too low then, once the broker counts them. Never so soon after
        the last question (`since_asked`, in seconds) that the broker takes it amiss.
        """
        if not self.is_settled(can.money_lag_seconds):
            return since_asked >= PACE_SECONDS and self.would_settle(now, can.money_lag_seconds)
        is_old = self.asked_at is None or (now - self.asked_at).total_seconds() > oldest_seconds
        return is_old and since_asked >= max(PACE_SECONDS, can.quiet_poll_seconds)

    def buying_power(
        self, instrument: Instrument, now: datetime, lag_seconds: float, uncounted: Iterable[UUID]
    ) -> BuyingPower | None:
        """What an order in `instrument` may cost; the parts of orders that do not count are given back."""
        figure = self.figure_for(instrument)
        if figure is None:
            return None
        left = self._left(figure)
        for order_id in uncounted:
            if (known := self._purchases.get(order_id)) is not None and self._figure(known.part) is figure:
                left = total([left, known.taken, known.reported, -known.spent])
        return BuyingPower(left, (now - figure.at).total_seconds(), self.is_settled(lag_seconds))

    def _left(self, figure: Figure) -> Decimal:
        taken = (part.taken for part in self._parts.values() if self._figure(part) is figure)
        return EXACT.subtract(figure.amount, total((*taken, self._withheld.get(figure, ZERO))))

    def _figure(self, part: _Part) -> Figure | None:
        return None if self.account is None else self.account.buying_power_for(part.exchange, part.asset_class, part.currency)


def _is_purchase(order: LiveOrder) -> bool:
    return is_paid_in_full(order.intent.instrument, order.terms.side, order.terms.product)


def _frees(order: LiveOrder, known: _Purchase | None) -> bool:
    """Whether the figure may be too low for it. One that is rejected never took anything, unless the figure contains it."""
    if order.status is OrderStatus.CANCELLED:
        return order.is_at_broker
    if known is None:
        return order.filled_quantity > 0
    return known.bought_back > 0 or (order.status is OrderStatus.REJECTED and known.reported > 0)
