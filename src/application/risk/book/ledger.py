"""The risk table's own arithmetic: entries folded into rows, inside the commit that causes them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from liveorder.application.ports.order_store import LedgerEntry, LedgerRow
from liveorder.application.risk.book.entries import FEE_DUE, FEE_MOVED, FEE_TAKEN, FILL, REBOOK, REBOOKED, TAKE_BACK, TRADE
from liveorder.application.risk.book.kept_fills import A_WEEK, Keeping, KeptFill, KeptHolding
from liveorder.application.risk.book.rows import (
    DAY,
    FEES_DUE,
    FILLS,
    POSITION,
    TO_REBOOK,
    SessionDay,
    day_key,
    fees_key,
    holding_of,
    page_key,
    page_of,
)
from liveorder.application.risk.book.tallies import OF_NO_STRATEGY, TALLY, StrategyTally, tally_key
from liveorder.domain.fees_in_kind import Bought, FeesDue
from liveorder.domain.instrument import Instrument
from liveorder.domain.position import Position, shown
from liveorder.domain.position_booking import NOTHING, Holding, netted
from liveorder.domain.values import ZERO

RESULT_DECIMALS = 18
"""To which a realised result is rounded for the day's sum: after less before, each rounded, so that errors do not add up."""

_Place: TypeAlias = tuple[str, str]
_Figure: TypeAlias = KeptHolding | SessionDay | FeesDue | StrategyTally | str


class _Instrument(NamedTuple):
    account_id: str
    key: str
    currency: str


@dataclass(frozen=True, slots=True)
class _Counted:
    """What was counted already of the results in an instrument."""

    session: str
    """That what is earned from there on counts to."""
    netted: Fraction
    before: dict[_Place, Position]
    """The positions that change."""


class AccountLedger:
    """The `Ledger` of accounts. Used by the store's writer alone; figures are immutable, so a staging cannot touch what is kept."""

    def __init__(self, keeping: Keeping = A_WEEK) -> None:
        self._keeping = keeping
        self._unread: dict[_Place, str] = {}
        self._unread_pages: dict[_Place, dict[int, str]] = {}
        """By the place of their position, then by slot."""
        self._kept: dict[_Place, _Figure] = {}
        self._staged: dict[LedgerRow, _Figure | None] = {}
        self._places: dict[_Instrument, dict[_Place, None]] = {}
        """Of the positions in an instrument."""
        self._counted: dict[_Instrument, _Counted] = {}
        """Of what is staged."""
        self._apply = {
            FILL: self._book,
            TAKE_BACK: self._take_back,
            REBOOK: self._rebook,
            REBOOKED: self._note_rebooked,
            TRADE: self._count,
            FEE_DUE: self._owe,
            FEE_TAKEN: self._settle,
            FEE_MOVED: self._move_fee,
        }

    # --- a `Ledger` ------------------------------------------------------------------------------------------------------------

    def load(self, rows: Sequence[LedgerRow]) -> None:
        """Start from stored rows; each is read when it is first needed."""
        self._unread, self._unread_pages, self._kept, self._staged, self._places = {}, {}, {}, {}, {}
        for row in rows:
            if row.key.startswith(FILLS):
                key, slot = page_of(row.key)
                self._unread_pages.setdefault((row.account_id, key), {})[slot] = row.state
            else:
                self._unread[row.account_id, row.key] = row.state
            if row.key.startswith(POSITION):
                self._places.setdefault(_instrument(row), {})[row.account_id, row.key] = None

    def stage(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        """The rows as they stand after the entries, those that changed. Nothing is kept yet."""
        draft: dict[_Place, _Figure] = {}
        self._counted = {}
        for entry in entries:
            self._apply[entry.kind](draft, entry)
        for instrument in self._counted:
            self._count_results(draft, instrument)
        self._staged = {row: figure for place in draft for row, figure in self._rows_of(place, draft[place])}
        return tuple(self._staged)

    def keep(self, rows: Sequence[LedgerRow]) -> None:
        """These rows are durable; the next `stage` starts from them."""
        if all(row in self._staged for row in rows):
            self._kept |= {(row.account_id, row.key): each for row in rows if (each := self._staged[row]) is not None}
            self._staged = {}
        else:
            known = {(row.account_id, row.key): row for row in (*self.rows(), *rows)}
            self.load([*known.values()])

    def rows(self) -> tuple[LedgerRow, ...]:
        """All that is kept, for a `RiskBook` to begin with."""
        return tuple(self._all_rows())

    @property
    def is_to_rebook(self) -> bool:
        """Whether the positions are still to be booked from the log."""
        return bool(self._figure({}, ("", TO_REBOOK)))

    def held(self, account_id: str, key: str) -> KeptHolding | None:
        """Of the row `key` of a position."""
        figure = self._figure({}, (account_id, key))
        return figure if isinstance(figure, KeptHolding) else None

    def _all_rows(self) -> Iterator[LedgerRow]:
        for place, text in self._unread.items():
            yield LedgerRow(*place, text)
        for (account_id, key), pages in self._unread_pages.items():
            yield from (LedgerRow(account_id, page_key(key, slot), text) for slot, text in pages.items())
        for (account_id, key), figure in self._kept.items():
            yield LedgerRow(account_id, key, _text(figure))
            if isinstance(figure, KeptHolding):
                yield from (LedgerRow(account_id, page_key(key, slot), text) for slot, text in figure.changed_pages(None))

    def _rows_of(self, place: _Place, figure: _Figure) -> Iterator[tuple[LedgerRow, _Figure | None]]:
        account_id, key = place
        if isinstance(figure, KeptHolding):
            before = self._figure({}, place)
            for slot, text in figure.changed_pages(before if isinstance(before, KeptHolding) else None):
                yield LedgerRow(account_id, page_key(key, slot), text), None
            figure = figure.stored()
        yield LedgerRow(account_id, key, _text(figure)), figure

    # --- days and fees ---------------------------------------------------------------------------------------------------------

    def _count(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, day_key(entry.key)), entry.values
        draft[place] = self._day(draft, place).with_trade()
        tally = (entry.account_id, tally_key(values["strategy_name"], values["instrument"]))
        sent = values["likeness"], values["order_id"], values["at"]
        draft[tally] = self._tally(draft, tally).with_trade(entry.key, *sent)

    def _owe(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, fees_key(entry.key)), entry.values
        known = self._figure(draft, place)
        due = known if isinstance(known, FeesDue) else FeesDue(instrument=Instrument.from_json(values["instrument"]))
        figures = (Decimal(values[name]) for name in ("quantity", "value", "most"))
        draft[place] = due.with_fill(Bought(date.fromisoformat(values["session"]), values["strategy_name"], *figures))

    def _settle(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, fees_key(entry.key)), entry.values
        due = self._figure(draft, place)
        if isinstance(due, FeesDue):
            session, units = date.fromisoformat(values["session"]), Decimal(values["units"])
            draft[place] = due.with_fee(session, values["strategy_name"], units)

    def _move_fee(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, fees_key(entry.key)), entry.values
        due, giver = self._figure(draft, place), self._figure(draft, (entry.account_id, values["giver"]))
        held = giver.now.position.quantity if isinstance(giver, KeptHolding) else ZERO
        if isinstance(due, FeesDue) and held > 0:
            session, units = date.fromisoformat(values["session"]), Decimal(values["units"])
            draft[place] = due.moved(session, values["from"], values["to"], max(units, ZERO), held)

    # --- positions -------------------------------------------------------------------------------------------------------------

    def _book(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, held, kept = *self._begun(draft, entry), _kept_fill(entry)
        if "is_known" not in entry.values:
            draft[place] = held.with_fill(kept, self._keeping)
        elif found := held.find(kept.order_id, kept.names):  # where the first of its chain stands; the others are one with it
            first = min(found, key=lambda each: each.place)
            for other in found:
                if other is not first:
                    held = held.replaced(other, None, entry.place)
            names = sorted({*kept.names, *(name for each in found for name in each.names)})
            draft[place] = held.replaced(first, kept._replace(place=first.place, names=tuple(names)), entry.place)
        else:
            lot, _ = held.opening_lot.book(kept.fill)
            draft[place] = held.on_the_opening_lot(lot, self._keeping, kept)
        self._count_product(draft, place, entry, kept.fill.quantity)

    def _take_back(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, held, kept = *self._begun(draft, entry), _kept_fill(entry)
        if found := held.find(kept.order_id, kept.names):
            draft[place] = held.replaced(found[0], found[0].gone(), entry.place)
        else:
            draft[place] = held.on_the_opening_lot(held.opening_lot.without(kept.fill), self._keeping, kept)
        self._count_product(draft, place, entry, kept.fill.quantity.copy_negate())

    def _count_product(self, draft: dict[_Place, _Figure], place: _Place, entry: LedgerEntry, units: Decimal) -> None:
        held = draft[place]
        if "product" in entry.values and isinstance(held, KeptHolding):
            draft[place] = held.with_units(entry.values["product"], units)

    def _rebook(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        place, values = (entry.account_id, entry.key), entry.values
        self._places.setdefault(_instrument(entry), {})[place] = None
        known = self._figure(draft, place)
        if isinstance(known, KeptHolding) and known.as_of > int(values["read_to"]):
            return
        pages = dict(enumerate(json.loads(values["pages"])))
        rebooked = replace(KeptHolding.from_json(values["state"], pages), touched=None)
        if "session" in values:
            self._begun(draft, entry)
        draft[place] = rebooked

    def _note_rebooked(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> None:
        draft[entry.account_id, TO_REBOOK] = ""

    def _begun(self, draft: dict[_Place, _Figure], entry: LedgerEntry) -> tuple[_Place, KeptHolding]:
        """The position as it stands, once it is noted what was counted of the instrument's results."""
        place, instrument, session = (entry.account_id, entry.key), _instrument(entry), entry.values["session"]
        self._places.setdefault(instrument, {})[place] = None
        if instrument in self._counted and self._counted[instrument].session != session:
            self._count_results(draft, instrument)
            del self._counted[instrument]
        if instrument not in self._counted:
            self._counted[instrument] = _Counted(session, self._netted(draft, instrument), {})
        known = self._figure(draft, place)
        if not isinstance(known, KeptHolding):
            contract = holding_of(*place)
            multiplier = Decimal(entry.values.get("multiplier", contract.contract_multiplier))
            known = KeptHolding(Holding(Position.flat(contract.currency, multiplier)), {})
        self._counted[instrument].before.setdefault(place, known.now.position)
        return place, known

    def _count_results(self, draft: dict[_Place, _Figure], instrument: _Instrument) -> None:
        """With every fill booked, what was earned by that counts to the session."""
        counted = self._counted[instrument]
        results: list[tuple[str, str, Decimal]] = []
        for place, before in counted.before.items():
            if isinstance(held := draft.get(place), KeptHolding):
                draft[place] = held = held.settled()
                strategy_name = holding_of(*place).strategy_name
                results += ((strategy_name, *result) for result in _results(before, held.now.position))
        netted_now = self._netted(draft, instrument)
        if netted_now != counted.netted:
            result = shown(netted_now, RESULT_DECIMALS) - shown(counted.netted, RESULT_DECIMALS)
            results.append((OF_NO_STRATEGY, instrument.currency, result))
        day = instrument.account_id, day_key(counted.session)
        for strategy_name, currency, result in results:
            draft[day] = self._day(draft, day).with_result(currency, result)
            if result:
                tally = (instrument.account_id, tally_key(strategy_name, instrument.key))
                draft[tally] = self._tally(draft, tally).with_result(counted.session, currency, result)

    def _netted(self, draft: dict[_Place, _Figure], instrument: _Instrument) -> Fraction:
        places = self._places[instrument]
        if len(places) == 1:
            return NOTHING
        figures = (self._figure(draft, place) for place in places)
        return netted(held.now.position for held in figures if isinstance(held, KeptHolding))

    # --- figures ---------------------------------------------------------------------------------------------------------------

    def _day(self, draft: dict[_Place, _Figure], place: _Place) -> SessionDay:
        figure = self._figure(draft, place)
        return figure if isinstance(figure, SessionDay) else SessionDay()

    def _tally(self, draft: dict[_Place, _Figure], place: _Place) -> StrategyTally:
        figure = self._figure(draft, place)
        return figure if isinstance(figure, StrategyTally) else StrategyTally()

    def _figure(self, draft: Mapping[_Place, _Figure], place: _Place) -> _Figure | None:
        if (drafted := draft.get(place)) is not None:
            return drafted
        if (text := self._unread.pop(place, None)) is not None:
            self._kept[place] = _read(place, text, self._unread_pages.pop(place, {}))
        return self._kept.get(place)


def _instrument(at: LedgerEntry | LedgerRow) -> _Instrument:
    contract = holding_of(at.account_id, at.key)
    return _Instrument(contract.account_id, contract.instrument, contract.currency)


def _kept_fill(entry: LedgerEntry) -> KeptFill:
    values = entry.values
    return KeptFill(
        entry.place,
        values["order_id"],
        tuple(json.loads(values["chain"])) if "chain" in values else (values["name"],),
        values["told_at"],
        values["quantity"],
        values["price"],
        values["multiplier"],
        values.get("fee"),
        values.get("fee_currency"),
        int("is_in_kind" in values),
        values.get("at"),
    )


def _results(before: Position, after: Position) -> Iterator[tuple[str, Decimal]]:
    """What was earned in the position's currency, and what was paid in others."""
    yield after.currency, shown(after.realized_net, RESULT_DECIMALS) - shown(before.realized_net, RESULT_DECIMALS)
    for currency in {**before.other_commissions, **after.other_commissions}:
        yield currency, before.other_commissions.get(currency, ZERO) - after.other_commissions.get(currency, ZERO)


def _text(figure: _Figure) -> str:
    return figure if isinstance(figure, str) else figure.to_json()


def _read(place: _Place, text: str, pages: Mapping[int, str]) -> _Figure:
    _, key = place
    if key.startswith(POSITION):
        return KeptHolding.from_json(text, pages)
    if key.startswith(FEES_DUE):
        return FeesDue.from_json(text)
    if key.startswith(TALLY):
        return StrategyTally.from_json(text)
    return SessionDay.from_json(text) if key.startswith(DAY) else text
