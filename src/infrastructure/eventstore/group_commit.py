"""Group commit: concurrent commits share a transaction. Commits that arrive while one is being written go into the next, without
delay.

All bookkeeping, including the ledger, runs on the event loop; only the transaction itself may run elsewhere.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from liveorder.application.ports.order_store import Claiming, Committed, Ledger, LedgerEntry, LedgerRow
from liveorder.domain.errors import LeaseLost, StoreError, StoreUnavailable
from liveorder.infrastructure.eventstore.transaction import (
    MAX_EVENTS,
    EncodedCommit,
    NotStored,
    Stored,
    Transaction,
    earlier_commit_failed,
)

NO_EPOCH = -1
"""The epoch of a store object that no longer owns its store."""

Transact = Callable[[Transaction], Awaitable[Stored | NotStored]]
"""Stores a transaction. Raises `LeaseLost` or `StoreUnavailable` if nothing was stored, as far as can be found out."""

ReadLedger = Callable[[], Awaitable[tuple[int, Sequence[LedgerRow]]]]
"""Reads the head of the log and the rows that belong to it."""

OnStored = Callable[[Sequence[EncodedCommit], Sequence[tuple[int, ...]]], None]
"""Told which commits are durable, and where; of those of another writer nothing but that there are some."""

PutRows = Callable[[Sequence[LedgerRow], int], Awaitable[None]]
"""Stores rows durably. Raises `LeaseLost` if the store has another epoch."""


class _Waiting(Struct, frozen=True, eq=False):
    draft: EncodedCommit
    reply: asyncio.Future[Committed]
    names: frozenset[str]
    """The names of the signal that it claims."""


class GroupCommit:
    """The queue of the only writer. `epoch` is the fencing token of its transactions, `head` the last position that the ledger
    covers.
    """

    def __init__(self, transact: Transact, ledger: Ledger, read_ledger: ReadLedger, on_stored: OnStored) -> None:
        self.epoch = 0
        self.head = 0
        self._transact = transact
        self._read_ledger = read_ledger
        self._ledger = ledger
        self._on_stored = on_stored
        self._queue: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._unseen_failures: dict[UUID, asyncio.Future[Committed]] = {}
        self._disowned: str | None = None
        self._must_reload = False
        """True if rows may have been stored that the ledger does not know."""

    @property
    def is_owner(self) -> bool:
        """Whether nobody else writes, as far as is known."""
        return self.epoch > 0

    async def append(self, draft: EncodedCommit) -> Committed:
        """Store a commit durably. A caller that is cancelled while it waits does not learn the outcome, and must reload the
        stream.
        """
        for stream_id in draft.streams:
            if stream_id in self._unseen_failures:
                raise earlier_commit_failed(stream_id)
        waiting = _Waiting(draft, asyncio.get_running_loop().create_future(), _names(draft.commit.claim))
        self._queue.append(waiting)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_queue(), name="liveorder group commit")
        try:
            return await waiting.reply
        finally:
            for stream_id in draft.streams:
                if self._unseen_failures.get(stream_id) is waiting.reply:
                    del self._unseen_failures[stream_id]

    async def own(self, epoch: int) -> None:
        """Use `epoch` from the next transaction on, with the ledger as it is stored now."""
        async with self._lock:
            self.epoch, self._disowned = epoch, None
            self._reload(*await self._read_ledger())

    def disown(self, why: str) -> None:
        """Start no further transaction, not even for queued commits: each raises `LeaseLost`."""
        self.epoch, self._disowned = NO_EPOCH, why

    def refuse_shorter(self, head: int, known: int) -> None:
        """Raises `LeaseLost` if the log ends before a position that is known to be stored: then it is another log."""
        if head < known:
            why = (
                f"the store has lost events that it had acknowledged (its log ends at {head}, but had reached {known}): "
                "it was replaced by an older one, such as by a failover to a lagging replica"
            )
            self.disown(why)
            raise LeaseLost(why)

    async def read_ledger_again(self) -> Sequence[LedgerRow]:
        """Read the rows again, since a commit may have been stored although its caller got an error."""
        async with self._lock:
            head, rows = await self._read_ledger()
            self.refuse_shorter(head, self.head)
            self._reload(head, rows)
        return rows

    async def restate(self, entries: Sequence[LedgerEntry], put: PutRows) -> Sequence[LedgerRow]:
        """Change rows without an event, in their own transaction."""
        async with self._lock:
            await self._ready()
            rows = self._ledger.stage(entries)
            if rows:
                self._must_reload = True
                await put(rows, self.epoch)
                self._ledger.keep(rows)
                self._must_reload = False
        return rows

    async def _ready(self) -> None:
        if self._disowned is not None:
            raise LeaseLost(self._disowned)
        if self._must_reload:
            head, rows = await self._read_ledger()
            self.refuse_shorter(head, self.head)
            self._reload(head, rows)

    async def flush(self) -> None:
        """Wait until nothing is queued."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _reload(self, head: int, rows: Sequence[LedgerRow]) -> None:
        self._ledger.load(rows)
        self.head, self._must_reload = head, False

    async def _write_queue(self) -> None:
        batch: list[_Waiting] = []
        try:
            while batch := self._next_batch():
                async with self._lock:
                    await self._store(batch)
        except (StoreUnavailable, LeaseLost) as error:
            self._must_reload = True
            self._fail_all(batch, error)
        except asyncio.CancelledError:
            self._must_reload = True
            self._fail_all(batch, StoreUnavailable("the writer was stopped, possibly before its last transaction was stored"))
            raise
        finally:
            self._writing = None

    def _next_batch(self) -> list[_Waiting]:
        """The next commits of the queue, without those whose caller has gone; at least one commit, however large.

        A second claim of the same signal, by any of its names, waits for the next batch with the rest of its stream: only a durable
        first claim makes the signal known. Other commits go ahead of it.
        """
        batch: list[_Waiting] = []
        later: list[_Waiting] = []
        claimed: set[str] = set()
        waiting_streams: set[UUID] = set()
        events = 0
        while self._queue and (not batch or events + len(self._queue[0].draft.events) <= MAX_EVENTS):
            waiting = self._queue.popleft()
            if waiting.reply.done():
                continue
            draft = waiting.draft
            if not claimed.isdisjoint(waiting.names) or not waiting_streams.isdisjoint(draft.streams):
                waiting_streams.update(draft.streams)
                later.append(waiting)
                continue
            batch.append(waiting)
            events += len(draft.events)
            claimed |= waiting.names
        self._queue.extendleft(reversed(later))
        return batch

    async def _store(self, batch: Sequence[_Waiting]) -> None:
        """Store a batch. A bad commit, such as a value that the database cannot hold, must not fail the others, so each is then
        stored alone.
        """
        try:
            await self._store_together(batch)
        except (StoreUnavailable, LeaseLost):
            raise
        except Exception as error:  # noqa: BLE001 -- it is passed on to the caller whose commit caused it
            if len(batch) == 1:
                self._fail(batch[0], error)
                return
            for waiting in batch:
                await self._store([waiting])

    async def _store_together(self, batch: Sequence[_Waiting]) -> None:
        while batch := [waiting for waiting in batch if not waiting.reply.done()]:
            await self._ready()
            rows = self._stage(batch)
            outcome = await self._transact(Transaction(self.epoch, self.head, [waiting.draft for waiting in batch], rows))
            if isinstance(outcome, Stored):
                self._accept(batch, outcome, rows)
                return
            self._sort_out(batch, outcome)

    def _stage(self, batch: Iterable[_Waiting]) -> Sequence[LedgerRow]:
        entries: list[LedgerEntry] = []
        first = self.head + 1
        for waiting in batch:
            entries += [replace(entry, place=first + entry.place) for entry in waiting.draft.commit.entries]
            first += len(waiting.draft.events)
        return self._ledger.stage(entries) if entries else ()

    def _accept(self, batch: Sequence[_Waiting], stored: Stored, rows: Sequence[LedgerRow]) -> None:
        self.head = stored.positions[-1][-1]
        if rows:
            self._ledger.keep(rows)
        for waiting, positions in zip(batch, stored.positions, strict=True):
            _answer(waiting, Committed(positions, tuple(rows)))
        self._on_stored([waiting.draft for waiting in batch], stored.positions)

    def _sort_out(self, batch: Sequence[_Waiting], outcome: NotStored) -> None:
        self.refuse_shorter(outcome.head, self.head)
        if not outcome.refused and not outcome.found and outcome.head == self.head:
            raise StoreError("the database refused a valid transaction; run `liveorder doctor`")
        if outcome.head != self.head:
            self._reload(outcome.head, outcome.rows)
            self._on_stored((), ())
        for index, positions in outcome.found.items():
            _answer(batch[index], Committed(positions, tuple(outcome.rows)))
        for index, error in outcome.refused.items():
            self._fail(batch[index], error)

    def _fail(self, waiting: _Waiting, error: Exception) -> None:
        """Fail the commit and every queued later commit of its stream: they were decided on events that were not stored."""
        if waiting.reply.done():
            return
        waiting.reply.set_exception(error)
        for stream_id in waiting.draft.streams:
            self._unseen_failures[stream_id] = waiting.reply
            behind = [later for later in self._queue if stream_id in later.draft.streams and not later.reply.done()]
            for later in behind:
                later.reply.set_exception(earlier_commit_failed(stream_id))

    def _fail_all(self, batch: Iterable[_Waiting], error: StoreUnavailable | LeaseLost) -> None:
        for waiting in [*batch, *self._queue]:
            if not waiting.reply.done():
                failure = type(error)(*error.args)
                failure.__cause__ = error.__cause__
                waiting.reply.set_exception(failure)
        self._queue.clear()


def _names(claiming: Claiming | None) -> frozenset[str]:
    """The names that another claim of the same signal would share: its id, or one of its possible client order ids."""
    if claiming is None:
        return frozenset()
    return frozenset((claiming.claim.signal_id, claiming.claim.client_order_id, *claiming.known_by.client_order_ids))


def _answer(waiting: _Waiting, committed: Committed) -> None:
    if not waiting.reply.done():
        waiting.reply.set_result(committed)
