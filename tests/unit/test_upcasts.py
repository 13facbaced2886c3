"""A worked example of the registry: a `Filled` that gained a venue, and later kept its quantity in lots.

Copy it when an event changes its meaning. The fixture stores hold the real ones to what they were written as.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID
from zlib import crc32

import pytest
from eventsourcing.persistence import StoredEvent

from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Event
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.upcasts import UPCASTS, Upcast, upcast

LOT = Decimal(100)
REGISTRY: dict[str, Upcast] = {}
"""Of the example; the product's is `UPCASTS`."""


class Filled(Event):
    """As the newest version has it. What it was before is in the registry alone."""

    topic: ClassVar[str] = "example.Filled@3"

    lots: Decimal
    price: Decimal
    venue: str


@upcast("example.Filled@1", to="example.Filled@2", registry=REGISTRY)
def _with_a_venue(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"venue": "unknown"}


@upcast("example.Filled@2", to="example.Filled@3", registry=REGISTRY)
def _in_lots(event: dict[str, Any]) -> dict[str, Any]:
    quantity = Decimal(event["quantity"])
    return {name: value for name, value in event.items() if name != "quantity"} | {"lots": str(quantity / LOT)}


MAPPER = DomainEventMapper([Filled], REGISTRY)
META = {
    "event_id": str(UUID(int=1)),
    "actor": "engine",
    "epoch": 1,
    "correlation_id": "sig",
    "causation_id": None,
    "occurred_at": None,
    "recorded_at": "2025-03-10T16:00:00Z",
}


def stored(topic: str, **event: str) -> StoredEvent:
    """As that version wrote it."""
    plain = json.dumps({"meta": META, "fact": event}, separators=(",", ":")).encode()[:-1]
    return StoredEvent(UUID(int=2), 1, topic, plain + b',"crc":"%08x"}' % crc32(plain))


@pytest.mark.parametrize(
    ("event", "venue"),
    [
        (stored("example.Filled@1", quantity="250", price="9.50"), "unknown"),
        (stored("example.Filled@2", quantity="250", price="9.50", venue="ARCA"), "ARCA"),
        (stored("example.Filled@3", lots="2.5", price="9.50", venue="ARCA"), "ARCA"),
    ],
)
def test_an_event_of_any_version_is_read_as_the_newest(event: StoredEvent, venue: str) -> None:
    fact = MAPPER.to_domain_event(event).event
    assert fact == Filled(lots=Decimal("2.5"), price=Decimal("9.50"), venue=venue)


def test_what_nobody_can_raise_was_written_by_a_newer_version() -> None:
    with pytest.raises(StoreRefused, match=r"newer version of liveorder \(it holds example\.Filled@4 events\)"):
        MAPPER.to_domain_event(stored("example.Filled@4", lots="1", price="1", venue="X"))


def test_one_step_leads_away_from_a_topic() -> None:
    with pytest.raises(ValueError, match="two upcasts lead away from example"):
        upcast("example.Filled@1", to="example.Filled@9", registry=REGISTRY)(_with_a_venue)


def test_the_products_own_steps_lead_to_events_that_it_has() -> None:
    topics = DomainEventMapper([Filled]).topics
    assert all(to in topics or to in UPCASTS for to, _ in UPCASTS.values())
