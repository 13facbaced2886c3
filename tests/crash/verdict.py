"""What must be so after every death: asked of the venue's own books, and read from the stored log by nobody's leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from liveorder.application.narrative import sentence
from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.facts import RecordedFact
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.facts import AnomalyNoted, OutcomeUnknown, Requested
from liveorder.domain.unmatched_report import UnmatchedReportNoted, UnmatchedReportResolved
from liveorder.infrastructure.brokers.simulated.control import VenueControl
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.crash.cases import HELD, OPERATIONS, Case
from tests.crash.composition import MAPPER
from tests.crash.key_classes import longest_doubt_seconds
from tests.crash.processes import Process

_ALARMING = (OutcomeUnknown, AnomalyNoted, UnmatchedReportNoted)
_LIVE = (BrokerStatus.PENDING, BrokerStatus.WORKING)


@dataclass(slots=True)
class Verdict:
    """What became of a trial."""

    case: Case
    violations: list[str]
    struck: list[str] = field(default_factory=list)
    """The boundary of each death."""
    is_in_doubt: bool = False
    """Still, at the end."""
    settling_seconds: float = 0.0
    """From the last birth until nothing was open, or the doubt was left to a person."""
    doubt_seconds: float | None = None
    """From the last birth until the doubt was over; None where there was none, or it was left to a person."""
    outlived_recovery: bool | None = None
    """Whether the request that was held arrived after the next service had recovered; None where its sender lived to see it."""
    venue_orders: int = 0
    anomalies: list[str] = field(default_factory=list)
    boundaries: list[str] = field(default_factory=list)
    """Of the first life, where it ended by itself."""
    later_boundaries: list[str] = field(default_factory=list)
    """Of the life that settled it."""
    repeated_for: str | None = None
    """Why it could not be carried out the first time, if it could not."""

    @property
    def deaths(self) -> int:
        return len(self.struck)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the last life said: its order, its doubts, its reconciliation."""

    owner: Process
    key: str
    """Of the order, whether a signal or an adoption made it."""
    order: dict[str, Any] | None
    doubts: Sequence[str]
    reconciliation: dict[str, Any]
    replays: bool
    """Whether stored facts, read anew, make the orders that the service has."""
    settling_seconds: float
    born: float
    certain_at: float | None
    """Since when its order is not in doubt any more, by the machine's monotonic clock."""

    @property
    def is_in_doubt(self) -> bool:
        return self.order is not None and bool(self.order["is_in_doubt"])

    @property
    def doubt_seconds(self) -> float | None:
        """From its birth until it was certain."""
        return None if self.certain_at is None else self.certain_at - self.born

    @property
    def seconds_known_to_venue(self) -> float:
        """The same, from when it sent the order itself, if it did."""
        sent = [event["monotonic"] for event in told([self.owner], "sent") if event["kind"] == "submit"]
        return 0.0 if self.certain_at is None else self.certain_at - max([self.born, *sent])


@dataclass(frozen=True, slots=True)
class Stored:
    """The log, read by a process that had no part in writing it."""

    log: Sequence[RecordedFact]
    order: LiveOrder | None
    problems: Sequence[str]

    @property
    def had_doubt(self) -> bool:
        return any(isinstance(each.fact, OutcomeUnknown) for each in self.log)

    @property
    def anomalies(self) -> list[str]:
        return [each.fact.code for each in self.log if isinstance(each.fact, AnomalyNoted)]


async def _stored_at(url: str, key: str) -> Stored:
    store = store_at(url, clock=SystemClock(), mapper=MAPPER)
    await store.open()
    try:
        claim = await store.claim_of(key)
        order = None if claim is None else LiveOrder.replay(await store.stream(claim.order_id))
        log = [recorded async for page in store.log() for recorded in page]
        return Stored(log, order, (await store.check()).problems)
    finally:
        await store.close()


async def judged(
    control: VenueControl, case: Case, account: str, url: str, evidence: Evidence, lives: Sequence[Process]
) -> Verdict:
    """Without violations when every promise was kept."""
    theirs, stored = await control.orders(account), await _stored_at(url, evidence.key)
    found = [
        *_at_the_venue(theirs, None if OPERATIONS[case.operation].is_by_hand else evidence.key, lives),
        *_in_the_log(stored, evidence),
        *_of_the_owners(stored, lives),
        *_untold(stored, lives),
    ]
    if evidence.order is not None:
        found += _doubt(case, theirs, evidence.order, evidence) if evidence.is_in_doubt else _end(case, theirs, evidence)
    doubt_seconds = evidence.doubt_seconds if stored.had_doubt else None
    if theirs and case.key_class != "none" and evidence.seconds_known_to_venue > longest_doubt_seconds(case.key_class):
        found.append(f"in doubt for {evidence.seconds_known_to_venue:.1f} s although the venue had it")
    return Verdict(
        case,
        found,
        is_in_doubt=evidence.is_in_doubt,
        settling_seconds=evidence.settling_seconds,
        doubt_seconds=doubt_seconds,
        outlived_recovery=_outlived_recovery(case, lives),
        venue_orders=len(theirs),
        anomalies=stored.anomalies,
    )


def _at_the_venue(theirs: Sequence[OrderSnapshot], key: str | None, lives: Sequence[Process]) -> Iterator[str]:
    """Of everything that the account has there, whatever its key; `key` is the one that the order should have."""
    if len(theirs) > 1:
        yield f"{len(theirs)} orders at the venue for one signal"
    for each in theirs:
        if each.client_order_id != key:
            yield f"order {each.broker_order_id} at the venue belongs to no intent"
    for event in told(lives, "sent"):
        if event["kind"] == "submit" and event["had"]:
            yield "an order was sent that the venue had already"


def _of_the_owners(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """One writer at a time, and none twice."""
    epochs = Counter(event["epoch"] for event in told(lives, "started"))
    for epoch, owners in epochs.items():
        if owners > 1:
            yield f"{owners} services owned the store as epoch {epoch}"
    if any(later.envelope.epoch < earlier.envelope.epoch for earlier, later in pairwise(stored.log)):
        yield "something was stored by a service that no longer owned the store"


def _doubt(case: Case, theirs: Sequence[OrderSnapshot], ours: dict[str, Any], evidence: Evidence) -> Iterator[str]:
    if ours["key"] not in evidence.doubts:
        yield "a doubt that nobody is shown"
    if case.key_class != "none" or ours["is_at_broker"]:
        yield f"still in doubt although it can be asked for: {ours['requests']}, {len(theirs)} at the venue"
    if _filled(theirs) < Decimal(ours["filled"]):
        yield f"{ours['filled']} filled here, {_filled(theirs)} at the venue"


def _end(case: Case, theirs: Sequence[OrderSnapshot], evidence: Evidence) -> Iterator[str]:
    ours = evidence.order
    assert ours is not None
    if (ours["status"], ours["filled"]) not in OPERATIONS[case.operation].endings:
        yield f"ended {ours['status']} with {ours['filled']} ({ours['reason']}: {ours['message']})"
    if _filled(theirs) != Decimal(ours["filled"]):
        yield f"{ours['filled']} filled here, {_filled(theirs)} at the venue"
    for each in theirs:
        if each.status in _LIVE:
            yield f"closed here, and the venue says {each.status}"
    if not evidence.reconciliation["is_clean"]:
        yield f"not reconciled: {evidence.reconciliation['differences']}"


def _filled(theirs: Sequence[OrderSnapshot]) -> Decimal:
    return sum((each.filled_quantity for each in theirs), Decimal(0))


def _in_the_log(stored: Stored, evidence: Evidence) -> Iterator[str]:
    order = stored.order
    if order is None or evidence.order is None:
        yield "lost: the signal came, and the store knows nothing of it"
        return
    yield from stored.problems
    intents = {each.stream_id for each in stored.log if isinstance(each.fact, Requested)}
    if intents != {UUID(evidence.order["order_id"])} or order.order_id not in intents:
        yield f"one signal, and {len(intents)} intents in the log, or another than was shown"
    yield from _unresolved(stored, order)
    if not evidence.replays:
        yield "replaying its facts makes another order"
    if order.version < evidence.order["version"]:
        yield "facts are missing from the log"
    shown = (order.status.value, f"{order.filled_quantity:f}")
    if not evidence.is_in_doubt and shown != (evidence.order["status"], evidence.order["filled"]):
        yield f"its facts make it {shown}"


def _unresolved(stored: Stored, order: LiveOrder) -> Iterator[str]:
    """What was told before its order was known belongs to it from then on, whoever dies between the two."""
    resolved = {each.stream_id for each in stored.log if isinstance(each.fact, UnmatchedReportResolved)}
    left = (each.fact for each in stored.log if isinstance(each.fact, UnmatchedReportNoted) and each.stream_id not in resolved)
    if any(noted.broker_order_id == order.broker_order_id for noted in left):
        yield f"a report about {order.broker_order_id} is still said to match no order"


def _outlived_recovery(case: Case, lives: Sequence[Process]) -> bool | None:
    sent = [event["monotonic"] for event in told(lives, "sent") if event["kind"] == case.point]
    if case.delivery != HELD or not sent:
        return None
    arrival = sent[0] + case.hold_seconds
    died = any(sent[0] <= event["monotonic"] < arrival for event in told(lives, "struck"))
    recovered = [event["monotonic"] for event in told(lives, "started") if event["monotonic"] > sent[0]]
    return bool(recovered[0] < arrival) if died and recovered else None


def _untold(stored: Stored, lives: Sequence[Process]) -> Iterator[str]:
    """Doubts, anomalies and strangers' orders of which no alert went out, by the end of all lives."""
    noticed = {event["notice_id"] for event in told(lives, "notice")}
    for each in stored.log:
        if isinstance(each.fact, _ALARMING) and f"{each.stream_id}:{each.version}" not in noticed:
            yield f"no alert of it: {sentence(each.fact)}"


def told(lives: Sequence[Process], event: str) -> list[dict[str, Any]]:
    return [each for life in lives for each in life.events if each["event"] == event]
