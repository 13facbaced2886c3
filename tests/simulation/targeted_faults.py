"""Fault injection aimed at one order: it is brought into a state that is rare at random, and faults come while it is there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.simulation import scenario as s

TARGET = "target"
"""The signal of the order."""
HELD_SECONDS = 3.5
"""The state lasts about so long."""
SLOW_SECONDS = (0.1, 0.5, 0.9, 1.2, 1.7, 2.9, 4.0)
"""Of a commit: from what is hardly felt to what leaves a call no time, or next to none."""


@dataclass(frozen=True)
class Target:
    """The terms of the order, what brings it into its state, and what the venue must be like for that."""

    terms: Mapping[str, Any]
    request: Literal["submit", "cancel", "replace"] | None = None
    doubt: FaultKind | None = None
    """What befalls the request, so that its tally is unknown."""
    venue: Mapping[str, Any] = field(default_factory=dict)


_RESTING = {"order_type": "LIMIT", "limit_price": "450", "time_in_force": "GTC"}
_FILLING = {"order_type": "LIMIT", "limit_price": "500", "time_in_force": "GTC"}
_IN_PARTS = {"fills": Fills(delay_seconds=0.7, max_quantity=Decimal(1))}
_TARGETS = (
    Target(_RESTING, "submit", FaultKind.REQUEST_HELD),
    *(Target(_RESTING, "replace", kind) for kind in (FaultKind.REQUEST_HELD, FaultKind.REQUEST_HELD, FaultKind.REQUEST_LOST)),
    Target(_FILLING, "replace", FaultKind.REQUEST_HELD, _IN_PARTS),
    Target(_RESTING, "cancel", FaultKind.REQUEST_HELD),
    Target(_FILLING, venue=_IN_PARTS),
    Target(_FILLING, venue={"fills": Fills(delay_seconds=0.0)}),
    Target(_RESTING, "cancel"),
    *(Target(_RESTING, venue={"rejection_probability": 1.0}) for _ in range(2)),
)


def a_target(chance: random.Random) -> Target:
    return chance.choice(_TARGETS)


def steps(chance: random.Random, target: Target, other: Callable[[], s.Step]) -> Iterator[s.Step]:
    """`other` makes a step of any other kind, to be moved to when the order is in its state."""
    begin = chance.uniform(0.2, 3.0)
    at = begin + 1.5
    yield s.Delivered(begin, _signal(TARGET, target.terms))
    yield from _brought_into_its_state(target, begin if target.request == "submit" else at)
    for _ in range(chance.choice((1, 2, 3, 4))):
        moment = at + chance.uniform(0.3, HELD_SECONDS - 0.5)
        fault = chance.choice(_FAULTS)
        yield from fault(chance, moment) if fault is not None else [replace(other(), at=moment)]


def _brought_into_its_state(target: Target, at: float) -> Iterator[s.Step]:
    if target.request is None:
        return
    if target.doubt is not None:
        yield s.Laid(at - 0.05, Fault(kind=target.doubt, on=Point(target.request), nth=1, seconds=HELD_SECONDS))
    if target.request != "submit":
        terms = () if target.request == "cancel" else (("limit_price", "460"),)
        yield s.Commanded(at, target.request, TARGET, terms)


def _signal(signal_id: str, terms: Mapping[str, Any]) -> str:
    return json.dumps({"signal_id": signal_id, "symbol": "SPY", "side": "BUY", "quantity": 10, **terms})


# --- faults: each is laid at a moment, with something just behind it to strike ---


def _of_request(chance: random.Random, at: float) -> Iterator[s.Step]:
    """While one request is unanswered a cancel is the only other one that is sent, or the same submission again."""
    kind, on = chance.choice(_REQUESTS), chance.choice((Point.CANCEL, Point.CANCEL, Point.SUBMIT))
    yield s.Laid(at, Fault(kind=kind, on=on, nth=1, seconds=chance.choice((0.3, HELD_SECONDS))))
    yield s.Commanded(at + 0.01, "cancel", TARGET)


def _of_query(chance: random.Random, at: float) -> Iterator[s.Step]:
    kind = chance.choice((FaultKind.QUERY_FAILED, FaultKind.UNAUTHORIZED, FaultKind.REQUEST_LOST, FaultKind.ACKNOWLEDGEMENT_LATE))
    yield s.Laid(at, Fault(kind=kind, on=chance.choice((Point.FIND, Point.OPEN_ORDERS)), nth=1, seconds=1.0))


def _of_report(chance: random.Random, at: float) -> Iterator[s.Step]:
    yield s.Laid(at, Fault(kind=chance.choice(_REPORTS), on=Point.REPORT, nth=1, seconds=chance.choice((0.3, 2.0))))
    yield s.VenueActed(at + 0.01, chance.choice(("fill", "fill", "fill", "restate", "bust")), TARGET, _number(chance))


def _of_fill(chance: random.Random, at: float) -> Iterator[s.Step]:
    seconds = chance.choice((0.0, 0.5, 3.0))
    busted = Fault(kind=FaultKind.BUST, on=Point.FILL, nth=1, seconds=seconds)
    corrected = Fault(kind=FaultKind.CORRECTION, on=Point.FILL, nth=1, seconds=seconds, price=Decimal(401), quantity=Decimal(1))
    yield s.Laid(at, chance.choice((busted, corrected)))
    yield s.VenueActed(at + 0.01, "fill", TARGET, _number(chance))


def _of_commit(chance: random.Random, at: float) -> Iterator[s.Step]:
    yield s.CommitFails(at, chance.choice(list(s.CommitFault)), 0, chance.choice((0.5, 3.0)))
    yield s.Delivered(at + 0.01, _signal("beside", {"symbol": "AAPL"}))


def _of_slow_store(chance: random.Random, at: float) -> Iterator[s.Step]:
    """A request whose commit takes so long that the time for its call can be over."""
    yield s.StoreSlow(at, chance.choice(SLOW_SECONDS), 3.0)
    yield _asked(chance, at + 0.01)


def _of_pause(chance: random.Random, at: float) -> Iterator[s.Step]:
    """Between the commit of a request and its call, if chance will have it."""
    yield _asked(chance, at)
    yield s.Paused(at + chance.choice((0.0, 0.2, 0.4)), int(2 ** chance.uniform(0, 5)), chance.choice((1.0, 4.0, 9.0)))


def _asked(chance: random.Random, at: float) -> s.Step:
    if chance.random() < 0.5:
        return s.Commanded(at, "cancel", TARGET)
    return s.Commanded(at, "replace", TARGET, (("limit_price", chance.choice(("440", "455"))),))


def _of_follower(chance: random.Random, at: float) -> Iterator[s.Step]:
    yield chance.choice((s.ReceiverFails(at, False), s.ReceiverFails(at, True), s.AcknowledgementFails(at)))
    yield s.Delivered(at + 0.01, _signal("beside", {"symbol": "AAPL"}))


def _number(chance: random.Random) -> Decimal:
    return Decimal(chance.choice((2, 5, 11)))


_REQUESTS = (
    FaultKind.REQUEST_LOST,
    FaultKind.REQUEST_HELD,
    FaultKind.ACKNOWLEDGEMENT_LOST,
    FaultKind.ACKNOWLEDGEMENT_LATE,
    FaultKind.ACKNOWLEDGEMENT_GARBLED,
    FaultKind.SERVER_ERROR,
    *(FaultKind.UNAVAILABLE, FaultKind.UNAVAILABLE, FaultKind.UNAVAILABLE),
    *(FaultKind.RATE_LIMITED, FaultKind.RATE_LIMITED, FaultKind.RATE_LIMITED),
    FaultKind.UNAUTHORIZED,
    FaultKind.STREAM_DROPPED,
    FaultKind.RESTART,
)
_REPORTS = (
    FaultKind.REPORT_LOST,
    FaultKind.REPORT_DUPLICATED,
    FaultKind.REPORT_LATE,
    FaultKind.REPORT_OUT_OF_ORDER,
)
_FAULTS: Sequence[Callable[[random.Random, float], Iterator[s.Step]] | None] = (
    *(_of_request, _of_request, _of_query, _of_report, _of_report, _of_fill, _of_fill, _of_commit, _of_commit, _of_follower),
    *(_of_slow_store, _of_slow_store, _of_slow_store, _of_pause),
    *(None, None, None, None),
)
