"""Brokers are asked side by side: one that does not answer holds up no other, nor a slow answer all those behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

QUESTIONS_AT_ONCE = 8
"""To one broker. Its rate is kept elsewhere."""

A = TypeVar("A")
T = TypeVar("T")


async def concurrently(work: Callable[[A], Awaitable[T]], each_of: Iterable[A], at_once: int | None = None) -> list[T]:
    """What the work gives for each, in order. The first error is raised once all have ended, so that none goes on unheard."""
    items = list(each_of)
    places = asyncio.Semaphore(at_once or max(len(items), 1))

    async def in_turn(item: A) -> T:
        async with places:
            return await work(item)

    results = await asyncio.gather(*map(in_turn, items), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    if errors:
        raise errors[0]
    return [result for result in results if not isinstance(result, BaseException)]
