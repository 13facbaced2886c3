"""What must be so after every death: asked of the venue's own books, and read from the stored log by nobody's leave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from liveorder.domain.execution_report import BrokerStatus, OrderSnapshot
from liveorder.domain.order import LiveOrder
from liveorder.infrastructure.brokers.simulated.control import VenueControl
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.store_by_url import store_at
from tests.crash.cases import OPERATIONS, Case, key_of
from tests.crash.processes import Process


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the last life said: its order, its doubts, its reconciliation; and what all lives sent."""

    owner: Process
    order: dict[str, Any] | None
    doubts: Sequence[str]
    reconciliation: dict[str, Any]
    sent: Sequence[dict[str, Any]]

    @property
    def is_in_doubt(self) -> bool:
        return self.order is not None and bool(self.order["is_in_doubt"])


async def violations(control: VenueControl, case: Case, account: str, url: str, evidence: Evidence) -> list[str]:
    """Empty when every promise was kept."""
    theirs = await control.orders_by_key(key_of(account))
    found = [*_at_the_venue(theirs, evidence), *await _in_the_log(url, account, evidence)]
    if evidence.order is not None:
        found += _doubt(case, theirs, evidence.order, evidence) if evidence.is_in_doubt else _end(case, theirs, evidence)
    return found


def _at_the_venue(theirs: Sequence[OrderSnapshot], evidence: Evidence) -> Iterator[str]:
    if len(theirs) > 1:
        yield f"{len(theirs)} orders at the venue for one signal"
    for event in evidence.sent:
        if event["kind"] == "submit" and event["had"]:
            yield "an order was sent that the venue had already"


def _doubt(case: Case, theirs: Sequence[OrderSnapshot], ours: dict[str, Any], evidence: Evidence) -> Iterator[str]:
    if ours["key"] not in evidence.doubts:
        yield "a doubt that nobody is told of"
    if case.key_class != "none":
        yield f"still in doubt although its key can be asked for: {ours['requests']}, {len(theirs)} at the venue"


def _end(case: Case, theirs: Sequence[OrderSnapshot], evidence: Evidence) -> Iterator[str]:
    wanted, ours = OPERATIONS[case.operation], evidence.order
    assert ours is not None
    if (ours["status"], ours["filled"]) != (wanted.status, wanted.filled):
        yield f"ended {ours['status']} with {ours['filled']} ({ours['reason']}: {ours['message']})"
    filled = sum((each.filled_quantity for each in theirs), Decimal(0))
    if filled != Decimal(ours["filled"]):
        yield f"{ours['filled']} filled here, {filled} at the venue"
    if any(each.status in (BrokerStatus.PENDING, BrokerStatus.WORKING) for each in theirs):
        yield f"closed here, and the venue says {theirs[0].status}"
    if not evidence.reconciliation["is_clean"]:
        yield f"not reconciled: {evidence.reconciliation['differences']}"


async def _in_the_log(url: str, account: str, evidence: Evidence) -> list[str]:
    store = store_at(url, clock=SystemClock())
    await store.open()
    try:
        claim = await store.claim_of(key_of(account))
        if claim is None or evidence.order is None:
            return ["lost: the signal came, and the store knows nothing of it"]
        order = LiveOrder.replay(await store.stream(claim.order_id))
        problems = list((await store.check()).problems)
    finally:
        await store.close()
    if UUID(evidence.order["order_id"]) != claim.order_id:
        problems.append("the order is not the one that its signal became")
    if not evidence.order["replays"]:
        problems.append("replaying its facts makes another order")
    if order.version < evidence.order["version"]:
        problems.append("facts are missing from the log")
    if not evidence.is_in_doubt and _shown(order) != (evidence.order["status"], evidence.order["filled"]):
        problems.append(f"its facts make it {_shown(order)}")
    return problems


def _shown(order: LiveOrder) -> tuple[str, str]:
    return order.status.value, f"{order.filled_quantity:f}"
