"""Whether what was noted under a broker's id is about the order that has it."""

from __future__ import annotations

import pytest
from msgspec import structs

from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.execution_report import Accepted
from liveorder.domain.order import LiveOrder
from liveorder.domain.unmatched_report import is_about, may_be_noted, note
from tests.builders import ACKNOWLEDGED, KEY, SENT, fill, order_of, recorded, then

STANDING, ADOPTED = order_of(SENT, ACKNOWLEDGED), order_of(ACKNOWLEDGED)
"""Sent a second after the start."""


def noted(version: int, client_order_id: str | None) -> RecordedEvent:
    """So many seconds after the start, less one."""
    (item,) = recorded([note("U1", "simulated", Accepted(broker_order_id="B-1", client_order_id=client_order_id))], version - 1)
    return item


@pytest.mark.parametrize(
    ("order", "item", "expected"),
    [
        (STANDING, noted(3, None), True),
        (STANDING, noted(2, None), True),
        (STANDING, noted(1, None), False),
        (STANDING, noted(3, KEY), True),
        (STANDING, noted(3, "ANOTHERKEY"), False),
        (ADOPTED, noted(1, "ANOTHERKEY"), True),
        (STANDING, structs.replace(noted(1, None), event=SENT), True),
    ],
    ids=["since", "at once", "before", "our key", "another key", "adopted", "no note"],
)
def test_brokers_ids_come_again(order: LiveOrder, item: RecordedEvent, expected: bool) -> None:
    assert is_about(order, item) is expected


@pytest.mark.parametrize(
    ("order", "events", "expected"),
    [
        (order_of(SENT), [ACKNOWLEDGED], ("B-1", [])),
        (order_of(SENT), [ACKNOWLEDGED, fill("a", 1)], ("B-1", ["a"])),
        (order_of(SENT), [fill("a", 1)], None),
        (order_of(SENT), [ACKNOWLEDGED.but(broker_order_id=None)], None),
        (STANDING, [], None),
        (STANDING, [ACKNOWLEDGED], None),
        (STANDING, [ACKNOWLEDGED.but(broker_order_id="B-2")], ("B-2", [])),
        (then(STANDING, fill("a", 1)), [fill("b", 1)], ("B-1", ["a", "b"])),
    ],
    ids=["learns its id", "and fills", "fills without an id", "learns none", "nothing", "its own id", "another id", "fills on"],
)
def test_what_makes_an_order_known_by_something_new_may_have_been_noted(
    order: LiveOrder, events: list[Event], expected: tuple[str, list[str]] | None
) -> None:
    assert may_be_noted(order, events) == expected
