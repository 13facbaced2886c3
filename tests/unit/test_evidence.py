"""When *not found* is believed: a table of cases, what holds of all of them, and defects that these must report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.evidence import (
    AskAPerson,
    Moment,
    Verdict,
    WaitUntil,
    came_to_nothing,
    earliest_proof_of_absence,
    is_another_doubt,
    is_overtaken,
    is_past_answering,
    may_be_from_before_a_bust,
    may_be_old,
    next_question_at,
    proved_by_not_finding,
    seconds_to_proof,
    shows_the_last_fill,
    something_was_missed_since,
)
from liveorder.domain.execution_report import Accepted, BrokerStatus, OrderSnapshot
from liveorder.domain.order import LiveOrder, OpenRequest
from liveorder.domain.order.events import RequestKind
from tests.builders import ACKNOWLEDGED, DEADLINE, SENT, START, bust, fill, intent, order_of, unknown

CAN = BrokerCapabilities(
    key_support=KeySupport.SEARCHABLE,
    lookup_lag_seconds=3.0,
    delivery_bound_seconds=20.0,
    clock_skew_seconds=2.0,
    trusts_absence=True,
)
"""With these, an absence can be proved 35 s after the start: at the deadline, 10 s after it, and 25 s."""
SUBMISSION = OpenRequest("KEY-s1", RequestKind.SUBMIT, START, DEADLINE, unknown_since=START)
Judge: TypeAlias = Callable[[OpenRequest, float, Sequence[Moment], Moment, BrokerCapabilities], Verdict]


def after(seconds: float, counted: float | None = None) -> Moment:
    """So long after the start by the wall clock, and by our counter, which began with it, unless that is named."""
    return Moment(START + timedelta(seconds=seconds), seconds if counted is None else counted)


# --- a table -------------------------------------------------------------------------------------------------------------------

ABSENT, NOT_YET, ONCE, PERSON = "absent", "not yet", "once", "person"


@dataclass(frozen=True)
class Case:
    """Questions that did not find it, asked at `asked`, judged a second after the last."""

    expected: str
    asked: Sequence[Moment]
    can: BrokerCapabilities = CAN
    request: OpenRequest = SUBMISSION
    noticed: float = 0.0


EARLY, LATE, LATER = after(34.9), after(36), after(37)
CASES = {
    "before every bound": Case(NOT_YET, [after(1)]),
    "just before the last bound": Case(NOT_YET, [EARLY]),
    "at the last bound": Case(NOT_YET, [after(35)]),
    "twice before it": Case(NOT_YET, [after(34), EARLY]),
    "once past it": Case(ONCE, [LATE]),
    "once before and once past it": Case(ONCE, [EARLY, LATE]),
    "twice past it": Case(ABSENT, [LATE, LATER]),
    "the wall clock was set forward": Case(NOT_YET, [after(336, counted=36), after(337, counted=37)], noticed=20.0),
    "the wall clock was set back in between": Case(NOT_YET, [LATE, after(20, counted=37)]),
    "noticed late, after a restart": Case(NOT_YET, [LATE, LATER], noticed=30.0),
    "a deadline that is not known counts from the start": Case(
        ABSENT, [after(26), after(27)], request=structs.replace(SUBMISSION, deadline=None)
    ),
    "refused as a duplicate": Case(PERSON, [LATE, LATER], request=structs.replace(SUBMISSION, is_duplicate=True)),
    "a broker whose absence proves nothing": Case(PERSON, [LATE, LATER], can=replace(CAN, trusts_absence=False)),
    "a key that cannot be asked for": Case(PERSON, [LATE, LATER], can=replace(CAN, key_support=KeySupport.NONE)),
    "a unique key, remembered": Case(
        ABSENT, [LATE, LATER], can=replace(CAN, key_support=KeySupport.UNIQUE, key_memory_seconds=60.0)
    ),
    "a unique key, perhaps forgotten": Case(
        PERSON, [LATE, LATER], can=replace(CAN, key_support=KeySupport.UNIQUE, key_memory_seconds=30.0)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_an_absence_proves(name: str) -> None:
    case = CASES[name]
    now = Moment(case.asked[-1].at + timedelta(seconds=1), case.asked[-1].counted + 1)
    assert kind_of(proved_by_not_finding(case.request, case.noticed, case.asked, now, case.can)) == case.expected


def kind_of(verdict: Verdict) -> str:
    if isinstance(verdict, WaitUntil):
        return ONCE if verdict.is_second_look else NOT_YET
    return PERSON if isinstance(verdict, AskAPerson) else ABSENT


def test_it_says_from_when_on_a_question_can_prove_more() -> None:
    assert earliest_proof_of_absence(SUBMISSION, CAN) == START + timedelta(seconds=35)
    assert seconds_to_proof(SUBMISSION, 0.0, after(5), CAN) == 30
    first = proved_by_not_finding(SUBMISSION, 0.0, [after(5)], after(6), CAN)
    assert isinstance(first, WaitUntil)
    assert first.moment == 35
    second = proved_by_not_finding(SUBMISSION, 0.0, [after(36)], after(37), CAN)
    assert isinstance(second, WaitUntil)
    assert second.moment == 37.5


# --- what holds of every case --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """Questions without the order in their answers, and who was asked. Seconds from the start, by either clock."""

    gaps: Sequence[float]
    """Between the questions, by our counter."""
    jump: float = 0.0
    """By how much the wall clock is set before the last two questions."""
    noticed: float = 0.0
    can: BrokerCapabilities = CAN
    request: OpenRequest = field(default=SUBMISSION)

    @property
    def asked(self) -> list[Moment]:
        counted = [self.noticed + sum(self.gaps[: n + 1]) for n in range(len(self.gaps))]
        return [after(each + self.jump * (n >= len(counted) - 2), each) for n, each in enumerate(counted)]


def broken_promises(judge: Judge, history: History) -> list[str]:
    """Where a verdict says more than its evidence can, or less than it must."""
    asked, can, request, noticed = history.asked, history.can, history.request, history.noticed
    verdict = judge(request, noticed, asked, asked[-1], can)
    longer = judge(request, noticed, [*asked, asked[-1]], asked[-1], can)
    bounds = can.delivery_bound_seconds + can.lookup_lag_seconds + can.clock_skew_seconds
    ends = (request.deadline or request.started_at) + timedelta(seconds=bounds)
    forgotten_at = request.started_at + timedelta(seconds=can.key_memory_seconds)
    that_count = [each for each in asked[-2:] if each.at > ends and each.counted > noticed + bounds]
    reasons_to_doubt = {
        "before the deadline and the bounds": any(each.at <= ends for each in asked[-2:]),
        "though it may be under way by our own counter": any(each.counted <= noticed + bounds for each in asked[-2:]),
        "at the first time": len(asked) < 2,
        "at a broker whose absence proves nothing": not can.trusts_absence or can.key_support is KeySupport.NONE,
        "though the broker holds an order with its key": request.is_duplicate,
        "though its key may be forgotten": can.key_support is KeySupport.UNIQUE and asked[-1].at > forgotten_at,
    }
    broken = {f"absent {reason}": kind_of(verdict) == ABSENT and is_so for reason, is_so in reasons_to_doubt.items()}
    broken["not judged though nothing is wanting"] = len(that_count) == 2 and kind_of(verdict) in (NOT_YET, ONCE)
    broken["less certain by another answer like it"] = certainty(longer) < certainty(verdict)
    return [name for name, is_so in broken.items() if is_so]


def certainty(verdict: Verdict) -> int:
    return [NOT_YET, ONCE, PERSON, ABSENT].index(kind_of(verdict))


seconds = st.floats(0.0, 200.0, allow_nan=False)
capabilities = st.builds(
    BrokerCapabilities,
    key_support=st.sampled_from(KeySupport),
    key_memory_seconds=st.sampled_from([0.0, 60.0, 1e6]),
    lookup_lag_seconds=seconds,
    delivery_bound_seconds=seconds,
    clock_skew_seconds=seconds,
    trusts_absence=st.booleans(),
)
submissions = st.builds(
    structs.replace, st.just(SUBMISSION), deadline=st.sampled_from([None, DEADLINE]), is_duplicate=st.booleans()
)
histories = st.builds(
    History,
    gaps=st.lists(seconds, min_size=1, max_size=5),
    jump=st.floats(-400.0, 400.0, allow_nan=False),
    noticed=seconds,
    can=capabilities,
    request=submissions,
)


@given(histories)
def test_a_verdict_never_says_more_than_its_evidence(history: History) -> None:
    assert broken_promises(proved_by_not_finding, history) == []


@given(histories, seconds)
def test_a_broker_that_may_be_slower_is_believed_no_sooner(history: History, more: float) -> None:
    slower = replace(history.can, delivery_bound_seconds=history.can.delivery_bound_seconds + more)
    assert earliest_proof_of_absence(history.request, slower) >= earliest_proof_of_absence(history.request, history.can)
    judged = proved_by_not_finding(history.request, history.noticed, history.asked, history.asked[-1], slower)
    before = proved_by_not_finding(history.request, history.noticed, history.asked, history.asked[-1], history.can)
    assert certainty(judged) <= certainty(before)


# --- defects that the promises must report -------------------------------------------------------------------------------------


def without_the_delivery_bound(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    return proved_by_not_finding(request, noticed, asked, now, replace(can, delivery_bound_seconds=0.0))


def without_the_lag(request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities) -> Verdict:
    return proved_by_not_finding(request, noticed, asked, now, replace(can, lookup_lag_seconds=0.0))


def before_the_deadline(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    return proved_by_not_finding(structs.replace(request, deadline=None), noticed, asked, now, can)


def by_the_wall_clock_alone(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    return proved_by_not_finding(request, -1e9, asked, now, can)


def by_our_counter_alone(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    return proved_by_not_finding(
        structs.replace(request, started_at=START - timedelta(days=9), deadline=None), noticed, asked, now, can
    )


def at_the_first_time(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    return proved_by_not_finding(request, noticed, [asked[-1], asked[-1]], now, can)


def when_it_is_answered(
    request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    """Counts every answer by the time of the last."""
    return proved_by_not_finding(request, noticed, [now for _ in asked], now, can)


def of_every_broker(request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities) -> Verdict:
    trusted = replace(can, trusts_absence=True, key_support=KeySupport.SEARCHABLE)
    return proved_by_not_finding(request, noticed, asked, now, trusted)


def of_a_duplicate(request: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities) -> Verdict:
    return proved_by_not_finding(structs.replace(request, is_duplicate=False), noticed, asked, now, can)


DEFECTS: Sequence[Judge] = [
    without_the_delivery_bound,
    without_the_lag,
    before_the_deadline,
    by_the_wall_clock_alone,
    by_our_counter_alone,
    at_the_first_time,
    when_it_is_answered,
    of_every_broker,
    of_a_duplicate,
]
GRID = [
    History(gaps, jump, noticed, can, request)
    for gaps, jump, noticed, can, request in product(
        [[n] * 2 for n in (0.5, 6.0, 12.0, 17.0, 23.0, 30.0, 34.0)] + [[40.0]],
        [0.0, -300.0, 300.0],
        [0.0, 10.0],
        [CAN, replace(CAN, trusts_absence=False), replace(CAN, key_support=KeySupport.UNIQUE)],
        [SUBMISSION, structs.replace(SUBMISSION, is_duplicate=True)],
    )
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_an_absence_that_is_believed_wrongly_is_reported(defect: Judge) -> None:
    assert [broken for history in GRID for broken in broken_promises(proved_by_not_finding, history)] == []
    assert any(broken.startswith("absent") for history in GRID for broken in broken_promises(defect, history))


# --- found, and not answered ---------------------------------------------------------------------------------------------------


def order_with(*requests: OpenRequest) -> LiveOrder:
    return LiveOrder(intent(), requests={each.request_id: each for each in requests})


CANCEL = structs.replace(SUBMISSION, request_id="KEY-c1", kind=RequestKind.CANCEL)
REPLACE = structs.replace(SUBMISSION, request_id="KEY-r1", kind=RequestKind.REPLACE)
NOTICED = {each.request_id: 0.0 for each in (SUBMISSION, CANCEL, REPLACE)}
WORKING = OrderSnapshot(status=BrokerStatus.WORKING)


@pytest.mark.parametrize(
    ("request_", "answer", "asked", "expected"),
    [
        (CANCEL, WORKING, LATE, [CANCEL]),
        (REPLACE, WORKING, LATE, [REPLACE]),
        (CANCEL, WORKING, EARLY, []),
        (CANCEL, structs.replace(WORKING, cancel_pending=True), LATE, []),
        (REPLACE, structs.replace(WORKING, replace_pending=True), LATE, []),
        (REPLACE, structs.replace(WORKING, cancel_pending=True), LATE, [REPLACE]),
        (structs.replace(CANCEL, unknown_since=None), WORKING, LATE, []),
        (structs.replace(CANCEL, request_id="KEY-c2"), WORKING, LATE, []),
        (SUBMISSION, WORKING, LATE, []),
    ],
)
def test_a_change_that_shows_no_effect_came_to_nothing_but_never_a_submission(
    request_: OpenRequest, answer: OrderSnapshot, asked: Moment, expected: list[OpenRequest]
) -> None:
    assert came_to_nothing(order_with(request_), NOTICED, answer, asked, CAN) == expected


@pytest.mark.parametrize(
    ("request_", "now", "expected"),
    [
        (SUBMISSION, after(10), False),
        (SUBMISSION, after(10.1), True),
        (structs.replace(SUBMISSION, deadline=None), after(0), True),
        (SUBMISSION, after(-300, counted=10), False),
        (SUBMISSION, after(-300, counted=10.1), True),
    ],
)
def test_a_request_without_an_answer_is_given_up_by_either_clock(request_: OpenRequest, now: Moment, expected: bool) -> None:
    assert is_past_answering(request_, 0.0, now, call_seconds=10.0) is expected


@pytest.mark.parametrize(
    ("taken_back", "filled", "lag", "expected"),
    [(1, 5, 3.0, True), (1, 0, 3.0, False), (1, 5, 0.0, False), (14, 5, 3.0, False), (-1, 5, 3.0, True), (None, 5, 3.0, False)],
)
def test_more_filled_than_counts_may_be_from_before_a_bust(
    taken_back: float | None, filled: int, lag: float, expected: bool
) -> None:
    now = after(100).at
    order = LiveOrder(intent(), taken_back_at=None if taken_back is None else now - timedelta(seconds=taken_back))
    answer = structs.replace(WORKING, filled_quantity=order.filled_quantity + filled)
    assert may_be_from_before_a_bust(order, answer, now, 10.0, replace(CAN, lookup_lag_seconds=lag)) is expected


# --- what an old answer may not change -----------------------------------------------------------------------------------------

STANDING = order_of(SENT, ACKNOWLEDGED)
WORKING = OrderSnapshot(status=BrokerStatus.WORKING)


@pytest.mark.parametrize(
    ("order", "asked_at", "expected"),
    [
        (STANDING, STANDING.version, False),
        (STANDING, STANDING.version - 1, True),
        (STANDING, None, True),
        (None, STANDING.version, True),
        (None, None, False),
    ],
    ids=["as it was", "changed since", "began since", "ended since", "never unfinished"],
)
def test_an_answer_is_overtaken_by_what_was_booked_since_it_was_asked_for(
    order: LiveOrder | None, asked_at: int | None, expected: bool
) -> None:
    assert is_overtaken(order, asked_at) is expected


def test_what_nobody_asked_for_is_not_overtaken() -> None:
    asked_at = STANDING.version - 1
    assert not may_be_old(STANDING, WORKING, None, START, 10.0, CAN)
    assert not may_be_old(STANDING, WORKING, STANDING.version, START, 10.0, CAN)
    assert may_be_old(STANDING, WORKING, asked_at, START, 10.0, CAN)
    assert may_be_old(STANDING, Accepted(), asked_at, START, 10.0, CAN)


def test_a_snapshot_that_nobody_asked_for_may_still_be_from_before_a_bust() -> None:
    busted = order_of(SENT, ACKNOWLEDGED, fill("a", 40), bust("a"))
    assert busted.taken_back_at is not None
    told, soon = structs.replace(WORKING, filled_quantity=Decimal(40)), busted.taken_back_at + timedelta(seconds=12.9)
    assert may_be_old(busted, told, None, soon, 10.0, CAN)
    assert not may_be_old(busted, told, None, soon + timedelta(seconds=0.2), 10.0, CAN)
    assert not may_be_old(busted, Accepted(), None, soon, 10.0, CAN)


def test_a_broker_that_shows_less_than_is_booked_is_asked_for_what_was_missed() -> None:
    filled = order_of(SENT, ACKNOWLEDGED, fill("a", 40))
    for quantity, since in ((39, filled.submitted_at), (40, None), (41, None)):
        assert something_was_missed_since(filled, structs.replace(WORKING, filled_quantity=Decimal(quantity))) == since


@pytest.mark.parametrize(("asked_at", "expected"), [(102.9, False), (103.0, False), (103.1, True)])
def test_an_answer_shows_a_fill_once_the_brokers_lag_is_over(asked_at: float, expected: bool) -> None:
    assert shows_the_last_fill(asked_at, 100.0, CAN) is expected


def test_what_is_in_doubt_anew_is_asked_about_from_the_beginning() -> None:
    doubted = order_of(SENT, unknown(SENT.request_id))
    assert not is_another_doubt(doubted, {SENT.request_id: 0.0})
    assert is_another_doubt(doubted, {"KEY-c1": 0.0})
    assert not is_another_doubt(order_of(SENT), {})


# --- when to ask again ---------------------------------------------------------------------------------------------------------

DOUBTED = order_of(SENT, unknown(SENT.request_id))
"""Proved absent, at the earliest, 35 s after the start."""


@pytest.mark.parametrize(
    ("verdict", "wait", "now", "expected"),
    [
        (None, 30.0, 10.0, 35.01),
        (None, 5.0, 10.0, 15.0),
        (None, 30.0, 36.0, 66.0),
        (WaitUntil(20.0, "not yet"), 30.0, 10.0, 20.01),
        (WaitUntil(20.0, "not yet"), 30.0, 21.0, 51.0),
        (AskAPerson("nothing is proved here"), 30.0, 10.0, 40.0),
    ],
    ids=["as soon as it can be proved", "after a short wait", "past the bound", "as judged", "later than judged", "by nothing"],
)
def test_a_question_is_put_again_after_its_wait_or_as_soon_as_more_can_be_proved(
    verdict: Verdict | None, wait: float, now: float, expected: float
) -> None:
    noticed = {SENT.request_id: 0.0}
    assert next_question_at(DOUBTED, noticed, verdict, wait, after(now), CAN) == pytest.approx(expected)
