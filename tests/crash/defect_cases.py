"""For each defect, deaths and deliveries that bring it to light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from liveorder.testing.venue.faults import Point
from tests.crash.cases import HELD, Case

REPETITIONS = 3
PAUSED = "many orders, paused past the lease"

EXPOSING: Mapping[str, Case] = {
    "intent not stored first": Case("new order", "sqlite", "none", "prompt", Point.SUBMIT, "after submit #1"),
    "resend on not found": Case("cancel", "sqlite", "none", "acknowledgement lost", Point.SUBMIT, "before append Acknowledged #1"),
    "new key on retry": Case("cancel", "sqlite", "searchable", "lost", Point.SUBMIT, "after submit #2", bound_seconds=0.8),
    "fills not deduplicated": Case("partial fills under way", "sqlite", "unique", "prompt", Point.SUBMIT, "after append Filled #1"),
    "no lease": Case("new order", "sqlite", "unique", "prompt", Point.SUBMIT, "after submit #1", recoverers=2),
    "query before the held request is delivered": Case(
        "cancel", "sqlite", "searchable", HELD, Point.SUBMIT, "before append OutcomeUnknown #1", hold_seconds=3.0, bound_seconds=3.5
    ),
    "call after its deadline": Case(
        PAUSED, "sqlite", "unique", "prompt", Point.SUBMIT, "after append CancelRequested #1", bound_seconds=7.0, crowd=1
    ),
    "bytes made anew on retry": Case("cancel", "sqlite", "searchable", "lost", Point.SUBMIT, "after submit #2", bound_seconds=0.8),
    "end of a wait not stored first": Case(
        "exit that waits for its entry",
        "sqlite",
        "none",
        HELD,
        Point.SUBMIT,
        "before append WaitEnded+Approved+SubmissionStarted #1",
    ),
    "closing begun anew while one is out": Case(
        "kill that closes by share",
        "sqlite",
        "searchable",
        HELD,
        Point.SUBMIT,
        "before append OutcomeUnknown #1",
        hold_seconds=14.0,
        bound_seconds=15.0,
    ),
    "transfer not known again": Case(
        "transfer between strategies", "sqlite", "unique", "prompt", Point.SUBMIT, "after append PositionTransferred #1"
    ),
}


def cases_of_defects(engines: Sequence[str], defects: Sequence[str]) -> Iterator[Case]:
    """Each as often with the defect as without it."""
    for defect in defects:
        case = EXPOSING[defect]
        for engine, recoverers, is_defective, _ in product(engines, (1, 2), (True, False), range(REPETITIONS)):
            yield replace(case, engine=engine, recoverers=recoverers, defect=defect if is_defective else None)
