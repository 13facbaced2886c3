"""Follows the log and keeps the read models level with it, or builds them anew.

Nothing here can touch trading, but for the halt of a store that has lost what it once held: it only reads the log, and what goes
wrong is reported and tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from liveorder.application.gateway.backoff import Backoff
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.pump import Progress, Pump, rare_collections, unheard
from liveorder.application.reporting.read_models import SetAside, ViewsUnavailable, ViewsWriter
from liveorder.application.reporting.verification import Verification, compare
from liveorder.domain.trading_halt import EVERYTHING

__all__ = ["Progress", "Projector"]


class Projector:
    """Keeps one set of read models. Several processes may run one each on the same set: each batch is written once."""

    def __init__(
        self,
        store: OrderStore,
        views: ViewsWriter,
        clock: Clock,
        on_error: Callable[[Exception], None],
        poll_seconds: float = 5.0,
        models: Sequence[ReadModel[Any, Any]] = READ_MODELS,
    ) -> None:
        """`poll_seconds`: how long to sleep at most where the store wakes nobody."""
        self._store, self._views, self._clock, self._models = store, views, clock, models
        self._on_error, self._poll_seconds = on_error, poll_seconds
        self._pump = Pump(store, views, models)
        self._busy = asyncio.Lock()
        self._store_id: UUID | None = None
        self._is_open = False

    def follow(self, store_id: UUID) -> None:
        """Whose log it is. The read models are taken over when they are first needed."""
        self._store_id = store_id

    async def look_before_trading(self) -> None:
        """Take the read models over while a halt still comes in time; where they are away, trading begins without them."""
        try:
            async with self._busy:
                await self._take_over()
        except ViewsUnavailable as error:
            self._on_error(error)

    async def run(self) -> None:
        """Follow the log until cancelled or set aside. What else goes wrong is reported and tried again after a growing wait."""
        backoff = Backoff(self._clock)
        while True:
            try:
                position = await self.catch_up()
                backoff.reset()
                await self._store.wait_beyond(position, self._poll_seconds)
            except Exception as error:  # noqa: BLE001 -- whatever it is, trading goes on and reports come later
                self._on_error(error)
                if isinstance(error, SetAside):
                    return
                await backoff.wait()

    async def catch_up(self) -> int:
        """Level with the log as it is now; returns the position. Raises `ViewsUnavailable`."""
        async with self._busy:
            await self._take_over()
            return await self._advance()

    async def _advance(self) -> int:
        return await self._pump.advance()

    async def _take_over(self) -> None:
        """Empty where they are of another store, another version, or ahead of the log."""
        assert self._store_id is not None
        if self._is_open:
            return
        await self._views.open(self._store_id)
        position, head = await self._views.position(), await self._store.head()
        if position > head:
            await self._note_lost_end(position, head)
            await self._views.clear()
        self._is_open = True

    async def _note_lost_end(self, position: int, head: int) -> None:
        """Halt the store before the evidence is gone."""
        reason = f"the read models have seen {position} events and the log holds {head}: reconcile with the broker, then resume"
        await self._store.insert_halt(EVERYTHING, reason, self._clock.now())

    async def rebuild(self, progress: Progress = unheard) -> int:
        """Empty the read models and make them anew from the whole log. Who reads them meanwhile sees them grow."""
        async with self._busy:
            await self._take_over()
            await self._views.clear()
            with rare_collections():
                return await self._pump.advance(progress=progress)

    async def verify(self, progress: Progress = unheard) -> Verification:
        """Build a second set up to where this one is, and compare the two row by row. The first is not touched."""
        async with self._busy:
            await self._take_over()
            twin = await self._views.twin()
            try:
                with rare_collections():
                    return await self._compare_with(twin, Pump(self._store, twin, self._models), progress)
            finally:
                await twin.close()

    async def _compare_with(self, twin: ViewsWriter, pump: Pump, progress: Progress) -> Verification:
        """Once more from the start for as long as another process's projector moves the first set on."""
        while True:
            position = await self._views.position()
            await pump.advance(position, progress)
            found = await compare(self._models, self._views, twin, position)
            if await self._views.position() == position:
                return found
