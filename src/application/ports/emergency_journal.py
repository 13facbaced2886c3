"""Where a halt or a cancel is written down while the store cannot be: beside it, on the same or another disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID


@dataclass(frozen=True, slots=True)
class JournalledCancel:
    """A cancel that was sent without its event."""

    order_id: UUID
    request_id: str
    reason: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JournalledHalt:
    """A halt of everything that could not be stored."""

    detail: str
    actor: str
    at: datetime


JournalEntry: TypeAlias = JournalledCancel | JournalledHalt


class EmergencyJournal(Protocol):
    """Append, read, clear; by several processes at a time. Writing must not raise: a full disk too must not stop a cancel."""

    def write(self, entry: JournalEntry) -> bool:
        """Whether it is durable."""
        ...

    def read(self) -> Sequence[JournalEntry]:
        """What can be read."""
        ...

    def trouble(self) -> str | None:
        """Why that may not be all, and what to do; None where it is all."""
        ...

    def clear(self, booked: Sequence[JournalEntry]) -> None:
        """Where there is nothing else in it, and no trouble. Raises `OSError`."""
        ...
