"""The pump: follows the log and keeps the read models level with it, or builds them anew.

Nothing here can touch trading: it only reads the log, and what goes wrong is reported and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias
from uuid import UUID

from liveorder.application.backoff import Backoff
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.ports.views import Superseded, ViewsWriter
from liveorder.application.projections import Batch, project
from liveorder.application.projections.draft import Changes, Draft, KeptRows, Prior
from liveorder.application.projections.known_orders import KnownOrders
from liveorder.application.verification import Verification, compare
from liveorder.domain.facts import RecordedFact

BATCH = 500
"""Facts in one transaction at most."""

Progress: TypeAlias = Callable[[int, int], None]
"""Told the position reached and the one to reach, after every batch."""


def _unheard(position: int, goal: int) -> None:
    """The progress that nobody asked for."""


class Projector:
    """Keeps one set of read models. Several processes may run one each on the same set: each batch is written once."""

    def __init__(
        self,
        store: OrderStore,
        views: ViewsWriter,
        clock: Clock,
        on_error: Callable[[Exception], None],
        poll_seconds: float = 5.0,
    ) -> None:
        """`poll_seconds`: how long to sleep at most where the store wakes nobody."""
        self._store, self._views, self._clock = store, views, clock
        self._on_error, self._poll_seconds = on_error, poll_seconds
        self._pump = _Pump(store, views)
        self._busy = asyncio.Lock()

    async def open(self, store_id: UUID) -> None:
        """Take the read models over, empty where they are of another store, another version, or ahead of the log."""
        await self._views.open(store_id)
        if await self._views.position() > await self._store.head():
            await self._views.clear()

    async def run(self) -> None:
        """Follow the log until cancelled. What goes wrong is told to `on_error` and tried again after a growing wait."""
        backoff = Backoff(self._clock)
        while True:
            try:
                position = await self.catch_up()
                backoff.reset()
                await self._store.wait_beyond(position, self._poll_seconds)
            except Exception as error:  # noqa: BLE001 -- whatever it is, trading goes on and reports come later
                self._on_error(error)
                await backoff.wait()

    async def catch_up(self) -> int:
        """Level with the log as it is now; returns the position."""
        async with self._busy:
            return await self._pump.advance()

    async def rebuild(self, progress: Progress = _unheard) -> int:
        """Empty the read models and make them anew from the whole log. Who reads them meanwhile sees them grow."""
        async with self._busy:
            await self._views.clear()
            return await self._pump.advance(progress=progress)

    async def verify(self, progress: Progress = _unheard) -> Verification:
        """Build a second set up to where this one is, and compare the two row by row. The first is not touched."""
        async with self._busy:
            twin = await self._views.twin()
            try:
                return await self._compare_with(twin, _Pump(self._store, twin), progress)
            finally:
                await twin.close()

    async def _compare_with(self, twin: ViewsWriter, pump: _Pump, progress: Progress) -> Verification:
        """Once more from the start for as long as another process's projector moves the first set on."""
        while True:
            position = await self._views.position()
            await pump.advance(position, progress)
            found = await compare(self._views, twin, position)
            if await self._views.position() == position:
                return found


class _Pump:
    """From the log into one set of rows."""

    def __init__(self, store: OrderStore, views: ViewsWriter) -> None:
        self._store, self._views = store, views
        self._known = KnownOrders()
        self._kept: KeptRows = {}

    async def advance(self, upto: int | None = None, progress: Progress = _unheard) -> int:
        """Up to that position of the log, or to its head."""
        while True:
            position = await self._views.position()
            goal = await self._store.head() if upto is None else upto
            try:
                return await self._advance(position, goal, progress)
            except Superseded:
                continue  # the other projector did this part

    async def _advance(self, position: int, goal: int, progress: Progress) -> int:
        async for page in self._store.log(after=position):
            for start in range(0, len(page), BATCH):
                batch = [item for item in page[start : start + BATCH] if item.position <= goal]
                if not batch:
                    return position
                await self._apply(position, batch)
                position = batch[-1].position
                progress(position, goal)
        return position

    async def _apply(self, after: int, facts: Sequence[RecordedFact]) -> None:
        for stream_id, version in self._known.unknown(facts).items():
            stream = await self._store.stream(stream_id)
            self._known.learn([item for item in stream if item.version < version])
        drafts: list[Draft] = []

        def draft(prior: Prior) -> Changes:
            drafts.append(Draft(prior, self._kept))
            project(Batch(facts, self._known.advance(facts)), drafts[0])
            return drafts[0].changes()

        try:
            await self._views.apply(after, facts[-1].position, draft)
        except BaseException:
            self._forget()
            raise
        drafts[0].keep()

    def _forget(self) -> None:
        """What is in memory went further than what was written, perhaps."""
        self._known, self._kept = KnownOrders(), {}
