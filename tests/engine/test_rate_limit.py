"""The broker's limit holds in every window, wherever it is laid, and cancels find room in it."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveorder.application.gateway.admission import FINEST_SECONDS, RateLimit, RequestWindow
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerConnectionError, BrokerRateLimitError
from liveorder.infrastructure.clock import LoopClock
from tests.engine.scenes import NOON

ARRIVALS = st.lists(st.tuples(st.floats(0, 0.7), st.booleans()), min_size=1, max_size=80)


@given(limit=st.sampled_from([0.2, 1.0, 3.0, 10.0]), arrivals=ARRIVALS)
def test_no_window_ever_holds_more_than_the_limit(limit: float, arrivals: list[tuple[float, bool]]) -> None:
    window = RequestWindow(limit, 1.0, 0.2)
    now, taken = 0.0, list[float]()
    for pause, is_urgent in arrivals:
        now += pause
        now += window.wait(now, is_urgent=is_urgent)
        window.take(now)
        taken.append(now)
    period = max(1.0, 1.0 / limit)
    for first in taken:
        assert sum(first <= at < first + period - 1e-9 for at in taken) <= max(int(limit), 1)


async def test_a_burst_leaves_room_for_cancels_at_once() -> None:
    limit = RateLimit(LoopClock(NOON), 10, 600)
    assert [limit.try_take() for _ in range(10)] == [True] * 8 + [False] * 2
    assert limit.try_take(is_urgent=True)
    assert limit.try_take(is_urgent=True)
    assert not limit.try_take(is_urgent=True)


async def test_those_who_wait_are_served_in_turn_and_nobody_slips_past_them_but_cancels() -> None:
    limit, served = RateLimit(LoopClock(NOON), 2, 600, reserved_share=0.5), list[str]()

    async def takes(name: str, *, is_urgent: bool = False) -> None:
        await limit.take(is_urgent=is_urgent)
        served.append(name)

    waiting = [asyncio.create_task(takes(name)) for name in ("a", "b", "c")]
    await asyncio.sleep(0.1)
    assert not limit.try_take()
    await takes("cancel", is_urgent=True)
    await asyncio.gather(*waiting)
    assert served == ["a", "cancel", "b", "c"]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (None, 2.0),
        (BrokerConnectionError("down"), 2.0),
        (BrokerRateLimitError("slow"), 2.0),
        (BrokerRateLimitError("slow", 1.0), 2.0),
        (BrokerRateLimitError("slow", 90.0), 90.0),
    ],
)
def test_the_brokers_own_wait_counts_where_it_is_longer(error: BrokerConnectionError | None, seconds: float) -> None:
    assert RetryPolicy().wait_after(2, error) == seconds


class Counted:
    """A clock that only goes on when it is slept by."""

    def __init__(self, now: float) -> None:
        self.time = now
        self.waits: list[float] = []

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


async def test_a_remainder_that_no_clock_tells_apart_is_not_waited_for_again_and_again() -> None:
    clock = Counted(0.1)
    limit = RateLimit(clock, 1.0, 1000.0, reserved_share=0.0)
    await limit.take()
    clock.time = 1.1 - 1e-12
    await limit.take()
    assert clock.waits == [FINEST_SECONDS]
