"""Risk-reducing actions (cancel, halt) wait at most 2 s for the store, then proceed and are recorded later."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from liveorder.domain.errors import StoreUnavailable

STORE_PATIENCE_SECONDS = 2.0
"""For so long a cancel or a halt waits for the store before it goes on without it."""

T = TypeVar("T")

_LATE: set[asyncio.Task[Any]] = set()


async def within_store_timeout(booking: Coroutine[Any, Any, T]) -> T:
    """What the booking gives. Raises `StoreUnavailable` when that takes too long; the booking itself goes on."""
    task = asyncio.create_task(booking)
    try:
        done, _ = await asyncio.wait({task}, timeout=STORE_PATIENCE_SECONDS)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        _LATE.add(task)
        task.add_done_callback(_forget)
        raise StoreUnavailable(f"the order store has not answered for {STORE_PATIENCE_SECONDS:g} s")
    return task.result()


def _forget(task: asyncio.Task[Any]) -> None:
    """Its error too: the caller has already got `StoreUnavailable`."""
    _LATE.discard(task)
    if not task.cancelled():
        task.exception()
