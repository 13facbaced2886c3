"""The two kinds of outgoing messages: confirmations for strategies, notices for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from liveorder.application.outbox.notifier import Manner, Notice, Notifier
from liveorder.application.outbox.publisher import Confirmation, Publisher
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.reporting.projections.known_orders import OrderChange
from liveorder.application.reporting.views import confirmation_view, is_confirmable
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderEvent, Refused
from liveorder.domain.reversal import INCOMPLETE


class Confirmations:
    """Makes a confirmation of each event that changes an order's outcome: a fill, its correction or commission, the end."""

    def __init__(self, publisher: Publisher, log: ActivityLog) -> None:
        self._publisher, self._log = publisher, log
        self._taken: list[Confirmation] = []

    @property
    def name(self) -> str:
        return self._publisher.name

    def concerns(self, event: Event) -> bool:
        return isinstance(event, OrderEvent)

    def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
        if change is not None and _changes_outcome(change):
            self._taken.append(Confirmation(_message_id(item), confirmation_view(change.after)))

    async def deliver(self) -> bool:
        if not self._taken:
            return False
        await self._publisher.publish(tuple(self._taken))
        for each in self._taken:
            self._log_published(each)
        self._taken = []
        return True

    def drop(self) -> None:
        self._taken = []

    def _log_published(self, confirmation: Confirmation) -> None:
        self._log.write(
            "EXECUTION",
            "Published execution confirmation",
            destination=self.name,
            confirmation=confirmation.message_id,
            status=confirmation.view.status,
            account_id=confirmation.view.account_id,
            signal_id=confirmation.view.signal_id,
            order_id=str(confirmation.view.order_id),
        )


class Notices:
    """Makes a notice of each noteworthy event; if `wanted` is given, only of the events that it names."""

    def __init__(self, notifier: Notifier, wanted: Mapping[NoticeEvent, Manner] | None = None) -> None:
        self._notifier = notifier
        self._manners = {event: Manner.ON if wanted is None else wanted.get(event, Manner.OFF) for event in NoticeEvent}
        heard = {event for event, manner in self._manners.items() if manner is not Manner.OFF}
        self._wanted = {event for event in NoticeEvent if heard & _MAY_BE.get(event, {event})}
        self._taken: list[Notice] = []

    @property
    def name(self) -> str:
        return self._notifier.name

    def concerns(self, event: Event) -> bool:
        return event.notice in self._wanted

    def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
        order = None if change is None else change.after
        event = _event(item.event, order)
        if event is not None and self._manners[event] is not Manner.OFF:
            self._taken.append(_notice(item, event, order, is_silent=self._manners[event] is Manner.SILENT))

    async def deliver(self) -> bool:
        if not self._taken:
            return False
        await self._notifier.notify(tuple(self._taken))
        self._taken = []
        return True

    def drop(self) -> None:
        self._taken = []


_ENDS = (NoticeEvent.REFUSED, NoticeEvent.REJECTED, NoticeEvent.CANCELLED)
_MAY_BE = {NoticeEvent.FILL: {NoticeEvent.FILL, NoticeEvent.PARTIAL}} | {
    end: {end, NoticeEvent.EXIT_REFUSED, NoticeEvent.REVERSAL_INCOMPLETE} for end in _ENDS
}
"""The notice events that only the order's state can distinguish."""

ALERTS = {event: Manner.ON for event in NoticeEvent if event.is_alert}
"""What people are notified of by default."""


def _changes_outcome(change: OrderChange) -> bool:
    if not is_confirmable(change.after):
        return False
    return change.before is None or _outcome(change.before) != _outcome(change.after)


def _outcome(order: LiveOrder) -> tuple[Any, ...]:
    return order.status, order.executions.totals


def _event(fact: Event, order: LiveOrder | None) -> NoticeEvent | None:
    if order is None:
        return fact.notice
    if fact.notice is NoticeEvent.FILL and not order.status.is_closed:
        return NoticeEvent.PARTIAL
    if isinstance(fact, Refused) and fact.code == INCOMPLETE:
        return NoticeEvent.REVERSAL_INCOMPLETE
    is_end = fact.notice in _ENDS
    return NoticeEvent.EXIT_REFUSED if is_end and order.is_refused_exit else fact.notice


def _notice(item: RecordedEvent, event: NoticeEvent, order: LiveOrder | None, *, is_silent: bool) -> Notice:
    fact = item.event
    notice = Notice(
        _message_id(item),
        event.category,
        fact.sentence(),
        item.envelope.recorded_at,
        signal_id=fact.signal_id if isinstance(fact, SignalDeadLettered) else None,
        event=event,
        is_silent=is_silent,
    )
    if order is None:
        return notice
    intent = order.intent
    return replace(
        notice,
        order_id=str(intent.order_id),
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        strategy_name=intent.strategy_name,
        symbol=intent.instrument.symbol,
        symbol_name=intent.terms.symbol_name,
    )


def _message_id(item: RecordedEvent) -> str:
    return f"{item.stream_id}:{item.version}"
