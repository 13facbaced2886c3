"""550 drawn events of every kind, as pydantic wrote them before events were `msgspec` Structs: the same bytes, there and back.

`fixtures/events.jsonl.xz` has one JSON object a line: topic, stored state, envelope and event of the row of `order_history`, and
what `liveorder history --json` prints. It is never made again; a new field is not written where it is as by default.

One thing differs: a time-out of 10^16 seconds or more, which was `1e+16`, is written `1e16`.
"""

import json
import lzma
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import Notification

from liveorder.application.recording import domain_events
from liveorder.application.reporting.projections.order_history import HistoryRow, recorded_event
from liveorder.application.reporting.projections.order_history import row_of as history_row
from liveorder.application.reporting.views import history_view
from liveorder.domain.events import RecordedEvent
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper

AGES = re.compile(r"timeout_seconds[^,]*e\+")
FIXTURES = Path(__file__).with_name("fixtures")
LINES = lzma.decompress((FIXTURES / "events.jsonl.xz").read_bytes()).decode().splitlines()
WRITTEN = [json.loads(line) for line in LINES if not AGES.search(line)]
BY_TOPIC = {topic: list(those) for topic, those in groupby(WRITTEN, key=lambda each: str(each["topic"]))}
LATER = {
    "liveorder.NotListening@1": '{"address":"127.0.0.1:8787","reason":"Address already in use"}',
    "liveorder.PositionOwnerChosen@1": '{"positions":"by_strategy"}',
    "liveorder.PositionUnconfirmed@1": '{"message":"no answer within 2 s"}',
    "liveorder.PositionTransferred@1": '{"account_id":"SIM","from_strategy":"adopted","to_strategy":"trend","instrument":'
    '{"symbol":"SPY","exchange":"ARCA","asset_class":"EQUITY","currency":"USD","tick_size":"0.01","lot_size":"1",'
    '"multiplier":"1","calendar":"XNYS","expiry":null,"strike":null,"right":null},"quantity":"-2.5","price":"501.25",'
    '"effective_at":"2026-11-20T15:00:00Z","evidence":"bought for trend","transfer_id":"t1"}',
    "liveorder.LeftUnguarded@1": '{"quantity":"6","orders":["0195800a-0000-7000-8000-000000000001"]}',
    "liveorder.WaitBegan@1": '{"reason":"OPEN","signal":"{\\"signal_id\\":\\"s1\\"}","message":"for the open of its market",'
    '"until":"2026-11-20T14:31:00Z","orders":[]}',
    "liveorder.WaitEnded@1": '{"side":"BUY","order_type":"LIMIT","quantity":"3","notional":null,"limit_price":"2.5",'
    '"stop_price":null,"trail_amount":null,"trail_percent":null,"time_in_force":"DAY","expires_at":null,"product":null,"role":"ENTRY",'
    '"parent_order_id":null,"oco_group":null,"stop_loss":null,"take_profit":null,"protection":null,"tags":[],'
    '"decision_price":null,"score":null,"signal_at":"2026-11-20T14:30:00Z","valid_until":null,"timeout_seconds":null,'
    '"is_shadow":false,"passes_halt":false}',
}
"""By topic: of the kinds that came after the fixture, one event each as it is stored."""
MORE = {
    "liveorder.SignalDeadLettered@1": '{"source":"file:/data/signals.jsonl","offset":"512","line":"{}",'
    '"reason":"symbol: is missing; add it","signal_id":null,"fingerprint":null,"known_order_id":null,'
    '"known_fingerprint":null,"place":"line 12"}',
}
"""By topic: of the kinds that have got a field since the fixture, one event with that field as it is stored."""
MAPPER = DomainEventMapper(domain_events())


def read(each: dict[str, Any]) -> RecordedEvent:
    return MAPPER.to_domain_event(Notification(UUID(int=1), 2, each["topic"], each["state"].encode(), id=9))


def stored_again(item: RecordedEvent, each: dict[str, Any]) -> tuple[Any, Any]:
    return MAPPER.to_stored_event(item).state.decode(), each["state"]


def shown_again(item: RecordedEvent, each: dict[str, Any]) -> tuple[Any, Any]:
    return history_view(item).to_json(), each["view"]


def projected_again(item: RecordedEvent, each: dict[str, Any]) -> tuple[Any, Any]:
    row = history_row("order", item)
    return [row.envelope, row.fact], each["row"]


def read_from_its_row(item: RecordedEvent, each: dict[str, Any]) -> tuple[Any, Any]:
    envelope, fact = each["row"]
    return recorded_event(HistoryRow(9, str(UUID(int=1)), 2, each["topic"], envelope, fact)), item


def test_events_of_every_kind_were_drawn_or_are_pinned() -> None:
    assert {*BY_TOPIC, *LATER} == {event.topic for event in domain_events()}


@pytest.mark.parametrize(("topic", "stored"), [*LATER.items(), *MORE.items()])
def test_an_event_of_a_later_kind_or_with_a_later_field_is_stored_as_it_was_first(topic: str, stored: str) -> None:
    kind = next(event for event in domain_events() if event.topic == topic)
    assert kind.from_json(stored).to_json() == stored


@pytest.mark.parametrize("topic", BY_TOPIC)
@pytest.mark.parametrize("way", [stored_again, shown_again, projected_again, read_from_its_row])
def test_an_event_that_pydantic_wrote_is_the_same(way: Callable[..., tuple[Any, Any]], topic: str) -> None:
    for each in BY_TOPIC[topic]:
        now, then = way(read(each), each)
        assert now == then
