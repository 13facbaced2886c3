"""Every event survives being stored, to the last digit; nothing else is taken for one."""

from __future__ import annotations

import types
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Union, get_args, get_origin
from uuid import UUID, uuid4

import pytest
from eventsourcing.compressor import ZlibCompressor
from eventsourcing.persistence import Cipher, Notification
from eventsourcing.utils import Environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from liveorder.application.recording import domain_events
from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Envelope, Event, RecordedEvent
from liveorder.domain.order.events import Filled
from liveorder.domain.record import Record
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper

EVENTS = sorted(domain_events(), key=lambda event: event.topic)
MAPPER = DomainEventMapper(EVENTS)
POSITIVE = st.decimals("1e-12", "1e12", allow_nan=False, allow_infinity=False)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    UUID: st.uuids(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    datetime: st.datetimes(timezones=st.just(UTC)),
    date: st.dates(),
    object: st.none() | st.booleans() | st.integers() | st.text(),
    type(None): st.none(),
}


def values(annotation: Any, constraints: str = "") -> st.SearchStrategy[Any]:
    """Of a field's type. Constraints on decimals are told by their text: each of ours bounds them by zero."""
    if annotation is Decimal and ("gt=0" in constraints or "ge=0" in constraints):
        return POSITIVE
    if annotation in SIMPLE:
        return SIMPLE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return models(annotation)
    return composed(annotation)


def composed(annotation: Any) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values, arguments))
    if origin in (dict, Mapping):
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    return values(arguments[0], str(arguments[1:]))


def models(record: type[Record]) -> st.SearchStrategy[Record]:
    fields = {each.name: values(each.type) for each in structs.fields(record)}
    return st.fixed_dictionaries(fields).map(lambda drawn: record(**drawn))


def recorded(event: Event) -> RecordedEvent:
    return RecordedEvent(UUID(int=7), 3, envelope(), event)


def envelope() -> Envelope:
    at = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
    return Envelope(event_id=uuid4(), actor="engine", epoch=4, correlation_id="signal", occurred_at=at, recorded_at=at)


FILLED = Filled(execution_id="e1", quantity=Decimal("1.50"), price=Decimal("-37.63"))


@pytest.mark.parametrize("event_type", EVENTS, ids=lambda event: event.topic)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_event_survives_being_stored(event_type: type[Event], data: st.DataObject) -> None:
    event = data.draw(models(event_type))
    assert isinstance(event, Event)
    meta = data.draw(models(Envelope))
    assert isinstance(meta, Envelope)
    original = RecordedEvent(UUID(int=1), 2, meta, event)
    stored = MAPPER.to_stored_event(original)
    assert stored.topic == event_type.topic
    read = MAPPER.to_domain_event(stored)
    assert read == original
    assert MAPPER.to_stored_event(read) == stored


def test_decimals_are_strings_and_keep_their_digits() -> None:
    stored = MAPPER.to_stored_event(recorded(FILLED))
    assert b'"quantity":"1.50","price":"-37.63"' in stored.state
    event = MAPPER.to_domain_event(stored).event
    assert isinstance(event, Filled)
    assert str(event.quantity) == "1.50"


def test_a_notification_brings_its_position() -> None:
    stored = MAPPER.to_stored_event(recorded(FILLED))
    notification = Notification(stored.originator_id, stored.originator_version, stored.topic, stored.state, id=99)
    assert MAPPER.to_domain_event(notification) == structs.replace(MAPPER.to_domain_event(stored), position=99)


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_passes_for_an_event(place: int, bit: int) -> None:
    stored = MAPPER.to_stored_event(recorded(FILLED))
    state = bytearray(stored.state)
    state[place % len(state)] ^= 1 << bit
    with pytest.raises(StoreRefused, match=r"version 3 of stream .* is damaged"):
        MAPPER.to_domain_event(replace(stored, state=bytes(state)))


def test_an_unknown_topic_names_the_remedy() -> None:
    stored = replace(MAPPER.to_stored_event(recorded(FILLED)), topic="liveorder.Teleported@1")
    with pytest.raises(StoreRefused, match=r"written by a newer version of liveorder \(it holds liveorder\.Teleported@1 events\)"):
        MAPPER.to_domain_event(stored)


class Moved(Event):
    topic: ClassVar[str] = "tests.Moved@3"

    place: str
    distance: Decimal
    unit: str


class MovedOnce(Event):
    """As it was stored at first."""

    topic: ClassVar[str] = "tests.Moved@1"

    where: str
    distance: Decimal


def test_an_old_event_climbs_through_every_upcast() -> None:
    old = DomainEventMapper([MovedOnce]).to_stored_event(recorded(MovedOnce(where="there", distance=Decimal("0.10"))))
    upcasts = {
        "tests.Moved@1": ("tests.Moved@2", lambda event: {"place": event["where"], "distance": event["distance"]}),
        "tests.Moved@2": ("tests.Moved@3", lambda event: event | {"unit": "m"}),
    }
    read = DomainEventMapper([Moved], upcasts).to_domain_event(old)
    assert read.event == Moved(place="there", distance=Decimal("0.10"), unit="m")
    assert read.envelope.actor == "engine"


class Shifted(Event):
    """Another event that took the topic of `Moved`."""

    topic: ClassVar[str] = "tests.Moved@3"

    by: Decimal


def test_two_events_may_not_share_a_topic() -> None:
    with pytest.raises(ValueError, match=r"two events have the topic tests\.Moved@3"):
        DomainEventMapper([Moved, Shifted])


class Reversing(Cipher):
    """Stands for a cipher: what is stored cannot be read without it."""

    def __init__(self, environment: Environment) -> None:
        pass

    def encrypt(self, plaintext: bytes) -> bytes:
        return plaintext[::-1]

    def decrypt(self, ciphertext: bytes) -> bytes:
        return ciphertext[::-1]


def test_states_are_compressed_and_then_encrypted() -> None:
    mapper = DomainEventMapper(EVENTS, compressor=ZlibCompressor(), cipher=Reversing(Environment()))
    stored = mapper.to_stored_event(recorded(FILLED))
    assert zlib.decompress(stored.state[::-1]).startswith(b'{"meta":')
    assert mapper.to_domain_event(stored).event == FILLED
    with pytest.raises(StoreRefused, match="damaged"):
        MAPPER.to_domain_event(stored)


def test_every_event_of_the_domain_has_its_own_versioned_topic() -> None:
    assert all(event.topic.startswith("liveorder.") and "@" in event.topic for event in EVENTS)
    assert {event.topic for event in EVENTS} == MAPPER.topics
