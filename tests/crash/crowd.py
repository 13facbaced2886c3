"""Many orders in flight at once, from several sources that repeat each other, and what befalls the services that send them.

A row of the matrix is an entry of `CROWDS`: what is done to the store or to its services between two lives belongs there too.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.crash.cases import ABOVE_THE_MARKET, ALWAYS_TRADED, BELOW_THE_MARKET, DELIVERIES, Case, a_signal, key_of
from tests.crash.key_classes import COINS, DELIVERY_BOUND_SECONDS
from tests.crash.wires import WIRES

SIZES = (8, 8, 12, 12, 16, 24, 30)
FILE, FOLLOWED, FED = "file", "followed file", "another"
SOURCES = (FILE, FOLLOWED, FED)
_SOURCES_OF_ONE = ((FILE,), (FOLLOWED,), (FED,), (FILE, FOLLOWED), (FILE, FED), (FOLLOWED, FED), SOURCES)
FIRST_BOUNDARIES, LATER_BOUNDARIES = 16, 6
"""About so many for each order does a first life pass, and one that recovers."""
SHARE_IN_TROUBLE = 4
"""One order in so many meets the fault of the case."""


@dataclass(frozen=True, slots=True)
class CrowdKind:
    """What befalls the services, beside SIGKILL."""

    name: str
    is_paused: bool = False
    """The first one is stopped past its lease instead, and goes on beside the one that took its store over."""
    commit_seconds: Sequence[float] = (0.0,)
    """Commits take up to so long, all through a trial."""
    lease_seconds: float = 0.6
    bound_seconds: float = DELIVERY_BOUND_SECONDS
    """Of delivery. What a paused service had begun to send leaves when it wakes."""


CALL_SECONDS = 1.0
"""A call may take so long: one process sends many at once."""
_SLOW_SECONDS = (0.1, 0.4, 1.6)
"""The longest is longer than a call may take."""
CROWDS: Mapping[str, CrowdKind] = {
    each.name: each
    for each in (
        CrowdKind("many orders"),
        CrowdKind("many orders, paused past the lease", is_paused=True, bound_seconds=7.0),
        CrowdKind("many orders, slow store", commit_seconds=_SLOW_SECONDS, lease_seconds=3.0),
    )
}


@dataclass(frozen=True, slots=True)
class Member:
    """One order of a crowd: its signal, which sources deliver it, and what is asked of it afterwards."""

    signal_id: str
    coin: str
    """Where no broker's wire says what is traded: some orders of a crowd share one."""
    quantity: str
    then: str | None
    """`cancel` or `replace` of an order that rests; None for one that fills."""
    sources: tuple[str, ...]

    def may_end(self, order: Mapping[str, Any]) -> bool:
        """As it was wanted; or refused, because it was not known what another order in the same symbol did."""
        if order["status"] == "REJECTED":
            return order["reason"] == "RISK" and "in doubt" in order["message"]
        return (order["status"], order["filled"]) == (("CANCELLED", "0") if self.then == "cancel" else ("FILLED", self.quantity))

    def signal(self, key_class: str) -> str:
        traded = WIRES[key_class].signal if key_class in WIRES else {**ALWAYS_TRADED, "symbol": self.coin}
        return a_signal(self.signal_id, BELOW_THE_MARKET if self.then else None, self.quantity, traded)

    def is_wanted_otherwise(self, order: Mapping[str, Any]) -> bool:
        """Whether its cancel or its replace is still to be asked for."""
        return self.then == "cancel" or (self.then == "replace" and order["limit_price"] != ABOVE_THE_MARKET)


@dataclass(frozen=True, slots=True)
class Crowd:
    """`crash_points`: where lives end, one after the other."""

    members: Sequence[Member]
    crash_points: Sequence[str]
    commit_seconds: float
    in_trouble: Sequence[Member]

    def keys(self, account: str) -> dict[str, Member]:
        return {key_of(account, member.signal_id): member for member in self.members}

    def faults(self, case: Case, account: str) -> list[Fault]:
        """Each at the first request of its kind; of an order that is cancelled, the cancel half the time."""
        kind = DELIVERIES[case.delivery]
        if kind is None:
            return []
        seconds = case.hold_seconds if kind is FaultKind.REQUEST_HELD else None
        return [
            Fault(kind=kind, on=on, nth=1, client_order_id=key_of(account, member.signal_id), seconds=seconds)
            for place, member in enumerate(self.in_trouble)
            for on in [Point.CANCEL if member.then == "cancel" and place % 2 else Point.SUBMIT]
        ]


def crowd_of(case: Case) -> Crowd:
    """The same for the same case. A case that names a boundary has its first life end there, and no other."""
    chance, kind = random.Random(f"{case.operation} {case.crowd}"), CROWDS[case.operation]
    size = chance.choice(SIZES)
    members = [_drawn(chance, number) for number in range(size)]
    first, later = chance.randint(1, size * FIRST_BOUNDARIES), chance.choice((1, 2, 3))
    crash_points = [f"#{first}", *(f"#{chance.randint(1, size * LATER_BOUNDARIES)}" for _ in range(later))]
    in_trouble = chance.sample(members, size // SHARE_IN_TROUBLE)
    return Crowd(members, [case.boundary] if case.boundary else crash_points, chance.choice(kind.commit_seconds), in_trouble)


def _drawn(chance: random.Random, number: int) -> Member:
    then = chance.choice((None, None, "cancel", "replace"))
    return Member(f"sig-{number}", chance.choice(COINS), chance.choice(("1", "2", "5")), then, chance.choice(_SOURCES_OF_ONE))
