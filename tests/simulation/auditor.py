"""Reads the stored log after each transaction, beside the service, and judges by it each request that is sent."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from eventsourcing.persistence import Notification

from liveorder.application.recording import domain_events
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order import events as ev
from liveorder.domain.trading_halt import HALT_STREAM, TradingHalted, TradingResumed, halting_scopes
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.sqlite_recorder import uri_of
from tests.harness.holdings_by_log import HoldingsByLog
from tests.simulation.trace import Trace

MAPPER = DomainEventMapper(domain_events())
_NEW = """SELECT rowid, originator_id, originator_version, topic, state FROM stored_events WHERE rowid > ? ORDER BY rowid"""
_REQUESTS = (ev.SubmissionStarted, ev.CancelRequested, ev.ReplaceRequested)


@dataclass(frozen=True)
class _Request:
    """As it is stored."""

    payload: str
    moment: int
    """Of the trace."""
    deadline: datetime | None


class Auditor:
    """Knows what is durable, whatever answer the service got."""

    def __init__(self, path: Path, trace: Trace, call_timeout: timedelta) -> None:
        self._call_timeout = call_timeout
        self._connection = sqlite3.connect(uri_of(path), uri=True, isolation_level=None)
        self._trace, self.position = trace, 0
        self.holdings = HoldingsByLog()
        self.orders, self.by_key = self.holdings.orders, self.holdings.by_key
        self.halted_since: dict[str, int] = {}
        """Scopes that stand halted, and the moment of the trace when they came to."""
        self._requested: dict[str, _Request] = {}
        self._first_bytes: dict[UUID, str] = {}
        """Of each order's first attempt."""
        self._sent: Counter[str] = Counter()

    def close(self) -> None:
        self._connection.close()

    def look(self) -> None:
        """Take in what is new in the log."""
        for position, stream_id, version, topic, state in self._connection.execute(_NEW, (self.position,)).fetchall():
            self.position = position
            self._take_in(MAPPER.to_domain_event(Notification(UUID(stream_id), version, topic, state, id=position)), state)

    def _take_in(self, item: RecordedEvent, state: bytes) -> None:
        self.holdings.take_in(item)
        self._trace.note("store", f"{self._name(item)} {item.event.sentence()}", state)
        if isinstance(item.event, _REQUESTS):
            self._requested[item.event.request_id] = _Request(item.event.payload, self._trace.moment, item.event.deadline)
        if isinstance(item.event, ev.SubmissionStarted):
            self._first_bytes.setdefault(item.stream_id, item.event.payload)
        self._follow_halts(item.event)

    def _name(self, item: RecordedEvent) -> str:
        order = self.orders.get(item.stream_id)
        name = order.intent.signal_id if order is not None else "halt" if item.stream_id == HALT_STREAM else "other"
        return f"#{item.position} {name} {item.event.shown_name}:"

    def _follow_halts(self, event: Event) -> None:
        if isinstance(event, TradingHalted):
            self.halted_since.setdefault(event.scope, self._trace.moment)
        elif isinstance(event, TradingResumed):
            self.halted_since.pop(event.scope, None)

    def order_of(self, client_order_id: str | None) -> LiveOrder | None:
        order_id = self.by_key.get(client_order_id or "")
        return self.orders[order_id] if order_id is not None else None

    def at_broker(self, account_id: str) -> list[LiveOrder]:
        """Orders of the account that are there and not finished."""
        ours = (order for order in self.orders.values() if order.intent.account_id == account_id)
        return [order for order in ours if order.is_at_broker and not order.is_finished]

    def calls_of(self, order: LiveOrder) -> int:
        """How often its submission left."""
        return self._sent[self._first_bytes.get(order.order_id, "")]

    # --- judging what is sent --------------------------------------------------------------------------------------------------

    def objections(
        self, verb: str, client_order_id: str | None, payload: str, now: datetime, *, is_journalled: bool
    ) -> Iterator[str]:
        """What is wrong with this request, as the store stands now that it leaves."""
        order = self.order_of(client_order_id)
        if order is None:
            yield f"{verb} of an order whose intent is not stored"
            return
        name = f"{verb} of {order.intent.signal_id}"
        stored = [request for request in self._requested.values() if request.payload == payload]
        if not stored and not is_journalled:
            yield f"{name} is not stored"
        if stored and (late := self._late(stored[-1], now)):
            yield f"{name} {late}"
        if verb == "submit" and payload != self._first_bytes.get(order.order_id, payload):
            yield f"{name} with other bytes than its first attempt"
        self._sent[payload] += 1
        if verb != "cancel" and self._sent[payload] > len(stored):
            yield f"{name} was sent {self._sent[payload]} times, and begun {len(stored)} times"
        if verb != "cancel" and stored and not order.terms.passes_halt:
            yield from self._despite_halt(name, order, stored[-1].moment)

    def _late(self, request: _Request, now: datetime) -> str:
        """Proof that it never arrived rests on its not having left after its deadline; and each call has its whole time-out."""
        if request.deadline is not None and now >= request.deadline:
            return f"left {now - request.deadline} after its deadline"
        if request.deadline is not None and now + self._call_timeout > request.deadline:
            return f"left with {request.deadline - now} to be answered"
        return ""

    def _despite_halt(self, name: str, order: LiveOrder, since: int) -> Iterator[str]:
        for scope in halting_scopes(order.intent.account_id):
            if self.halted_since.get(scope, since) < since:
                yield f"{name} although trading was halted before it was stored"
