"""The executions that count, and what changed positions without one, each with the holding that it found and what it earned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, cast

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import number, price, result, without_year
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.projections.read_model import (
    BY_ACCOUNT,
    BY_SESSION,
    BY_STRATEGY,
    BY_SYMBOL,
    ReadModel,
    written_with_another,
)
from liveorder.application.reporting.views import BookedFillView
from liveorder.application.reporting.views.fields import rounded, rounded_fraction
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution
from liveorder.domain.order.shares import OwnExecution, own_executions
from liveorder.domain.position_adjustment import PositionChange
from liveorder.domain.position_booking import BookedFill, Holding, Owner, holding_key
from liveorder.domain.values import EXACT, Money, Side, TimeInForce


class FillRow(NamedTuple):
    booked: int
    """Place in the log where it, or the first execution that it corrects, was reported: holdings grow in this order."""
    order_id: str
    execution_id: str
    holding: str
    """Key of the holding that it changes."""
    account_id: str
    strategy_name: str
    symbol: str
    currency: str
    multiplier: str
    session_date: str
    quantity: str
    """Signed: negative is sold. Exact, like all numbers here."""
    price: str
    commission: str | None
    commission_currency: str | None
    """None: the instrument's."""
    is_in_kind: int
    """1 where the commission is units of what was bought."""
    filled_at: str | None
    is_inferred: int
    adjusted_for: str = ""
    """Why the position changed without an execution: no order, no units traded. Empty for a fill."""
    before: str = ""
    """The holding before this fill, so that what comes after a corrected fill can be booked anew without what came before."""
    realized: str = "0"
    """What it earned before commission, as a fraction."""

    def booked_on(self, holding: Holding) -> tuple[FillRow, Holding]:
        """This fill upon that holding, and the holding after it."""
        after, earned = holding.book(self._fill())
        return self._replace(before=holding.to_text(), realized=str(earned)), after

    def _fill(self) -> BookedFill:
        return BookedFill(
            self.booked,
            Decimal(self.quantity),
            Decimal(self.price),
            Decimal(self.multiplier),
            None if self.commission is None else Money(Decimal(self.commission), self.commission_currency or self.currency),
            bool(self.is_in_kind),
            None if self.filled_at is None else datetime.fromisoformat(self.filled_at),
        )

    def charged(self) -> Money:
        """What it cost, in kind at what that is worth."""
        amount = Decimal(self.commission or 0)
        if self.is_in_kind:
            worth = EXACT.multiply(EXACT.multiply(amount, Decimal(self.price)), Decimal(self.multiplier))
            return Money(worth, self.currency)
        return Money(amount, self.commission_currency or self.currency)

    def view(self) -> BookedFillView:
        quantity, price = Decimal(self.quantity), Decimal(self.price)
        return BookedFillView(
            execution_id=self.execution_id,
            quantity=abs(quantity),
            price=rounded(price) if self.is_inferred else price,
            commission=None if self.commission is None else Decimal(self.commission),
            commission_currency=self.commission_currency,
            filled_at=None if self.filled_at is None else datetime.fromisoformat(self.filled_at),
            is_inferred=bool(self.is_inferred),
            order_id=self.order_id,  # type: ignore[arg-type]  # pydantic reads the text
            account_id=self.account_id,
            strategy_name=self.strategy_name,
            symbol=self.symbol,
            side=Side.SELL if quantity < 0 else Side.BUY,
            currency=self.currency,
            session_date=self.session_date,  # type: ignore[arg-type]  # and this
            realized_pnl=rounded_fraction(Fraction(self.realized)),
        )


def change_of(item: RecordedEvent, change: PositionChange) -> FillChange:
    """What changed a position without an execution; a fee in kind is a fill of no units that cost some."""
    instrument, has_fee = change.instrument, bool(change.fee)
    row = FillRow(
        booked=item.position,
        order_id="",
        execution_id=str(item.envelope.event_id),
        holding=_key(change, change.strategy_name),
        account_id=change.account_id,
        strategy_name=change.strategy_name,
        symbol=instrument.symbol,
        currency=instrument.currency,
        multiplier=f"{instrument.multiplier:f}",
        session_date=change.effective_at.astimezone(UTC).date().isoformat(),
        quantity=f"{change.quantity:f}",
        price=f"{change.price:f}",
        commission=f"{change.fee:f}" if has_fee else None,
        commission_currency=instrument.coin if has_fee else None,
        is_in_kind=int(has_fee),
        filled_at=change.effective_at.isoformat(),
        is_inferred=0,
        adjusted_for=change.reason,
    )
    return FillChange(row.holding, row.booked, None, row)


FILLS = ReadModel(
    "fills",
    FillRow,
    ("booked", "holding"),
    (("holding", "booked"),),
    about="List executions that count, with what each earned.",
    project=written_with_another,
    view=BookedFillView,
    shown=FillRow.view,
    only={"adjusted_for": ""},
    filters=(BY_SYMBOL, BY_STRATEGY, BY_ACCOUNT, BY_SESSION),
    columns=(
        Column("Time (UTC)", lambda fill: without_year(fill.filled_at)),
        Column("Symbol", "symbol"),
        Column("Side", "side"),
        Column("Quantity", lambda fill: number(fill.quantity), justify="right"),
        Column("Price", lambda fill: price(fill.price), justify="right"),
        Column("Realized", lambda fill: result(fill.realized_pnl), rank=1, justify="right"),
        Column("", "currency", rank=1),
        Column("Strategy", "strategy_name", rank=2, tells=True),
        Column("Account", "account_id", rank=3, tells=True),
        Column("Session", "session_date", rank=4),
        Column("Order", "order_id", rank=5, is_id=True),
        Column("Execution", "execution_id", rank=6, is_id=True),
    ),
)
"""Written with the positions, whose holdings they grow."""


class FillChange(NamedTuple):
    """A fill before and after a batch, not yet booked on its holding; None where there was or is none."""

    holding: str
    booked: int
    old: FillRow | None
    new: FillRow | None


def fill_changes(change: OrderChange) -> Iterator[FillChange]:
    """The fills of an order that came, went or changed."""
    before, after = change.before, change.after
    if before is not None and before.executions is after.executions and before.submission is after.submission:
        return
    old = {} if before is None else _rows(before, [*before.executions.effective()], change.booked)
    new = _rows(after, change.effective, change.booked)
    for key, row in (old | new).items():
        if old.get(key) != new.get(key):
            yield FillChange(row.holding, row.booked, old.get(key), new.get(key))


def _rows(order: LiveOrder, effective: Sequence[BookedExecution], booked: Mapping[str, int]) -> dict[tuple[str, str], FillRow]:
    """By strategy and execution id. What counts for nothing makes no row, unless the broker charges for it all the same."""
    intent = order.intent
    parts = own_executions(intent.strategy_name, intent.shares, order.executions, effective, intent.instrument.lot_size)
    return {(own.strategy_name, own.execution.execution_id): _row(order, own, booked) for own in parts if _counts(own.execution)}


def _counts(execution: BookedExecution) -> bool:
    return bool(execution.quantity) or (execution.commission is not None and bool(execution.commission.amount))


def _row(order: LiveOrder, own: OwnExecution, booked: Mapping[str, int]) -> FillRow:
    intent, execution, commission = order.intent, own.execution, own.execution.commission
    currency = None if commission is None or commission.currency == intent.instrument.currency else commission.currency
    return FillRow(
        min(booked[name] for name in order.executions.chain_of(execution)),
        str(intent.order_id),
        execution.execution_id,
        _key(intent, own.strategy_name),
        intent.account_id,
        own.strategy_name,
        intent.instrument.symbol,
        intent.instrument.currency,
        f"{intent.instrument.multiplier:f}",
        _session(order, execution),
        f"{intent.terms.side.signed(execution.quantity):f}",
        f"{execution.price:f}",
        None if commission is None else f"{commission.amount:f}",
        currency,
        int(currency is not None and currency == intent.instrument.coin),
        None if execution.at is None else execution.at.isoformat(),
        int(execution.is_inferred),
    )


def _key(owner: Owner, strategy_name: str) -> str:
    return repr(tuple(holding_key(owner)._replace(strategy_name=strategy_name)))


_LASTS_DAYS = (TimeInForce.GTC, TimeInForce.GTD)


def counted_on(order: LiveOrder) -> str:
    """Date that the order counts to: of its newest submission's session, or of its request, UTC, while it has none."""
    if order.submission is not None:
        return order.submission.session_date.isoformat()
    requested_at = cast(datetime, order.requested_at)  # the first event of an order sets it
    return requested_at.astimezone(UTC).date().isoformat()


def _session(order: LiveOrder, execution: BookedExecution) -> str:
    """The order's own date; but what an order that lasts days filled on a later UTC date counts to that."""
    own = counted_on(order)
    if execution.at is None or order.terms.time_in_force not in _LASTS_DAYS:
        return own
    return max(own, execution.at.astimezone(UTC).date().isoformat())
