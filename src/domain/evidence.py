"""What an answer of the broker proves of a request that may have arrived, and what its silence does.

*Not found* is believed only of a broker that says it may be, and only once everything that could make it false has passed: the
request's deadline, the time a request may take to arrive, the lag of the search and the difference of the clocks; then only the
second time; and never of one that the broker refused as a duplicate.

Each of these is measured by two clocks: the wall clock, which other processes share and people set, and our own counter of
seconds, which nobody sets. A clock that was set forward must not make a request that is still under way look lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple, TypeAlias

from liveorder.domain.broker_capabilities import BrokerCapabilities, KeySupport
from liveorder.domain.execution_report import ExecutionReport, OrderSnapshot
from liveorder.domain.order import LiveOrder, OpenRequest
from liveorder.domain.order.events import RequestKind

ABSENCES_NEEDED = 2
"""Answers in a row that must not find it, each to a question that was asked when that could be true."""
SECOND_LOOK_SECONDS = 0.5
"""Between the first of them and the question after it."""
JUST_PAST_SECONDS = 0.01
"""A question that is put at the very moment of a bound could be a little early by the broker's clock."""


class Moment(NamedTuple):
    """One moment by both clocks."""

    at: datetime
    counted: float
    """Seconds, from wherever the counter of this process began."""


@dataclass(frozen=True, slots=True)
class Absent:
    """It never arrived and never will: it may be sent again."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Nothing is proved yet. A question that is asked after `moment` can prove more."""

    moment: float
    """By our own counter of seconds."""
    reason: str
    is_second_look: bool = False
    """Whether the answer counted, and another like it is all that is wanting."""


@dataclass(frozen=True, slots=True)
class AskAPerson:
    """No answer of this broker can prove it: not found says nothing here."""

    reason: str


Verdict: TypeAlias = Absent | WaitUntil | AskAPerson


def earliest_proof_of_absence(request: OpenRequest, can: BrokerCapabilities) -> datetime:
    """From when on *not found* can be true: the request can neither be under way nor hidden from the search any more."""
    return (request.deadline or request.started_at) + timedelta(seconds=_bounds(can))


def _bounds(can: BrokerCapabilities) -> float:
    return can.delivery_bound_seconds + can.lookup_lag_seconds + can.clock_skew_seconds


def seconds_to_proof(request: OpenRequest, noticed: float, now: Moment, can: BrokerCapabilities) -> float:
    """Until a question can prove the request absent, by the later of the two clocks; negative once it can.

    `noticed`: when this process first saw it in doubt, by its own counter. It had left by then.
    """
    by_the_wall = (earliest_proof_of_absence(request, can) - now.at).total_seconds()
    return max(by_the_wall, noticed + _bounds(can) - now.counted)


def proved_by_not_finding(
    submission: OpenRequest, noticed: float, asked: Sequence[Moment], now: Moment, can: BrokerCapabilities
) -> Verdict:
    """What it means that an order was not found whose submission is in doubt.

    `asked`: when those questions were put, the latest last, whose answers in a row did not find it.
    """
    left = seconds_to_proof(submission, noticed, now, can)
    that_count = [*takewhile(lambda each: seconds_to_proof(submission, noticed, each, can) < 0, reversed(asked))]
    if not that_count:
        return WaitUntil(now.counted + left, "not found, which proves nothing yet")
    if len(that_count) < ABSENCES_NEEDED:
        reason = "not found once; asking again before it is believed"
        return WaitUntil(now.counted + SECOND_LOOK_SECONDS, reason, is_second_look=True)
    if submission.is_duplicate:
        return AskAPerson("not found, though the broker refused it as a duplicate of an order that it holds: a person must look")
    if _may_be_forgotten(submission, now.at, can):
        return AskAPerson("not found, but its key is older than this broker remembers keys: a person must look")
    if not can.trusts_absence or can.key_support is KeySupport.NONE:
        return AskAPerson("not found; this broker's absence proves nothing")
    return Absent()


def is_another_doubt(order: LiveOrder, noticed: Mapping[str, float]) -> bool:
    """Whether a request of the order is in doubt that was not `noticed` yet: no answer of before says anything of it."""
    return any(request.is_in_doubt and request_id not in noticed for request_id, request in order.requests.items())


def next_question_at(
    order: LiveOrder,
    noticed: Mapping[str, float],
    verdict: Verdict | None,
    wait_seconds: float,
    now: Moment,
    can: BrokerCapabilities,
) -> float:
    """When to ask about an order in doubt again, by our own counter: after `wait_seconds`, or as soon as more can be proved.

    `noticed` by request id. `verdict`: what the last answer proved of the submission; None where it found the order, or nothing.
    """
    proofs = list[float]()
    if verdict is None:
        doubtful = [(request, noticed[name]) for name, request in order.requests.items() if name in noticed]
        proofs = [now.counted + seconds_to_proof(request, since, now, can) for request, since in doubtful]
    elif isinstance(verdict, WaitUntil):
        proofs = [verdict.moment]
    return min([now.counted + wait_seconds, *(moment + JUST_PAST_SECONDS for moment in proofs if moment >= now.counted)])


def _may_be_forgotten(submission: OpenRequest, now: datetime, can: BrokerCapabilities) -> bool:
    """Beyond its memory a broker with unique keys may hold an order and not know its key, and would take another with it."""
    remembered = timedelta(seconds=can.key_memory_seconds)
    return can.key_support is KeySupport.UNIQUE and now > submission.started_at + remembered


def came_to_nothing(
    order: LiveOrder, noticed: Mapping[str, float], answer: OrderSnapshot, asked: Moment, can: BrokerCapabilities
) -> list[OpenRequest]:
    """The cancels and replaces in doubt that an order which was found proves absent: it shows no effect of them by now.

    `noticed` by request id. Not what the broker says that it is at now; that it said so earlier is no more than that: word of the
    end may have been lost.
    """
    return [
        request
        for request in order.requests.values()
        if request.is_in_doubt
        and request.kind is not RequestKind.SUBMIT
        and not (answer.cancel_pending if request.kind is RequestKind.CANCEL else answer.replace_pending)
        and request.request_id in noticed
        and seconds_to_proof(request, noticed[request.request_id], asked, can) < 0
    ]


def is_past_answering(request: OpenRequest, unattended_since: float, now: Moment, call_seconds: float) -> bool:
    """Whether the outcome of a request that no call of ours is out for is unknown for good.

    `unattended_since`: from when on it was seen so, by our own counter; a clock that was set back must not hide it.
    """
    is_past_its_deadline = request.deadline is None or now.at > request.deadline
    return is_past_its_deadline or now.counted > unattended_since + call_seconds


def is_overtaken(order: LiveOrder | None, asked_at: int | None) -> bool:
    """Whether something was booked on the order while a question was under way: the answer may be older than that.

    An old answer would infer fills that were busted since, or revive what has ended. `asked_at`: the version that the order had
    when the question was put. None stands for an order that is not, or was not, unfinished.
    """
    return asked_at != (order.version if order is not None else None)


def may_be_old(
    order: LiveOrder, report: ExecutionReport, asked_at: int | None, now: datetime, call_seconds: float, can: BrokerCapabilities
) -> bool:
    """Whether what the broker says may be from before what is booked already. Then it changes nothing, and is asked for again.

    `asked_at`: of an answer, the version that the order had when the question was put; None: nobody asked.
    """
    if asked_at is not None and is_overtaken(order, asked_at):
        return True
    return isinstance(report, OrderSnapshot) and may_be_from_before_a_bust(order, report, now, call_seconds, can)


def something_was_missed_since(order: LiveOrder, answer: OrderSnapshot) -> datetime | None:
    """From when on to ask for executions: the broker shows less filled than is booked. None: there is nothing to ask for.

    A bust or a correction was missed, or the answer was old.
    """
    return order.submitted_at if answer.filled_quantity < order.filled_quantity else None


def shows_the_last_fill(asked_at: float, filled_at: float, can: BrokerCapabilities) -> bool:
    """Whether the broker's answer to a question of `asked_at` contains what was filled at `filled_at`, both by our own counter."""
    return asked_at > filled_at + can.lookup_lag_seconds


def may_be_from_before_a_bust(
    order: LiveOrder, answer: OrderSnapshot, now: datetime, call_seconds: float, can: BrokerCapabilities
) -> bool:
    """Whether an answer shows more filled than counts since units were taken back, and the broker's answers may lag so far."""
    if not can.lookup_lag_seconds or order.taken_back_at is None:
        return False
    longest = timedelta(seconds=can.lookup_lag_seconds + call_seconds)
    return answer.filled_quantity > order.filled_quantity and abs(now - order.taken_back_at) < longest
