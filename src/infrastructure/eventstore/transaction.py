"""The content of one durable transaction, and which commits the store refuses.

Both databases decide in the same way: under the writer's lock they read what `Seen` lists, and `judge` decides which commits are
accepted. A transaction is stored completely or not at all. Refused commits are removed from it, and it is tried again without them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast
from uuid import UUID

from eventsourcing.persistence import StoredEvent, Tracking
from msgspec import Struct

from liveorder.application.ports.order_store import BrokerName, Claiming, Commit, HaltRow, LedgerRow
from liveorder.domain.claim import IdempotencyClaim
from liveorder.domain.errors import DeadLetterStands, SignalAlreadyKnown, StoreError, TradingIsHalted, VersionConflict
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper

MAX_EVENTS = 512
"""Maximum number of events in a transaction, so that none delays the others for long."""


class EncodedCommit(Struct, frozen=True):
    """A commit with encoded events. An encoding error therefore occurs before it is combined with other commits."""

    commit: Commit
    events: tuple[StoredEvent, ...]
    streams: Mapping[UUID, int]
    """Its first version in each of its streams. Only foreign events have more than one stream."""
    shapes: tuple[str, ...] = ()
    """The shapes of its events that the store is not stamped with yet."""
    tracking: Tracking | None = None
    """How far an application that follows a log has processed it with these events."""

    @property
    def is_foreign(self) -> bool:
        """Whether its events belong to another program. They have no id that distinguishes our row from an equal one of others."""
        return not self.commit.events


def draft(commit: Commit, mapper: DomainEventMapper, stamped: Collection[str]) -> EncodedCommit:
    """Encode a commit. `stamped`: the shapes that the store is already stamped with.

    Raises `VersionConflict` if the versions are not contiguous in one stream.
    """
    if not commit.events:
        raise ValueError("a commit has at least one event")
    first = commit.events[0]
    for offset, recorded in enumerate(commit.events):
        if recorded.stream_id != first.stream_id or recorded.version != first.version + offset:
            raise VersionConflict(f"the events of one commit must follow each other in one stream ({first.stream_id})")
    shapes = {mapper.shapes[recorded.event.topic]: None for recorded in commit.events}
    events = tuple(mapper.to_stored_event(recorded) for recorded in commit.events)
    return EncodedCommit(commit, events, {first.stream_id: first.version}, tuple(shape for shape in shapes if shape not in stamped))


@dataclass(frozen=True)
class Transaction:
    """A transaction. `head` is the position of the ledger that staged `rows`: the rows are only right on top of exactly that
    log.
    """

    epoch: int
    head: int
    drafts: Sequence[EncodedCommit]
    rows: Sequence[LedgerRow]

    def events(self) -> Iterator[StoredEvent]:
        return (event for draft in self.drafts for event in draft.events)

    @cached_property
    def claimings(self) -> list[Claiming]:
        return [draft.commit.claim for draft in self.drafts if draft.commit.claim is not None]

    def claims(self) -> list[IdempotencyClaim]:
        return [claiming.claim for claiming in self.claimings]

    def dead_letters(self) -> list[UUID]:
        """Streams of dead letters that must not exist."""
        return [claiming.dead_letter for claiming in self.claimings if claiming.dead_letter is not None]

    def shapes(self) -> list[str]:
        return [shape for draft in self.drafts for shape in draft.shapes]

    def names(self) -> list[BrokerName]:
        return [name for draft in self.drafts for name in draft.commit.names]

    def scopes(self) -> set[str]:
        return {scope for draft in self.drafts for scope in draft.commit.unless_halted}

    def halts(self) -> Mapping[str, HaltRow]:
        """The latest halt of each scope."""
        return {draft.commit.halt.scope: draft.commit.halt for draft in self.drafts if draft.commit.halt is not None}

    def is_open(self) -> Mapping[UUID, bool]:
        """The latest state of each stream in the index of open orders."""
        return {
            stream_id: draft.commit.is_open
            for draft in self.drafts
            if draft.commit.is_open is not None
            for stream_id in draft.streams
        }

    def trackings(self) -> list[Tracking]:
        return [draft.tracking for draft in self.drafts if draft.tracking is not None]

    def ledger_rows(self) -> list[LedgerRow]:
        """The latest row of each account and key."""
        return list({(row.account_id, row.key): row for row in self.rows}.values())

    def positions(self) -> list[tuple[int, ...]]:
        """The positions of each draft's events once stored. The log has no gaps."""
        found, position = [], self.head
        for each in self.drafts:
            found.append(tuple(range(position + 1, position + 1 + len(each.events))))
            position += len(each.events)
        return found


@dataclass(frozen=True, slots=True)
class Stored:
    """The whole transaction is durable."""

    positions: Sequence[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class NotStored:
    """Nothing was written. `refused` and `found` list, by index, the drafts that must not be tried again and those that are already
    stored.

    `head` and `rows` are the store's present ones.
    """

    head: int
    rows: Sequence[LedgerRow]
    refused: Mapping[int, StoreError] = field(default_factory=dict)
    found: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """The store's content when the transaction got the writer's lock."""

    last_versions: Mapping[UUID, int]
    """The last versions of the drafts' streams, and of the dead letters that must not exist."""
    claims: Sequence[IdempotencyClaim]
    """All claims that match one of the drafts."""
    halted: frozenset[str]
    events: Mapping[tuple[UUID, int], tuple[int, str, bytes]]
    """Position, topic and state of stored events whose versions a draft also uses."""
    tracked: Mapping[str, int] = field(default_factory=dict)
    """How far the tracked applications have processed a log."""


def overlapping(drafts: Sequence[EncodedCommit], last_versions: Mapping[UUID, int]) -> list[EncodedCommit]:
    """Drafts with a version that is already stored: by another writer, or by the draft itself if a reply was lost."""
    return [
        draft for draft in drafts if any(first <= last_versions.get(stream_id, 0) for stream_id, first in draft.streams.items())
    ]


def judge(transaction: Transaction, seen: Seen) -> tuple[dict[int, StoreError], dict[int, tuple[int, ...]]]:
    """Which drafts are refused and why, and which are already stored, byte for byte."""
    bench = _Bench(seen)
    refused: dict[int, StoreError] = {}
    found: dict[int, tuple[int, ...]] = {}
    for index, (each, planned) in enumerate(zip(transaction.drafts, transaction.positions(), strict=True)):
        positions = _positions_if_stored(each, planned, seen)
        if positions is not None:
            found[index] = positions
        elif (error := bench.objection(each)) is not None:
            refused[index] = error
    return refused, found


def _positions_if_stored(each: EncodedCommit, planned: tuple[int, ...], seen: Seen) -> tuple[int, ...] | None:
    """The positions if the draft is already stored. Foreign events must be exactly where this transaction would put them, since
    others may be equal byte for byte.
    """
    positions = []
    for event in each.events:
        stored = seen.events.get(place_of(event))
        if stored is None or stored[1:] != (event.topic, event.state):
            return None
        positions.append(stored[0])
    return None if each.is_foreign and tuple(positions) != planned else tuple(positions)


def place_of(event: StoredEvent) -> tuple[UUID, int]:
    """Stream and version of an event. A draft's streams always have UUIDs."""
    return cast(UUID, event.originator_id), event.originator_version


class _Bench:
    """Judges drafts in order: each sees the store as the drafts before it would leave it."""

    def __init__(self, seen: Seen) -> None:
        self._versions = dict(seen.last_versions)
        self._claims = list(seen.claims)
        self._halted = set(seen.halted)
        self._tracked = dict(seen.tracked)
        self._failed: set[UUID] = set()

    def objection(self, each: EncodedCommit) -> StoreError | None:
        error = self._objection(each)
        if error is not None:
            self._failed.update(each.streams)
            return error
        self._admit(each)
        return None

    def _objection(self, each: EncodedCommit) -> StoreError | None:
        for stream_id in each.streams:
            if stream_id in self._failed:
                return earlier_commit_failed(stream_id)
        if each.commit.claim is not None and (error := self._objection_to(each.commit.claim)) is not None:
            return error
        for stream_id, first in each.streams.items():
            last = self._versions.get(stream_id, 0)
            if first != last + 1:
                return version_conflict(stream_id, first, last)
        if each.tracking is not None and (error := self._objection_to_tracking(each.tracking)) is not None:
            return error
        standing = next((scope for scope in each.commit.unless_halted if scope in self._halted), None)
        return None if standing is None else TradingIsHalted(standing)

    def _objection_to(self, claiming: Claiming) -> StoreError | None:
        """The objection to a claim. A known signal is reported as such, even if its message was once refused as a dead letter."""
        if known := [claim for claim in self._claims if claiming.known_by.fits(claim)]:
            return SignalAlreadyKnown(known)
        dead_letter = claiming.dead_letter
        return DeadLetterStands(dead_letter) if dead_letter is not None and self._versions.get(dead_letter) else None

    def _objection_to_tracking(self, tracking: Tracking) -> StoreError | None:
        got_to = self._tracked.get(tracking.application_name)
        return tracked_already(tracking, got_to) if got_to is not None and got_to >= tracking.notification_id else None

    def _admit(self, each: EncodedCommit) -> None:
        self._versions.update(map(place_of, each.events))
        if each.tracking is not None:
            self._tracked[each.tracking.application_name] = each.tracking.notification_id
        if each.commit.claim is not None:
            self._claims.append(each.commit.claim.claim)
        halt = each.commit.halt
        if halt is not None:
            (self._halted.add if halt.stands else self._halted.discard)(halt.scope)


def earlier_commit_failed(stream_id: UUID) -> VersionConflict:
    return VersionConflict(f"an earlier commit of this stream failed ({stream_id}); reload it before deciding again")


def version_conflict(stream_id: UUID, first: int, last: int) -> VersionConflict:
    problem = "was stored by another writer" if first <= last else f"leaves a gap behind version {last}"
    return VersionConflict(f"version {first} of stream {stream_id} {problem}; reload it before deciding again")


def tracked_already(tracking: Tracking, got_to: int) -> VersionConflict:
    problem = f"{tracking.application_name} has already processed position {got_to}, not just {tracking.notification_id}"
    return VersionConflict(f"{problem}; continue from there")
