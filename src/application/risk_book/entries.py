"""What a step of an order does to its account's figures, as the entries that are committed with the step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

from liveorder.application.ports.order_store import LedgerEntry
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution, Executions
from liveorder.domain.order.facts import decimal_text
from liveorder.domain.values import ZERO, total

FILL = "fill"
"""Key: the instrument's. Something was traded, or taken back, or charged for."""
TRADE = "trade"
"""Key: the session date. One more order was attempted in it."""


def entries_between(before: LiveOrder | None, after: LiveOrder, session_date: date) -> tuple[LedgerEntry, ...]:
    """What changed from `before` to `after`: an entry for each execution that came, went or was corrected, one for a first attempt.

    An execution that no longer counts is taken back at its own price, and a correction booked anew at its own: so the open cost
    comes out right while the position is open, and the realised result once it is closed. An order restated for a split traded
    nothing; the position's own split is for reconciliation.

    `session_date` is the one that money earned now counts to; an attempt counts to the session that its fact names.
    """
    known = before.executions if before is not None else Executions.none()
    entries = [_fill_entry(after, execution, sign, session_date) for execution, sign in _changes(known, after.executions)]
    if after.submission is not None and (before is None or before.submission is None):
        entries.append(LedgerEntry(after.intent.account_id, TRADE, after.submission.session_date.isoformat(), {}))
    return tuple(entries)


def _fill_entry(order: LiveOrder, execution: BookedExecution, sign: int, session_date: date) -> LedgerEntry:
    """`sign` is -1 for what is taken back. Quantity and value (Σ quantity × price) are negative for a sale."""
    instrument, signed = order.intent.instrument, order.intent.side.sign * sign
    at = execution.at or order.last_update_at
    values = {
        "quantity": decimal_text(execution.quantity * signed),
        "value": decimal_text(execution.value * signed),
        "commission": decimal_text((execution.commission or ZERO) * sign),
        "multiplier": decimal_text(instrument.multiplier),
        "currency": instrument.currency,
        "session": session_date.isoformat(),
        "at": at.isoformat() if at is not None else "",
    }
    return LedgerEntry(order.intent.account_id, FILL, instrument.key, values)


def _changes(before: Executions, after: Executions) -> Iterator[tuple[BookedExecution, int]]:
    if after is before:
        return
    came = _newly_told(before, after)
    if _explains(before, after, came):
        yield from ((execution, 1) for execution in came)
        return
    was = {execution.execution_id: execution for execution in before.effective()}
    now = {execution.execution_id: execution for execution in after.effective()}
    yield from ((execution, -1) for key, execution in was.items() if not _is_same(execution, now.get(key)))
    yield from ((execution, 1) for key, execution in now.items() if not _is_same(execution, was.get(key)))


def _newly_told(before: Executions, after: Executions) -> list[BookedExecution]:
    """In the order in which they were told."""
    fresh = islice(reversed(after.told.values()), len(after.told) - len(before.told))
    return [*fresh][::-1]


def _explains(before: Executions, after: Executions, came: list[BookedExecution]) -> bool:
    """Whether new executions alone make the difference: nothing was taken back, corrected, inferred or charged."""
    old, new = before.totals, after.totals
    return (
        new.quantity == old.quantity + total(e.quantity for e in came)
        and new.value == old.value + total(e.value for e in came)
        and new.commission == old.commission + total(e.commission or ZERO for e in came)
    )


def _is_same(execution: BookedExecution, other: BookedExecution | None) -> bool:
    """The same money; a split changes units and leaves it."""
    return other is not None and (execution.value, execution.commission or ZERO) == (other.value, other.commission or ZERO)
