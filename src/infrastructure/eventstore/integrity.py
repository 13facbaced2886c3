"""Integrity checks of a store: its end at every start, everything on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from eventsourcing.persistence import Notification

from liveorder.application.ports.order_store import IntegrityReport
from liveorder.domain.errors import StoreRefused
from liveorder.domain.events import Event, RecordedEvent
from liveorder.domain.order.events import Acknowledged, OrderRequested, Refused, Replaced, SubmissionStarted
from liveorder.infrastructure.eventstore.database import Database, Read
from liveorder.infrastructure.eventstore.foreign_events import ForeignEvent, mixed
from liveorder.infrastructure.eventstore.identity import schema_version_of

_TAIL = 100
_PAGE = 1000
_MOST_PROBLEMS = 100
_CLAIMS = """SELECT client_order_id, order_id FROM {table} WHERE client_order_id > :after
    ORDER BY client_order_id LIMIT 1000"""
_NAMES = """SELECT account_id, broker_order_id, order_id FROM broker_names
    WHERE (account_id, broker_order_id, order_id) > (:account, :name, :order)
    ORDER BY account_id, broker_order_id, order_id LIMIT 1000"""


async def refuse_damaged_tail(database: Database, read: Read[RecordedEvent]) -> None:
    """Raises `StoreRefused` if the latest events do not decode or are not contiguous, or if the risk table belongs to another
    log.
    """
    position, head = await database.ends()
    start = max(0, head - _TAIL)
    tail = await database.page(start, head - start, read)
    if position != head or [recorded.position for recorded in tail] != list(range(start + 1, head + 1)):
        raise StoreRefused(
            f"the risk table is at position {position}, but the log ends at {head} or has gaps before it; "
            "events are missing: run `liveorder doctor`, and restore a backup"
        )


async def inspect(database: Database, read: Read[RecordedEvent]) -> IntegrityReport:
    """Check everything up to the log's present end, also while in use. At most 100 problems are listed."""
    audit = _Audit(read)
    try:
        audit.problems += await database.damage()
        await _inspect_ends(database, audit)
        end, indexed = await database.open_streams()
        await _inspect_log(database, audit, end)
        _inspect_open_orders(set(indexed), audit)
        if await schema_version_of(database) == 1:
            await _inspect_claims(database, audit, ["signal_claims"])
        else:
            await _inspect_claims(database, audit, ["signal_claims", "superseded_claims"])
            await _inspect_names(database, read, audit)
    except StoreRefused as error:
        audit.problems.append(str(error))
    problems = tuple(audit.problems[:_MOST_PROBLEMS])
    return IntegrityReport(audit.events, len(audit.versions), problems, frozenset(audit.calendars))


async def _inspect_log(database: Database, audit: _Audit, end: int) -> None:
    """Check the log page by page. Stops at a page that leads no further, which a damaged index can cause."""
    before = -1
    while before < audit.position < end:
        before = audit.position
        await database.page(before, min(_PAGE, end - before), audit.read)


class _Audit:
    """Reads the log in order and records what is needed to check the rest."""

    def __init__(self, read: Read[RecordedEvent]) -> None:
        self.problems: list[str] = []
        self.events = 0
        self.position = 0
        self.versions: dict[UUID, int] = {}
        self.newest_topics: dict[UUID, str] = {}
        self.requested: dict[str, UUID] = {}
        self.names: dict[UUID, _Names] = {}
        self.calendars: set[str] = set()
        self._foreign: set[UUID] = set()
        self._read = read

    def read(self, event: Notification) -> int:
        stream_id = event.originator_id if isinstance(event.originator_id, UUID) else UUID(event.originator_id)
        if event.id != self.position + 1:
            self.problems.append(f"the log has a gap between position {self.position} and {event.id}")
        expected = self.versions.get(stream_id, 0) + 1
        if event.originator_version != expected:
            self.problems.append(f"stream {stream_id} has version {event.originator_version} where {expected} should be")
        self._decode(event, begins=expected == 1)
        self.events += 1
        self.position = event.id
        self.versions[stream_id] = event.originator_version
        self.newest_topics[stream_id] = event.topic
        return event.id

    def _decode(self, event: Notification, *, begins: bool) -> None:
        try:
            recorded = self._read(event)
        except StoreRefused as error:
            self.problems.append(str(error))
            return
        is_foreign = isinstance(recorded.event, ForeignEvent)
        if begins and is_foreign:
            self._foreign.add(recorded.stream_id)
        if is_foreign != (recorded.stream_id in self._foreign):
            self.problems.append(mixed(recorded.stream_id))
        if isinstance(recorded.event, OrderRequested):
            self.requested[recorded.event.client_order_id] = recorded.stream_id
            self.names[recorded.stream_id] = _Names(recorded.event.account_id)
            self.calendars.add(recorded.event.instrument.calendar)
        elif recorded.stream_id in self.names:
            self.names[recorded.stream_id].take(recorded.event)


@dataclass(slots=True)
class _Names:
    """The broker's ids of an order, latest last."""

    account_id: str
    reported: tuple[str, ...] = ()

    def take(self, event: Event) -> None:
        if isinstance(event, Acknowledged | Replaced) and event.broker_order_id:
            self.reported = (*self.reported, event.broker_order_id)


async def _inspect_ends(database: Database, audit: _Audit) -> None:
    position, head = await database.ends()
    if position != head:
        audit.problems.append(f"the risk table is at position {position}, but the log ends at {head}")


def _inspect_open_orders(indexed: set[UUID], audit: _Audit) -> None:
    """Check the index of open orders where the latest event alone decides: a begun submission is unfinished, a refused order is
    not.
    """
    audit.problems += [f"order {each} is listed as open, but has no events" for each in indexed if each not in audit.versions]
    for stream_id, topic in audit.newest_topics.items():
        if topic == SubmissionStarted.topic and stream_id not in indexed:
            audit.problems.append(f"order {stream_id} began its submission, but is not listed as open")
        if topic == Refused.topic and stream_id in indexed:
            audit.problems.append(f"order {stream_id} was refused, but is listed as open")


async def _inspect_claims(database: Database, audit: _Audit, tables: Sequence[str]) -> None:
    """Check claims against orders and orders against claims. Without its claim, a signal that comes again would become a second
    order.
    """
    claimed = dict[str, str]()
    for table in tables:
        after = ""
        while rows := await database.fetch(_CLAIMS.format(table=table), {"after": after}):
            claimed |= dict(rows)
            after = rows[-1][0]
    for client_order_id, order_id in claimed.items():
        await _inspect_claim(database, audit, client_order_id, order_id)
    for client_order_id, stream_id in audit.requested.items():
        if claimed.get(client_order_id) != str(stream_id):
            audit.problems.append(f"order {stream_id} has no claim on its signal {client_order_id}")


async def _inspect_claim(database: Database, audit: _Audit, client_order_id: str, order_id: str) -> None:
    """Check one claim. Its order is looked up if the log did not contain it, since it may be newer."""
    try:
        stream_id = UUID(order_id)
    except ValueError:
        audit.problems.append(f"signal {client_order_id} is claimed for {order_id}, which is not an order id")
        return
    if stream_id not in audit.versions and not await database.stream(stream_id, lambda event: event.id):
        audit.problems.append(f"signal {client_order_id} is claimed for order {order_id}, which has no events")


async def _inspect_names(database: Database, read: Read[RecordedEvent], audit: _Audit) -> None:
    """Check broker order ids against orders and back. Without its entry, a report without our key finds no order; a wrong entry
    leads to another order.
    """
    after, named = {"account": "", "name": "", "order": ""}, set[tuple[str, str, str]]()
    while rows := await database.fetch(_NAMES, after):
        named |= {(account, name, order) for account, name, order in rows}
        after = dict(zip(after, rows[-1], strict=True))
    for stream_id, names in audit.names.items():
        if names.reported and (names.account_id, names.reported[-1], str(stream_id)) not in named:
            audit.problems.append(f"order {stream_id} is {names.reported[-1]} at its broker, but is not listed under that id")
    for account_id, name, order_id in sorted(named):
        if not await _is_reported(database, read, audit, account_id, name, order_id):
            audit.problems.append(f"{name} on account {account_id} is listed as order {order_id}, whose events do not say so")


async def _is_reported(
    database: Database, read: Read[RecordedEvent], audit: _Audit, account_id: str, name: str, order_id: str
) -> bool:
    """Whether the order's events report this id. Newer events are read if the ones already read do not."""
    try:
        stream_id = UUID(order_id)
    except ValueError:
        return False
    names = audit.names.get(stream_id)
    if names is None or name not in names.reported:
        stream = await database.stream(stream_id, read)
        names = _Names(stream[0].event.account_id) if stream and isinstance(stream[0].event, OrderRequested) else _Names("")
        for recorded in stream:
            names.take(recorded.event)
    return names.account_id == account_id and name in names.reported
