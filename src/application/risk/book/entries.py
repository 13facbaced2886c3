"""What a step of an order does to its account's figures, as the entries that are committed with the step."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from types import MappingProxyType

from liveorder.application.ports.order_store import LedgerEntry
from liveorder.application.risk.book.rows import position_key
from liveorder.domain.fees_in_kind import largest_fee
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import OrderRequested, decimal_text
from liveorder.domain.order.executions import BookedExecution, Executions
from liveorder.domain.order.shares import OwnExecution, own_executions
from liveorder.domain.position_adjustment import PositionChange, PositionEvent, PositionTransferred
from liveorder.domain.position_booking import Owner, holding_key
from liveorder.domain.risk import likeness
from liveorder.domain.values import ZERO, Side, total

FILL = "fill"
"""Key: the position's. An execution as it counts now. `is_known`: an earlier commit reported a part of its chain, whose place it
has.
"""
TAKE_BACK = "take_back"
"""Key: the position's. A fill as it was booked, which no longer counts, or counts in other words."""
TRADE = "trade"
"""Key: the session date. One more order was attempted in it: whose, of what, like which, and when."""
FEE_DUE = "fee_due"
"""Key: the instrument's. A buy of which the broker may keep a part; negative figures where it was taken back."""
FEE_TAKEN = "fee_taken"
"""Key: the instrument's. So much of that was kept; what it does to the position is another entry."""
FEE_MOVED = "fee_moved"
"""Key: the instrument's. Units of which a fee may still be kept become another strategy's; before what it does to the positions."""
REBOOK = "rebook"
"""Key: the position's. All of it as the log has it up to the place `read_to`, in place of what is kept, unless that is newer."""
REBOOKED = "rebooked"
"""No key: all positions were booked from the log."""


def entries_between(
    before: LiveOrder | None,
    after: LiveOrder,
    session_date: date,
    fee_in_kind: Decimal = ZERO,
    places: Mapping[str, int] = MappingProxyType({}),
) -> tuple[LedgerEntry, ...]:
    """What changed from `before` to `after`: an entry for each execution that came, went or was corrected, one for a first attempt.

    A correction takes the old execution back and books the new one. `session_date` is the one that money earned now counts to; an
    attempt counts to the session that its event names. `fee_in_kind` is the part that the broker may keep of what is bought.
    `places`: of the execution ids, where they were reported: see `LedgerEntry.place`.
    """
    known = before.executions if before is not None else Executions.none()
    entries = [*_booked(known, after, session_date, places)]
    if fee_in_kind and after.terms.side is Side.BUY and _is_of_the_broker(after):
        bought = [each for each in _traded(known, after.executions) if not _pays_in_kind(after, each[1])]
        entries += [_due(after, kind, execution, session_date, fee_in_kind) for kind, execution in bought]
    if after.submission is not None and (before is None or before.submission is None):
        entries.append(LedgerEntry(after.intent.account_id, TRADE, after.submission.session_date.isoformat(), _sent(after)))
    return tuple(entries)


def _sent(order: LiveOrder) -> dict[str, str]:
    assert order.submitted_at is not None
    return {
        "strategy_name": order.intent.strategy_name,
        "instrument": order.intent.instrument.key,
        "likeness": likeness(order.terms),
        "order_id": str(order.order_id),
        "at": order.submitted_at.isoformat(),
    }


def _booked(before: Executions, after: LiveOrder, session: date, places: Mapping[str, int]) -> Iterator[LedgerEntry]:
    now, owner = after.executions, after.intent.strategy_name
    if now is before:
        return
    if _is_simple(before, now) and not after.intent.shares:
        for each in _newly_reported(before, now):
            yield _entry(after, FILL, OwnExecution(owner, each), (each.execution_id,), session, places)
        return
    was, counts = _own_by_id(after.intent, before), _own_by_id(after.intent, now)
    for key, own in was.items():
        if counts.get(key) != own:
            yield _entry(after, TAKE_BACK, own, (own.execution.execution_id,), session, places)
    known = before.names - places.keys()
    for key, own in counts.items():
        if was.get(key) != own:
            chain = now.chain_of(own.execution)
            yield _entry(after, FILL, own, chain, session, places, is_known=not known.isdisjoint(chain))


def _own_by_id(intent: OrderRequested, executions: Executions) -> dict[tuple[str, str], OwnExecution]:
    """By strategy and execution id."""
    counted, step = [*executions.effective()], intent.instrument.lot_size
    parts = own_executions(intent.strategy_name, intent.shares, executions, counted, step)
    return {(own.strategy_name, own.execution.execution_id): own for own in parts}


def _entry(
    order: LiveOrder,
    kind: str,
    own: OwnExecution,
    chain: Collection[str],
    session: date,
    places: Mapping[str, int],
    *,
    is_known: bool = False,
) -> LedgerEntry:
    intent, execution = order.intent, own.execution
    instrument, told_at = intent.instrument, order.last_update_at
    values = _terms(intent) | {
        "order_id": str(order.order_id),
        "name": execution.execution_id,
        "quantity": decimal_text(intent.terms.side.signed(execution.quantity)),
        "price": decimal_text(execution.price),
        "session": session.isoformat(),
        "told_at": told_at.isoformat() if told_at is not None else "",
    }
    if execution.commission is not None:
        values |= {"fee": decimal_text(execution.commission.amount), "fee_currency": execution.commission.currency}
        if execution.commission.currency == instrument.coin and instrument.coin != instrument.currency:
            values["is_in_kind"] = "1"
    if len(chain) > 1:
        values["chain"] = json.dumps(sorted(chain))
    if execution.at is not None:
        values["at"] = execution.at.isoformat()
    if intent.terms.product is not None:
        values["product"] = intent.terms.product.value
    if is_known:
        values["is_known"] = "1"
    place = min((places[name] for name in chain if name in places), default=0)
    return LedgerEntry(intent.account_id, kind, _key(intent, own.strategy_name), values, place)


def _key(owner: Owner, strategy_name: str) -> str:
    _, _, *contract = holding_key(owner)
    return position_key(strategy_name, *contract)


def _terms(owner: Owner) -> dict[str, str]:
    return {"currency": owner.instrument.currency, "multiplier": decimal_text(owner.instrument.multiplier)}


def entries_of(event: PositionEvent, session_date: date, told_at: datetime, place: int = 0) -> tuple[LedgerEntry, ...]:
    """What it does to the account's figures, without a trade: what is realised, and a fee in kind, count to the session."""
    changed = tuple(entry for change in event.changes() for entry in _changed(change, session_date, told_at, place))
    if not isinstance(event, PositionTransferred) or event.instrument.coin is None:
        return changed
    moved = {
        "session": session_date.isoformat(),
        "from": event.from_strategy,
        "to": event.to_strategy,
        "units": decimal_text(event.quantity),
        "giver": changed[0].key,
    }
    return (LedgerEntry(event.account_id, FEE_MOVED, event.instrument.key, moved, place), *changed)


def _changed(change: PositionChange, session_date: date, told_at: datetime, place: int) -> Iterator[LedgerEntry]:
    booked = _terms(change) | {
        "order_id": "",
        "name": "",
        "quantity": decimal_text(change.quantity),
        "price": decimal_text(change.price),
        "session": session_date.isoformat(),
        "told_at": told_at.isoformat(),
    }
    key, at = _key(change, change.strategy_name), {"at": change.effective_at.isoformat()}
    if change.product is not None:
        at["product"] = change.product.value
    if not change.fee:
        yield LedgerEntry(change.account_id, FILL, key, booked | at, place)
        return
    units = decimal_text(change.fee)
    paid = {"fee": units, "fee_currency": change.instrument.coin or "", "is_in_kind": "1"}
    yield LedgerEntry(change.account_id, FILL, key, booked | paid | at, place)
    taken = {"session": session_date.isoformat(), "strategy_name": change.strategy_name, "units": units}
    yield LedgerEntry(change.account_id, FEE_TAKEN, change.instrument.key, taken, place)


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
        "instrument": order.intent.instrument.to_json(),
    }
    return LedgerEntry(order.intent.account_id, FEE_DUE, order.intent.instrument.key, values)


def _is_simple(before: Executions, after: Executions) -> bool:
    """Whether fills came and nothing else, no commission before its fill either."""
    if not (before.is_plain and after.is_plain and after.charged is before.charged):
        return False
    return not after.charged or after.charged.keys().isdisjoint(each.execution_id for each in _newly_reported(before, after))


def _traded(before: Executions, after: Executions) -> Iterator[tuple[str, BookedExecution]]:
    """What was bought or sold more, or less. A split trades nothing, nor does a commission."""
    if after is before:
        return
    came = _newly_reported(before, after)
    if _explains(before, after, came):
        yield from ((FILL, execution) for execution in came)
        return
    was, now = _by_id(before), _by_id(after)
    restated = was if before.splits == after.splits else _by_id(before.in_units_of(after))
    stays = {key for key in was.keys() & restated.keys() & now.keys() if _is_same(restated[key], now[key])}
    yield from ((TAKE_BACK, execution) for key, execution in was.items() if key not in stays)
    yield from ((FILL, execution) for key, execution in now.items() if key not in stays)


def _newly_reported(before: Executions, after: Executions) -> list[BookedExecution]:
    """In the order in which they were reported."""
    fresh = islice(reversed(after.reported.values()), len(after.reported) - len(before.reported))
    return [*fresh][::-1]


def _explains(before: Executions, after: Executions, came: list[BookedExecution]) -> bool:
    """Whether new executions alone make the difference: nothing was taken back, corrected or inferred."""
    old, new = before.totals, after.totals
    return new.quantity == total([old.quantity, *(e.quantity for e in came)]) and new.value == total(
        [old.value, *(e.value for e in came)]
    )


def _by_id(executions: Executions) -> dict[str, BookedExecution]:
    return {execution.execution_id: execution for execution in executions.effective()}


def _is_same(was: BookedExecution, now: BookedExecution) -> bool:
    """`was` in the units of `now`, so that a split is no difference."""
    return (was.quantity, was.value) == (now.quantity, now.value)
