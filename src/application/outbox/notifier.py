"""Where people are told what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from liveorder.domain.notice_event import NoticeEvent


class Manner(StrEnum):
    """How people are told of an event."""

    ON = "on"
    SILENT = "silent"
    """Without a sound, where the channel has one."""
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that happened. `notice_id` is `STREAM_ID:VERSION`, the same whenever it is told again."""

    notice_id: str
    category: str
    """`EXECUTION`, `RISK` or `WARNING`, as in the log."""
    sentence: str
    """May quote text from outside: the destination escapes it."""
    recorded_at: datetime
    order_id: str | None = None
    signal_id: str | None = None
    account_id: str | None = None
    strategy_name: str | None = None
    symbol: str | None = None
    event: NoticeEvent | None = None
    is_silent: bool = False
    """To be delivered without a sound."""


class Notifier(Protocol):
    """One channel. Every notice gets there at least once, in the order of the log."""

    @property
    def name(self) -> str:
        """Short and stable: how far it was told is kept under it, so another name starts from now."""
        ...

    async def notify(self, notices: Sequence[Notice]) -> None:
        """Return when all are delivered. Raise anything to be called again with the same ones later."""
        ...
