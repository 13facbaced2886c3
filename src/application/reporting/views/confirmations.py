"""What is sent to a strategy about an order that traded or ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from liveorder.application.reporting.views.fields import Moment, Number, plain
from liveorder.application.reporting.views.orders import OrderView, order_fields
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution


class ConfirmationView(OrderView):
    """An order with what its execution came to."""

    total_value: Number
    """Σ quantity × price × multiplier over the fills that count, in `currency`; without commission."""
    filled_at: Moment | None
    """Of the newest fill that counts."""
    notes: str
    """For people: what is out of the ordinary. Empty when nothing is."""


def is_confirmable(order: LiveOrder) -> bool:
    """It ended, or a fill of it was reported, even if that was taken back since. Never turns false again."""
    return order.status.is_closed or bool(order.executions.reported or order.executions.inferred)


def confirmation_view(order: LiveOrder) -> ConfirmationView:
    effective = tuple(order.executions.effective())
    total_value, filled_at, notes = outcome(order, effective)
    return ConfirmationView(**order_fields(order, effective), total_value=total_value, filled_at=filled_at, notes=notes)


def outcome(order: LiveOrder, effective: Sequence[BookedExecution]) -> tuple[Decimal, datetime | None, str]:
    """Total value, time of the newest fill, and notes; `effective`: its executions that count."""
    filled_at = max((execution.at for execution in effective if execution.at is not None), default=None)
    value = plain(order.executions.totals.value * order.intent.instrument.multiplier)
    return value, filled_at, "; ".join(_notes(order, effective))


def _notes(order: LiveOrder, effective: Sequence[BookedExecution]) -> Iterator[str]:
    if order.terms.is_shadow:
        yield "shadow: decided and never sent"
    if order.status.is_closed and order.quantity is not None and 0 < order.filled_quantity < order.quantity:
        yield f"filled in part: {order.filled_quantity:f} of {order.quantity:f}"
    if order.error_message:
        yield order.error_message
    if any(execution.is_inferred for execution in effective):
        yield "inferred from the broker's total; the fills are still to come"
    if order.executions.busted:
        yield f"taken back by the broker: {', '.join(sorted(order.executions.busted))}"
    yield from sorted(order.anomalies)
