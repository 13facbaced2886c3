"""What must be so of positions: of each order what is promised of one, and of all together whose what is held is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from liveorder.domain.execution_report import OrderSnapshot
from liveorder.domain.order import LiveOrder
from tests.crash.cases import Case, plain_units
from tests.crash.key_classes import finds_by_key, trusts_absence
from tests.crash.play import CLOSING, Play, net_of
from tests.crash.processes import Process
from tests.crash.stored import Stored, emitted, of_any, unresolved
from tests.crash.verdict import LIVE, filled_of
from tests.harness.holdings_by_log import HoldingsByLog


@dataclass(frozen=True, slots=True)
class Played:
    """What the last life said: its doubts, what strategies hold, its books, its reconciliation."""

    owner: Process
    doubts: Sequence[str]
    held: Mapping[str, str]
    books: Mapping[str, Any]
    reconciliation: Mapping[str, Any]
    replays: bool
    shown: Mapping[str, int]
    """By key, the latest version of each order that any life has shown."""
    settling_seconds: float


def violations(
    play: Play,
    case: Case,
    account: str,
    theirs: Sequence[OrderSnapshot],
    stored: Stored,
    played: Played,
    lives: Sequence[Process],
) -> Iterator[str]:
    """Without any when every promise was kept."""
    at_venue: dict[str | None, list[OrderSnapshot]] = defaultdict(list)
    for each in theirs:
        at_venue[each.client_order_id].append(each)
    yield from of_any(stored, lives)
    yield from _intents(play, stored, at_venue, played, lives)
    orders = {key: found[0] for key, found in stored.orders.items()}
    for key, order in orders.items():
        yield from (f"{order.intent.signal_id}: {each}" for each in _of_one(case, order, at_venue[key], played))
        yield from unresolved(stored, order)
    has_doubts = any(order.is_in_doubt for order in orders.values())
    yield from _waits(orders, played)
    yield from _positions(account, stored, orders, at_venue, played)
    if not has_doubts:
        yield from _endings(play, orders, played)
        if not played.reconciliation["is_clean"]:
            yield f"not reconciled: {played.reconciliation['differences']}"
    if not played.replays:
        yield "replaying their events makes other orders"


def _intents(
    play: Play, stored: Stored, at_venue: Mapping[str | None, Sequence[OrderSnapshot]], played: Played, lives: Sequence[Process]
) -> Iterator[str]:
    """Every signal is one intent, what was shown of it is stored, and nothing else was meant or sent."""
    known = {found[0].intent.signal_id: len(found) for found in stored.orders.values()}
    yield from (f"{times} intents in the log for {name}" for name, times in known.items() if times > 1)
    if lost := play.endings.keys() - known.keys() - {CLOSING}:
        yield f"lost: the signal came, and the store knows nothing of it: {sorted(lost)}"
    closes = CLOSING in play.endings
    others = sorted(name for name in known.keys() - play.endings.keys() if not (closes and name.startswith(CLOSING)))
    if others:
        yield f"intents that no signal asked for: {others}"
    stored_versions = {key: found[0].version for key, found in stored.orders.items()}
    missing = (key for key, version in played.shown.items() if stored_versions.get(key, 0) < version)
    yield from (f"events of {key} are missing from the log" for key in missing)
    for key, there in at_venue.items():
        if key not in stored.orders:
            yield f"order {there[0].broker_order_id} at the venue belongs to no intent"
    again = (event["key"] for event in emitted(lives, "sent") if event["kind"] == "submit" and event["had"])
    yield from (f"order {key} was sent when the venue had it already" for key in again)


def _of_one(case: Case, order: LiveOrder, theirs: Sequence[OrderSnapshot], played: Played) -> Iterator[str]:
    if len(theirs) > 1:
        yield f"{len(theirs)} orders at the venue for one signal"
    if order.is_in_doubt:
        yield from _doubt(case, order, theirs, played)
        return
    if filled_of(theirs) != order.filled_quantity:
        yield f"{order.filled_quantity:f} filled here, {filled_of(theirs)} at the venue"
    if not order.is_finished and not order.is_waiting:
        yield f"still {order.status}, though nothing of it is in doubt"
    if order.is_finished and any(each.status in LIVE for each in theirs):
        yield "closed here, and live at the venue"


def _doubt(case: Case, order: LiveOrder, theirs: Sequence[OrderSnapshot], played: Played) -> Iterator[str]:
    if order.client_order_id not in played.doubts:
        yield "a doubt that nobody is shown"
    if (theirs and finds_by_key(case.key_class)) or trusts_absence(case.key_class) or order.is_at_broker:
        yield f"still in doubt although it can be asked for: {sorted(order.requests)}, {len(theirs)} at the venue"
    if filled_of(theirs) < order.filled_quantity:
        yield f"{order.filled_quantity:f} filled here, {filled_of(theirs)} at the venue"


def _waits(orders: Mapping[str, LiveOrder], played: Played) -> Iterator[str]:
    """What waits still does so for an order in doubt, and is listed; nothing else is."""
    by_id = {order.order_id: order for order in orders.values()}
    waiting = {order.intent.signal_id: order for order in orders.values() if order.is_waiting}
    if sorted(played.books["waiting"]) != sorted(waiting):
        yield f"{sorted(waiting)} wait, and {sorted(played.books['waiting'])} are listed"
    for name, order in waiting.items():
        assert order.wait is not None
        awaited = [by_id[each] for each in order.wait.orders]
        if not any(each.is_in_doubt for each in awaited):
            yield f"{name} waits in vain: {order.wait.message}"


def _positions(
    account: str,
    stored: Stored,
    orders: Mapping[str, LiveOrder],
    at_venue: Mapping[str | None, Sequence[OrderSnapshot]],
    played: Played,
) -> Iterator[str]:
    """By the log, by the risk rules, by the reports and at the venue the same; and no CLOSE could have gone beyond zero."""
    by_log = HoldingsByLog()
    for item in stored.log:
        by_log.take_in(item)
    yield from by_log.beyond_zero
    held: dict[str, Decimal] = defaultdict(Decimal)
    for (_, strategy, _), units in by_log.holdings().items():
        held[strategy] += units
    ruled = {name: Decimal(units) for name, units in played.held.items()}
    for name in sorted(held.keys() | ruled.keys()):
        if held[name] != ruled.get(name, 0):
            yield f"{name} holds {held[name]} by the log, and {ruled.get(name, 0)} by the risk rules"
    yield from played.books["differences"]
    net = net_of([each for there in at_venue.values() for each in there])
    unknown = sum((net_of(at_venue[key]) - _signed(order) for key, order in orders.items() if order.is_in_doubt), Decimal(0))
    if sum(held.values(), Decimal(0)) != net - unknown:
        yield f"strategies hold {sum(held.values())} in all, the venue {net}, of which {unknown} is in doubt"


def _signed(order: LiveOrder) -> Decimal:
    return order.terms.side.signed(order.filled_quantity)


def _endings(play: Play, orders: Mapping[str, LiveOrder], played: Played) -> Iterator[str]:
    closing = [order for order in orders.values() if order.intent.signal_id.startswith(CLOSING)]
    for order in orders.values():
        allowed = play.endings.get(order.intent.signal_id)
        if allowed is not None and (order.status.value, plain_units(order.filled_quantity)) not in allowed:
            why = f"({order.reject_reason or order.cancel_reason}: {order.error_message})"
            yield f"{order.intent.signal_id} ended {order.status} with {order.filled_quantity:f} {why}"
    for _, filled in play.endings.get(CLOSING, ()):
        if sum(order.filled_quantity for order in closing) != Decimal(filled):
            yield f"closed {[f'{order.filled_quantity:f}' for order in closing]}, and {filled} was held"
    held = {name: units for name, units in played.held.items() if Decimal(units)}
    if held != play.held:
        yield f"held at the end: {held}"
