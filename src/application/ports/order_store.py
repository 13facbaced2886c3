"""The port of the event store. An event is stored before anything is done because of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from msgspec import Struct

from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.events import RecordedEvent
from liveorder.domain.identifiers import KeyRing
from liveorder.domain.position_owner import PositionOwner


class Claiming(Struct, frozen=True):
    """A claim to make, and what prevents it: a stored claim that matches `known_by`, or a dead letter of the same message."""

    claim: IdempotencyClaim
    known_by: Recognition
    dead_letter: UUID | None = None


class BrokerName(Struct, frozen=True):
    """A broker's id of an order. Not unique: brokers reuse their ids in another session or after a restart."""

    account_id: str
    broker_order_id: str
    order_id: UUID


class LedgerEntry(Struct, frozen=True):
    """A commit's change to an account's figures, for the risk table. Amounts are texts that only `Ledger` reads."""

    account_id: str
    kind: str
    key: str
    values: Mapping[str, str]
    place: int = 0
    """The place in the log of the event that caused it, relative to the commit's first event; the store adds that event's place."""


class LedgerRow(Struct, frozen=True):
    """One stored row of the risk table: the latest figures of `(account_id, key)`, as JSON text."""

    account_id: str
    key: str
    state: str


class Ledger(Protocol):
    """Folds entries into rows, inside the commit that causes them and in the order of the log.

    The store calls `stage` in its writer, inside the transaction, and `keep` once the transaction is durable. If `keep` is not
    called, the staged rows leave no trace, and the next `stage` starts from the rows last kept.
    """

    def load(self, rows: Sequence[LedgerRow]) -> None: ...

    def stage(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]: ...

    def keep(self, rows: Sequence[LedgerRow]) -> None: ...


class Commit(Struct, frozen=True):
    """Events of one stream that become durable together, or not at all.

    `events` have contiguous versions, starting one above the last version the writer saw. `is_open` updates the index of unfinished
    orders: True adds the stream, False removes it, None leaves it. `unless_halted`: scopes in which no halt may stand. `names` are
    kept for good, so that a report about an order that ended long ago finds it.
    """

    events: tuple[RecordedEvent, ...]
    claim: Claiming | None = None
    is_open: bool | None = None
    entries: tuple[LedgerEntry, ...] = ()
    unless_halted: tuple[str, ...] = ()
    halt: HaltRow | None = None
    names: tuple[BrokerName, ...] = ()


@dataclass(frozen=True, slots=True)
class HaltRow:
    """A row that stops submissions while `stands` is true."""

    scope: str
    stands: bool
    reason: str
    at: datetime


class Committed(Struct, frozen=True):
    """A durable commit. `positions` are its events' places in the log, `rows` the ledger rows after it."""

    positions: tuple[int, ...]
    rows: tuple[LedgerRow, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """The identity that a store receives when it is created.

    `account_ids` may grow, a person can choose another `default_account`, and a setting says whose `positions` are. A migration
    raises `schema_version` and may add keys of earlier releases to `keys`. The rest never changes.
    """

    store_id: UUID
    default_account: str
    mode: str
    schema_version: int
    account_ids: tuple[str, ...]
    keys: KeyRing
    positions: PositionOwner = PositionOwner.ACCOUNT
    """Stores of releases that did not know the difference are the account's."""


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """The result of a check. `problems` is empty if the store is intact."""

    events: int
    streams: int
    problems: tuple[str, ...] = ()
    calendars: frozenset[str] = frozenset()
    """The calendars of all instruments ever ordered."""


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A request of another process. `answer` is JSON text, or None until the owner has answered."""

    command_id: UUID
    kind: str
    arguments: str
    actor: str
    created_at: datetime
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The owner of the store. `expires_at` and `now`, the time of reading, are by the store's own clock."""

    owner: str
    epoch: int
    expires_at: datetime
    now: datetime
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_held(self) -> bool:
        return self.now < self.expires_at


class OrderStore(Protocol):
    """One writer, durable appends, fast queries.

    `append` returns only when the events are durable, and raises
    - `SignalAlreadyKnown`, `DeadLetterStands`, `VersionConflict`, `TradingIsHalted`: only this commit was not stored (nor later
      ones of its stream that were queued behind it);
    - `LeaseLost`: another process owns the store, or the store was replaced by another; this process can store nothing more;
    - `StoreUnavailable`: not stored, and nothing can be stored now. If a commit's reply was lost, the store reads back whether the
      commit is there before this returns or raises.

    Concurrent appends share a transaction (group commit). Appends to one stream are stored in the order of their calls.
    """

    async def open(self, ledger: Ledger) -> StoreIdentity:
        """Check header, schema and tail, and load the ledger. Raises `StoreRefused` if the store must not be used."""
        ...

    async def identify(self) -> StoreIdentity:
        """For the owner: the identity, which nobody else can change now, with accounts that are new in the settings added.

        Raises `StoreRefused` if it is not the intended store.
        """
        ...

    async def close(self) -> None:
        """Flush the queue and close. Does not release the lease."""
        ...

    async def append(self, commit: Commit) -> Committed: ...

    async def stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """All events of one stream, in order. Empty if there is no such stream."""
        ...

    async def unfinished(self) -> Mapping[UUID, Sequence[RecordedEvent]]:
        """The streams of all unfinished orders, found by an index, without reading history."""
        ...

    def log(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Sequence[RecordedEvent]]:
        """The log after position `after`, in pages."""
        ...

    async def next_after(self, position: int) -> Sequence[RecordedEvent]:
        """The next page of the log after a position, for what follows it; empty at its end. What this process stored itself is not
        read back, where it was lately.
        """
        ...

    async def ledger(self) -> Sequence[LedgerRow]:
        """The present risk table. No append comes between reading and returning. Waits for an append in progress."""
        ...

    async def restate(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        """Change the risk table without an event, as its owner. The entries restate what the log says. Returns the changed rows.

        Raises `LeaseLost` and `StoreUnavailable`. After the latter, the table is read again before the next commit.
        """
        ...

    async def head(self) -> int:
        """Position of the newest event. 0 if the log is empty."""
        ...

    async def claim_of(self, client_order_id: str) -> IdempotencyClaim | None:
        """The claim of an order of ours, including a superseded one."""
        ...

    async def claims(self, known_by: Recognition) -> Sequence[IdempotencyClaim]:
        """The claims that match a signal."""
        ...

    async def superseded(self) -> Sequence[IdempotencyClaim]:
        """Claims of orders that an earlier release made from a signal that already had an order."""
        ...

    async def named(self, account_id: str, broker_order_id: str) -> Sequence[UUID]:
        """Every order of the account that ever had this broker order id, newest first."""
        ...

    async def streams_named(
        self, account_id: str, broker_order_ids: Collection[str]
    ) -> Mapping[str, Sequence[Sequence[RecordedEvent]]]:
        """As `named`, for many ids in few queries, with all events of each order. Ids without an order are left out."""
        ...

    async def halts(self) -> Sequence[HaltRow]:
        """The halts that stand."""
        ...

    async def insert_halt(self, scope: str, reason: str, at: datetime) -> None:
        """Insert a halt at once, from any process, without the lease.

        `reason` is in the form that `told_by` reads. A halt replaces one of the same scope only if it says that the store was
        restored.
        """
        ...

    async def checkpoint(self, name: str) -> str | None:
        """A named bookmark: how far a source was read, or what the outbox has delivered."""
        ...

    async def save_checkpoint(self, name: str, value: str) -> None:
        """Raises `LeaseLost` for a former owner: a process that was paused would move its successor's bookmark back."""
        ...

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """Return the head as soon as it is beyond `position`, or after the time-out."""
        ...

    async def check(self) -> IntegrityReport:
        """Check everything: the file itself, gaps in streams, events that do not decode, contradicting indexes."""
        ...

    async def backup(self, target: str) -> None:
        """Make a consistent copy while the store is in use. `target` is a path (SQLite) or a database URL (PostgreSQL)."""
        ...


class Lease(Protocol):
    """Ownership of a store by one process: a row with a fencing token (`epoch`). Every append checks it in its own transaction."""

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        """Acquire the lease and return the new fencing token. None if another process holds it.

        If the store is not where it was last owned, it is halted before this returns: events of requests that were sent may be
        missing.
        """
        ...

    async def renew(self, duration_seconds: float) -> bool:
        """Extend the lease. False if it was lost. Raises `LeaseLost` if the store is no longer the one that was acquired."""
        ...

    async def release(self) -> None: ...

    async def state(self) -> LeaseState | None: ...


class Commands(Protocol):
    """Requests of other processes, stored outside the lease. Inserting the same command again has no effect."""

    async def insert(self, command: StoredCommand) -> None: ...

    async def pending(self) -> Sequence[StoredCommand]: ...

    async def answer(self, command_id: UUID, answer: str) -> None:
        """Store the answer. The owner's first answer stands; an answer of a process that lost the store is ignored."""
        ...

    async def find(self, command_id: UUID) -> StoredCommand | None: ...
