"""The log, read by a process that had no part in writing it, and what must be so of any, whatever was tried."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from typing import Any
from uuid import UUID

from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import (
    AnomalyNoted,
    CancelRequested,
    OrderRequested,
    OutcomeDoubted,
    ReplaceRequested,
    SubmissionStarted,
)
from liveorder.domain.unmatched_event import UnmatchedReportNoted, UnmatchedReportResolved
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.crash.composition import MAPPER
from tests.crash.processes import Process
from tests.crash.sent_requests import digest_of

_ALARMING = (OutcomeDoubted, AnomalyNoted, UnmatchedReportNoted)
_REQUESTS = (SubmissionStarted, CancelRequested, ReplaceRequested)


@dataclass(frozen=True)
class Stored:
    log: Sequence[RecordedEvent]
    problems: Sequence[str]

    @cached_property
    def orders(self) -> Mapping[str, list[LiveOrder]]:
        """By key: more than one is a broken promise."""
        streams: dict[UUID, list[RecordedEvent]] = defaultdict(list)
        for recorded in self.log:
            streams[recorded.stream_id].append(recorded)
        orders: dict[str, list[LiveOrder]] = defaultdict(list)
        for events in streams.values():
            if isinstance(events[0].event, OrderRequested):
                orders[events[0].event.client_order_id].append(LiveOrder.replay(events))
        return orders

    @property
    def had_doubt(self) -> bool:
        return any(isinstance(each.event, OutcomeDoubted) for each in self.log)

    @property
    def anomalies(self) -> list[str]:
        return [each.event.code for each in self.log if isinstance(each.event, AnomalyNoted)]


async def stored_at(url: str) -> Stored:
    store = store_at(url, clock=SystemClock(), mapper=MAPPER)
    await store.open()
    try:
        return Stored([recorded async for page in store.log() for recorded in page], (await store.check()).problems)
    finally:
        await store.close()


def of_any(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """Broken promises that have nothing to do with how an order should have ended."""
    yield from stored.problems
    yield from _of_the_owners(stored, lives)
    yield from _of_the_bytes(stored)
    yield from _of_the_requests(stored, lives)
    yield from _untold(stored, lives)


def _of_the_owners(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """One writer at a time, and none twice."""
    epochs = Counter(event["epoch"] for event in emitted(lives, "started"))
    for epoch, owners in epochs.items():
        if owners > 1:
            yield f"{owners} services owned the store as epoch {epoch}"
    if any(later.envelope.epoch < earlier.envelope.epoch for earlier, later in pairwise(stored.log)):
        yield "something was stored by a service that no longer owned the store"


def _of_the_bytes(stored: Stored) -> Iterator[str]:
    """Another attempt is the same request: the broker must be able to know it again."""
    payloads: dict[UUID, set[str]] = defaultdict(set)
    for each in stored.log:
        if isinstance(each.event, SubmissionStarted):
            payloads[each.stream_id].add(each.event.payload)
    for stream_id, different in payloads.items():
        if len(different) > 1:
            yield f"the attempts of order {stream_id} had {len(different)} payloads"


def _of_the_requests(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """What left was stored just so, and left before its deadline: proof that it never arrived rests on that."""
    deadlines: dict[str, list[datetime]] = defaultdict(list)
    for each in stored.log:
        if isinstance(each.event, _REQUESTS) and each.event.deadline is not None:
            deadlines[digest_of(each.event.payload)].append(each.event.deadline)
    for life in lives:
        for event in emitted([life], "sent"):
            if (known := deadlines.get(event["payload"])) is None:
                if event["kind"] != "cancel":
                    yield f"a {event['kind']} left that is not stored"
            elif (left := datetime.fromisoformat(event["at"])) >= max(known) and not _is_excused(life, event["kind"]):
                yield f"a {event['kind']} left {left - max(known)} after its deadline"


def _is_excused(life: Process, kind: str) -> bool:
    """It was stopped within such a call, once the deadline had been looked at; or its cancels went out without a stored one."""
    slept = life.emitted("struck", signal="SIGSTOP", boundary=f"before {kind} #")
    went_without = life.emitted("log", sentence="Cancel sent without the store") if kind == "cancel" else None
    return slept is not None or went_without is not None


def _untold(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """Doubts, anomalies and strangers' orders of which no alert went out, by the end of all lives."""
    noticed = {event["notice_id"] for event in emitted(lives, "notice")}
    for each in stored.log:
        if isinstance(each.event, _ALARMING) and f"{each.stream_id}:{each.version}" not in noticed:
            yield f"no alert of it: {each.event.sentence()}"


def unresolved(stored: Stored, order: LiveOrder) -> Iterator[str]:
    """What was reported before its order was known belongs to it from then on, whoever dies between the two."""
    resolved = {each.stream_id for each in stored.log if isinstance(each.event, UnmatchedReportResolved)}
    left = (each.event for each in stored.log if isinstance(each.event, UnmatchedReportNoted) and each.stream_id not in resolved)
    if any(noted.broker_order_id == order.broker_order_id for noted in left):
        yield f"a report about {order.broker_order_id} is still said to match no order"


def emitted(lives: Sequence[Process], event: str) -> list[dict[str, Any]]:
    return [each for life in lives for each in life.events if each["event"] == event]
