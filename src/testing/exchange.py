"""The exchange behind a twin: the simulated venue, with its faults, asked by a server that speaks a broker's own wire protocol.

A twin translates; it decides nothing. What it is asked for it asks here, and what happens here it tells in its broker's words.
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
    """The fault of this request breaks the connection: the twin closes it and answers nothing."""


class Exchange:
    """One venue. `control` is its people: faults, prices, fills by hand, what is true."""

    def __init__(self, floor: Floor, clock: Clock) -> None:
        self._floor, self.clock = floor, clock
        self.control = VenueControl(InProcess(floor, clock))

    async def ask(self, verb: str, **fields: Any) -> Message:
        """The venue's answer, or ``{"error": code, "message": ...}`` for what it refuses and for faults that answer.

        Raises `HungUp`. Never returns where a fault leaves the caller waiting for its own time-out.
        """
        answer = await self._floor.send(json.dumps({"verb": verb} | plain(**fields)))
        if answer is None:
            raise HungUp
        return answer

    def order(self, order_id: str) -> VenueOrder | None:
        """As the venue keeps it; its `placed` is what was asked for."""
        return self._floor.gateway.venue.questions.order(order_id)

    def quote(self, instrument_key: str) -> Message:
        """As it stands now, whatever faults are laid; empty where there is none."""
        return self._floor.gateway.venue.questions.quote(instrument_key, self.clock.now())

    def subscribe(self, account: str) -> VenueFeed:
        """Reports of the account from now on. Raises `Refused` while streams are down."""
        return self._floor.subscribe(account)

    @asynccontextmanager
    async def administered(self, port: int = 0) -> AsyncIterator[int]:
        """Lets other processes reach `control` over TCP (`VenueControl(Tcp(...))`) while the block lasts; gives the port."""
        async with listening(self._floor, port=port) as taken:
            yield taken


@asynccontextmanager
async def open_exchange(settings: VenueSettings, data: Path | None = None) -> AsyncIterator[Exchange]:
    """With `data` it remembers everything there, its own death notwithstanding."""
    clock = SystemClock()
    floor = Floor(open_venue(settings, clock.now(), data), settings, clock)
    try:
        yield Exchange(floor, clock)
    finally:
        floor.close()
