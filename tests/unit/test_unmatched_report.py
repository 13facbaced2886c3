"""Whether what was noted under a broker's id is about the order that has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liveorder.domain.events import RecordedEvent
from liveorder.domain.execution_report import Accepted
from liveorder.domain.order import LiveOrder
from liveorder.domain.unmatched_report import is_about, note
from tests.builders import ACKNOWLEDGED, KEY, SENT, order_of, recorded

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
        (STANDING, replace(noted(1, None), event=SENT), True),
    ],
    ids=["since", "at once", "before", "our key", "another key", "adopted", "no note"],
)
def test_brokers_ids_come_again(order: LiveOrder, item: RecordedEvent, expected: bool) -> None:
    assert is_about(order, item) is expected
