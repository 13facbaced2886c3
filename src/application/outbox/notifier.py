"""The port for notices to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from liveorder.domain.notice_event import NoticeEvent


class Manner(StrEnum):
    """How people are notified of an event."""

    ON = "on"
    SILENT = "silent"
    """Without a sound, if the channel has one."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Notice:
    """One event for people. `notice_id` is `STREAM_ID:VERSION`, the same for every delivery."""

    notice_id: str
    category: str
    """`EXECUTION`, `RISK` or `WARNING`, as in the log."""
    sentence: str
    """May quote external text, so the destination must escape it."""
    recorded_at: datetime
    order_id: str | None = None
    signal_id: str | None = None
    account_id: str | None = None
    strategy_name: str | None = None
    symbol: str | None = None
    event: NoticeEvent | None = None
    is_silent: bool = False
    """True to deliver it without a sound."""
    symbol_name: str | None = None
    """What people call the instrument, where its signal said so."""


class Notifier(Protocol):
    """One channel. Every notice is delivered at least once, in the order of the log."""

    @property
    def name(self) -> str:
        """Short and stable: the bookmark is stored under this name, so a new name starts at the present head of the log."""
        ...

    async def notify(self, notices: Sequence[Notice]) -> None:
        """Return when all are delivered. Raise anything to be called again later with the same notices."""
        ...
