"""How long an order may stand, in what time, and when a cancel for lateness is tried again. All in seconds.

Counted from the stored start of the submission, so that a restart neither forgets nor forgives the time before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason, OrderRequested
from liveorder.domain.values import OrderRole, TimeInForce

ASK_AGAIN_SECONDS = 30.0
"""A cancel for lateness that came to nothing is tried again after this, and then at intervals that double."""
LONGEST_WAIT_SECONDS = 1800.0
MAKING_WAY_SECONDS = 1.0
"""The same of a cancel that makes way for another order."""

OpenSeconds: TypeAlias = Callable[[datetime, datetime], float]
"""The session time between two moments."""


@dataclass(frozen=True, slots=True)
class TimeAllowed:
    """How long an order may stand."""

    seconds: float
    in_session: bool
    """Whether only the time counts in which its exchange trades in the order's hours; else all time does."""


def time_allowed(intent: OrderRequested, market_seconds: float, day_limit_seconds: float) -> TimeAllowed | None:
    """What the signal names, else what is usual for orders that meet the market, or rest for the day; None for no limit."""
    if intent.terms.timeout_seconds is not None:
        return TimeAllowed(intent.terms.timeout_seconds, in_session=False)
    traits, is_protective = intent.terms.order_type.traits, intent.terms.role not in (OrderRole.ENTRY, OrderRole.EXIT)
    if is_protective or intent.terms.time_in_force.is_for_an_auction:
        return None
    if traits.rests_at_its_limit:
        return TimeAllowed(day_limit_seconds, in_session=True) if intent.terms.time_in_force is TimeInForce.DAY else None
    return TimeAllowed(market_seconds, in_session=True) if traits.meets_the_market else None


def is_late(order: LiveOrder, allowed: TimeAllowed | None, now: datetime, open_seconds: OpenSeconds) -> bool:
    """Whether it stands longer than it may. One in doubt never is.

    `open_seconds` is asked only where all of the time would be enough.
    """
    since = order.submitted_at
    if allowed is None or since is None or order.status.is_closed or order.is_in_doubt or order.submission_is_open:
        return False
    is_over = (now - since).total_seconds() >= allowed.seconds
    return is_over and (not allowed.in_session or open_seconds(since, now) >= allowed.seconds)


def why_to_cancel(order: LiveOrder, allowed: TimeAllowed | None, now: datetime, open_seconds: OpenSeconds) -> CancelReason | None:
    """A wish of before the order reached the broker, once it is there; else its lateness. Not to make way: what it would make way
    for has it cancelled as long as that waits.
    """
    if order.cancel_wish not in (None, CancelReason.MADE_WAY) and order.is_at_broker:
        return order.cancel_wish
    return CancelReason.TIMED_OUT if is_late(order, allowed, now, open_seconds) else None


@dataclass(frozen=True, slots=True)
class LateCancel:
    """A cancel of ours, and when the next one may follow if it comes to nothing. By a counter: no corrected clock moves it."""

    wait_seconds: float
    not_before: float

    @classmethod
    def due_after(cls, last: LateCancel | None, now: float, first_seconds: float = ASK_AGAIN_SECONDS) -> LateCancel | None:
        """The one that is tried now; None before the wait after the last one is over. `now`: seconds by the counter."""
        if last is not None and now < last.not_before:
            return None
        seconds = first_seconds if last is None else min(last.wait_seconds * 2, LONGEST_WAIT_SECONDS)
        return cls(seconds, now + seconds)
