"""The connection of a source to its server: what is logged and stored when it comes and goes."""

from __future__ import annotations

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.domain.connection_record import PREFIX, ConnectionRecord
from liveorder.domain.errors import StoreError

ALIVE_SECONDS = 30.0
"""Between two signs of life in the store. A gap after a death can be shown longer by so much, and not shorter."""


class ReportedConnection:
    """A failing store does not hold up the source: the record is written at the next occasion."""

    def __init__(self, name: str, bookmarks: Bookmarks, clock: Clock, log: ActivityLog, *, keeps: bool) -> None:
        """`keeps`: see `ConnectionRecord`."""
        self._name, self._bookmarks, self._clock, self._log = name, bookmarks, clock, log
        self._sparing_log = SparingLog(log, clock)
        self._record = ConnectionRecord(keeps=keeps)
        self._is_known = self._is_down = False
        self._due_at = 0.0

    @property
    def is_up(self) -> bool:
        return self._record.is_connected

    async def up(self) -> None:
        await self._look_up()
        gap_from = self._record.last_gap_from if self._record.last_gap_until is None else None
        self._record = self._record.connected(self._clock.now())
        gap = self._record.last_gap_until if gap_from is not None else None
        if gap is not None and gap_from is not None:
            lost = "" if self._record.keeps else "; what was sent meanwhile is lost"
            self._log.write("SOURCE", f"{self._name} is connected again after {(gap - gap_from).total_seconds():.1f} s{lost}")
        elif self._is_down:
            self._log.write("SOURCE", f"{self._name} is connected")
        self._is_down = False
        await self._store()

    async def down(self, why: str) -> None:
        await self._look_up()
        self._record, self._is_down = self._record.disconnected(self._clock.now()), True
        lost = "" if self._record.keeps else "; what is sent meanwhile is lost"
        self._sparing_log.write("WARNING", f"{self._name} is not connected: {why}; tried again until it answers{lost}")
        await self._store()

    async def alive(self) -> None:
        """Stored now and then."""
        if self.is_up and self._clock.monotonic() >= self._due_at:
            self._record = self._record.connected(self._clock.now())
            await self._store()

    async def closed(self) -> None:
        """We end it."""
        if self.is_up:
            self._record = self._record.ended(self._clock.now())
            await self._store()

    async def _look_up(self) -> None:
        """The record of earlier processes."""
        if not self._is_known:
            try:
                stored = await self._bookmarks.checkpoint(PREFIX + self._name)
            except StoreError:
                return
            if stored is not None:
                self._record = ConnectionRecord.from_text(stored).restarted()
            self._is_known = True

    async def _store(self) -> None:
        if not self._is_known:
            return
        try:
            await self._bookmarks.save_checkpoint(PREFIX + self._name, self._record.to_text())
            self._due_at = self._clock.monotonic() + ALIVE_SECONDS
        except StoreError as error:
            self._sparing_log.write("WARNING", f"The connection of {self._name} is not recorded: {error}")
