"""What a campaign is of: which rows of the matrix, at which broker, and how often it is to strike each boundary of a play."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.crash.defect_cases import EXPOSING
from tests.crash.matrix import KINDS, ORDERS, POSITIONS, kind_of_row

FULL_KILLS, OFTEN = 2000, 30
"""A campaign of so many kills strikes each boundary of a play so often, before and after."""


@dataclass(frozen=True, slots=True)
class Scope:
    kinds: Sequence[str] = tuple(KINDS)
    """Of rows."""
    broker: str | None = None
    """On whose wire; None: at the simulated broker. What lies beyond bounds, and defects, are the engine's matter."""
    kills: int = 0

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(row for kind in self.kinds for row in KINDS[kind])

    @property
    def defects(self) -> list[str]:
        """Those that its trials must report."""
        return [defect for defect, case in EXPOSING.items() if self.broker is None and kind_of_row(case.operation) in self.kinds]

    @property
    def is_of_orders(self) -> bool:
        return ORDERS in self.kinds

    def at_least(self, kind: str) -> int:
        """How often each boundary is to be struck."""
        return OFTEN if kind == POSITIONS and self.kills >= FULL_KILLS else 1
