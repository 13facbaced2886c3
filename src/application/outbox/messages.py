"""The two kinds of message that leave: confirmations for strategies, notices for people."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from liveorder.application.outbox.notifier import Notice, Notifier
from liveorder.application.outbox.publisher import Confirmation, Publisher
from liveorder.application.reporting.descriptions import sentence
from liveorder.application.reporting.projections.known_orders import ORDER_FACTS, OrderChange
from liveorder.application.reporting.views import confirmation_view, is_confirmable
from liveorder.domain.dead_letter import SignalDeadLettered
from liveorder.domain.facts import Fact, RecordedFact
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import facts as f
from liveorder.domain.trading_halt import AutoTradingSwitched, TradingHalted, TradingResumed
from liveorder.domain.unmatched_report import UnmatchedReportNoted


class Confirmations:
    """A confirmation for each fact that changes the outcome of an order: a fill, its correction or commission, the end."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._taken: list[Confirmation] = []

    @property
    def name(self) -> str:
        return self._publisher.name

    def concerns(self, fact: Fact) -> bool:
        return type(fact) in ORDER_FACTS

    def consider(self, item: RecordedFact, change: OrderChange | None) -> None:
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
    """A notice for each fact that people want to hear of at once; of these `categories` alone, where they are given."""

    def __init__(self, notifier: Notifier, categories: Collection[str] | None = None) -> None:
        self._notifier = notifier
        self._kinds = {kind: name for kind, name in NOTEWORTHY.items() if categories is None or name in categories}
        self._taken: list[Notice] = []

    @property
    def name(self) -> str:
        return self._notifier.name

    def concerns(self, fact: Fact) -> bool:
        return type(fact) in self._kinds

    def consider(self, item: RecordedFact, change: OrderChange | None) -> None:
        category = self._kinds[type(item.fact)]
        self._taken.append(_notice(item, category, None if change is None else change.after))

    async def deliver(self) -> bool:
        if not self._taken:
            return False
        await self._notifier.notify(tuple(self._taken))
        self._taken = []
        return True

    def drop(self) -> None:
        self._taken = []


ALERTS = ("WARNING",)
"""Categories of what should not happen, or stops trading."""

NOTEWORTHY: dict[type[Fact], str] = {
    f.Refused: "RISK",
    f.OutcomeDoubted: "WARNING",
    f.Rejected: "EXECUTION",
    f.Filled: "EXECUTION",
    f.FillInferred: "EXECUTION",
    f.FillCorrected: "WARNING",
    f.FillBusted: "WARNING",
    f.Cancelled: "EXECUTION",
    f.Restated: "WARNING",
    f.AnomalyNoted: "WARNING",
    f.ReviewRequested: "WARNING",
    TradingHalted: "WARNING",
    TradingResumed: "WARNING",
    AutoTradingSwitched: "WARNING",
    SignalDeadLettered: "WARNING",
    UnmatchedReportNoted: "WARNING",
}
"""Kinds of fact that make a notice, with its category."""


def _changes_outcome(change: OrderChange) -> bool:
    if not is_confirmable(change.after):
        return False
    return change.before is None or _outcome(change.before) != _outcome(change.after)


def _outcome(order: LiveOrder) -> tuple[Any, ...]:
    return order.status, order.executions.totals


def _notice(item: RecordedFact, category: str, order: LiveOrder | None) -> Notice:
    told = _message_id(item), category, sentence(item.fact), item.envelope.recorded_at
    if order is None:
        return Notice(*told, signal_id=item.fact.signal_id if isinstance(item.fact, SignalDeadLettered) else None)
    intent = order.intent
    return Notice(*told, str(intent.order_id), intent.signal_id, intent.account_id, intent.strategy_name, intent.instrument.symbol)


def _message_id(item: RecordedFact) -> str:
    return f"{item.stream_id}:{item.version}"
