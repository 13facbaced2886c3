"""The two kinds of message that leave: confirmations for strategies, notices for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from liveorder.application.outbox.notifier import Manner, Notice, NoticeEvent, Notifier
from liveorder.application.outbox.publisher import Confirmation, Publisher
from liveorder.application.reporting.descriptions import sentence
from liveorder.application.reporting.projections.known_orders import ORDER_EVENTS, OrderChange
from liveorder.application.reporting.views import confirmation_view, is_confirmable
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.trading_halt import AutoTradingSwitched, TradingHalted, TradingResumed
from liveorder.domain.unmatched_report import UnmatchedReportNoted


class Confirmations:
    """A confirmation for each event that changes the outcome of an order: a fill, its correction or commission, the end."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._taken: list[Confirmation] = []

    @property
    def name(self) -> str:
        return self._publisher.name

    def concerns(self, event: Event) -> bool:
        return type(event) in ORDER_EVENTS

    def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
        if change is not None and _changes_outcome(change):
            self._taken.append(Confirmation(_message_id(item), confirmation_view(change.after)))

    async def deliver(self) -> bool:
        if not self._taken:
            return False
        await self._publisher.publish(tuple(self._taken))
        self._taken = []
        return True

    def drop(self) -> None:
        self._taken = []


class Notices:
    """A notice for each event that people want to hear of at once; of the events that `wanted` names, where it is given."""

    def __init__(self, notifier: Notifier, wanted: Mapping[NoticeEvent, Manner] | None = None) -> None:
        self._notifier = notifier
        self._manners = {event: Manner.ON if wanted is None else wanted.get(event, Manner.OFF) for event in NoticeEvent}
        heard = {event for event, manner in self._manners.items() if manner is not Manner.OFF}
        self._kinds = {kind for kind, (_, event) in NOTEWORTHY.items() if heard & _MAY_BE.get(event, {event})}
        self._taken: list[Notice] = []

    @property
    def name(self) -> str:
        return self._notifier.name

    def concerns(self, event: Event) -> bool:
        return type(event) in self._kinds

    def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
        order = None if change is None else change.after
        event = _event(item.event, order)
        if self._manners[event] is not Manner.OFF:
            self._taken.append(_notice(item, event, order, is_silent=self._manners[event] is Manner.SILENT))

    async def deliver(self) -> bool:
        if not self._taken:
            return False
        await self._notifier.notify(tuple(self._taken))
        self._taken = []
        return True

    def drop(self) -> None:
        self._taken = []


class Noteworthy(NamedTuple):
    """`category`: as in the log. `WARNING` is of what should not happen, or stops trading."""

    category: str
    event: NoticeEvent


NOTEWORTHY: dict[type[Event], Noteworthy] = {
    ev.Refused: Noteworthy("RISK", NoticeEvent.REFUSED),
    ev.OutcomeDoubted: Noteworthy("WARNING", NoticeEvent.DOUBT),
    ev.Rejected: Noteworthy("EXECUTION", NoticeEvent.REJECTED),
    ev.Filled: Noteworthy("EXECUTION", NoticeEvent.FILL),
    ev.FillInferred: Noteworthy("EXECUTION", NoticeEvent.FILL),
    ev.FillCorrected: Noteworthy("WARNING", NoticeEvent.CORRECTED),
    ev.FillBusted: Noteworthy("WARNING", NoticeEvent.CORRECTED),
    ev.Cancelled: Noteworthy("EXECUTION", NoticeEvent.CANCELLED),
    ev.Restated: Noteworthy("WARNING", NoticeEvent.CORRECTED),
    ev.AnomalyNoted: Noteworthy("WARNING", NoticeEvent.DOUBT),
    ev.ReviewRequested: Noteworthy("WARNING", NoticeEvent.DOUBT),
    TradingHalted: Noteworthy("WARNING", NoticeEvent.HALT),
    TradingResumed: Noteworthy("WARNING", NoticeEvent.HALT),
    AutoTradingSwitched: Noteworthy("WARNING", NoticeEvent.HALT),
    SignalDeadLettered: Noteworthy("WARNING", NoticeEvent.DEAD_LETTER),
    UnmatchedReportNoted: Noteworthy("WARNING", NoticeEvent.UNMATCHED),
}
"""Kinds of event that make a notice."""

_MAY_BE = {NoticeEvent.FILL: {NoticeEvent.FILL, NoticeEvent.PARTIAL}}
"""Which of them depends on the order."""

ALERTS = {kind.event: Manner.ON for kind in NOTEWORTHY.values() if kind.category == "WARNING"}
"""What people hear of unless they say otherwise."""


def _changes_outcome(change: OrderChange) -> bool:
    if not is_confirmable(change.after):
        return False
    return change.before is None or _outcome(change.before) != _outcome(change.after)


def _outcome(order: LiveOrder) -> tuple[Any, ...]:
    return order.status, order.executions.totals


def _event(fact: Event, order: LiveOrder | None) -> NoticeEvent:
    event = NOTEWORTHY[type(fact)].event
    is_part = event is NoticeEvent.FILL and order is not None and not order.status.is_closed
    return NoticeEvent.PARTIAL if is_part else event


def _notice(item: RecordedEvent, event: NoticeEvent, order: LiveOrder | None, *, is_silent: bool) -> Notice:
    fact = item.event
    told = Notice(
        _message_id(item),
        NOTEWORTHY[type(fact)].category,
        sentence(fact),
        item.envelope.recorded_at,
        signal_id=fact.signal_id if isinstance(fact, SignalDeadLettered) else None,
        event=event,
        is_silent=is_silent,
    )
    if order is None:
        return told
    intent = order.intent
    return replace(
        told,
        order_id=str(intent.order_id),
        signal_id=intent.signal_id,
        account_id=intent.account_id,
        strategy_name=intent.strategy_name,
        symbol=intent.instrument.symbol,
    )


def _message_id(item: RecordedEvent) -> str:
    return f"{item.stream_id}:{item.version}"
