"""The agenda: future acts, in order of time and then of scheduling."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TypeAlias

Act: TypeAlias = Callable[[datetime], None]
"""Called with the time that it was scheduled for."""


@dataclass(slots=True, eq=False)
class Appointment:
    act: Act
    is_off: bool = False
    """Set to cancel it."""


class Agenda:
    def __init__(self) -> None:
        self._appointments: list[tuple[datetime, int, Appointment]] = []
        self._numbers = count()

    def put(self, at: datetime, act: Act) -> Appointment:
        appointment = Appointment(act)
        heapq.heappush(self._appointments, (at, next(self._numbers), appointment))
        return appointment

    def next_at(self) -> datetime | None:
        while self._appointments and self._appointments[0][2].is_off:
            heapq.heappop(self._appointments)
        return self._appointments[0][0] if self._appointments else None

    def run_one(self) -> None:
        """Run the first act, which `next_at` has shown to be due."""
        at, _, appointment = heapq.heappop(self._appointments)
        appointment.act(at)
