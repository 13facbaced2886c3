"""The journal of halts and cancels that could not be stored. It is a file outside the store, on the same or another disk."""

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
    """Append, read and clear, by several processes at once. Writing must not raise: not even a full disk may stop a cancel."""

    def write(self, entry: JournalEntry) -> bool:
        """Append the entry. Returns whether it is durable."""
        ...

    def read(self) -> Sequence[JournalEntry]:
        """The readable entries."""
        ...

    def trouble(self) -> str | None:
        """Why the readable entries may not be all, and what to do. None if they are all."""
        ...

    def clear(self, booked: Sequence[JournalEntry]) -> None:
        """Clear the journal if it holds nothing but `booked` and is readable. Raises `OSError`."""
        ...
