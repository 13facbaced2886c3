"""When a source was connected to its server: a bookmark, so that `liveorder status` can show the gaps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

import msgspec

PREFIX = "connection:"
"""Of the bookmark's name, before the name of the source."""


class ConnectionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A gap is a time without a connection, after the first one. It counts from its beginning."""

    keeps: bool
    """Whether the server keeps what is sent in a gap. If it does not, those signals are lost."""
    is_connected: bool = False
    at: datetime | None = None
    """Of the last change; while connected, of the last sign of life that was stored."""
    gaps: int = 0
    gap_seconds: float = 0.0
    """Of the gaps that ended."""
    last_gap_from: datetime | None = None
    last_gap_until: datetime | None = None
    """None while it lasts."""

    @classmethod
    def from_text(cls, text: str) -> Self:
        return msgspec.json.decode(text, type=cls)

    def to_text(self) -> str:
        return msgspec.json.encode(self).decode()

    def connected(self, now: datetime) -> Self:
        if self.last_gap_from is None or self.last_gap_until is not None:
            return msgspec.structs.replace(self, is_connected=True, at=now)
        seconds = self.gap_seconds + max(now - self.last_gap_from, timedelta()).total_seconds()
        return msgspec.structs.replace(self, is_connected=True, at=now, gap_seconds=seconds, last_gap_until=now)

    def disconnected(self, now: datetime) -> Self:
        """No gap begins where there was no connection."""
        if not self.is_connected:
            return self
        return msgspec.structs.replace(self, is_connected=False, at=now, gaps=self.gaps + 1, last_gap_from=now, last_gap_until=None)

    def ended(self, now: datetime) -> Self:
        """By us: a gap where that loses something."""
        return msgspec.structs.replace(self, is_connected=False, at=now) if self.keeps else self.disconnected(now)

    def restarted(self) -> Self:
        """At the start of a process. Of one that ended without a word, the last sign of life begins the gap, where it loses
        something.
        """
        if self.keeps or self.at is None:
            return msgspec.structs.replace(self, is_connected=False)
        return self.disconnected(self.at)
