"""Every step of an order as a line for people and machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.domain.events import RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import LineType, OrderEvent, OrderRequested

_ENDS = (NoticeEvent.REFUSED, NoticeEvent.REJECTED, NoticeEvent.CANCELLED)


class OrderLog:
    """An `OrderListener` that writes what happened; `signal_id` makes one signal's journey followable."""

    def __init__(self, log: ActivityLog) -> None:
        self._log = log

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        now = _state(before, after)
        for item in recorded:
            if isinstance(item.event, OrderRequested):
                self._log.write("EXECUTION", f"Received order: {after.intent.signal_id}", event_type=LineType.STATUS_CHANGE, **now)
            if isinstance(item.event, OrderEvent):
                self._write(item, item.event, before, after, now)

    def _write(
        self, item: RecordedEvent, event: OrderEvent, before: LiveOrder | None, after: LiveOrder, now: Mapping[str, object]
    ) -> None:
        self._log.write(
            "WARNING" if event.notice in _ENDS and after.is_refused_exit else event.log_category,
            event.log_sentence(before, after),
            event_type=event.log_type,
            event=event.topic,
            event_id=str(item.envelope.event_id),
            version=item.version,
            recorded_at=item.envelope.recorded_at,
            **event.log_fields(),
            **now,
        )


def _state(before: LiveOrder | None, after: LiveOrder) -> Mapping[str, object]:
    """The order after the step, of which every line has all, so that the last line of an order sums it up."""
    intent, terms = after.intent, after.intent.terms
    return {
        "symbol": intent.instrument.symbol,
        "side": terms.side,
        "order_type": terms.order_type,
        "quantity": after.quantity,
        "notional": terms.notional,
        "filled_quantity": after.filled_quantity,
        "average_price": after.average_price,
        "commission": after.commission,
        "currency": intent.instrument.currency,
        "previous_status": None if before is None else before.status,
        "status": after.status,
        "reason": after.reason,
        "error_message": after.error_message,
        "strategy_name": intent.strategy_name,
        "broker": intent.broker,
        "broker_order_id": after.broker_order_id,
        "client_order_id": after.client_order_id,
        "account_id": intent.account_id,
        "signal_id": intent.signal_id,
        "order_id": str(after.order_id),
    }
