"""What became of each signal: an order, or nothing and why."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from liveorder.application.reporting.views.fields import Moment, Number, View
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import Side

DEAD_LETTER = "DEAD_LETTER"
RETRIED = "RETRIED"


class SignalView(View):
    """`execution_status` is the status of its order, `DEAD_LETTER`, or `RETRIED`: a dead letter that a person had sent."""

    signal_id: str | None
    execution_status: str
    reason: str | None
    """Beside REJECTED and CANCELLED the order's; of a dead letter what was wrong with it."""
    order_id: UUID | None
    """Of a dead letter: the order that the same signal id had become, with other content. Of a retried one: its own."""
    client_order_id: str | None
    account_id: str | None
    strategy_name: str | None
    symbol: str | None
    side: Side | None
    score: Number | None
    quantity: Number | None
    filled_quantity: Number
    signal_at: Moment | None
    """When it was made or published."""
    received_at: Moment | None
    """When we recorded it."""
    fingerprint: str | None
    known_fingerprint: str | None
    source: str | None
    offset: str | None
    place: str | None
    """Of a dead letter, for people: `line 12` of a file, the id of a message in a stream."""
    line: str | None
    dead_letter_id: UUID | None = None
    """By which a person retries it."""

    def retried(self, order_id: UUID) -> SignalView:
        return self.model_copy(update={"execution_status": RETRIED, "order_id": order_id})


def signal_view(order: LiveOrder) -> SignalView:
    intent = order.intent
    return SignalView(
        signal_id=intent.signal_id,
        execution_status=order.status.value,
        reason=order.reason,
        order_id=intent.order_id,
        client_order_id=intent.client_order_id,
        account_id=intent.account_id,
        strategy_name=intent.strategy_name,
        symbol=intent.instrument.symbol,
        side=intent.terms.side,
        score=intent.terms.score,
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        signal_at=intent.terms.signal_at,
        received_at=order.requested_at,
        fingerprint=intent.signal_fingerprint,
        known_fingerprint=None,
        source=None,
        offset=None,
        place=None,
        line=None,
    )


def dead_letter_view(event: SignalDeadLettered, item: RecordedEvent) -> SignalView:
    return SignalView(
        signal_id=event.signal_id,
        execution_status=DEAD_LETTER,
        reason=event.reason,
        order_id=None if event.known_order_id is None else UUID(event.known_order_id),
        client_order_id=None,
        account_id=None,
        strategy_name=None,
        symbol=None,
        side=None,
        score=None,
        quantity=None,
        filled_quantity=Decimal(0),
        signal_at=None,
        received_at=item.envelope.recorded_at,
        fingerprint=event.fingerprint,
        known_fingerprint=event.known_fingerprint,
        source=event.source,
        offset=event.offset,
        place=event.where,
        line=event.line,
        dead_letter_id=item.stream_id,
    )
