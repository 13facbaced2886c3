"""Follows the log and keeps the read models level with it, or builds them anew.

Nothing here can touch trading, but for the halt of a store that has lost what it once held: it only reads the log, and what goes
wrong is reported and tried again.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, TypeAlias
from uuid import UUID

from liveorder.application.gateway.backoff import Backoff
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.draft import Changes, RowCache, RowChanges, RowReader
from liveorder.application.reporting.projections.known_orders import KnownOrders, streams_of
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.read_models import SetAside, Superseded, ViewsUnavailable, ViewsWriter
from liveorder.application.reporting.verification import Verification, compare
from liveorder.domain.events import RecordedEvent
from liveorder.domain.trading_halt import EVERYTHING

BATCH = 2_000
"""Events in one transaction at most."""

GATHERING_SECONDS = 0.25
"""From a commit to the batch that has it. Who asks for a list brings the read models level first, and so waits for nothing."""

_LONG_RUN_OBJECTS = 50_000

Progress: TypeAlias = Callable[[int, int], None]
"""Told the position reached and the one to reach, after every batch."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """For a long run over the log: events and rows hold no cycles, and looking for some in them takes a third of the time."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, _LONG_RUN_OBJECTS), *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)


def unheard(position: int, goal: int) -> None:
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
        models: Sequence[ReadModel[Any, Any]] = READ_MODELS,
    ) -> None:
        """`poll_seconds`: how long to sleep at most where the store wakes nobody."""
        self._store, self._views, self._clock, self._models = store, views, clock, models
        self._on_error, self._poll_seconds = on_error, poll_seconds
        self._batches = BatchProjector(store, views, models)
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
                if await self._store.wait_beyond(position, self._poll_seconds) > position:
                    await self._clock.sleep(GATHERING_SECONDS)
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
        return await self._batches.advance()

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
                return await self._batches.advance(progress=progress)

    async def verify(self, progress: Progress = unheard) -> Verification:
        """Build a second set up to where this one is, and compare the two row by row. The first is not touched."""
        async with self._busy:
            await self._take_over()
            twin = await self._views.twin()
            try:
                with rare_collections():
                    return await self._compare_with(twin, progress)
            finally:
                await twin.close()

    async def _compare_with(self, twin: ViewsWriter, progress: Progress) -> Verification:
        """Once more from the start for as long as another process's projector moves the first set on."""
        batches = BatchProjector(self._store, twin, self._models)
        while True:
            position = await self._views.position()
            await batches.advance(position, progress)
            found = await compare(self._models, self._views, twin, position)
            if await self._views.position() == position:
                return found


class BatchProjector:
    """Projects the log into one set of rows, batch by batch. It remembers what the next batch needs."""

    def __init__(self, store: OrderStore, views: ViewsWriter, models: Sequence[ReadModel[Any, Any]] = READ_MODELS) -> None:
        self._store, self._views, self._models = store, views, models
        self._known = KnownOrders()
        self._kept: RowCache = {}
        self._position = 0
        """Where `_known` and `_kept` stand."""

    async def advance(self, upto: int | None = None, progress: Progress = unheard) -> int:
        """Up to that position of the log, or to its head."""
        while True:
            position = await self._views.position()
            if position != self._position:
                self._forget(position)  # another projector moved them, or they were emptied
            goal = await self._store.head() if upto is None else upto
            try:
                return await self._advance(position, goal, progress)
            except Superseded:
                continue  # the other projector did this part

    async def _advance(self, position: int, goal: int, progress: Progress) -> int:
        ahead = read_ahead(self._store.log(after=position))
        async with aclosing(ahead) as single, aclosing(gathered(single, BATCH)) as pages:
            async for page in pages:
                for start in range(0, len(page), BATCH):
                    batch = [item for item in page[start : start + BATCH] if item.position <= goal]
                    if not batch:
                        return position
                    await self._apply(position, batch)
                    position = batch[-1].position
                    progress(position, goal)
        return position

    async def _apply(self, after: int, events: Sequence[RecordedEvent]) -> None:
        streams = streams_of(events)
        for stream_id, version in self._known.unknown(streams).items():
            stream = await self._store.stream(stream_id)
            self._known.learn([item for item in stream if item.version < version])
        drafts: list[RowChanges] = []

        def draft(prior: RowReader) -> Changes:
            drafts.append(RowChanges(prior, self._kept))
            batch = Batch(events, self._known.advance(streams))
            for model in self._models:
                model.project(batch, drafts[0])
            return drafts[0].changes()

        try:
            await self._views.apply(after, events[-1].position, draft)
        except BaseException:
            self._forget(after)
            raise
        drafts[0].keep()
        self._position = events[-1].position

    def _forget(self, after: int) -> None:
        """Start anew from position `after`: what is in memory is not what is written."""
        self._known, self._kept = KnownOrders(), {}
        self._position = after


async def read_ahead(pages: AsyncIterator[Sequence[RecordedEvent]]) -> AsyncGenerator[Sequence[RecordedEvent], None]:
    """The same pages, one ahead. To be closed when left early; an error is raised where the page would have been."""
    coming = asyncio.ensure_future(_next(pages))
    try:
        while page := await coming:
            coming = asyncio.ensure_future(_next(pages))
            yield page
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        if isinstance(pages, AsyncGenerator):
            await pages.aclose()


async def gathered(pages: AsyncIterator[Sequence[RecordedEvent]], enough: int) -> AsyncGenerator[Sequence[RecordedEvent], None]:
    """The same events in fewer pages: of at least `enough`, but for the last."""
    events: list[RecordedEvent] = []
    async for page in pages:
        events += page
        if len(events) >= enough:
            yield events
            events = []
    if events:
        yield events


async def _next(pages: AsyncIterator[Sequence[RecordedEvent]]) -> Sequence[RecordedEvent]:
    """The next page; an empty one behind the last. Not by the default of `anext`, which fails in a task on Python 3.11."""
    try:
        return await anext(pages)
    except StopAsyncIteration:
        return ()
