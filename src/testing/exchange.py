"""The exchange behind a twin: the simulated venue with its faults, used by a server that speaks a broker's own wire protocol.

A twin translates and decides nothing. It forwards requests to the exchange, and reports what happens there in its broker's
protocol.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from liveorder.application.ports.clock import Clock
from liveorder.infrastructure.brokers.simulated.wire import Message, plain
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.venue.control import VenueControl
from liveorder.testing.venue.floor import Floor, VenueFeed
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.orders import VenueOrder
from liveorder.testing.venue.server import listening
from liveorder.testing.venue.settings import VenueSettings


class HungUp(Exception):
    """A fault breaks the connection: the twin closes it without an answer."""


class Exchange:
    """One venue. `control` administers it: faults, prices, manual fills, and its true state."""

    def __init__(self, floor: Floor, clock: Clock) -> None:
        self._floor, self.clock = floor, clock
        self.control = VenueControl(InProcess(floor, clock))

    async def ask(self, verb: str, **fields: Any) -> Message:
        """The venue's answer, or ``{"error": code, "message": ...}`` for a refusal or for a fault that answers.

        Raises `HungUp`. Never returns if a fault leaves the caller waiting for its own time-out.
        """
        answer = await self._floor.send(json.dumps({"verb": verb} | plain(**fields)))
        if answer is None:
            raise HungUp
        return answer

    def order(self, order_id: str) -> VenueOrder | None:
        """The order as the venue keeps it. Its `placed` holds the terms that were requested."""
        return self._floor.gateway.venue.questions.order(order_id)

    def quote(self, instrument_key: str) -> Message:
        """The present quote, regardless of faults. Empty if there is none."""
        return self._floor.gateway.venue.questions.quote(instrument_key, self.clock.now())

    def subscribe(self, account: str) -> VenueFeed:
        """Reports of the account from now on. Raises `Refused` while streams are down."""
        return self._floor.subscribe(account)

    @asynccontextmanager
    async def administered(self, port: int = 0) -> AsyncIterator[int]:
        """Serve `control` to other processes over TCP (`VenueControl(Tcp(...))`) inside the block. Yields the port."""
        async with listening(self._floor, port=port) as taken:
            yield taken


@asynccontextmanager
async def open_exchange(settings: VenueSettings, data: Path | None = None) -> AsyncIterator[Exchange]:
    """Open an exchange. With `data`, its state is stored there and survives a crash."""
    clock = SystemClock()
    floor = Floor(open_venue(settings, clock.now(), data), settings, clock)
    try:
        yield Exchange(floor, clock)
    finally:
        floor.close()
