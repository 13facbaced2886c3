"""What runs side by side: questions to brokers, and what is booked while the caller no longer waits for the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from liveorder.domain.errors import StoreUnavailable

QUESTIONS_AT_ONCE = 8
"""To one broker. Its rate is kept elsewhere."""
STORE_TIMEOUT_SECONDS = 2.0
"""For so long what reduces risk (a cancel, a halt) waits for the store before it goes on without it, and is recorded later."""

A = TypeVar("A")
T = TypeVar("T")

_LATE: set[asyncio.Task[Any]] = set()


async def concurrently(work: Callable[[A], Awaitable[T]], each_of: Iterable[A], limit: int | None = None) -> list[T]:
    """What the work gives for each, in order, at most `limit` at a time: one slow answer holds up none behind it.

    The first error is raised once all have ended, so that none goes on unheard.
    """
    items = list(each_of)
    places = asyncio.Semaphore(limit or max(len(items), 1))

    async def in_turn(item: A) -> T:
        async with places:
            return await work(item)

    results = await asyncio.gather(*map(in_turn, items), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise errors[0]
    return [result for result in results if not isinstance(result, BaseException)]


async def within_store_timeout(booking: Coroutine[Any, Any, T]) -> T:
    """What the booking gives. Raises `StoreUnavailable` when that takes too long; the booking itself goes on."""
    task = asyncio.create_task(booking)
    try:
        done, _ = await asyncio.wait({task}, timeout=STORE_TIMEOUT_SECONDS)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        _LATE.add(task)
        task.add_done_callback(_forget)
        raise StoreUnavailable(f"the order store has not answered for {STORE_TIMEOUT_SECONDS:g} s")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    """Its error too: the caller has already got `StoreUnavailable`."""
    _LATE.discard(task)
    if not task.cancelled():
        task.exception()
