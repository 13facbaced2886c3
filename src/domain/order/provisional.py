"""What every decision on a report uses: steps that see what came before them, and notes for people that are made once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.order import events as ev
from liveorder.domain.order.state import LiveOrder


def in_turn(order: LiveOrder, steps: Iterable[Callable[[LiveOrder], list[Event]]]) -> list[Event]:
    """Each step sees the order as the steps before it left it."""
    events: list[Event] = []
    for step in steps:
        more = step(order)
        events += more
        order = provisionally(order, more)
    return events


def positive(quantity: Decimal | None) -> Decimal | None:
    """No broker means an order of nothing: a quantity that is not above zero was not told."""
    return quantity if quantity is not None and quantity > 0 else None


def anomaly(order: LiveOrder, code: str, message: str) -> list[Event]:
    """Once for each code: polling the same oddity does not fill the log."""
    return [] if code in order.anomalies else [ev.AnomalyNoted(code=code, message=message)]


def review(order: LiveOrder, code: str, message: str) -> list[Event]:
    return [] if code in order.reviews else [ev.ReviewRequested(code=code, message=message)]


_NOBODY = Envelope(
    event_id=UUID(int=0), actor="provisional", epoch=0, correlation_id="", recorded_at=datetime.fromtimestamp(0, UTC)
)


def provisionally(order: LiveOrder, events: Sequence[Event]) -> LiveOrder:
    """The order as it would be, for deciding the next event; nothing of this is kept."""
    if not events:
        return order
    return order.apply([RecordedEvent(order.order_id, order.version + i, _NOBODY, event) for i, event in enumerate(events, 1)])
