"""Delivery of messages that are made from the log: at least once each, with one bookmark per destination.

Only the outbox has outward effects. Rebuilding read models, replaying an order or restarting sends nothing. A destination's
bookmark is kept in the order store and says what it has received. A new destination begins at the log's head.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from liveorder.application.gateway.backoff import Backoff
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import OrderStore
from liveorder.application.reporting.projections.known_orders import KnownOrders, OrderChange, Streams, streams_of
from liveorder.domain.events import Event, RecordedEvent

MOST_UNSAVED = 500
"""Maximum number of events without a message that are read again after a restart. Saving every bookmark would cost a disk sync
each.
"""

GATHERING_SECONDS = 0.05
"""From a commit to its messages, so that those of one moment cost one bookmark, which is a commit of its own."""


class Outlet(Protocol):
    """Makes the messages of one destination and sends them."""

    @property
    def name(self) -> str: ...

    def concerns(self, event: Event) -> bool:
        """Whether an event of this kind can make a message. Other events are skipped without reading their orders."""
        ...

    def consider(self, item: RecordedEvent, change: OrderChange | None) -> None:
        """Make and queue a message if the event calls for one. `change` is its order before and after, or None if it concerns no
        order.
        """
        ...

    async def deliver(self) -> bool:
        """Send the queued messages. Returns whether there were any. If it raises, all of them stay queued."""
        ...

    def drop(self) -> None:
        """Discard the queued messages: the same events will be considered again."""
        ...


class Outbox:
    """Feeds one outlet from the log."""

    def __init__(
        self,
        store: OrderStore,
        outlet: Outlet,
        clock: Clock,
        on_error: Callable[[Exception], None],
        poll_seconds: float = 5.0,
    ) -> None:
        self._store, self._outlet, self._clock = store, outlet, clock
        self._on_error, self._poll_seconds = on_error, poll_seconds
        self._bookmark = f"outbox:{outlet.name}"
        self._known = KnownOrders()
        self._saved = self._position = 0
        self._flushing = asyncio.Lock()

    async def open(self) -> None:
        """Find the bookmark, or set it at the head. Call before trading begins, so that no event is missed in between."""
        found = await self._store.checkpoint(self._bookmark)
        self._saved = self._position = int(found) if found is not None else await self._store.head()
        if found is None:
            await self._store.save_checkpoint(self._bookmark, str(self._saved))

    async def run(self) -> None:
        """Follow the log until cancelled. Errors go to `on_error`, and delivery is tried again after a growing wait."""
        backoff, head = Backoff(self._clock), None
        while True:
            try:
                position = await self.flush(head)
                backoff.reset()
                if await self._store.wait_beyond(position, self._poll_seconds) > position:
                    await self._clock.sleep(GATHERING_SECONDS)
                head = await self._store.wait_beyond(position, 0)
            except Exception as error:  # noqa: BLE001 -- a failing destination must not stop trading
                self._on_error(error)
                await backoff.wait()

    async def flush(self, upto: int | None = None) -> int:
        """Send everything up to that position, or to the log's head, and return the position. One call at a time: a shutdown
        flushes while `run` may do so too.
        """
        async with self._flushing:
            try:
                await self._follow(upto)
            except BaseException:
                self._start_over()
                raise
            return self._position

    async def _follow(self, upto: int | None) -> None:
        while (upto is None or self._position < upto) and (page := await self._store.next_after(self._position)):
            await self._consider(page)
            self._position = page[-1].position
            if await self._outlet.deliver() or self._position - self._saved >= MOST_UNSAVED:
                await self._store.save_checkpoint(self._bookmark, str(self._position))
                self._saved = self._position

    def _start_over(self) -> None:
        """Go back to the bookmark. Messages that were queued but not delivered are made again."""
        self._outlet.drop()
        self._known.forget()
        self._position = self._saved

    async def _consider(self, events: Sequence[RecordedEvent]) -> None:
        """Consider events one by one: a message shows the state right after its event."""
        for item in events:
            if self._outlet.concerns(item.event):
                streams = streams_of([item])
                await self._learn_what_precedes(streams)
                changes = self._known.advance(streams)
                self._outlet.consider(item, changes[0] if changes else None)

    async def _learn_what_precedes(self, streams: Streams) -> None:
        for stream_id, version in self._known.unknown(streams).items():
            stream = await self._store.stream(stream_id)
            self._known.learn([item for item in stream if item.version < version])
