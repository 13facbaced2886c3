"""What a process remembers of the log's end."""

from __future__ import annotations

from uuid import uuid4

from liveorder.infrastructure.eventstore.recent_events import RecentEvents
from tests.contract.event_stores import recorded


def remembered(*positions: tuple[int, ...], most: int = 3) -> RecentEvents:
    recent = RecentEvents(most)
    for each in positions:
        recent.add([recorded(uuid4(), 1) for _ in each], each)
    return recent


def after(recent: RecentEvents, position: int, limit: int = 100) -> list[int]:
    return [each.position for each in recent.after(position, limit)]


def test_events_follow_in_order_and_in_parts() -> None:
    recent = remembered((4, 5), (6,))
    assert after(recent, 3) == [4, 5, 6]
    assert after(recent, 4, limit=1) == [5]
    assert after(recent, 6) == []


def test_what_is_not_known_is_not_told_in_part() -> None:
    assert after(remembered(), 0) == []
    assert after(remembered((4, 5)), 2) == []
    assert after(remembered((1, 2), (4,)), 0) == []
    assert after(remembered((1, 2), (4,)), 3) == [4]


def test_it_forgets_the_oldest() -> None:
    recent = remembered((1, 2, 3), (4, 5), (6,))
    assert after(recent, 2) == []
    assert after(recent, 3) == [4, 5, 6]
