"""A store that liveorder wrote, for a program that knows `eventsourcing` and what `liveorder` exports: nothing else is imported."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.application import AggregateNotFoundError, Application, LocalNotificationLog, Repository
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    ApplicationRecorder,
    EventStore,
    IntegrityError,
    InterfaceError,
    Mapper,
    ProcessRecorder,
    ProgrammingError,
    Tracking,
)

from liveorder import EventMapper, ThreadedRunner, open_recorder, project_order
from tests.storage.places import Place, places


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from places(request.param, tmp_path)


class Note(Aggregate):
    @event("Written")
    def __init__(self, order_id: UUID, price: Decimal) -> None:
        self.order_id, self.price, self.texts = order_id, price, list[str]()

    @event("Added")
    def add(self, text: str) -> None:
        self.texts.append(text)


class Notes(Application[UUID]):
    """On a recorder that is given."""

    def __init__(self, recorder: ApplicationRecorder) -> None:
        self._given = recorder
        super().__init__()

    def construct_recorder(self) -> ApplicationRecorder:
        return self._given

    def construct_mapper(self) -> Mapper[UUID]:
        return EventMapper(self.construct_transcoder())


def traded(place: Place) -> list[UUID]:
    """Two orders, filled."""
    with ThreadedRunner(**place.settings) as runner:
        orders = [runner.buy("BTC/USD", "0.01", signal_id=f"s-{number}") for number in range(2)]
        return [runner.wait_closed(order.order_id, 30).order_id for order in orders]


def test_event_store_repository_and_notification_log_read_all_of_it(place: Place) -> None:
    order_ids = traded(place)
    with open_recorder(place.url, read_only=True) as recorder:
        events = EventStore(EventMapper(), recorder)
        repository = Repository(events, cache_maxsize=10, deepcopy_from_cache=False)  # an order never changes
        for order_id in order_ids:
            order: Any = repository.get(order_id, projector_func=project_order)
            assert (order.status, order.order_id, order.version) == ("FILLED", order_id, 5)
            assert repository.get(order_id, projector_func=project_order).version == 5  # from its cache, moved forward
            early: Any = repository.get(order_id, version=2, projector_func=project_order)
            assert (early.status, early.version) == ("PENDING", 2)
        with pytest.raises(AggregateNotFoundError):
            repository.get(UUID(int=7), projector_func=project_order)

        log = LocalNotificationLog(recorder, section_size=4)
        section, read = log["1,4"], list[Any]()
        while True:
            read += section.items
            if section.next_id is None:
                break
            section = log[section.next_id]
        assert [item.id for item in read] == list(range(1, len(read) + 1))
        assert recorder.max_notification_id() == len(read) == 10
        assert read == list(log.select(1, 4)) + list(recorder.select_notifications(5, 500))
        assert {item.originator_id for item in read} >= set(order_ids)

        facts = [events.mapper.to_domain_event(item) for item in read]
        assert [each.topic for each in facts] == [item.topic for item in read]  # type: ignore[attr-defined]  # liveorder's
        assert [each.originator_version for each in events.get(order_ids[0], gt=1, lte=4, desc=True)] == [4, 3, 2]


def test_an_application_appends_beside_trading_and_both_read_on(place: Place) -> None:
    with ThreadedRunner(**place.settings) as runner:
        notes = Notes(runner.recorder)
        bought = runner.wait_closed(runner.buy("BTC/USD", "0.01", signal_id="s-1").order_id, 30)
        note = Note(bought.order_id, bought.average_price or Decimal(0))
        notes.save(note)
        note.add("as planned")
        (recording,) = notes.save(note)
        again = runner.wait_closed(runner.buy("BTC/USD", "0.02", signal_id="s-2").order_id, 30)
        (held,) = runner.positions()
        assert (held.quantity, again.status) == (Decimal("0.03"), "FILLED")
        assert [order.signal_id for order in runner.orders()] == ["s-1", "s-2"]
        assert notes.repository.get(note.id).texts == ["as planned"]
        assert (recording.notification.id, runner.recorder.max_notification_id()) == (7, 12)
        stale: Note = notes.repository.get(note.id, version=1)
        stale.add("from another program")
        with pytest.raises(IntegrityError):
            notes.save(stale)
    with ThreadedRunner(**place.settings) as runner:
        assert runner.buy("BTC/USD", "0.01", signal_id="s-1").order_id == bought.order_id
        assert runner.positions() == [held]
        assert Notes(runner.recorder).repository.get(note.id).version == 2


def test_what_follows_the_log_does_each_thing_once(place: Place) -> None:
    def follow(recorder: ProcessRecorder) -> int:
        mapper, done = EventMapper(), 0
        events = EventStore(mapper, recorder)
        start = (recorder.max_tracking_id("notes") or 0) + 1
        for fill in recorder.select_notifications(start, 100, topics=["liveorder.Filled@1"]):
            filled = mapper.to_domain_event(fill)
            note = Note(filled.originator_id, filled.event.price)
            events.put(note.collect_events(), tracking=Tracking("notes", fill.id))
            done += 1
        return done

    traded(place)
    with open_recorder(place.url) as recorder:
        assert (follow(recorder), follow(recorder)) == (2, 0)
        last = recorder.max_tracking_id("notes")
        assert last is not None
        with pytest.raises(IntegrityError):
            EventStore(EventMapper(), recorder).put(
                Note(UUID(int=1), Decimal(1)).collect_events(), tracking=Tracking("notes", last)
            )
    with open_recorder(place.url) as recorder:
        assert follow(recorder) == 0
        assert recorder.max_notification_id() == 12


def test_liveorders_streams_and_topics_are_refused(place: Place) -> None:
    (order_id, _) = traded(place)
    with open_recorder(place.url) as recorder:
        events = EventStore(EventMapper(), recorder)
        note = Note(order_id, Decimal(1))
        (written,) = note.collect_events()
        object.__setattr__(written, "originator_id", order_id)
        with pytest.raises(ProgrammingError, match=f"stream {order_id} is liveorder's; append to a stream of your own"):
            events.put([written])
        copied = recorder.select_events(order_id)
        with pytest.raises(ProgrammingError, match=r"'liveorder.Requested@1'.*give it a topic of your own"):
            recorder.insert_events(copied)


def test_a_store_has_one_writer_and_may_be_read_beside_it(place: Place) -> None:
    with ThreadedRunner(**place.settings) as runner:
        with pytest.raises(Exception, match=r"is owned by .*: use the recorder of its Runner, open this one read_only"):
            open_recorder(place.url).__enter__()
        with open_recorder(place.url, read_only=True) as beside, beside.subscribe(topics=["liveorder.Filled@1"]) as fills:
            order = runner.buy("BTC/USD", "0.01", signal_id="s-1")
            assert next(fills).originator_id == order.order_id
            with pytest.raises(ProgrammingError, match="opened read-only"):
                beside.insert_tracking(Tracking("notes", 1))
        recorder = runner.recorder
    with open_recorder(place.url) as alone:
        alone.insert_tracking(Tracking("notes", 1))
    with pytest.raises(InterfaceError, match="closed"):
        recorder.insert_tracking(Tracking("notes", 2))
