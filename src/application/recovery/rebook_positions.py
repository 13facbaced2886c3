"""Positions of the risk table that have to be computed again from the log.

Single ones, if a fill was changed that is no longer kept with its position. All of them, once, after a migration that changed what
is kept. The ledger's own code books them. A result replaces a row only if no commit changed that row meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from msgspec.structs import replace

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.calendar import TradingCalendar
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import LedgerEntry, OrderStore
from liveorder.application.reporting.projections.known_orders import KnownOrders, OrderChange, streams_of
from liveorder.application.risk.book import AccountLedger, RiskBook, entries_between, entries_of, holding_of
from liveorder.application.risk.book.entries import REBOOK, REBOOKED
from liveorder.application.risk.book.kept_fills import A_WEEK, EVERYTHING, Keeping, KeptHolding
from liveorder.application.risk.book.rows import POSITION
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.instrument import Instrument
from liveorder.domain.order.events import OrderRequested
from liveorder.domain.position import Position
from liveorder.domain.position_adjustment import PositionEvent
from liveorder.domain.position_booking import Holding, HoldingKey, Owner, Whose, holding_key

_NO_DAY = date.min
"""Stands for the day of entries whose day does not matter."""


class RebookPositions:
    def __init__(self, store: OrderStore, risk: RiskBook, calendar: TradingCalendar, clock: Clock, log: ActivityLog) -> None:
        self._store, self._risk, self._calendar, self._clock, self._log = store, risk, calendar, clock, log

    async def after_a_migration(self, ledger: AccountLedger) -> None:
        """Rebook all positions if that is still to be done, before any decision uses them. Daily results stay unchanged."""
        if not ledger.is_to_rebook:
            return
        reading = _Reading(self._store, A_WEEK)
        await reading.advance()
        self._log.write("STORE", f"The positions were booked anew from {reading.position:,} events of the log")
        for (account_id, key), held in reading.found():
            await self._store.restate([rebooked_as(account_id, key, held, reading.position)])
        await self._store.restate([LedgerEntry("", REBOOKED, "", {})])

    async def rebook_for_ever(self) -> None:
        """Rebook each position soon after it was found to need the log."""
        while True:
            if not self._risk.late:
                self._risk.some_is_late.clear()
                await self._risk.some_is_late.wait()
            for account_id, key in [*self._risk.late]:
                await self._rebook(account_id, key)

    async def _rebook(self, account_id: str, key: str) -> None:
        """Read on while commits change the position, so that the stored result is what the log says."""
        reading = _Reading(self._store, EVERYTHING, holding_of(account_id, key))
        while (account_id, key) in self._risk.late:
            await reading.advance()
            entry = rebooked_as(account_id, key, reading.held(account_id, key), reading.position)
            if reading.instrument is not None:
                session = self._calendar.session_for(reading.instrument, self._clock.now())
                entry = replace(entry, values={**entry.values, "session": session.isoformat()})
            await self._store.restate([entry])
            self._risk.absorb(await self._store.ledger())
        self._log.write("RECONCILE", "An old fill was changed: the position was booked anew from the log", account_id=account_id)


class _Reading:
    """The log, booked as far as it was read: all of it, or only what makes one position."""

    def __init__(self, store: OrderStore, keeping: Keeping, only: HoldingKey | None = None) -> None:
        self.position = 0
        self.instrument: Instrument | None = None
        self._store, self._only = store, only
        self._ledger, self._known = AccountLedger(keeping), KnownOrders()
        self._wanted: set[UUID] = set()

    async def advance(self) -> None:
        """Read to the head of the log."""
        async for page in self._store.log(after=self.position):
            await self._book([item for item in page if self._concerns(item)])
            self.position = page[-1].position

    def _concerns(self, item: RecordedEvent) -> bool:
        if self._only is None:
            return True
        if any(holding_key(owner) == self._only for owner in _owners(item.event)):
            self.instrument = _owners(item.event)[0].instrument
            self._wanted.add(item.stream_id)
        return item.stream_id in self._wanted

    async def _book(self, events: Sequence[RecordedEvent]) -> None:
        streams = streams_of(events)
        for stream_id, version in self._known.unknown(streams).items():
            stream = await self._store.stream(stream_id)
            self._known.learn([item for item in stream if item.version < version])
        entries: list[LedgerEntry] = []
        for change in self._known.advance(streams):
            entries += entries_between(change.before, change.after, _NO_DAY, places=_newly_booked(change))
        for item in events:
            if isinstance(item.event, PositionEvent):
                entries += entries_of(item.event, _NO_DAY, item.envelope.recorded_at, item.position)
        self._ledger.keep(self._ledger.stage(sorted(entries, key=lambda entry: entry.place)))

    def found(self) -> Iterator[tuple[tuple[str, str], KeptHolding]]:
        for row in self._ledger.rows():
            if row.key.startswith(POSITION):
                yield (row.account_id, row.key), self.held(row.account_id, row.key)

    def held(self, account_id: str, key: str) -> KeptHolding:
        held = self._ledger.held(account_id, key)
        if held is not None:
            return held if self._only is None else replace(held, is_late=False)
        contract = holding_of(account_id, key)
        return KeptHolding(Holding(Position.flat(contract.currency, Decimal(contract.contract_multiplier))), {})


def _owners(event: Event) -> Sequence[Owner]:
    """Whose positions it can change."""
    if isinstance(event, OrderRequested):
        return [Whose(event.account_id, name, event.instrument) for name in event.strategies]
    return event.changes() if isinstance(event, PositionEvent) else ()


def _newly_booked(change: OrderChange) -> Mapping[str, int]:
    """The places of executions that were not known before, as a commit records them."""
    known = change.before.executions.names if change.before is not None else frozenset()
    return {name: place for name, place in change.booked.items() if name not in known}


def rebooked_as(account_id: str, key: str, held: KeptHolding, read_to: int) -> LedgerEntry:
    newest = replace(held, as_of=read_to).newest(A_WEEK.most_pages)
    pages = json.dumps([page.to_json() for page in newest.pages.values()])
    return LedgerEntry(account_id, REBOOK, key, {"state": newest.to_json(), "pages": pages, "read_to": str(read_to)})
