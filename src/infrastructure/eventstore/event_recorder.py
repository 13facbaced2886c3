"""Our store as a recorder of the `eventsourcing` library, on which its `EventStore`, `Repository` and notification log work.

It reads with the library's own recorder, in the caller's thread, on connections that cannot write. It appends through the store's
only writer, under that store object's epoch, in transactions that it shares with orders (ADR 48).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from threading import Condition
from typing import Any, Protocol, TypeVar
from uuid import UUID

from eventsourcing.persistence import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    Notification,
    OperationalError,
    PersistenceError,
    ProcessRecorder,
    ProgrammingError,
    StoredEvent,
    Tracking,
)

from liveorder.domain.errors import InvalidInput, LeaseLost, LiveOrderError, StoreUnavailable, VersionConflict
from liveorder.infrastructure.eventstore.database import LibraryReader
from liveorder.infrastructure.eventstore.event_subscription import EventSubscription
from liveorder.infrastructure.eventstore.foreign_events import stream_of

_T = TypeVar("_T")
_LOOK_SECONDS = 5.0
"""Interval of polling for new events if nothing wakes a subscription."""


class Appender(Protocol):
    """What a recorder needs of a store, called on the store's event loop. Raises as `ForeignAppender` does."""

    async def append(self, events: Sequence[StoredEvent], tracking: Tracking | None = None) -> Sequence[int]: ...

    async def track(self, tracking: Tracking) -> None: ...

    async def tracked(self, application_name: str) -> int | None: ...

    async def wait_beyond(self, position: int, timeout_seconds: float) -> int: ...


class EventRecorder(ProcessRecorder):
    """Thread-safe, except on the store's event loop, which an append or a tracking record would wait for: use `asyncio.to_thread`
    there.

    Raises the library's errors: `IntegrityError` if another writer was faster, `ProgrammingError` for what this store never accepts
    (the message gives the remedy), `OperationalError` if nothing can be stored now or another process owns the store. Positions
    have no gaps and are in commit order.
    """

    def __init__(
        self, store: Appender, reader: LibraryReader, loop: asyncio.AbstractEventLoop, *, is_read_only: bool = False
    ) -> None:
        self._store, self._reader, self._loop, self._is_read_only = store, reader, loop, is_read_only
        self._subscriptions: set[EventSubscription] = set()
        self._watches: set[asyncio.Task[Any]] = set()
        self._changed = Condition()
        self._reads = 0
        self._is_closed = False

    def close(self) -> None:
        """Close the recorder. Its subscriptions end with an `OperationalError`. Waits for reads, because closing SQLite during one
        crashes the process.
        """
        for subscription in list(self._subscriptions):
            subscription.fail(OperationalError("the store was closed"))
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: self._reads == 0)
        self._reader.datastore.close()

    # --- writing ---------------------------------------------------------------------------------------------------------------

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> list[int]:
        """Store events and return their positions. All are durable, with `tracking` if it is given, or none.

        Versions count from 1 in each stream, without gaps. At most 512 events and a megabyte, because orders wait for them.
        """
        tracking: Tracking | None = kwargs.get("tracking")
        if stored_events:
            return list(self._done(self._store.append(stored_events, tracking), writes=True))
        if tracking is not None:
            self.insert_tracking(tracking)
        return []

    def insert_tracking(self, tracking: Tracking) -> None:
        self._done(self._store.track(tracking), writes=True)

    # --- reading ---------------------------------------------------------------------------------------------------------------

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        try:
            stream_id = stream_of(originator_id)
        except InvalidInput as error:
            raise ProgrammingError(str(error)) from error
        with self._reading() as reader:
            return reader.select_events(stream_id, gt=gt, lte=lte, desc=desc, limit=limit)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        with self._reading() as reader:
            return reader.select_notifications(start, limit, stop, list(topics), inclusive_of_start=inclusive_of_start)

    def max_notification_id(self) -> int | None:
        with self._reading() as reader:
            return reader.max_notification_id()

    def max_tracking_id(self, application_name: str) -> int | None:
        return self._done(self._store.tracked(application_name))

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> EventSubscription:
        """Subscribe to the log, on either database, including liveorder's events. Events of other processes are seen within a
        second.
        """
        return EventSubscription(self, gt, list(topics), self._begin_watch, self._subscriptions)

    def _begin_watch(self, notice: Callable[[], None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self._watch(notice), self._loop)

    async def end_watches(self) -> None:
        """End the watches of closed subscriptions. Call on the event loop, before it ends."""
        watches = list(self._watches)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _watch(self, notice: Callable[[], None]) -> None:
        position, watch = 0, asyncio.current_task()
        assert watch is not None
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        while True:
            try:
                position = await self._store.wait_beyond(position, _LOOK_SECONDS)
            except StoreUnavailable:
                await asyncio.sleep(_LOOK_SECONDS)
            notice()

    @contextmanager
    def _reading(self) -> Iterator[LibraryReader]:
        with self._changed:
            if self._is_closed:
                raise InterfaceError("the store of this recorder is closed")
            self._reads += 1
        try:
            yield self._reader
        finally:
            with self._changed:
                self._reads -= 1
                self._changed.notify_all()

    def _done(self, work: Coroutine[Any, Any, _T], *, writes: bool = False) -> _T:
        try:
            return self._begun(work, writes=writes).result()
        except LiveOrderError as error:
            raise _of_the_library(error) from error
        except CancelledError as error:
            raise OperationalError("liveorder stopped before this was done; it is not known whether it was stored") from error

    def _begun(self, work: Coroutine[Any, Any, _T], *, writes: bool) -> Future[_T]:
        try:
            if writes and self._is_read_only:
                raise ProgrammingError("this recorder was opened read-only; open it without read_only, or use a Runner's")
            if _running_loop() is self._loop:
                raise ProgrammingError("this would wait for the event loop that it is called on; use asyncio.to_thread")
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except BaseException as error:
            work.close()
            if isinstance(error, RuntimeError):
                raise InterfaceError(f"the store of this recorder is closed ({error})") from error
            raise


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """This thread's running event loop, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _of_the_library(error: LiveOrderError) -> PersistenceError:
    match error:
        case VersionConflict():
            return IntegrityError(str(error))
        case InvalidInput():
            return ProgrammingError(str(error))
        case LeaseLost() | StoreUnavailable():
            return OperationalError(str(error))
    return DatabaseError(str(error))
