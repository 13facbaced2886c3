"""Blocking SDK calls off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from liveorder.domain.errors import BrokerConnectionError

P = ParamSpec("P")
T = TypeVar("T")


class BlockingCalls:
    """Runs calls in its own threads, up to `at_once` concurrently. The others wait in the order of their arrival.

    If a caller stops waiting, the call goes on until its own time-out, and its result is dropped. A call that still waits for a
    thread is not made.
    """

    def __init__(self, name: str, at_once: int = 8) -> None:
        self._name, self._threads = name, ThreadPoolExecutor(at_once, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *args: P.args, **keywords: P.kwargs) -> T:
        """Raises `BrokerConnectionError` after `close`: the call was not made."""
        loop = asyncio.get_running_loop()

        def made() -> T:
            return call(*args, **keywords)

        try:
            result = loop.run_in_executor(self._threads, made)
        except RuntimeError:  # raised by the pool after its shutdown
            raise BrokerConnectionError(f"{self._name}: this connection was closed; nothing was sent") from None
        return await result

    def close(self) -> None:
        """Calls in flight finish on their own. Waiting ones are not made."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def handed_over(loop: asyncio.AbstractEventLoop, take: Callable[[Any], object]) -> Callable[[Any], None]:
    """`take` for callers in other threads. It runs on the loop in the order of the calls, and not at all once the loop is
    closed.
    """

    def hand_over(item: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(take, item)

    return hand_over
