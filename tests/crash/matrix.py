"""Everything that is crossed with everything, and how a seed draws trials from it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, product
from typing import TypeAlias

from liveorder.testing.venue.faults import Point
from tests.crash.cases import DELIVERIES, ENGINES, HELD, OPERATIONS, STRUCK_FROM, Case, Operation
from tests.crash.crowd import CROWDS
from tests.crash.key_classes import BEYOND_SECONDS, KEY_CLASSES
from tests.crash.play import Play
from tests.crash.plays import PLAYS
from tests.crash.process_crash_point import QUESTIONS, kind_of, places_of
from tests.crash.wires import WIRES

SECOND_DEATHS = 4
"""One trial in so many kills the recovering service too."""
CROWDS_DRAWN = 1_000_000
"""So many there are of each kind."""
COUNTED_WITH = ("none", "searchable")
REPETITIONS = 1
"""What a service does over and over (it asks, it renews its lease) is struck the first so many times."""
ROWS: Mapping[str, Operation | Play] = {**OPERATIONS, **PLAYS}
ORDERS, POSITIONS = "orders", "positions"
KINDS: Mapping[str, Sequence[str]] = {ORDERS: tuple(OPERATIONS), POSITIONS: tuple(PLAYS)}
"""Of rows. Crowds are of orders."""
_ARRIVALS = {"Acknowledged", "SubmissionFailed", "Cancelled", "CancelRefused", "Replaced", "ReplaceRefused"}
"""Events that say that a request is not under way any more."""
_REPETITIVE = (*QUESTIONS, "renew", "acquire", "notify", "save_checkpoint")


Place: TypeAlias = tuple[str, str]
"""Before or after, and what is stored or sent."""


def kind_of_row(name: str) -> str:
    return POSITIONS if name in PLAYS else ORDERS


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Where a cell's first life, and the one that recovers, can be struck."""

    first: Sequence[str]
    later: Sequence[str]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`rows`: operations and plays, by name.

    `counted_with` and `counted_for`: key classes and deliveries by which boundaries are found; others take the last's.
    """

    engines: Sequence[str] = ENGINES
    key_classes: Sequence[str] = tuple(KEY_CLASSES)
    counted_with: Sequence[str] = COUNTED_WITH
    counted_for: Sequence[str] = tuple(DELIVERIES)
    rows: Sequence[str] = tuple(ROWS)

    def cells(self) -> list[Case]:
        """Every combination but the boundary."""
        return [
            Case(row, engine, key_class, delivery, point, recoverers=recoverers)
            for row, engine, key_class, delivery, recoverers in product(
                self.rows, self.engines, self.key_classes, DELIVERIES, (1, 2)
            )
            if key_class not in WIRES or row not in WIRES[key_class].cannot
            for point in (ROWS[row].points if DELIVERIES[delivery] else ROWS[row].points[:1])
        ]

    def crowds(self) -> list[Case]:
        """The same with many orders in flight; what they are is drawn anew in every trial."""
        return [
            Case(kind.name, engine, key_class, delivery, Point.SUBMIT, recoverers=recoverers, bound_seconds=kind.bound_seconds)
            for kind, engine, key_class, delivery, recoverers in product(
                CROWDS.values(), self.engines, self.key_classes, DELIVERIES, (1, 2)
            )
            if not OPERATIONS.keys().isdisjoint(self.rows)
        ]

    def cells_beyond_the_bound(self) -> list[Case]:
        """A request that arrives after the broker said that it never would: its declaration is a lie."""
        of_one = [each for each in self.cells() if each.operation in OPERATIONS]
        held = [each for each in of_one if each.delivery == HELD and each.point is OPERATIONS[each.operation].points[0]]
        return [replace(each, hold_seconds=BEYOND_SECONDS) for each in held]

    def counting(self) -> list[Case]:
        """One life that nobody ends, and one that dies of its own request, of each kind of cell: they find the boundaries."""
        lives = {self._counted_by(cell): None for cell in self.cells()}
        return [replace(cell, boundary=boundary) for cell in lives for boundary in (None, _amid(cell))]

    def found(self, lives: Sequence[tuple[Case, Sequence[str], Sequence[str]]]) -> Mapping[Case, Boundaries]:
        """By cell, from what the counting lives passed: each is its case, its boundaries, and those of the life after it."""
        first = {replace(case, boundary=None): passed for case, passed, _ in lives if case.boundary is None}
        later = {replace(case, boundary=None): passed for case, _, passed in lives if case.boundary is not None}
        return {
            cell: Boundaries(_worth_striking(_of(cell, first[by])), _worth_striking(later[by]))
            for cell in self.cells()
            for by in [self._counted_by(cell)]
        }

    def _counted_by(self, cell: Case) -> Case:
        key_class = cell.key_class if cell.key_class in self.counted_with else self.counted_with[-1]
        delivery = cell.delivery if cell.delivery in self.counted_for else self.counted_for[-1]
        return replace(cell, key_class=key_class, delivery=delivery, engine=self.engines[0], recoverers=1)


def drawn(cells: Sequence[Case], boundaries: Mapping[Case, Boundaries], seed: int, crowds: Sequence[Case] = ()) -> Iterator[Case]:
    """Without end: every cell once a turn, in an order of its own, each turn at another of its boundaries; and every crowd.

    Of a cell's boundaries, that comes first which was drawn most seldom so far, in whatever cell of the same kind.
    """
    chance, drawn_so_far = random.Random(seed), DrawnSoFar()
    found = {cell: boundaries[_plain(cell)] for cell in cells}
    left: dict[Case, list[str]] = {cell: [] for cell in cells}
    for _ in count():
        for cell in chance.sample([*cells, *crowds], len(cells) + len(crowds)):
            if cell not in found:
                yield replace(cell, crowd=chance.randrange(CROWDS_DRAWN))
                continue
            left[cell] = left[cell] or chance.sample(found[cell].first, len(found[cell].first))
            boundary = drawn_so_far.rarest(cell, left[cell])
            left[cell].remove(boundary)
            dies_again = chance.randrange(SECOND_DEATHS) == 0
            second = drawn_so_far.rarest(cell, chance.sample(found[cell].later, len(found[cell].later))) if dies_again else None
            yield replace(cell, boundary=boundary, second=second)


class DrawnSoFar:
    """How often each boundary was; for plays and for single orders apart."""

    def __init__(self) -> None:
        self._times = Counter[tuple[str, Place]]()

    def rarest(self, cell: Case, labels: Sequence[str]) -> str:
        """The first of the rarest. A commit is as rare as the rarest of its events. It is counted."""
        kind = kind_of_row(cell.operation)
        label = min(labels, key=lambda each: min(self._times[kind, place] for place in places_of(each)))
        self._times.update((kind, place) for place in places_of(label))
        return label


def aimed(boundaries: Mapping[Case, Boundaries], kind: str, place: Place) -> Iterator[Case]:
    """Deaths at this place, wherever it was passed by a row of this kind."""
    of_kind = ((cell, found) for cell, found in boundaries.items() if kind_of_row(cell.operation) == kind)
    for cell, found in of_kind:
        yield from (replace(cell, boundary=label) for label in found.first if place in places_of(label))
        yield from (replace(cell, boundary=_amid(cell), second=label) for label in found.later if place in places_of(label))


def strikable(case: Case, first: Sequence[str], later: Sequence[str]) -> set[Place]:
    """Of what a counting life of a play passed, and the life after it: where lives of that play are ended."""
    labels = _of(replace(case, boundary=None), first) if case.boundary is None else later
    return {place for label in _worth_striking(labels) for place in places_of(label)}


def _amid(cell: Case) -> str:
    """Where a life ends so that the next one has something to recover."""
    return f"{'after' if DELIVERIES[cell.delivery] is None else 'before'} {_befallen(cell)}"


def _befallen(cell: Case) -> str:
    """The request that the fault befalls."""
    return f"{cell.point} #{ROWS[cell.operation].nth(cell.point)}"


def _plain(cell: Case) -> Case:
    return Case(cell.operation, cell.engine, cell.key_class, cell.delivery, cell.point, recoverers=cell.recoverers)


def _of(cell: Case, passed: Sequence[str]) -> Sequence[str]:
    """What the cell is about. Where a request is held, its sender dies while it is, if fills are not what is struck.

    In a play it may die sooner, too.
    """
    row, about = ROWS[cell.operation], _from(ROWS[cell.operation].struck_from, passed)
    if cell.delivery == HELD and (isinstance(row, Play) or row.struck_from == STRUCK_FROM or cell.point is not Point.SUBMIT):
        amid = _from(f"before {_befallen(cell)}", passed)
        end = next((place for place, each in enumerate(amid) if not _ARRIVALS.isdisjoint(_events(each))), len(amid))
        sooner = about[: len(about) - len(amid)] if isinstance(row, Play) and len(about) > len(amid) else []
        return [*sooner, *amid[:end]]
    return about


def _events(label: str) -> list[str]:
    return [call.removeprefix("append ") for _, call in places_of(label)]


def _from(begin: str, passed: Sequence[str]) -> Sequence[str]:
    """From the first boundary on that names it; all where none does."""
    return passed[next((place for place, each in enumerate(passed) if begin in each), 0) :]


def _worth_striking(passed: Sequence[str]) -> list[str]:
    """Without what is done over and over, but for the first times."""
    times = Counter[str]()
    return [each for each in passed if not _is_repetition(each, times)]


def _is_repetition(label: str, times: Counter[str]) -> bool:
    kind = kind_of(label)
    times[kind] += 1
    return kind.split()[1] in _REPETITIVE and times[kind] > REPETITIONS
