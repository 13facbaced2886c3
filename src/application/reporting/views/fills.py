"""Executions that count, as shown."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from liveorder.application.reporting.views.fields import Moment, Number, View, rounded
from liveorder.domain.order.executions import BookedExecution
from liveorder.domain.values import Side


class FillView(View):
    """One execution that counts. `is_inferred`: the broker reported a total, and not yet the fills that make it up."""

    execution_id: str
    quantity: Number
    price: Number
    commission: Number | None
    """None while it is not known, 0 when it is known to be nothing."""
    commission_currency: str | None = None
    """None: the instrument's."""
    filled_at: Moment | None
    is_inferred: bool = False


class BookedFillView(FillView):
    """A fill with whose it is and what it earned."""

    order_id: UUID
    account_id: str
    strategy_name: str
    symbol: str
    side: Side
    currency: str
    session_date: date
    """The session that it counts to, see `DailySummaryView`."""
    realized_pnl: Number
    """By what it closed, before commission; average cost, rounded to 8 decimals, half to even."""


def fill_view(execution: BookedExecution, currency: str) -> FillView:
    """Prices as reported; that of an inferred fill is a quotient, so it is rounded. `currency` is the instrument's."""
    commission = execution.commission
    return FillView(
        execution_id=execution.execution_id,
        quantity=execution.quantity,
        price=rounded(execution.price) if execution.is_inferred else execution.price,
        commission=None if commission is None else commission.amount,
        commission_currency=None if commission is None or commission.currency == currency else commission.currency,
        filled_at=execution.at,
        is_inferred=execution.is_inferred,
    )
