"""When a call may still begin, by two clocks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from liveorder.application.gateway.admission import LONGEST_OWN_DELAY_SECONDS, Deadlines
from liveorder.domain.account_config import OWN_DELAY_SECONDS
from tests.harness.worlds import NOON, StandingClock

CALL_SECONDS = 10.0


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def deadlines(clock: StandingClock) -> Deadlines:
    return Deadlines(clock, CALL_SECONDS)


def test_a_deadline_is_an_allowance_for_our_side_and_the_whole_call(deadlines: Deadlines) -> None:
    assert deadlines.new("a") == NOON + timedelta(seconds=OWN_DELAY_SECONDS + CALL_SECONDS)


@pytest.mark.parametrize(("seconds", "may_begin"), [(0.0, True), (2.0, True), (2.001, False), (60.0, False)])
def test_a_call_begins_while_all_of_its_time_is_left(
    deadlines: Deadlines, clock: StandingClock, seconds: float, may_begin: bool
) -> None:
    deadline = deadlines.new("a")
    clock.pass_time(seconds)
    assert (deadlines.why_not_to_begin("a", deadline) is None) == may_begin
    assert (clock.at + timedelta(seconds=CALL_SECONDS) <= deadline) == may_begin


def test_a_start_is_looked_at_once(deadlines: Deadlines) -> None:
    deadline = deadlines.new("a")
    assert deadlines.why_not_to_begin("a", deadline) is None
    assert deadlines.why_not_to_begin("a", deadline) is not None


def test_a_request_that_is_decided_again_counts_from_then(deadlines: Deadlines, clock: StandingClock) -> None:
    deadlines.new("a")
    clock.pass_time(5.0)
    assert deadlines.why_not_to_begin("a", deadlines.new("a")) is None


@pytest.mark.parametrize(
    ("delays", "then"),
    [
        ([0.1], OWN_DELAY_SECONDS),
        ([12.0], 24.0),
        ([1.9], 3.8),
        ([12.0, 0.1, 0.1], 6.0),
        ([12.0, 0.1, 0.1, 0.1, 0.1], OWN_DELAY_SECONDS),
        ([3600.0], LONGEST_OWN_DELAY_SECONDS),
    ],
)
def test_the_allowance_is_twice_the_last_delay_and_halves_with_each_quicker_start(
    deadlines: Deadlines, clock: StandingClock, delays: list[float], then: float
) -> None:
    for number, seconds in enumerate(delays):
        deadline = deadlines.new(f"{number}")
        clock.pass_time(seconds)
        deadlines.why_not_to_begin(f"{number}", deadline)
    assert deadlines.new("next") == clock.at + timedelta(seconds=then + CALL_SECONDS)


def test_decisions_that_were_never_stored_are_forgotten(deadlines: Deadlines, clock: StandingClock) -> None:
    for number in range(1000):
        deadlines.new(f"{number}")
        clock.pass_time(60.0)
    assert len(deadlines._decided) <= 61
