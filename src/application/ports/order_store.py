"""The event store: where an event is before anything is done because of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from liveorder.domain.claim import IdempotencyClaim, Recognition
from liveorder.domain.events import RecordedEvent
from liveorder.domain.identifiers import KeyRing


@dataclass(frozen=True, slots=True)
class Claiming:
    """A claim to be made, and what in the store forbids it: a claim that `known_by` fits, or the dead letter of its message."""

    claim: IdempotencyClaim
    known_by: Recognition
    dead_letter: UUID | None = None


@dataclass(frozen=True, slots=True)
class BrokerName:
    """What a broker calls an order. Not unique: brokers' own ids come again, in another session or after a restart of theirs."""

    account_id: str
    broker_order_id: str
    order_id: UUID


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What a commit does to an account's figures, for the risk table. Amounts are texts that only `Ledger` reads."""

    account_id: str
    kind: str
    key: str
    values: Mapping[str, str]
    place: int = 0
    """In the log, of the event that caused it; the store adds the place of the commit's first event to what the commit says."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One stored row of the risk table: the newest figures under `(account_id, key)`, as JSON text."""

    account_id: str
    key: str
    state: str


class Ledger(Protocol):
    """Folds entries into rows, inside the commit that causes them and in the order of the log.

    The store calls `stage` in its writer, inside the transaction, and `keep` once the transaction is durable; a staging that is
    not kept leaves no trace, and the next `stage` starts from what was last kept.
    """

    def load(self, rows: Sequence[LedgerRow]) -> None: ...

    def stage(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]: ...

    def keep(self, rows: Sequence[LedgerRow]) -> None: ...


@dataclass(frozen=True, slots=True)
class Commit:
    """Events of one stream that become durable together, or not at all.

    `events` are contiguous versions; the first is one above what the writer last saw. `is_open` keeps the index of unfinished
    orders: True puts the stream in, False takes it out, None leaves it. `unless_halted`: the scopes of which no halt may stand.
    `names` are kept for good, so that a report of an order that ended long ago finds it.
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
    """The row that stops submissions: present while `stands`."""

    scope: str
    stands: bool
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Committed:
    """Durable. `positions` are the places in the log, one an event; `rows` the ledger rows as they stand after this commit."""

    positions: tuple[int, ...]
    rows: tuple[LedgerRow, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreIdentity:
    """What a store is stamped with when it is created.

    `account_ids` may grow, and a person can choose another `default_account`. A migration raises `schema_version` and may add to
    `keys` what earlier releases wrote with; the rest never changes.
    """

    store_id: UUID
    default_account: str
    mode: str
    schema_version: int
    account_ids: tuple[str, ...]
    keys: KeyRing


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What a check found. `problems` is empty when the store is whole."""

    events: int
    streams: int
    problems: tuple[str, ...] = ()
    calendars: frozenset[str] = frozenset()
    """Of the instruments that were ever ordered."""


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A request from another process. `answer` is None until the owner answered; JSON text."""

    command_id: UUID
    kind: str
    arguments: str
    actor: str
    created_at: datetime
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class LeaseState:
    """Who owns the store: `expires_at` by the store's own clock, `now` the same clock at the time of reading."""

    owner: str
    epoch: int
    expires_at: datetime
    now: datetime
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_held(self) -> bool:
        return self.now < self.expires_at


class OrderStore(Protocol):
    """One writer, durable appends, cheap questions.

    `append` returns only when the events are durable, and raises

    - `SignalAlreadyKnown`, `DeadLetterStands`, `VersionConflict`, `TradingIsHalted`: this commit alone was not stored (nor later
      ones of its stream that were queued behind it);
    - `LeaseLost`: another process owns the store, or it was exchanged for another; nothing more can be stored by this one;
    - `StoreUnavailable`: not stored, and nothing can be now. Whether a commit whose reply was lost is there is settled by reading
      back before this returns or raises.

    Concurrent appends share a transaction (group commit). Appends of one stream are stored in the order in which they were called.
    """

    async def open(self, ledger: Ledger) -> StoreIdentity:
        """Check header, schema and tail; load the ledger. Raises `StoreRefused` for a store that must not be used."""
        ...

    async def identify(self) -> StoreIdentity:
        """For its owner: the identity as nobody else can change it now, with the accounts that are new in the settings.

        Raises `StoreRefused` where it is not the store that is meant.
        """
        ...

    async def close(self) -> None:
        """Flush what is queued, then let go. Does not release the lease."""
        ...

    async def append(self, commit: Commit) -> Committed: ...

    async def stream(self, stream_id: UUID) -> Sequence[RecordedEvent]:
        """All events of one stream, in order; empty when there is none."""
        ...

    async def unfinished(self) -> Mapping[UUID, Sequence[RecordedEvent]]:
        """The streams of all unfinished orders, found by an index and not by history."""
        ...

    def log(self, after: int = 0, limit: int | None = None) -> AsyncIterator[Sequence[RecordedEvent]]:
        """The whole log behind position `after`, in pages."""
        ...

    async def ledger(self) -> Sequence[LedgerRow]:
        """The risk table as it stands, with no append between reading it and returning. Waits for the one that is being written."""
        ...

    async def restate(self, entries: Sequence[LedgerEntry]) -> Sequence[LedgerRow]:
        """Change the risk table without an event, as its owner: entries that say anew what the log says. Returns the changed rows.

        Raises `LeaseLost` and `StoreUnavailable`; after the latter the table is read again before anything is stored on it.
        """
        ...

    async def head(self) -> int:
        """Position of the newest event; 0 when empty."""
        ...

    async def claim_of(self, client_order_id: str) -> IdempotencyClaim | None:
        """The claim of an order of ours; a superseded one too."""
        ...

    async def claims(self, known_by: Recognition) -> Sequence[IdempotencyClaim]:
        """Those that fit a signal."""
        ...

    async def superseded(self) -> Sequence[IdempotencyClaim]:
        """Claims of orders that an earlier release made of a signal that had one already."""
        ...

    async def named(self, account_id: str, broker_order_id: str) -> Sequence[UUID]:
        """Every order of the account that ever had this broker's id, the newest first."""
        ...

    async def streams_named(
        self, account_id: str, broker_order_ids: Collection[str]
    ) -> Mapping[str, Sequence[Sequence[RecordedEvent]]]:
        """As `named`, with all events of each, of many ids in few questions. An id that no order had is left out."""
        ...

    async def halts(self) -> Sequence[HaltRow]:
        """The halts that stand."""
        ...

    async def insert_halt(self, scope: str, reason: str, at: datetime) -> None:
        """Put a halt in its place at once, from any process, without the lease.

        `reason` as `told_by` reads it. It takes the place of one of the same scope only where it says that the store was restored.
        """
        ...

    async def checkpoint(self, name: str) -> str | None:
        """A named bookmark: how far a source was read, how far the outbox got."""
        ...

    async def save_checkpoint(self, name: str, value: str) -> None:
        """Raises `LeaseLost` for an owner of before: a process that was paused would move back what its successor has kept."""
        ...

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int:
        """Return the head as soon as it is beyond `position`, or after the time-out as it is then."""
        ...

    async def check(self) -> IntegrityReport:
        """Read everything: the file itself, gaps in streams, events that do not decode, indexes that disagree."""
        ...

    async def backup(self, target: str) -> None:
        """A consistent copy while in use. `target` is a path (SQLite) or a database URL (PostgreSQL)."""
        ...


class Lease(Protocol):
    """Ownership of a store by one process, as a row with an epoch. Every append checks it in its own transaction."""

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        """Take it if nobody holds it, and return the new epoch; None while somebody does.

        A store that is not where it was owned last is halted before this returns: it may lack what was sent.
        """
        ...

    async def renew(self, duration_seconds: float) -> bool:
        """Hold it longer; False when it was lost. Raises `LeaseLost` where the store is no longer the one that was acquired."""
        ...

    async def release(self) -> None: ...

    async def state(self) -> LeaseState | None: ...


class Commands(Protocol):
    """Requests from other processes, kept in the store, outside the lease. Inserting one twice is inserting it once."""

    async def insert(self, command: StoredCommand) -> None: ...

    async def pending(self) -> Sequence[StoredCommand]: ...

    async def answer(self, command_id: UUID, answer: str) -> None:
        """The first answer of an owner stands; one of a process that lost the store counts for nothing."""
        ...

    async def find(self, command_id: UUID) -> StoredCommand | None: ...
