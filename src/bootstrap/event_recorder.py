"""A store as a recorder for programs that use the `eventsourcing` library: in a service's process, or alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar

from liveorder.application.engine.service import Service
from liveorder.bootstrap.parts import owner_name
from liveorder.domain.errors import LeaseLost, StoreUnavailable
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.event_recorder import EventRecorder
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import store_at

_T = TypeVar("_T")
_LEASE_SECONDS = 15.0


@contextmanager
def open_recorder(store: str, *, read_only: bool = False) -> Iterator[EventRecorder]:
    """The store at this URL as a recorder of the library, in a program without a service.

    It owns the store until the block ends, since a store has one writer. With `read_only` it owns nothing, and works beside the
    owner. Raises `StoreRefused` if there is no store, or if it would write to one of an earlier version; `LeaseLost` if another
    process owns it; `StoreUnavailable`; `SettingsError` for an invalid URL.
    """
    with _event_loop() as loop:
        opened = _opened(store, read_only=read_only)
        recorder = _done(opened.__aenter__(), loop)
        try:
            yield recorder
        finally:
            _done(opened.__aexit__(None, None, None), loop)


def recorder_of(service: Service) -> EventRecorder:
    """A recorder that appends through the running service's writer. Call on the service's event loop."""
    store = service.engine.store
    assert isinstance(store, DatabaseOrderStore)
    return store.recorder()


@asynccontextmanager
async def _opened(url: str, *, read_only: bool) -> AsyncIterator[EventRecorder]:
    store = store_at(url, clock=SystemClock())
    await store.open()
    try:
        if read_only:
            yield store.recorder(is_read_only=True)
        else:
            async with _owned(store):
                yield store.recorder()
    finally:
        await store.close()


@asynccontextmanager
async def _owned(store: DatabaseOrderStore) -> AsyncIterator[None]:
    await store.identify()
    if await store.lease.acquire(owner_name(), _LEASE_SECONDS) is None:
        held = await store.lease.state()
        holder = held.owner if held is not None else "another process"
        raise LeaseLost(f"this store is owned by {holder}: use the recorder of its Runner, open this one read_only, or stop it")
    keeping = asyncio.create_task(_keep(store))
    try:
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with suppress(StoreUnavailable):  # then the lease expires
            await store.lease.release()


async def _keep(store: DatabaseOrderStore) -> None:
    """Renew the lease until it is lost. From then on every append is refused."""
    is_ours = True
    while is_ours:
        await asyncio.sleep(_LEASE_SECONDS / 3)
        with suppress(StoreUnavailable):
            is_ours = await store.lease.renew(_LEASE_SECONDS)


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="liveorder recorder", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_end_what_is_left())
        loop.close()


async def _end_what_is_left() -> None:
    """Cancel calls that arrived while the loop was stopping; their threads would wait forever."""
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _done(work: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> _T:
    return asyncio.run_coroutine_threadsafe(work, loop).result()
