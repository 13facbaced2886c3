"""Rows that are changed without an event, after a commit of which nobody knows whether it was stored."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from liveorder.application.ports.order_store import Commit, LedgerEntry, LedgerRow
from liveorder.application.recording import domain_events
from liveorder.application.recovery.rebook_positions import rebooked_as
from liveorder.application.risk.book import AccountLedger, SessionDay, day_key, position_key
from liveorder.application.risk.book.entries import FILL
from liveorder.domain.errors import StoreUnavailable
from liveorder.infrastructure.eventstore.group_commit import GroupCommit
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.transaction import NotStored, Stored, Transaction, draft
from tests.builders import SENT, SESSION, intent, recorded, seconds

ACCOUNT = "acc-1"
MAPPER = DomainEventMapper(domain_events())
DEALS = (("1", "10", "9"), ("-1", "9", "8"))
"""Quantity, price and name: bought at 10, sold at 9."""


def a_fill(key: str, quantity: str, price: str, name: str) -> LedgerEntry:
    terms = {"currency": "USD", "multiplier": "1", "quantity": quantity, "price": price}
    told = {"order_id": name, "name": name, "session": SESSION.isoformat(), "told_at": seconds(1).isoformat()}
    return LedgerEntry(ACCOUNT, FILL, key, terms | told)


class Database:
    """Stores every transaction; one after which it falls silent has an unknown outcome."""

    def __init__(self) -> None:
        self.head, self.rows, self.falls_silent = 0, dict[str, LedgerRow](), False

    async def transact(self, transaction: Transaction) -> Stored | NotStored:
        if transaction.head != self.head:
            return NotStored(self.head, list(self.rows.values()))
        self.rows |= {row.key: row for row in transaction.rows}
        positions = transaction.positions()
        self.head = positions[-1][-1]
        if self.falls_silent:
            raise StoreUnavailable("no answer")
        return Stored(positions)

    async def read(self) -> tuple[int, Sequence[LedgerRow]]:
        return self.head, list(self.rows.values())

    async def put(self, rows: Sequence[LedgerRow], epoch: int) -> None:
        self.rows |= {row.key: row for row in rows}


async def test_rows_are_restated_upon_what_the_store_has_after_a_commit_of_unknown_outcome() -> None:
    """The day has lost 500 by a commit that was stored and not answered; an old fill that turns out dearer loses 1 more."""
    key, late, database = position_key("A", "NYSE:X"), position_key("A", "NYSE:LATE"), Database()
    group = GroupCommit(database.transact, AccountLedger(), database.read, lambda stored, places: None)
    await group.own(0)
    first, second = recorded([intent(), SENT])
    await group.append(draft(Commit((first,), entries=(a_fill(key, "10", "100", "1"),)), MAPPER, ()))
    database.falls_silent = True
    with pytest.raises(StoreUnavailable):
        await group.append(draft(Commit((second,), entries=(a_fill(key, "-10", "50", "2"),)), MAPPER, ()))
    read = AccountLedger()
    read.keep(read.stage([replace(a_fill(late, *deal), place=place) for place, deal in enumerate(DEALS, 1)]))
    held = read.held(ACCOUNT, late)
    assert held is not None
    rebooked = rebooked_as(ACCOUNT, late, held, 2)
    await group.restate([replace(rebooked, values={**rebooked.values, "session": SESSION.isoformat()})], database.put)
    assert SessionDay.from_json(database.rows[day_key(SESSION)].state).realized_net == {"USD": -501}
