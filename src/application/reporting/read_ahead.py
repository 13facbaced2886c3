"""Pages of the log: the next one fetched while this one is worked on, and several as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from liveorder.domain.events import RecordedEvent


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
