"""The connection of a broker to its venue: in process, or over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerTimeoutError
from liveorder.infrastructure.brokers.simulated.wire import Message

T = TypeVar("T")


class ReportFeed(Protocol):
    """The reports of one account since the subscription."""

    def __aiter__(self) -> AsyncIterator[Message]: ...

    def close(self) -> None: ...


class Transport(Protocol):
    """Sends a line of JSON and returns the answer."""

    async def ask(self, line: str, timeout_seconds: float) -> Message:
        """Raises `BrokerConnectionError` if nothing was sent, `BrokerTimeoutError` or `OutcomeUnknown` if no answer came."""
        ...

    async def subscribe(self, account_id: str) -> ReportFeed:
        """Raises `BrokerConnectionError`."""
        ...

    async def close(self) -> None: ...


async def within(timeout_seconds: float, future: asyncio.Future[T], clock: Clock) -> T:
    """The future's result. Raises `BrokerTimeoutError` after the time-out by this clock, and cancels the future."""
    if future.done():
        return future.result()
    timer = asyncio.ensure_future(clock.sleep(timeout_seconds))
    try:
        await asyncio.wait((future, timer), return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise BrokerTimeoutError(f"no answer from the venue within {timeout_seconds} s")
        return future.result()
    finally:
        timer.cancel()
        future.cancel()
