"""What must be so at the end of every history, asked of the venue's own books, of the store, and of the last life."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from liveorder.application.engine.service import Service
from liveorder.application.outbox.messages import Confirmations
from liveorder.application.outbox.publisher import Confirmation
from liveorder.application.reporting.projections.known_orders import KnownOrders, streams_of
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.dead_letter import dead_letter_id
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import RecordedEvent
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, RejectReason, WaitReason
from liveorder.domain.position_owner import FLATTEN
from liveorder.domain.reconciliation import DifferenceKind
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.trading_halt import HaltReason, TradingHalted, account_scope
from liveorder.domain.values import Side, total
from liveorder.infrastructure.eventstore.foreign_events import EventReader
from liveorder.infrastructure.eventstore.integrity import inspect
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.orders import Trade, TradeKind, VenueOrder
from tests.harness.holdings_by_log import holding_of
from tests.harness.worlds import RememberedLog
from tests.simulation.auditor import MAPPER
from tests.simulation.environment import ACCOUNT, NAMESPACE, Environment, Violation
from tests.simulation.outside import Receiver
from tests.simulation.trace import Trace
from tests.two_books import two_books

OLDEST_FIGURE = timedelta(seconds=7)
"""From the question of an exit to its call: a second in which an answer is of now, two for the next one, and the time between a
decision and its call.
"""
LIVE = ("PENDING", "WORKING")
A_COMMIT_SECONDS = 1.0
"""Longer than any takes once faults have ceased, its reply included."""


async def check_at_rest(environment: Environment, service: Service, *, may_doubt: bool) -> None:
    """While the last life still lives, just reconciled."""
    environment.violations += [*_at_the_venue(environment, may_doubt), *_positions(environment, service, may_doubt)]
    for report in service.engine.reconcile.latest.values():
        for difference in report.differences:
            is_outside = difference.kind is DifferenceKind.UNKNOWN_ORDER and difference.key in environment.outsiders
            is_outside |= difference.kind is DifferenceKind.POSITION and difference.key in _traded_by_hand(environment)
            is_doubt = may_doubt and difference.theirs in ("in doubt", "not found")
            is_doubtful = may_doubt and difference.kind is not DifferenceKind.MISSING_ORDER
            if not (is_outside or is_doubt or is_doubtful):
                environment.violations.append(Violation("not reconciled", f"{report.account_id}: {difference}"))
        if report.unanswered:
            environment.violations.append(Violation("not reconciled", f"{report.account_id}: no answer to {report.unanswered}"))
    if problems := {problem async for problem in _in_memory(environment, service)}:
        await asyncio.sleep(A_COMMIT_SECONDS)
        lasting = [problem async for problem in _in_memory(environment, service) if problem in problems]
        environment.violations += [Violation("memory is not the log", problem) for problem in lasting]
    if await two_books(service):
        await asyncio.sleep(A_COMMIT_SECONDS)
        environment.violations += [Violation("two books", problem) for problem in await two_books(service)]
    verification = await service._projector.verify()
    for wrong in verification.differences:
        environment.violations.append(
            Violation("read models differ", f"{wrong.table} {wrong.key}: {wrong.live} live, {wrong.rebuilt} rebuilt")
        )


def _at_the_venue(environment: Environment, may_doubt: bool) -> Iterator[Violation]:
    """One intent, at most one order; and each side knows the other's."""
    gateway = environment.floor.gateway
    by_key: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for theirs in gateway.venue.questions.orders(gateway.venue.now):
        key = theirs.get("client_order_id")
        if key is not None:
            by_key[key].append(theirs)
        elif theirs["broker_order_id"] not in environment.outsiders:
            yield Violation("a stranger's order", f"{theirs['broker_order_id']} has no key and nobody placed it")
    for key, found in by_key.items():
        if key not in environment.auditor.by_key:
            yield Violation("an order without intent", f"the venue has {key}, the store has not")
        if len(found) > 1:
            yield Violation("sent twice", f"{len(found)} orders for {key}: {[each['broker_order_id'] for each in found]}")
    for order in environment.auditor.orders.values():
        may_wait = may_doubt or waits_for_what_rests(order, environment)
        at_venue = by_key.get(order.client_order_id, [])
        yield from _compared(order, at_venue, may_doubt, may_wait)
        is_live = any(each["state"] in LIVE for each in at_venue)
        if not order.status.is_closed and is_live and is_to_be_cancelled(order, environment):
            yield Violation("a cancel was forgotten", f"{order.intent.signal_id}: {order.cancel_wish}, and it still stands")


def is_to_be_cancelled(order: LiveOrder, environment: Environment) -> bool:
    """Whether a cancel of it that never arrived is to be asked again: one to make way only as long as something waits for that."""
    if order.cancel_wish is not CancelReason.MADE_WAY:
        return order.cancel_wish is not None
    waits = (each.wait for each in environment.auditor.orders.values() if each.is_waiting and each.wait is not None)
    return any(order.order_id in wait.orders for wait in waits)


def waits_for_what_rests(order: LiveOrder, environment: Environment) -> bool:
    """Whether it may wait until the market comes to another order, which nothing cancels for it: the first leg of a reversal, what
    is bought of what a plain sale is to sell, or, of an exit that adds to what is held, what may turn that round.
    """
    if order.wait is None or not order.is_waiting:
        return False
    orders, waits_for_entry = environment.auditor.orders, order.wait.reason is WaitReason.ENTRY
    awaited = [each for each in map(orders.__getitem__, order.wait.orders) if not each.status.is_closed]
    may_wait = order.wait.reason is WaitReason.LEG or (waits_for_entry and order.terms.position_effect is None)
    if waits_for_entry and not may_wait:
        whose = order.intent.strategy_name, order.intent.instrument.key
        own = [each for each in orders.values() if (each.intent.strategy_name, each.intent.instrument.key) == whose]
        held = total(each.terms.side.signed(each.filled_quantity) for each in own)
        coming = total(order.terms.side.opposite.signed(each.remaining_quantity) for each in awaited)
        may_wait = order.terms.side.signed(held) > 0 and order.terms.side.signed(held + coming) < 0
    return may_wait and bool(awaited)


def _compared(order: LiveOrder, theirs: list[dict[str, Any]], may_doubt: bool, may_wait: bool) -> Iterator[Violation]:
    name, filled = order.intent.signal_id, sum((Decimal(each["filled_quantity"]) for each in theirs), Decimal(0))
    is_live = any(each["state"] in LIVE for each in theirs)
    if order.is_in_doubt:
        if not may_doubt:
            yield Violation("in doubt for ever", f"{name}: {list(order.requests)}")
        return
    if order.filled_quantity != filled:
        yield Violation("fills differ", f"{name}: {order.filled_quantity} here, {filled} at the venue")
    if order.status.is_closed and is_live:
        yield Violation("closed here, live there", f"{name} is {order.status} ({order.reason}, {order.error_message})")
    is_early = order.wait is not None and order.wait.reason is WaitReason.OPEN  # its market may open after the history's end
    may_wait = order.is_waiting and (may_wait or is_early)
    if not order.status.is_closed and not is_live and not may_wait:
        state = theirs[0]["state"] if theirs else "not there"
        yield Violation("open here, over there", f"{name} is {order.status}, at the venue {state}")
    if theirs and not order.status.is_closed and order.quantity is not None and Decimal(theirs[0]["quantity"]) != order.quantity:
        yield Violation("terms differ", f"{name}: {order.quantity} here, {theirs[0]['quantity']} at the venue")


def _positions(environment: Environment, service: Service, may_doubt: bool) -> Iterator[Violation]:
    if may_doubt:
        return
    for account in environment.scenario.venue.accounts:
        listed = environment.floor.gateway.venue.questions.positions(account.account_id)["positions"]
        theirs = {_key(each["instrument"]): Decimal(each["quantity"]) for each in listed}
        held = service.engine.risk.positions(account.account_id)
        for key, units in _traded_by_hand(environment, account.account_id).items():
            theirs[key] = theirs.get(key, Decimal(0)) - units
        theirs = {key: units for key, units in theirs.items() if units}
        ours = {key: position.quantity for key, position in held.items() if position.quantity}
        if ours != theirs:
            yield Violation("positions differ", f"{account.account_id}: {ours} here, {theirs} at the venue")


def _traded_by_hand(environment: Environment, account_id: str | None = None) -> dict[str, Decimal]:
    """Signed units that somebody else traded, by instrument; in all accounts if none is named."""
    units: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order, trade in _tape(environment, account_id):
        if order.placed.client_order_id is None:
            units[order.placed.instrument] += order.placed.side.signed(trade.quantity)
    return units


def _tape(environment: Environment, account_id: str | None = None) -> Iterator[tuple[VenueOrder, Trade]]:
    """Every trade at the venue, the first one first."""
    for account in environment.scenario.venue.accounts:
        if account_id in (None, account.account_id):
            yield from environment.floor.gateway.venue._book.trades_since(account.account_id, datetime.min.replace(tzinfo=UTC))


def _key(instrument: dict[str, Any]) -> str:
    return f"{instrument['exchange']}:{instrument['symbol']}"


async def _in_memory(environment: Environment, service: Service) -> AsyncIterator[str]:
    """What differs now. Between a commit and its reply, and while a stream is read, something may: but not for long."""
    for order_id in [order.order_id for order in service.engine.orders.unfinished()]:
        stored = LiveOrder.replay(await service.engine.store.stream(order_id))
        kept = service.engine.orders.unfinished_with(order_id)
        if kept is not None and kept != stored:
            yield f"{stored.intent.signal_id} is another one in memory (version {kept.version}) than in the log ({stored.version})"
    unfinished = {order.order_id for order in service.engine.orders.unfinished()}
    stored_ones = {order_id for order_id, order in environment.auditor.orders.items() if not order.is_finished}
    for order_id in sorted(unfinished ^ stored_ones):
        yield f"{order_id} is unfinished in {'memory' if order_id in unfinished else 'the store'} alone"


# --- the log, once nobody lives any more ---------------------------------------------------------------------------------------


async def check_log(environment: Environment) -> None:
    environment.auditor.look()
    store = DatabaseOrderStore(environment.person, MAPPER, environment.clock)
    events = [item async for page in store.log() for item in page]
    environment.violations += [
        Violation("store damaged", problem) for problem in (await inspect(environment.person, EventReader(MAPPER))).problems
    ]
    environment.violations += [*_replayed(environment, events), *_nothing_lost(environment, events)]
    environment.violations += [*_opened_by_exits(environment), *_refused_for_nothing(environment)]
    environment.violations += [*_given_up(environment), *_halted(environment, events), *_beyond_zero(environment)]
    environment.violations += [problem async for problem in _told(environment, events)]


def _replayed(environment: Environment, events: list[RecordedEvent]) -> Iterator[Violation]:
    streams: dict[UUID, list[RecordedEvent]] = defaultdict(list)
    for item in events:
        streams[item.stream_id].append(item)
    for order_id, order in environment.auditor.orders.items():
        if LiveOrder.replay(streams[order_id]) != order:
            yield Violation("replay differs", order.intent.signal_id)


def _nothing_lost(environment: Environment, events: list[RecordedEvent]) -> Iterator[Violation]:
    """Each message that the source may forget is an order, or a dead letter."""
    streams = {item.stream_id for item in events}
    for message in environment.feed.delivered[: environment.feed.acknowledged]:
        if any(dead_letter_id(message.source, message.offset, message.raw, is_passing=kind) in streams for kind in (False, True)):
            continue
        order = None
        with suppress(UnusableSignal, InvalidInput):
            signal = Signal.parse(message.raw)
            key = SignalKey(NAMESPACE, signal.account_id or ACCOUNT, signal.signal_id)
            order = environment.auditor.order_of(key.client_order_id)
        if order is None:
            yield Violation("a signal was lost", f"message {message.offset}: {message.raw.decode()}")
        elif order.status.value == "REJECTED" and not order.error_message:
            yield Violation("refused without a reason", order.intent.signal_id)


def _beyond_zero(environment: Environment) -> Iterator[Violation]:
    """What says CLOSE never could go there; and nobody is short where that is not allowed, but for what the venue changed."""
    holdings = environment.auditor.holdings
    yield from (Violation("beyond zero", text) for text in holdings.beyond_zero)
    yield from (Violation("a leg too early", text) for text in holdings.legs)
    yield from (Violation("beyond its target", text) for text in holdings.beyond_target)
    yield from (Violation("an exit was refused for nothing", text) for text in holdings.refused_for_nothing)
    if environment.scenario.may_be_short:
        return
    for key in {holding_of(order) for order in holdings.orders.values()} - holdings.disturbed:
        if key[1] != FLATTEN and holdings.held(key) < 0:
            yield Violation("beyond zero", f"{key} is short of {-holdings.held(key)}, which is not allowed")


def _opened_by_exits(environment: Environment) -> Iterator[Violation]:
    """Where nobody may be short, nothing that we sell takes the account below zero at the venue: unless a person traded after the
    broker was asked, the broker did not answer, or the venue changed what was filled.
    """
    if environment.scenario.may_be_short:
        return
    auditor, by_hand_at = environment.auditor, dict[tuple[str, str], datetime]()
    held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    unsure = {(account, key) for account, _, key in auditor.holdings.disturbed}
    for order, trade in _tape(environment):
        place, side = (order.placed.account, order.placed.instrument), order.placed.side
        held[place] += side.signed(trade.quantity)
        if trade.kind is not TradeKind.FILL or trade.quantity > order.quantity:
            unsure.add(place)
        ours = auditor.order_of(order.placed.client_order_id)
        if ours is None:
            by_hand_at[place] = trade.at
        elif side is Side.SELL and held[place] < 0 and place not in unsure and not ours.position_unconfirmed:
            sent_at = environment.sent_at.get(ours.client_order_id)
            if sent_at is not None and place in by_hand_at and by_hand_at[place] < sent_at - OLDEST_FIGURE:
                yield Violation("an exit opened a position", f"{ours.intent.signal_id} left {held[place]} of {place} at the venue")


def _refused_for_nothing(environment: Environment) -> Iterator[Violation]:
    """Nobody else traded, and an exit was refused as if somebody had sold what it was to close."""
    if environment.scenario.may_be_short:
        return
    by_hand, unsure = _traded_by_hand(environment), {key for _, _, key in environment.auditor.holdings.disturbed}
    for order in environment.auditor.orders.values():
        key = order.intent.instrument.key
        if key not in by_hand and key not in unsure and "holds none of the" in (order.error_message or ""):
            yield Violation("an exit was refused for nothing", f"{order.intent.signal_id}: {order.error_message}")


def _given_up(environment: Environment) -> Iterator[Violation]:
    """For want of attempts, only after so many that left."""
    for order in environment.auditor.orders.values():
        calls = environment.auditor.calls_of(order)
        if order.reject_reason is RejectReason.RETRIES_EXHAUSTED and calls < RetryPolicy().attempts:
            yield Violation("slow was taken for broken", f"{order.intent.signal_id} was given up after {calls} calls")


def _halted(environment: Environment, events: list[RecordedEvent]) -> Iterator[Violation]:
    """For failures in a row, only where the broker failed so often in a row."""
    for item in events:
        if isinstance(item.event, TradingHalted) and item.event.reason is HaltReason.CIRCUIT_BREAKER:
            failures = environment.failures.most[item.event.scope.removeprefix(account_scope(""))]
            if failures < environment.scenario.breaker_failures:
                yield Violation(
                    "slow was taken for broken", f"{item.event.scope} was halted after {failures} failures of the broker"
                )


async def _told(environment: Environment, events: list[RecordedEvent]) -> AsyncIterator[Violation]:
    """Every confirmation that the log makes was received, the same whenever it was told, those of an order in order."""
    wanted = await _confirmations(events)
    received: dict[str, set[str]] = defaultdict(set)
    newest: dict[str, int] = defaultdict(int)
    for each in environment.receiver.received:
        order_id, version = each.message_id.split(":")
        if each.message_id not in received and int(version) < newest[order_id]:
            yield Violation("told out of order", each.message_id)
        newest[order_id] = max(newest[order_id], int(version))
        received[each.message_id].add(_text(each))
    for message_id, text in wanted.items():
        if received.get(message_id, set()) != {text}:
            yield Violation("not told" if message_id not in received else "told differently", message_id)
    for message_id in received.keys() - wanted.keys():
        yield Violation("told what is not so", message_id)


async def _confirmations(events: list[RecordedEvent]) -> dict[str, str]:
    known, receiver = KnownOrders(), Receiver(Trace(lambda: 0.0))
    outlet = Confirmations(receiver, RememberedLog())
    for item in events:
        changes = known.advance(streams_of([item]))
        outlet.consider(item, changes[0] if changes else None)
    await outlet.deliver()
    return {each.message_id: _text(each) for each in receiver.received}


def _text(confirmation: Confirmation) -> str:
    return json.dumps(confirmation.view.to_dict(), sort_keys=True, default=str)
