"""Each session of each strategy in each account and currency, summed up.

Sums are exact, so what an order or a fill added is taken off again without a trace when it changes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import money, result
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.fills import FILLS, FillRow, counted_on
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import BY_ACCOUNT, BY_SESSION, BY_STRATEGY, Batch, ReadModel
from liveorder.application.reporting.views import DailySummaryView
from liveorder.application.reporting.views.fields import plain, rounded_fraction
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.position_booking import NOTHING
from liveorder.domain.values import ZERO

SummaryKey: TypeAlias = tuple[str, str, str, str]
"""Session date, account, strategy, currency."""

_EXACT = Context(prec=1000, traps=[Inexact])


class SummaryRow(NamedTuple):
    session_date: str
    account_id: str
    strategy_name: str
    currency: str
    state: str

    def view(self) -> DailySummaryView:
        tally = Tally.from_json(self.state)
        return DailySummaryView(
            session_date=self.session_date,  # type: ignore[arg-type]  # pydantic reads the text
            account_id=self.account_id,
            strategy_name=self.strategy_name,
            currency=self.currency,
            orders=tally.statuses.total(),
            by_status={status: tally.statuses[status.value] for status in OrderStatus},
            fills=tally.fills,
            filled_quantity=plain(tally.quantity),
            filled_value=plain(tally.value),
            commission=plain(tally.commission),
            realized_pnl=rounded_fraction(tally.realized),
            realized_pnl_net=rounded_fraction(tally.realized - Fraction(tally.commission)),
        )


@dataclass(slots=True)
class Tally:
    """Exact sums. Counts by status are kept without zeros, numbers without trailing ones: equal tallies are written alike."""

    statuses: Counter[str] = field(default_factory=Counter)
    fills: int = 0
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    commission: Decimal = ZERO
    realized: Fraction = NOTHING

    @property
    def is_empty(self) -> bool:
        return not (self.fills or self.commission or self.realized or any(self.statuses.values()))

    def count_order(self, status: OrderStatus, by: int) -> None:
        self.statuses[status.value] += by

    def count_fill(self, fill: FillRow, by: int) -> None:
        """Without its commission. One that was corrected to nothing is no fill; nor is what was no execution, which may earn."""
        quantity = ZERO if fill.adjusted_for else Decimal(fill.quantity).copy_abs() * by
        value = _EXACT.multiply(_EXACT.multiply(quantity, Decimal(fill.price)), Decimal(fill.multiplier))
        self._add(by if quantity else 0, quantity, value, ZERO, NOTHING if fill.realized == "0" else Fraction(fill.realized) * by)

    def count_commission(self, amount: Decimal, by: int) -> None:
        self._add(0, ZERO, ZERO, _EXACT.multiply(amount, by), NOTHING)

    def merge(self, other: Tally) -> None:
        self.statuses.update(other.statuses)
        self._add(other.fills, other.quantity, other.value, other.commission, other.realized)

    def _add(self, fills: int, quantity: Decimal, value: Decimal, commission: Decimal, realized: Fraction) -> None:
        self.fills += fills
        self.quantity = _EXACT.add(self.quantity, quantity)
        self.value = _EXACT.add(self.value, value)
        self.commission = _EXACT.add(self.commission, commission)
        self.realized = self.realized + realized if realized else self.realized

    def to_json(self) -> str:
        statuses = {name: count for name, count in sorted(self.statuses.items()) if count}
        sums = [f"{plain(number):f}" for number in (self.quantity, self.value, self.commission)]
        return json.dumps([statuses, self.fills, *sums, str(self.realized)])

    @classmethod
    def from_json(cls, text: str) -> Tally:
        statuses, fills, quantity, value, commission, realized = json.loads(text)
        return cls(Counter(statuses), fills, Decimal(quantity), Decimal(value), Decimal(commission), Fraction(realized))


def _project(batch: Batch, draft: RowChanges) -> None:
    tallies: defaultdict[SummaryKey, Tally] = defaultdict(Tally)
    for order, by in _orders(batch.orders):
        tallies[_key_of(order)].count_order(order.status, by)
    for fill, by in _fills(draft):
        charged, whose = fill.charged(), (fill.session_date, fill.account_id, fill.strategy_name)
        tallies[*whose, fill.currency].count_fill(fill, by)
        tallies[*whose, charged.currency].count_commission(charged.amount, by)
    for key, tally in tallies.items():
        _add(key, tally, draft)


def _orders(changes: Iterable[OrderChange]) -> Iterator[tuple[LiveOrder, int]]:
    for change in changes:
        if change.before is not None:
            yield change.before, -1
        yield change.after, +1


def _fills(draft: RowChanges) -> Iterator[tuple[FillRow, int]]:
    for old, new in draft.replaced(FILLS):
        if old is not None:
            yield old, -1
        if new is not None:
            yield new, +1


def _key_of(order: LiveOrder) -> SummaryKey:
    intent = order.intent
    return counted_on(order), intent.account_id, intent.strategy_name, intent.instrument.currency


def _add(key: SummaryKey, tally: Tally, draft: RowChanges) -> None:
    row = draft.find(DAILY_SUMMARY, key)
    total = Tally() if row is None else Tally.from_json(row.state)
    total.merge(tally)
    if not total.is_empty:
        draft.put(DAILY_SUMMARY, SummaryRow(*key, total.to_json()))
    elif row is not None:
        draft.remove(DAILY_SUMMARY, key)


DAILY_SUMMARY = ReadModel(
    "daily_summary",
    SummaryRow,
    ("session_date", "account_id", "strategy_name", "currency"),
    is_kept=True,
    about="List sessions, each strategy in each account summed up.",
    project=_project,
    view=DailySummaryView,
    shown=SummaryRow.view,
    filters=(BY_SESSION, BY_STRATEGY, BY_ACCOUNT),
    columns=(
        Column("Session", "session_date"),
        Column("Account", "account_id", tells=True),
        Column("Strategy", "strategy_name", tells=True),
        Column("Orders", "orders", justify="right"),
        Column("Fills", "fills", rank=1, justify="right"),
        Column("Value", lambda day: money(day.filled_value), rank=2, justify="right"),
        Column("Realized", lambda day: result(day.realized_pnl), rank=1, justify="right"),
        Column("Fees", lambda day: money(day.commission), rank=3, justify="right"),
        Column("Net", lambda day: result(day.realized_pnl_net), justify="right"),
        Column("", "currency"),
    ),
)
