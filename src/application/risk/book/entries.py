"""What a step of an order does to its account's figures, as the entries that are committed with the step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import reduce
from itertools import islice

from liveorder.application.ports.order_store import LedgerEntry
from liveorder.domain.fees_in_kind import largest_fee
from liveorder.domain.instrument import Instrument
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.executions import BookedExecution, Executions
from liveorder.domain.order.facts import decimal_text
from liveorder.domain.position_adjustment import AdjustmentReason, PositionAdjusted
from liveorder.domain.values import ZERO, Money, Side, total, with_money

FILL = "fill"
"""Key: the instrument's. Units traded, or with none of them a commission that was told late. A commission in another currency than
the instrument's goes under `other_commission` and `other_currency`, one in the coin that was bought under `in_kind`.
"""
TAKE_BACK = "take_back"
"""Key: the instrument's. A fill that was booked, in the same words, and no longer counts."""
TRADE = "trade"
"""Key: the session date. One more order was attempted in it."""
FEE_DUE = "fee_due"
"""Key: the instrument's. A buy of which the broker may keep a part; negative figures where it was taken back."""
FEE_TAKEN = "fee_taken"
"""Key: the instrument's. So much of that was kept; what it does to the position is another entry."""


def entries_between(
    before: LiveOrder | None, after: LiveOrder, session_date: date, fee_in_kind: Decimal = ZERO
) -> tuple[LedgerEntry, ...]:
    """What changed from `before` to `after`: an entry for each execution that came, went or was corrected, one for a first attempt.

    A correction takes the old execution back and books the new one. An order restated for a split traded nothing; the position's
    own split is for reconciliation. `session_date` is the one that money earned now counts to; an attempt counts to the session
    that its fact names. `fee_in_kind` is the part that the broker may keep of what is bought.
    """
    known = before.executions if before is not None else Executions.none()
    changes = [*_changes(known, after.executions)]
    entries = [_traded(after, kind, execution, session_date) for kind, execution in changes]
    if fee_in_kind and after.intent.side is Side.BUY and _is_of_the_broker(after):
        bought = [(kind, execution) for kind, execution in changes if not _pays_in_kind(after, execution)]
        entries += [_due(after, kind, execution, session_date, fee_in_kind) for kind, execution in bought]
    if after.submission is not None and (before is None or before.submission is None):
        entries.append(LedgerEntry(after.intent.account_id, TRADE, after.submission.session_date.isoformat(), {}))
    return tuple(entries)


def _traded(order: LiveOrder, kind: str, execution: BookedExecution, session_date: date) -> LedgerEntry:
    """Quantity and value (Σ quantity × price, without multiplier) are negative for a sale. A magnifier of 1 may be one that an
    earlier version did not know of, and is not named.
    """
    instrument, side = order.intent.instrument, order.intent.side
    at = execution.at or order.last_update_at
    values = {
        "quantity": decimal_text(side.signed(execution.quantity)),
        "value": decimal_text(side.signed(execution.value)),
        "commission": "0",
        "multiplier": decimal_text(instrument.multiplier),
        "currency": instrument.currency,
        "session": session_date.isoformat(),
        "at": at.isoformat() if at is not None else "",
    }
    if instrument.price_magnifier != 1:
        values["price_magnifier"] = decimal_text(instrument.price_magnifier)
    return LedgerEntry(order.intent.account_id, kind, instrument.key, values | _charged(instrument, execution))


def entries_of(adjusted: PositionAdjusted, session_date: date) -> tuple[LedgerEntry, ...]:
    """What it does to the account's figures: a fee in kind is no trade, and a loss of the session."""
    assert adjusted.reason is AdjustmentReason.FEE_IN_KIND  # another reason costs something else
    instrument, units = adjusted.instrument, decimal_text(-adjusted.quantity)
    paid = {
        "quantity": "0",
        "value": "0",
        "commission": "0",
        "in_kind": units,
        "price": decimal_text(adjusted.price),
        "multiplier": decimal_text(instrument.multiplier),
        "currency": instrument.currency,
        "session": session_date.isoformat(),
        "at": adjusted.effective_at.isoformat(),
    }
    taken = {"session": session_date.isoformat(), "strategy_name": adjusted.strategy_name, "units": units}
    kinds = {FILL: paid, FEE_TAKEN: taken}
    return tuple(LedgerEntry(adjusted.account_id, kind, instrument.key, values) for kind, values in kinds.items())


def _is_of_the_broker(order: LiveOrder) -> bool:
    """A position that a person took over is as it was found, fees and all."""
    return order.submission is not None or order.broker_order_id is not None


def _pays_in_kind(order: LiveOrder, execution: BookedExecution) -> bool:
    """Whether the fee came with the fill, so that none is due."""
    return execution.commission is not None and execution.commission.currency == order.intent.instrument.coin


def _due(order: LiveOrder, kind: str, execution: BookedExecution, session_date: date, fee_in_kind: Decimal) -> LedgerEntry:
    signed = Decimal.copy_negate if kind == TAKE_BACK else Decimal
    values = {
        "session": session_date.isoformat(),
        "strategy_name": order.intent.strategy_name,
        "quantity": decimal_text(signed(execution.quantity)),
        "value": decimal_text(signed(execution.value)),
        "most": decimal_text(signed(largest_fee(execution.quantity, fee_in_kind))),
        "instrument": order.intent.instrument.model_dump_json(),
    }
    return LedgerEntry(order.intent.account_id, FEE_DUE, order.intent.instrument.key, values)


def _charged(instrument: Instrument, execution: BookedExecution) -> dict[str, str]:
    match execution.commission:
        case None:
            return {}
        case amount, currency if currency == instrument.currency:
            return {"commission": decimal_text(amount)}
        case amount, currency if currency == instrument.coin:
            return {"in_kind": decimal_text(amount), "price": decimal_text(execution.price)}
        case amount, currency:
            return {"other_commission": decimal_text(amount), "other_currency": currency}


def _changes(before: Executions, after: Executions) -> Iterator[tuple[str, BookedExecution]]:
    if after is before:
        return
    came = _newly_told(before, after)
    if _explains(before, after, came):
        yield from ((FILL, execution) for execution in came)
    else:
        yield from _differences(before, after)


def _newly_told(before: Executions, after: Executions) -> list[BookedExecution]:
    """In the order in which they were told."""
    fresh = islice(reversed(after.told.values()), len(after.told) - len(before.told))
    return [*fresh][::-1]


def _explains(before: Executions, after: Executions, came: list[BookedExecution]) -> bool:
    """Whether new executions alone make the difference: nothing was taken back, corrected, inferred or charged."""
    old, new = before.totals, after.totals
    return (
        new.quantity == total([old.quantity, *(e.quantity for e in came)])
        and new.value == total([old.value, *(e.value for e in came)])
        and new.commissions == reduce(with_money, (e.commission for e in came), old.commissions)
    )


def _differences(before: Executions, after: Executions) -> Iterator[tuple[str, BookedExecution]]:
    """One by one: what is there no longer, what is new, and what stays with another commission."""
    was, now = _by_id(before), _by_id(after)
    restated = was if before.splits == after.splits else _by_id(before.in_units_of(after))
    stays = {key for key in was.keys() & restated.keys() & now.keys() if _is_same(restated[key], now[key])}
    yield from ((TAKE_BACK, execution) for key, execution in was.items() if key not in stays)
    yield from ((FILL, execution) for key, execution in now.items() if key not in stays)
    for key in (key for key in now if key in stays):
        for charge in _charges_between(was[key].commission, now[key].commission):
            yield FILL, BookedExecution(key, ZERO, now[key].price, ZERO, charge, now[key].at)


def _charges_between(was: Money | None, now: Money | None) -> Iterator[Money]:
    """One where the currency is the same, the old given back and the new charged where it is not."""
    due = with_money(with_money({}, None if was is None else -was), now)
    return (Money(amount, currency) for currency, amount in due.items())


def _by_id(executions: Executions) -> dict[str, BookedExecution]:
    return {execution.execution_id: execution for execution in executions.effective()}


def _is_same(was: BookedExecution, now: BookedExecution) -> bool:
    """`was` in the units of `now`, so that a split is no difference."""
    return (was.quantity, was.value) == (now.quantity, now.value)
