"""Lines that would come again and again."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liveorder.application.runtime.sparing_log import LONGEST_INTERVAL_SECONDS, QUIET_SECONDS, SparingLog
from tests.harness.worlds import RememberedLog, StandingClock

AWAY, GONE = "the broker did not answer", "connection refused"


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def heard() -> RememberedLog:
    return RememberedLog()


@pytest.fixture
def log(heard: RememberedLog, clock: StandingClock) -> SparingLog:
    return SparingLog(heard, clock)


def test_a_line_is_written_at_once_when_it_is_new_or_another(log: SparingLog, heard: RememberedLog) -> None:
    log.write("BROKER", AWAY, account_id="A")
    log.write("BROKER", GONE, account_id="A")
    log.write("BROKER", AWAY, account_id="B")
    log.write("ERROR", AWAY, account_id="A")
    assert heard.lines == [("BROKER", AWAY), ("BROKER", GONE), ("BROKER", AWAY), ("ERROR", AWAY)]


def test_a_line_that_lasts_is_written_at_growing_intervals_and_says_how_often_it_came(
    log: SparingLog, heard: RememberedLog, clock: StandingClock
) -> None:
    written: list[float] = []
    for second in range(4 * 3600):
        before = len(heard.lines)
        log.write("BROKER", AWAY)
        written += [second] * (len(heard.lines) - before)
        clock.pass_time(1.0)
    intervals = [int(after - earlier) for earlier, after in pairwise(written)]
    assert intervals == [60, 120, 240, 480, *[LONGEST_INTERVAL_SECONDS] * (len(intervals) - 4)]
    sentences = heard.of("BROKER")
    assert sentences[:3] == [
        AWAY,
        f"{AWAY} (and 59 times more since this was written last)",
        f"{AWAY} (and 119 times more since this was written last)",
    ]
    assert len(sentences) == 5 + (4 * 3600 - 901) // 900


def test_two_lines_that_take_turns_are_no_news(log: SparingLog, heard: RememberedLog, clock: StandingClock) -> None:
    for _ in range(60):
        log.write("BROKER", AWAY)
        log.write("BROKER", GONE)
        clock.pass_time(0.9)
    assert heard.of("BROKER") == [AWAY, GONE]


def test_a_line_that_comes_again_after_a_quiet_time_is_new(log: SparingLog, heard: RememberedLog, clock: StandingClock) -> None:
    for _ in range(3600):
        log.write("BROKER", AWAY)
        clock.pass_time(1.0)
    clock.pass_time(QUIET_SECONDS)
    heard.lines.clear()
    log.write("BROKER", AWAY)
    clock.pass_time(60.0)
    log.write("BROKER", AWAY)
    assert heard.of("BROKER") == [AWAY, AWAY]


def test_lines_that_are_over_are_forgotten(log: SparingLog, clock: StandingClock) -> None:
    for number in range(1000):
        log.write("BROKER", f"{number}")
        clock.pass_time(1.0)
    assert len(log._lines) <= QUIET_SECONDS
