"""What one durable transaction holds, and which commits the store may not take.

Both databases decide alike: under the writer's lock they read what `Seen` lists, and `judge` says which commits stand. A
transaction is stored wholly or not at all; the commits that were refused leave it, and it is tried again without them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from liveorder.application.ports.order_store import BrokerName, Claiming, Commit, HaltRow, LedgerRow
from liveorder.domain.claim import SignalClaim
from liveorder.domain.errors import DeadLetterStands, SignalAlreadyKnown, StoreError, TradingIsHalted, VersionConflict
from liveorder.infrastructure.eventstore.mapper import FactMapper

MAX_EVENTS = 512
"""No transaction holds more, so that none keeps its neighbours waiting long."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit whose facts are encoded; so bytes that cannot be encoded fail before they meet other commits."""

    commit: Commit
    events: tuple[StoredEvent, ...]
    shapes: tuple[str, ...] = ()
    """Of its events, those that the store bears no stamp of yet."""

    @property
    def stream_id(self) -> UUID:
        return self.commit.facts[0].stream_id

    @property
    def first_version(self) -> int:
        return self.commit.facts[0].version


def draft(commit: Commit, mapper: FactMapper, stamped: Collection[str]) -> Draft:
    """`stamped`: shapes that the store bears already.

    Raises `VersionConflict` where the versions are not contiguous or not of one stream.
    """
    if not commit.facts:
        raise ValueError("a commit holds at least one fact")
    first = commit.facts[0]
    for offset, recorded in enumerate(commit.facts):
        if recorded.stream_id != first.stream_id or recorded.version != first.version + offset:
            raise VersionConflict(f"the facts of one commit must follow each other in one stream ({first.stream_id})")
    shapes = {mapper.shapes[recorded.fact.topic]: None for recorded in commit.facts}
    events = tuple(mapper.to_stored_event(recorded) for recorded in commit.facts)
    return Draft(commit, events, tuple(shape for shape in shapes if shape not in stamped))


@dataclass(frozen=True)
class Transaction:
    """`head` is where the ledger that staged `rows` stood: the rows are only right on top of exactly that log."""

    epoch: int
    head: int
    drafts: Sequence[Draft]
    rows: Sequence[LedgerRow]

    def events(self) -> Iterator[StoredEvent]:
        return (event for draft in self.drafts for event in draft.events)

    @cached_property
    def claimings(self) -> list[Claiming]:
        return [draft.commit.claim for draft in self.drafts if draft.commit.claim is not None]

    def claims(self) -> list[SignalClaim]:
        return [claiming.claim for claiming in self.claimings]

    def dead_letters(self) -> list[UUID]:
        """Streams that must not be there."""
        return [claiming.dead_letter for claiming in self.claimings if claiming.dead_letter is not None]

    def shapes(self) -> list[str]:
        return [shape for draft in self.drafts for shape in draft.shapes]

    def names(self) -> list[BrokerName]:
        return [name for draft in self.drafts for name in draft.commit.names]

    def scopes(self) -> set[str]:
        return {scope for draft in self.drafts for scope in draft.commit.unless_halted}

    def halts(self) -> Mapping[str, HaltRow]:
        """The last word on each scope."""
        return {draft.commit.halt.scope: draft.commit.halt for draft in self.drafts if draft.commit.halt is not None}

    def is_open(self) -> Mapping[UUID, bool]:
        """The last word on each stream."""
        return {draft.stream_id: draft.commit.is_open for draft in self.drafts if draft.commit.is_open is not None}

    def ledger_rows(self) -> list[LedgerRow]:
        """The last word on each account and key."""
        return list({(row.account_id, row.key): row for row in self.rows}.values())

    def positions(self) -> list[tuple[int, ...]]:
        """Of each draft, once stored: the log has no gaps."""
        found, position = [], self.head
        for each in self.drafts:
            found.append(tuple(range(position + 1, position + 1 + len(each.events))))
            position += len(each.events)
        return found


@dataclass(frozen=True, slots=True)
class Stored:
    """Durable, all of it."""

    positions: Sequence[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class NotStored:
    """Nothing was written. `refused` and `found` tell, by index, which drafts must not be tried again, which are there already.

    `head` and `rows` are what the store holds now.
    """

    head: int
    rows: Sequence[LedgerRow]
    refused: Mapping[int, StoreError] = field(default_factory=dict)
    found: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What stood in the store when the transaction took the writer's lock."""

    last_versions: Mapping[UUID, int]
    """Of the drafts' streams, and of the dead letters that some must not find."""
    claims: Sequence[SignalClaim]
    """All that fit one of the drafts."""
    halted: frozenset[str]
    events: Mapping[tuple[UUID, int], tuple[int, str, bytes]]
    """Position, topic and state of the versions that are taken already, among those that drafts ask for."""


def overlapping(drafts: Sequence[Draft], last_versions: Mapping[UUID, int]) -> list[Draft]:
    """Drafts of which a version is taken: by another writer, or by themselves when a reply was lost."""
    return [draft for draft in drafts if draft.first_version <= last_versions.get(draft.stream_id, 0)]


def judge(drafts: Sequence[Draft], seen: Seen) -> tuple[dict[int, StoreError], dict[int, tuple[int, ...]]]:
    """Which drafts are refused and why, and which are stored already, to the byte."""
    bench = _Bench(seen)
    refused: dict[int, StoreError] = {}
    found: dict[int, tuple[int, ...]] = {}
    for index, each in enumerate(drafts):
        positions = _positions_if_stored(each, seen)
        if positions is not None:
            found[index] = positions
        elif (error := bench.objection(each)) is not None:
            refused[index] = error
    return refused, found


def _positions_if_stored(each: Draft, seen: Seen) -> tuple[int, ...] | None:
    positions = []
    for event in each.events:
        stored = seen.events.get((each.stream_id, event.originator_version))
        if stored is None or stored[1:] != (event.topic, event.state):
            return None
        positions.append(stored[0])
    return tuple(positions)


class _Bench:
    """Judges drafts in order: each sees the store as those before it would leave it."""

    def __init__(self, seen: Seen) -> None:
        self._versions = dict(seen.last_versions)
        self._claims = list(seen.claims)
        self._halted = set(seen.halted)
        self._failed: set[UUID] = set()

    def objection(self, each: Draft) -> StoreError | None:
        error = self._objection(each)
        if error is not None:
            self._failed.add(each.stream_id)
            return error
        self._admit(each)
        return None

    def _objection(self, each: Draft) -> StoreError | None:
        if each.stream_id in self._failed:
            return earlier_commit_failed(each.stream_id)
        if each.commit.claim is not None and (error := self._objection_to(each.commit.claim)) is not None:
            return error
        last = self._versions.get(each.stream_id, 0)
        if each.first_version != last + 1:
            return _version_conflict(each, last)
        standing = next((scope for scope in each.commit.unless_halted if scope in self._halted), None)
        return None if standing is None else TradingIsHalted(standing)

    def _objection_to(self, claiming: Claiming) -> StoreError | None:
        """A signal that is known is answered as such, even where its message was refused at another time."""
        if known := [claim for claim in self._claims if claiming.known_by.fits(claim)]:
            return SignalAlreadyKnown(known)
        dead_letter = claiming.dead_letter
        return DeadLetterStands(dead_letter) if dead_letter is not None and self._versions.get(dead_letter) else None

    def _admit(self, each: Draft) -> None:
        self._versions[each.stream_id] = each.first_version + len(each.events) - 1
        if each.commit.claim is not None:
            self._claims.append(each.commit.claim.claim)
        halt = each.commit.halt
        if halt is not None:
            (self._halted.add if halt.stands else self._halted.discard)(halt.scope)


def earlier_commit_failed(stream_id: UUID) -> VersionConflict:
    return VersionConflict(f"an earlier commit of this stream failed ({stream_id}); reload it before deciding again")


def _version_conflict(each: Draft, last: int) -> VersionConflict:
    problem = "was stored by another writer" if each.first_version <= last else f"leaves a gap behind version {last}"
    return VersionConflict(f"version {each.first_version} of stream {each.stream_id} {problem}; reload it before deciding again")
