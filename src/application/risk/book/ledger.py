"""The risk table's own arithmetic: entries folded into rows, inside the commit that causes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.risk.book.booking import booked
from liveorder.application.risk.book.entries import FEE_DUE, FEE_TAKEN, FILL, TAKE_BACK, TRADE
from liveorder.application.risk.book.rows import FEES_DUE, POSITION, SessionDay, day_key, fees_key, position_key
from liveorder.domain.fees_in_kind import Bought, FeesDue
from liveorder.domain.instrument import Instrument
from liveorder.domain.position import Position, shown
from liveorder.domain.values import ZERO

RESULT_DECIMALS = 18
"""To which a realised result is rounded for the day's sum: after less before, each rounded, so that errors do not add up."""

_Place: TypeAlias = tuple[str, str]
_Figure: TypeAlias = Position | SessionDay | FeesDue


class AccountLedger:
    """The `Ledger` of accounts. Used by the store's writer alone; figures are immutable, so a staging cannot touch what is kept."""

    def __init__(self) -> None:
        self._kept: dict[_Place, _Figure | str] = {}
        self._staged: dict[_Place, tuple[str, _Figure]] = {}
        self._apply = {
            FILL: self._book,
            TAKE_BACK: self._book,
            TRADE: self._count,
            FEE_DUE: self._owe,
            FEE_TAKEN: self._settle,
        }

    def load(self, rows: Sequence[LedgerRow]) -> None:
        """Start from stored rows; each is read when it is first needed."""
        self._kept = {(row.account_id, row.key): row.state for row in rows}
        self._staged = {}

    def stage(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        """The rows as they stand after the entries, those that changed. Nothing is kept yet."""
        draft: dict[_Place, _Figure] = {}
        for entry in entries:
            self._apply[entry.kind](draft, entry)
        self._staged = {place: (figure.to_json(), figure) for place, figure in draft.items()}
        return tuple(LedgerRow(*place, text) for place, (text, _) in self._staged.items())

    def keep(self, rows: Sequence[LedgerRow]) -> None:
        """These rows are durable; the next `stage` starts from them."""
        for row in rows:
            place = (row.account_id, row.key)
            text, figure = self._staged.get(place, ("", None))
            self._kept[place] = figure if figure is not None and text == row.state else row.state
        self._staged = {}

    def rows(self) -> tuple[LedgerRow, ...]:
        """All that is kept, for a `RiskBook` to begin with."""
        kept = self._kept.items()
        return tuple(LedgerRow(*place, figure if isinstance(figure, str) else figure.to_json()) for place, figure in kept)

    def _count(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place = (entry.account_id, day_key(entry.key))
        draft[place] = self._day(draft, place).with_trade()

    def _book(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, day = (entry.account_id, position_key(entry.key)), (entry.account_id, day_key(entry.values["session"]))
        before = self._position(draft, place, entry)
        after = booked(before, entry)
        draft[place] = after
        for currency, result in _results(before, after):
            draft[day] = self._day(draft, day).with_result(currency, result)

    def _owe(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, fees_key(entry.key)), entry.values
        known = self._figure(draft, place)
        due = known if isinstance(known, FeesDue) else FeesDue(Instrument.model_validate_json(values["instrument"]))
        figures = (Decimal(values[name]) for name in ("quantity", "value", "most"))
        draft[place] = due.with_fill(Bought(date.fromisoformat(values["session"]), values["strategy_name"], *figures))

    def _settle(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, fees_key(entry.key)), entry.values
        due = self._figure(draft, place)
        if isinstance(due, FeesDue):
            session, units = date.fromisoformat(values["session"]), Decimal(values["units"])
            draft[place] = due.with_fee(session, values["strategy_name"], units)

    def _position(self, draft: dict[_Place, _Figure], place: _Place, entry: LedgerEntry) -> Position:
        """As it stands; by the multiplier of this entry where that knows the unit of prices, which earlier versions did not."""
        figure, multiplier = self._figure(draft, place), Decimal(entry.values["multiplier"])
        if not isinstance(figure, Position):
            return Position.flat(entry.values["currency"], multiplier)
        return figure.with_multiplier(multiplier) if "price_magnifier" in entry.values else figure

    def _day(self, draft: dict[_Place, _Figure], place: _Place) -> SessionDay:
        figure = self._figure(draft, place)
        return figure if isinstance(figure, SessionDay) else SessionDay()

    def _figure(self, draft: dict[_Place, _Figure], place: _Place) -> _Figure | None:
        if (drafted := draft.get(place)) is not None:
            return drafted
        kept = self._kept.get(place)
        if isinstance(kept, str):
            kept = self._kept[place] = _read(place, kept)
        return kept


def _results(before: Position, after: Position) -> Iterator[tuple[str, Decimal]]:
    """What was earned in the position's currency, and what was paid in others."""
    yield after.currency, shown(after.realized_net, RESULT_DECIMALS) - shown(before.realized_net, RESULT_DECIMALS)
    for currency in {**before.other_commissions, **after.other_commissions}:
        yield currency, before.other_commissions.get(currency, ZERO) - after.other_commissions.get(currency, ZERO)


def _read(place: _Place, text: str) -> _Figure:
    if place[1].startswith(FEES_DUE):
        return FeesDue.from_json(text)
    return Position.from_json(text) if place[1].startswith(POSITION) else SessionDay.from_json(text)
