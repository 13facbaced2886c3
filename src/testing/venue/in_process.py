"""The venue in the same process: no sockets, and it sleeps only by the clock."""

from __future__ import annotations

import asyncio
from typing import Protocol

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerConnectionError, OutcomeUnknown
from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal
from liveorder.infrastructure.brokers.simulated.transport import ReportFeed, within
from liveorder.infrastructure.brokers.simulated.wire import Message


class Entrance(Protocol):
    """What a caller uses of a `Floor`."""

    def send(self, line: str) -> asyncio.Future[Message | None]: ...

    def subscribe(self, account: str) -> ReportFeed: ...


class InProcess:
    """A `Transport` to a floor, which several transports may share. Closing the transport leaves the floor open."""

    def __init__(self, floor: Entrance, clock: Clock) -> None:
        self._floor, self._clock = floor, clock

    async def ask(self, line: str, timeout_seconds: float) -> Message:
        reply = await within(timeout_seconds, self._floor.send(line), self._clock)
        if reply is None:
            raise OutcomeUnknown("the connection to the venue broke before it answered")
        return reply

    async def subscribe(self, account_id: str) -> ReportFeed:
        try:
            return self._floor.subscribe(account_id)
        except VenueRefusal as refused:
            raise BrokerConnectionError(refused.message) from refused

    async def close(self) -> None:
        """There is nothing to close."""
