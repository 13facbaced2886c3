"""What must be so of many orders: of each what is promised of one, and of all together that positions and read models are right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.order import LiveOrder
from tests.crash.cases import Case, plain_units
from tests.crash.crowd import Member
from tests.crash.key_classes import finds_by_key, trusts_absence
from tests.crash.processes import Process
from tests.crash.stored import Stored, emitted, of_any, unresolved
from tests.crash.verdict import LIVE, filled_of


@dataclass(frozen=True, slots=True)
class Findings:
    """What the last life said. `orders` by key, as it answered when every signal was given to it once more."""

    owner: Process
    orders: Mapping[str, dict[str, Any]]
    doubts: Sequence[str]
    resting: Collection[str]
    """Keys of orders that could not be replaced for another one's doubt, and still stand."""
    reconciliation: Mapping[str, Any]
    replays: bool
    settling_seconds: float

    @property
    def is_in_doubt(self) -> bool:
        return any(order["is_in_doubt"] for order in self.orders.values())


def violations(
    case: Case,
    members: Mapping[str, Member],
    theirs: Sequence[OrderSnapshot],
    stored: Stored,
    findings: Findings,
    lives: Sequence[Process],
) -> Iterator[str]:
    at_venue: dict[str | None, list[OrderSnapshot]] = defaultdict(list)
    for each in theirs:
        at_venue[each.client_order_id].append(each)
    yield from of_any(stored, lives)
    yield from _strangers(at_venue, stored, members, lives)
    for key, member in members.items():
        intents = stored.orders.get(key, [])
        found = _of_one(case, member, at_venue[key], intents, findings, key)
        yield from (f"{member.signal_id}: {each}" for each in found)
        yield from (each for order in intents for each in unresolved(stored, order))
    if not findings.replays:
        yield "replaying their events makes other orders"
    if not findings.is_in_doubt and not findings.reconciliation["is_clean"]:
        yield f"not reconciled: {findings.reconciliation['differences']}"


def _strangers(
    at_venue: Mapping[str | None, Sequence[OrderSnapshot]], stored: Stored, members: Mapping[str, Member], lives: Sequence[Process]
) -> Iterator[str]:
    for key, found in at_venue.items():
        if key not in members:
            yield f"order {found[0].broker_order_id} at the venue belongs to no intent"
    if others := stored.orders.keys() - members.keys():
        yield f"intents that no signal asked for: {sorted(others)}"
    again = Counter(event["key"] for event in emitted(lives, "sent") if event["kind"] == "submit" and event["had"])
    for key, times in again.items():
        yield f"order {key} was sent {times} times when the venue had it already"


def _of_one(
    case: Case,
    member: Member,
    theirs: Sequence[OrderSnapshot],
    intents: Sequence[LiveOrder],
    findings: Findings,
    key: str,
) -> Iterator[str]:
    ours = findings.orders.get(key)
    if ours is None or not intents:
        yield "lost: the signal came, and the store knows nothing of it"
        return
    if len(intents) > 1:
        yield f"one signal, and {len(intents)} intents in the log"
    if len(theirs) > 1:
        yield f"{len(theirs)} orders at the venue for one signal"
    yield from _compared(intents[0], ours, theirs)
    if ours["is_in_doubt"]:
        yield from _doubt(case, key, theirs, ours, findings)
    elif ours["is_waiting"]:
        yield from _wait(intents[0], theirs, findings)
    elif key in findings.resting and ours["is_open"]:
        if not any(each.status in LIVE for each in theirs):
            yield "open here, and not at the venue"
    else:
        yield from _end(member, theirs, ours)


def _wait(order: LiveOrder, theirs: Sequence[OrderSnapshot], findings: Findings) -> Iterator[str]:
    """For as long as another one in its symbol is in doubt, and unsent."""
    awaited = {str(each) for each in order.wait.orders} if order.wait is not None else set[str]()
    if not any(each["is_in_doubt"] for each in findings.orders.values() if each["order_id"] in awaited):
        yield f"waits in vain: {order.error_message}"
    if theirs:
        yield "waits here, and is at the venue"


def _compared(order: LiveOrder, ours: Mapping[str, Any], theirs: Sequence[OrderSnapshot]) -> Iterator[str]:
    """What is shown, what is stored and what is at the venue."""
    if (order.status.value, plain_units(order.filled_quantity)) != (ours["status"], ours["filled"]):
        yield f"its events make it {order.status} with {order.filled_quantity:f}, and {ours['status']} {ours['filled']} is shown"
    if Decimal(ours["filled"]) > filled_of(theirs) or (not ours["is_in_doubt"] and Decimal(ours["filled"]) != filled_of(theirs)):
        yield f"{ours['filled']} filled here, {filled_of(theirs)} at the venue"


def _doubt(case: Case, key: str, theirs: Sequence[OrderSnapshot], ours: Mapping[str, Any], findings: Findings) -> Iterator[str]:
    if key not in findings.doubts:
        yield "a doubt that nobody is shown"
    if (theirs and finds_by_key(case.key_class)) or trusts_absence(case.key_class) or ours["is_at_broker"]:
        yield f"still in doubt although it can be asked for: {ours['requests']}, {len(theirs)} at the venue"


def _end(member: Member, theirs: Sequence[OrderSnapshot], ours: Mapping[str, Any]) -> Iterator[str]:
    if not member.may_end(ours):
        yield f"ended {ours['status']} with {ours['filled']} ({ours['reason']}: {ours['message']})"
    for each in theirs:
        if each.status in LIVE:
            yield f"closed here, and the venue says {each.status}"
