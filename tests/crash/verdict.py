"""What must be so after every death: asked of the venue's own books, and read from the stored log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.order.events import SubmissionStarted
from liveorder.testing.venue.control import VenueControl
from tests.crash.cases import HELD, OPERATIONS, Case, plain_units
from tests.crash.key_classes import finds_by_key, is_of_another_day, longest_doubt_seconds, trusts_absence
from tests.crash.processes import Process
from tests.crash.stored import Stored, emitted, of_any, stored_at, unresolved

LIVE = (BrokerStatus.PENDING, BrokerStatus.WORKING)
PARKED_SECONDS = 1.0
"""Beyond the declared bound: a doubt that stands then, of an order that nobody can be asked for, is left to a person."""
FOUND_SECONDS = 12.0
"""The same where an order that is there is found: it has been asked for often enough by then."""


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
    """From the last start until nothing was open, or the doubt was left to a person."""
    doubt_seconds: float | None = None
    """From the last start until the doubt was over; None where there was none, or it was left to a person."""
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
    orders: int = 1
    """That were sent, or should have been."""
    pauses: int = 0
    """Of a service, past its lease."""

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
    """Whether stored events, read anew, make the orders that the service has."""
    settling_seconds: float
    spawned_at: float
    certain_at: float | None
    """Since when its order is not in doubt any more, by the machine's monotonic clock."""

    @property
    def is_in_doubt(self) -> bool:
        return self.order is not None and bool(self.order["is_in_doubt"])

    @property
    def doubt_seconds(self) -> float | None:
        """From its start until it was certain."""
        return None if self.certain_at is None else self.certain_at - self.spawned_at

    @property
    def seconds_known_to_venue(self) -> float:
        """The same, from when it sent the order itself, if it did."""
        sent = [event["monotonic"] for event in emitted([self.owner], "sent") if event["kind"] == "submit"]
        return 0.0 if self.certain_at is None else self.certain_at - max([self.spawned_at, *sent])


def is_left_to_a_person(case: Case, order: Mapping[str, Any], seconds: float) -> bool:
    """Where keys cannot be asked for, or absence is not believed, a doubt may stand for ever. `seconds`: of this one."""
    if not trusts_absence(case.key_class) and not order["is_at_broker"]:
        longest = case.bound_seconds + (FOUND_SECONDS if finds_by_key(case.key_class) else PARKED_SECONDS)
    else:
        longest = longest_doubt_seconds(case.key_class)
    return bool(order["is_in_doubt"]) and seconds > longest


async def judged(
    control: VenueControl, case: Case, account: str, url: str, evidence: Evidence, lives: Sequence[Process]
) -> Verdict:
    """Without violations when every promise was kept."""
    theirs, stored = await control.orders(account), await stored_at(url)
    found = [
        *_at_the_venue(theirs, None if OPERATIONS[case.operation].is_by_hand else evidence.key, lives),
        *_in_the_log(stored, evidence),
        *of_any(stored, lives),
    ]
    if evidence.order is not None:
        found += _doubt(case, theirs, stored, evidence.order, evidence) if evidence.is_in_doubt else _end(case, theirs, evidence)
    doubt_seconds = evidence.doubt_seconds if stored.had_doubt else None
    if theirs and finds_by_key(case.key_class) and evidence.seconds_known_to_venue > longest_doubt_seconds(case.key_class):
        found.append(f"in doubt for {evidence.seconds_known_to_venue:.1f} s although the venue had it")
    return Verdict(
        case,
        found,
        is_in_doubt=evidence.is_in_doubt,
        settling_seconds=evidence.settling_seconds,
        doubt_seconds=doubt_seconds,
        outlived_recovery=outlived_recovery(case, [each for each in emitted(lives, "sent") if each["kind"] == case.point], lives),
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
    for event in emitted(lives, "sent"):
        if event["kind"] == "submit" and event["had"]:
            yield "an order was sent that the venue had already"


def _doubt(case: Case, theirs: Sequence[OrderSnapshot], stored: Stored, ours: dict[str, Any], evidence: Evidence) -> Iterator[str]:
    if ours["key"] not in evidence.doubts:
        yield "a doubt that nobody is shown"
    is_findable = theirs and finds_by_key(case.key_class)
    sent_at = [each.envelope.recorded_at for each in stored.log if isinstance(each.event, SubmissionStarted)]
    is_provable = trusts_absence(case.key_class) and not any(is_of_another_day(case.key_class, at) for at in sent_at)
    if is_findable or is_provable or ours["is_at_broker"]:
        yield f"still in doubt although it can be asked for: {ours['requests']}, {len(theirs)} at the venue"
    if filled_of(theirs) < Decimal(ours["filled"]):
        yield f"{ours['filled']} filled here, {filled_of(theirs)} at the venue"


def _end(case: Case, theirs: Sequence[OrderSnapshot], evidence: Evidence) -> Iterator[str]:
    ours = evidence.order
    assert ours is not None
    if (ours["status"], ours["filled"]) not in OPERATIONS[case.operation].endings:
        yield f"ended {ours['status']} with {ours['filled']} ({ours['reason']}: {ours['message']})"
    if filled_of(theirs) != Decimal(ours["filled"]):
        yield f"{ours['filled']} filled here, {filled_of(theirs)} at the venue"
    for each in theirs:
        if each.status in LIVE:
            yield f"closed here, and the venue says {each.status}"
    if not evidence.reconciliation["is_clean"]:
        yield f"not reconciled: {evidence.reconciliation['differences']}"


def filled_of(theirs: Sequence[OrderSnapshot]) -> Decimal:
    return sum((each.filled_quantity for each in theirs), Decimal(0))


def _in_the_log(stored: Stored, evidence: Evidence) -> Iterator[str]:
    known = stored.orders.get(evidence.key)
    if not known or evidence.order is None:
        yield "lost: the signal came, and the store knows nothing of it"
        return
    order, intents = known[0], {order.order_id for orders in stored.orders.values() for order in orders}
    if intents != {UUID(evidence.order["order_id"])}:
        yield f"one signal, and {len(intents)} intents in the log, or another than was shown"
    yield from unresolved(stored, order)
    if not evidence.replays:
        yield "replaying its events makes another order"
    if order.version < evidence.order["version"]:
        yield "events are missing from the log"
    shown = (order.status.value, plain_units(order.filled_quantity))
    if not evidence.is_in_doubt and shown != (evidence.order["status"], evidence.order["filled"]):
        yield f"its events make it {shown}"


def outlived_recovery(case: Case, sent: Sequence[Mapping[str, Any]], lives: Sequence[Process]) -> bool | None:
    """`sent`: the requests of which the first was held, if one was."""
    if case.delivery != HELD or not sent:
        return None
    arrival = sent[0]["monotonic"] + case.hold_seconds
    died = any(sent[0]["monotonic"] <= event["monotonic"] < arrival for event in emitted(lives, "struck"))
    recovered = [event["monotonic"] for event in emitted(lives, "started") if event["monotonic"] > sent[0]["monotonic"]]
    return bool(recovered[0] < arrival) if died and recovered else None
