"""The words of an order's events: reasons, kinds of request, and errors that are ours."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


class RejectReason(StrEnum):
    """Why an order is REJECTED."""

    RISK = "RISK"
    INVALID = "INVALID"
    BROKER = "BROKER"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"


class CancelReason(StrEnum):
    """Why an order is CANCELLED."""

    REQUESTED = "REQUESTED"
    TIMED_OUT = "TIMED_OUT"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"
    BY_BROKER = "BY_BROKER"
    STALE = "STALE"
    HALTED = "HALTED"
    MADE_WAY = "MADE_WAY"
    """Another order of its strategy, which the event names, is to go out once this one has ended."""


class WaitReason(StrEnum):
    """What an order waits for before it is judged and sent."""

    ENTRY = "ENTRY"
    """That the entries which it meets, open or in doubt, have ended."""
    ORDERS = "ORDERS"
    """That orders of its strategy which are in the way have ended, exits among them."""
    LEG = "LEG"
    """That the order which closes is wholly filled, of one that is to open the other side after it."""
    DOUBT = "DOUBT"
    """That it is known what became of orders of its strategy."""
    BESIDE_DOUBT = "BESIDE_DOUBT"
    """That it is known what became of orders in its instrument, of any strategy, beside which it would add risk."""
    CONNECTION = "CONNECTION"
    """That its broker can be reached again."""
    OPEN = "OPEN"
    """That its market opens."""


WAITS_FOR_ORDERS = frozenset({WaitReason.ENTRY, WaitReason.ORDERS})


class RequestKind(StrEnum):
    SUBMIT = "SUBMIT"
    CANCEL = "CANCEL"
    REPLACE = "REPLACE"


STORE_RESTORED = "StoreRestored"
"""`OutcomeDoubted.error` of an order that was not sent, since the store may have forgotten that it was."""
RESTARTED, STOPPED, UNANSWERED = "Restarted", "Stopped", "Unanswered"
"""`OutcomeDoubted.error` of a request of which we do not know whether it left us at all."""
DOUBTS_OF_OURS = frozenset({STORE_RESTORED, RESTARTED, STOPPED, UNANSWERED})
NOT_BEGUN = "NotBegun"
"""As `SubmissionFailed.error`: nothing left, for a reason of ours. No attempt, and no failure of the broker."""


def decimal_text(value: Decimal) -> str:
    """A figure as it is stored among `Approved.figures` and shown: plain digits, no exponent."""
    return f"{value or value.copy_abs():f}"  # zero has no sign
