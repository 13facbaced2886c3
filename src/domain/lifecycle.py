"""The six statuses and every way between them, declared once and drawn from the declaration.

An order's status follows from four things alone (`condition`): what closed it if anything did, how much is filled, how much was
ordered, and whether it was ever sent. Each distinct condition is one trigger of the machine below; it has no guards, so the table
derived from it at import is the whole of the machine, and that table is what replay uses (a lookup; an instance is a thousand
times slower). Precedence is that of the FIX standard: wholly filled, cancelled, part filled, rejected, sent, intended.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from statemachine import State, StateMachine
from statemachine.graph import iterate_states_and_transitions
from statemachine.transition import Transition


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"

    is_closed: bool
    """Nothing more is expected. Not immutable: a fill, bust or correction that comes later is booked all the same."""

    def __init__(self, name: str) -> None:
        self.is_closed = name in ("FILLED", "REJECTED", "CANCELLED")


class Closing(StrEnum):
    """What ended the order, if anything did."""

    NONE = "NONE"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class OrderLifecycle(StateMachine):
    """One trigger for each condition an order can be in; `a.to(b)` says that an event can move the order so."""

    pending = State("PENDING", value=OrderStatus.PENDING, initial=True)
    submitted = State("SUBMITTED", value=OrderStatus.SUBMITTED)
    partial = State("PARTIAL", value=OrderStatus.PARTIAL)
    filled = State("FILLED", value=OrderStatus.FILLED)
    rejected = State("REJECTED", value=OrderStatus.REJECTED)
    cancelled = State("CANCELLED", value=OrderStatus.CANCELLED)

    intend = pending.to(pending) | partial.to(pending) | filled.to(pending)
    """Not sent, nothing filled. Back from filled: every fill of an order that we never sent was busted."""
    submit = pending.to(submitted) | submitted.to(submitted) | partial.to(submitted) | filled.to(submitted)
    """Sent, nothing filled, not closed. Back from filled: every fill was busted."""
    fill_in_part = pending.to(partial) | submitted.to(partial) | partial.to(partial) | filled.to(partial) | rejected.to(partial)
    """Some filled, not cancelled. From filled: a bust or a reopening replace. From rejected: the broker contradicts itself."""
    fill_in_whole = (
        pending.to(filled)
        | submitted.to(filled)
        | partial.to(filled)
        | filled.to(filled)
        | rejected.to(filled)
        | cancelled.to(filled)
    )
    """All filled, whatever was said before. From cancelled: the completing fill won the race."""
    cancel = (
        pending.to(cancelled) | submitted.to(cancelled) | partial.to(cancelled) | filled.to(cancelled) | cancelled.to(cancelled)
    )
    """Cancelled and not wholly filled. From filled: the completing fill of a cancelled order was busted."""
    reject = pending.to(rejected) | submitted.to(rejected) | partial.to(rejected) | filled.to(rejected) | rejected.to(rejected)
    """Rejected and nothing filled. From partial or filled: the fills of a rejected order were busted."""


def _table() -> dict[tuple[OrderStatus, str], OrderStatus]:
    rows: dict[tuple[OrderStatus, str], OrderStatus] = {}
    for item in iterate_states_and_transitions(OrderLifecycle.states):
        if isinstance(item, Transition) and item.target is not None:
            rows[item.source.value, item.event] = item.target.value
    return rows


TRANSITIONS: dict[tuple[OrderStatus, str], OrderStatus] = _table()
"""(status, trigger) → status, for every pair that can happen."""


def condition(closing: Closing, filled: Decimal, quantity: Decimal | None, is_sent: bool) -> str:
    """The trigger that names this condition. `quantity` is None while a cash order has not learned its own."""
    if quantity is not None and filled >= quantity and filled > 0:
        return "fill_in_whole"
    if closing is Closing.CANCELLED:
        return "cancel"
    if filled > 0:
        return "fill_in_part"
    if closing is Closing.REJECTED:
        return "reject"
    return "submit" if is_sent else "intend"


def next_status(status: OrderStatus, trigger: str) -> OrderStatus:
    """Where the trigger leads from `status`."""
    return TRANSITIONS[status, trigger]


def diagram() -> str:
    """The machine as Mermaid text, for the documentation."""
    return format(OrderLifecycle, "mermaid")
