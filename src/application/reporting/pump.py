"""Events from the log into one set of read models, batch by batch."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, TypeAlias

from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projections.draft import Changes, RowCache, RowChanges, RowReader
from liveorder.application.reporting.projections.known_orders import KnownOrders, streams_of
from liveorder.application.reporting.projections.read_model import Batch, ReadModel
from liveorder.application.reporting.read_ahead import gathered, read_ahead
from liveorder.application.reporting.read_models import Superseded, ViewsWriter
from liveorder.domain.events import RecordedEvent

BATCH = 2_000
"""Events in one transaction at most."""

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


class Pump:
    """From the log into one set of rows."""

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
