"""Which signals wait before they are judged: for what, until when, and when the wait is over.

An exit that meets an entry of its own strategy which is open, or in doubt, waits for the end of that: what there is to close is not
known before. It also waits for resting exits of its strategy that make room for it. It waits for as long as that takes; nothing but
its own `valid_until` ends it. A plain sale of what is not all bought yet has nothing cancelled, and waits no longer than a signal
may be old, or a day. So does what adds risk in an instrument in which an order is in doubt.

A wait is a stored event of its order, so that a restart neither forgets it nor begins it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import WAITS_FOR_ORDERS, WaitBegan, WaitReason
from liveorder.domain.order.terms import OrderTerms
from liveorder.domain.own_exits import GUARDS
from liveorder.domain.risk import Stake
from liveorder.domain.risk.switches import LATEST_EXIT
from liveorder.domain.values import PositionEffect, Side

AGELESS = frozenset({*WAITS_FOR_ORDERS, WaitReason.DOUBT})
"""A signal that waits for orders gets no older: its age counts from their end. It has to be young enough when it comes."""
YOUNG_AFTER = AGELESS | {WaitReason.OPEN}
"""The age of a signal counts from the end of such a wait. Not of one for the doubts of others: prices move meanwhile."""


class Obstacles(NamedTuple):
    """What stands in the way at a moment, of what passes by itself."""

    now: datetime
    opens_at: datetime | None = None
    """When its market opens, if that is closed and the signal asked to wait for it."""
    is_unreachable: bool = False
    """Its broker cannot be reached, and nothing else stops the account."""
    entries: tuple[UUID, ...] = ()
    """Of an order that closes: its strategy's orders that may still open or enlarge the position, in doubt or not."""
    others: tuple[UUID, ...] = ()
    """Its strategy's own orders that make way for it: exits, or of a target whatever leads away from it."""
    needs_leg: bool = False
    """It is the closing leg of a reversal, whose opening leg has to be stored before it leaves."""
    doubts: tuple[UUID, ...] = ()
    """Its strategy's own orders of which it has to be known what became of them, before it can be sized."""


def wait_for(obstacles: Obstacles, signal: str, terms: OrderTerms, oldest_seconds: float | None) -> WaitBegan | None:
    """The wait that begins: for orders before the open before the connection; None: the order is judged now.

    `oldest_seconds`: how old a signal may be when it is judged, counted from the open where it waits for that; None: any age.
    An order that takes a position off may be a day late.
    """
    longest = _longest(terms, oldest_seconds)
    is_to_wait_longer = obstacles.opens_at is not None or obstacles.is_unreachable
    others = () if is_to_wait_longer else obstacles.others  # nothing is left without its exit for longer than it takes
    if obstacles.needs_leg and not is_to_wait_longer and not others and not obstacles.entries:
        message, reason = "for its second leg, which opens the other side, to be stored", WaitReason.ORDERS
        return WaitBegan(reason=reason, signal=signal, message=message, until=terms.stale_after)
    if orders := (*obstacles.entries, *others):
        reason, what = (WaitReason.ORDERS, "orders") if others else (WaitReason.ENTRY, "entries")
        message = f"for {what} of its strategy to end: {', '.join(map(str, orders))}"
        until = terms.stale_after
        if terms.position_effect is None and reason is WaitReason.ENTRY:  # it has nothing cancelled: the wait may be long
            until = _earliest(until, _after(terms.signal_at or obstacles.now, longest or LATEST_EXIT))
        return WaitBegan(reason=reason, signal=signal, message=message, until=until, orders=orders)
    if obstacles.doubts:
        message = f"for what became of orders of its strategy: {', '.join(map(str, obstacles.doubts))}"
        reason = WaitReason.DOUBT
        return WaitBegan(reason=reason, signal=signal, message=message, until=terms.stale_after, orders=obstacles.doubts)
    if obstacles.opens_at is not None:
        until = _earliest(terms.stale_after, _after(obstacles.opens_at, longest))
        message = f"for the open of its market at {obstacles.opens_at.isoformat()}"
        return WaitBegan(reason=WaitReason.OPEN, signal=signal, message=message, until=until)
    if not obstacles.is_unreachable:
        return None
    until = _earliest(terms.stale_after, _after(terms.signal_at or obstacles.now, longest))
    if until is not None and until <= obstacles.now:
        return None
    message = "for its broker to be reached again"
    return WaitBegan(reason=WaitReason.CONNECTION, signal=signal, message=message, until=until)


def wait_for_doubts(
    doubts: tuple[UUID, ...], symbol: str, now: datetime, signal: str, terms: OrderTerms, oldest_seconds: float | None
) -> WaitBegan | None:
    """The wait of an order that adds risk, for what became of these orders of any strategy; None: its signal may be no older.

    What asks whether they arrived does so within seconds after a start that followed a kill; a person may be needed for others.
    """
    until = _earliest(terms.stale_after, _after(terms.signal_at or now, _longest(terms, oldest_seconds)))
    if until is not None and until <= now:
        return None
    message = f"for what became of orders in {symbol}: {', '.join(map(str, doubts))}"
    return WaitBegan(reason=WaitReason.BESIDE_DOUBT, signal=signal, message=message, until=until, orders=doubts)


def cancels_entries(reason: WaitReason, waiting: OrderTerms, own: Stake, side: Side | None, *, exit_cancels_entry: bool) -> bool:
    """Whether an order has the entries cancelled that it waits for: unless a setting says no. `own`: what its strategy has; `side`:
    as its signal names it.

    Not what guards a position or is a plain sale: that waits until they have filled. Nor an exit on the side that adds to what is
    held, as long as it is: what it is to close is what they may turn that into.
    """
    if reason is WaitReason.ORDERS:
        return exit_cancels_entry
    adds = side is not None and own.closing_side is side.opposite
    return exit_cancels_entry and not (adds or waiting.position_effect is None or waiting.role in GUARDS)


def meets_the_market(reason: WaitReason, waiting: OrderTerms, own: Stake, side: Side | None, *, exit_cancels_entry: bool) -> bool:
    """Whether others are cancelled for an order at once: it goes out when they are over, to the market as it is now."""
    if reason is WaitReason.ENTRY:
        return cancels_entries(reason, waiting, own, side, exit_cancels_entry=exit_cancels_entry)
    return reason is WaitReason.ORDERS


def to_cancel(
    reason: WaitReason,
    waiting: OrderTerms,
    awaited: Sequence[LiveOrder],
    own: Stake,
    side: Side | None,
    *,
    exit_cancels_entry: bool,
) -> Sequence[LiveOrder]:
    """Which of the orders that an order waits for are to be cancelled for it now: entries as `cancels_entries` says, exits always.

    Exits guard the position until it is known how much there is to close, so entries go first, and what waits unsent on the side of
    the one that waits. What leads away from a target goes at once; where entries stay, of that only what an older target placed.
    """
    unsent = [each for each in awaited if each.is_waiting and each.terms.side is waiting.side]
    sent = [each for each in awaited if each not in unsent]
    entries = [each for each in sent if reason is WaitReason.ENTRY or _enters(each, waiting, own)]
    if entries and not cancels_entries(reason, waiting, own, side, exit_cancels_entry=exit_cancels_entry):
        return [each for each in awaited if _is_of_older_target(each)] if waiting.has_target else unsent
    return awaited if waiting.has_target else [*unsent, *entries] or awaited


def _enters(order: LiveOrder, waiting: OrderTerms, own: Stake) -> bool:
    """Whether an order that is in the way of another may open or enlarge a position; none that an older target placed."""
    if not waiting.has_target:
        return order.terms.side is not waiting.side
    return not (order.terms.is_exit or order.terms.side is own.closing_side or _is_of_older_target(order))


def _is_of_older_target(order: LiveOrder) -> bool:
    return order.terms.has_target or (order.wait is not None and order.wait.reason is WaitReason.LEG)


def is_spared_by_a_kill(waiting: OrderTerms) -> bool:
    """What guards a position is left in place by a kill. One that waits gets its chance once the kill has ended its entry."""
    return waiting.role in GUARDS and waiting.position_effect is PositionEffect.CLOSE


def has_lapsed(wait: WaitBegan, now: datetime) -> bool:
    return wait.until is not None and now > wait.until


def is_over(wait: WaitBegan, obstacles: Obstacles) -> bool:
    """Whether what is waited for came. Something else may stand in the way by now."""
    if wait.reason in WAITS_FOR_ORDERS or wait.reason is WaitReason.LEG:
        return not obstacles.others
    if wait.reason in (WaitReason.DOUBT, WaitReason.BESIDE_DOUBT):
        return not obstacles.doubts
    if wait.reason is WaitReason.OPEN:
        return obstacles.opens_at is None
    return not obstacles.is_unreachable


def _longest(terms: OrderTerms, oldest_seconds: float | None) -> timedelta | None:
    if oldest_seconds is None:
        return None
    allowed = timedelta(seconds=oldest_seconds)
    return max(allowed, LATEST_EXIT) if terms.is_exit else allowed


def _after(moment: datetime, longest: timedelta | None) -> datetime | None:
    return None if longest is None else moment + longest


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)
