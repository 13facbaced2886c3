"""Events of your own in liveorder's store, with the eventsourcing library: `python examples/own_events.py`.

It trades at the simulated venue, and keeps a journal with an entry for each fill. An entry and the place up to which the log was
followed become durable together, so that a fill has one entry however often this is killed and run again.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from eventsourcing.application import LocalNotificationLog, Repository
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import EventStore, ProcessRecorder, Tracking

from liveorder import EventMapper, ThreadedRunner, project_order


class Entry(Aggregate):
    """In a stream of its own. Topics and streams of liveorder's are for liveorder alone."""

    @event("Written")
    def __init__(self, order_id: UUID, quantity: Decimal, price: Decimal) -> None:
        self.order_id, self.quantity, self.price, self.remark = order_id, quantity, price, ""

    @event("Remarked")
    def add_remark(self, remark: str) -> None:
        self.remark = remark


class Journal:
    def __init__(self, recorder: ProcessRecorder) -> None:
        self._recorder, self._mapper = recorder, EventMapper()
        self._events = EventStore(self._mapper, recorder)
        self.repository = Repository(self._events)

    def follow(self) -> list[UUID]:
        """The entries of fills that are new since it was last followed."""
        found, place = [], self._recorder.max_tracking_id("journal") or 0
        for notification in self._recorder.select_notifications(place + 1, limit=500, topics=["liveorder.Filled@1"]):
            filled = self._mapper.to_domain_event(notification)
            entry = Entry(filled.originator_id, filled.event.quantity, filled.event.price)
            self._events.put(entry.collect_events(), tracking=Tracking("journal", notification.id))
            found.append(entry.id)
        return found

    def remark(self, entry_id: UUID, remark: str) -> None:
        entry: Entry = self.repository.get(entry_id)
        entry.add_remark(remark)
        self._events.put(entry.collect_events())

    def log(self) -> list[str]:
        """The first thousand events, liveorder's and these, as the library's notification log has them."""
        return [f"{item.id:3} {item.topic}" for item in LocalNotificationLog(self._recorder, section_size=1000)["1,1000"].items]


def say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")


def main() -> None:
    with ThreadedRunner(
        trading_mode="SIMULATION",
        store="sqlite:///var/journal/liveorder.db",
        logs={"directory": "var/journal/logs", "console": False},
        accounts=[{"id": "acc_demo", "currency": "USD"}],
    ) as runner:
        order = runner.buy("BTC/USD", "0.01", signal_id=f"btc-{datetime.now(UTC):%Y-%m-%d}")
        runner.wait_closed(order.order_id, timeout_seconds=30)
        journal = Journal(runner.recorder)
        for entry_id in journal.follow():
            journal.remark(entry_id, "as planned")
            entry: Entry = journal.repository.get(entry_id)
            bought: Any = journal.repository.get(entry.order_id, projector_func=project_order)
            say(f"new entry: {entry.quantity} of order {bought.intent.signal_id} @ {entry.price}, {entry.remark}")
        for line in journal.log():
            say(line)


if __name__ == "__main__":
    main()
