"""What is held, and the fills and adjustments that made it: booked in the order of the log, from the first that changed."""

from __future__ import annotations

from ast import literal_eval
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from liveorder.application.reporting.columns import Column
from liveorder.application.reporting.figures import fees, moment, number, price, result
from liveorder.application.reporting.projections.draft import RowChanges
from liveorder.application.reporting.projections.fills import FILLS, FillChange, FillRow, change_of, fill_changes
from liveorder.application.reporting.projections.read_model import BY_ACCOUNT, BY_STRATEGY, BY_SYMBOL, Batch, Filter, ReadModel
from liveorder.application.reporting.projections.shapes import Key
from liveorder.application.reporting.views import AccountPositionView, PositionView, account_position_view, position_view
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.position import PositionStatus
from liveorder.domain.position_adjustment import PositionEvent
from liveorder.domain.position_booking import Holding, HoldingKey, Owner, Whose, nothing, summed


class PositionRow(NamedTuple):
    holding: str
    account_id: str
    strategy_name: str
    symbol: str
    exchange: str
    instrument: str
    status: str
    last_booked: int
    """Place in the log of its newest fill that counts."""
    opened: int
    """Of the fill with which it last left zero: the fills from there on name its orders."""
    state: str

    def view(self, order_ids: tuple[UUID, ...]) -> PositionView:
        """`order_ids`: the orders whose fills made it since `opened`."""
        return position_view(
            Holding.from_text(self.state).position,
            account_id=self.account_id,
            strategy_name=self.strategy_name,
            symbol=self.symbol,
            exchange=self.exchange,
            instrument=self.instrument,
            order_ids=order_ids,
        )


def _project(batch: Batch, draft: RowChanges) -> None:
    owners: dict[str, Owner] = {}
    changed: dict[str, list[FillChange]] = {}
    for owner, change in _changes(batch):
        owners[change.holding] = owner
        changed.setdefault(change.holding, []).append(change)
    for key, changes in changed.items():
        _rebook(key, owners[key], changes, draft)


def _changes(batch: Batch) -> Iterator[tuple[Owner, FillChange]]:
    for order in batch.orders:
        intent = order.after.intent
        for change in fill_changes(order):
            yield _owner(intent, change), change
    for item in batch.events:
        if isinstance(item.event, PositionEvent):
            for changed in item.event.changes():
                yield changed, change_of(item, changed)


def _owner(intent: OrderRequested, change: FillChange) -> Owner:
    if not intent.shares:
        return intent
    row = change.new or change.old
    assert row is not None
    return Whose(intent.account_id, row.strategy_name, intent.instrument)


def _rebook(key: str, owner: Owner, changes: Sequence[FillChange], draft: RowChanges) -> None:
    """Book what changed, and anew all that comes after the first of it."""
    start = min(change.booked for change in changes)
    holding, stored = _stood_at(start, key, owner, draft)
    old = {FILLS.key_of(fill): fill for fill in stored}
    for fill in sorted(_wanted(old, changes), key=lambda fill: fill.booked):
        new, holding = fill.booked_on(holding)
        draft.replace(FILLS, old.pop(FILLS.key_of(new), None), new)
    for gone in old.values():
        draft.replace(FILLS, gone, None)
    if holding.last:
        draft.put(POSITIONS, _row(key, owner, holding))
    else:
        draft.remove(POSITIONS, (key,))


def _stood_at(start: int, key: str, owner: Owner, draft: RowChanges) -> tuple[Holding, list[FillRow]]:
    """The holding before place `start` of the log, and the stored fills from there on."""
    row = draft.find(POSITIONS, (key,))
    if row is None:
        return nothing(owner), []
    if start > row.last_booked:
        return Holding.from_text(row.state), []
    stored = draft.prior.rows_from(FILLS, ("holding", key), ("booked", start))
    return Holding.from_text(stored[0].before), stored


def _wanted(old: Mapping[Key, FillRow], changes: Sequence[FillChange]) -> Collection[FillRow]:
    """The fills as they count now. One that changed may have moved, to the place of what it turned out to correct."""
    gone = {FILLS.key_of(was) for _, _, was, _ in changes if was is not None}
    kept = {key: fill for key, fill in old.items() if key not in gone}
    return (kept | {FILLS.key_of(now): now for _, _, _, now in changes if now is not None}).values()


def _row(key: str, owner: Owner, holding: Holding) -> PositionRow:
    instrument = owner.instrument
    return PositionRow(
        key,
        owner.account_id,
        owner.strategy_name,
        instrument.symbol,
        instrument.exchange,
        instrument.key,
        holding.position.status.value,
        holding.last,
        holding.opened,
        holding.to_text(),
    )


def account_positions(rows: Iterable[PositionRow]) -> list[AccountPositionView]:
    """What each account holds of each contract, by the place of the newest fill; of the rows of all its strategies."""
    parts: defaultdict[HoldingKey, list[PositionRow]] = defaultdict(list)
    for row in rows:
        parts[HoldingKey(*literal_eval(row.holding))._replace(strategy_name="")].append(row)
    return [_account_row(each) for each in sorted(parts.values(), key=lambda each: max(row.last_booked for row in each))]


def _account_row(parts: Sequence[PositionRow]) -> AccountPositionView:
    held = {row.strategy_name: Holding.from_text(row.state).position for row in parts}
    position, first = summed(held.values()), parts[0]
    assert position is not None
    return account_position_view(
        position,
        account_id=first.account_id,
        symbol=first.symbol,
        exchange=first.exchange,
        instrument=first.instrument,
        strategies=tuple(sorted(name for name, each in held.items() if each.quantity)),
    )


ACCOUNT_COLUMNS: tuple[Column[AccountPositionView], ...] = (
    Column("Symbol", lambda held: held.symbol),
    Column("Side", lambda held: held.side.value),
    Column("Quantity", lambda held: number(held.quantity), justify="right"),
    Column("Average", lambda held: price(held.average_price), justify="right"),
    Column("Realized", lambda held: result(held.realized_pnl), justify="right"),
    Column("Fees", lambda held: fees(held.commission, held.other_commissions), rank=2, justify="right"),
    Column("Net", lambda held: result(held.realized_pnl_net), rank=1, justify="right"),
    Column("", lambda held: held.currency),
    Column("Account", lambda held: held.account_id, rank=1, tells=True),
    Column("Held by", lambda held: ", ".join(held.strategies), rank=3),
    Column("Since (UTC)", lambda held: moment(held.opened_at), rank=4),
    Column("Instrument", lambda held: held.instrument, rank=5),
)


POSITIONS = ReadModel(
    "positions",
    PositionRow,
    ("holding",),
    is_kept=True,
    about="List positions and what they earned.",
    project=_project,
    view=PositionView,
    shown=PositionRow.view,
    order=("last_booked",),
    filters=(
        BY_SYMBOL,
        BY_STRATEGY,
        BY_ACCOUNT,
        Filter("status", "--status", "Only with this status.", PositionStatus),
        Filter("is_open", "--open", "Only what is held now.", bool, "status", {True: "OPEN", False: "CLOSED"}),
    ),
    columns=(
        Column("Symbol", lambda held: held.symbol),
        Column("Side", lambda held: held.side.value),
        Column("Quantity", lambda held: number(held.quantity), justify="right"),
        Column("Average", lambda held: price(held.average_price), justify="right"),
        Column("Realized", lambda held: result(held.realized_pnl), justify="right"),
        Column("Fees", lambda held: fees(held.commission, held.other_commissions), rank=4, justify="right"),
        Column("Net", lambda held: result(held.realized_pnl_net), rank=3, justify="right"),
        Column("", lambda held: held.currency),
        Column("Account", lambda held: held.account_id, rank=2, tells=True),
        Column("Strategy", lambda held: held.strategy_name, rank=1, tells=True),
        Column("Since (UTC)", lambda held: moment(held.opened_at), rank=5),
        Column("Instrument", lambda held: held.instrument, rank=6),
    ),
)
