"""What a campaign's services need: a fork server, stores, and a venue for each key class, in a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.clock import SystemClock
from liveorder.testing.venue.control import VenueControl
from tests.crash.fork_server import ForkServer, fork_server
from tests.crash.plans import ServicePlan, VenuePlan
from tests.crash.processes import PATIENCE_SECONDS, Process, process
from tests.crash.store_factories import StoreFactory, store_factory
from tests.crash.wires import HOST

ON_A_WIRE_SECONDS = 1.0
"""A broker's client library has so long for a call."""


@dataclass(frozen=True, slots=True)
class VenueAt:
    """A venue's address, and its own people."""

    port: int
    control: VenueControl
    addresses: Mapping[str, str]
    """By account, where it is reached on a broker's wire."""


@dataclass(frozen=True, slots=True)
class Scene:
    fork_server: ForkServer
    stores: Mapping[str, StoreFactory]
    """By database engine."""
    venues: Mapping[str, VenueAt]
    """By key class."""
    folder: Path

    def service(self, store: str, account: str, key_class: str, owner: str, **terms: Any) -> AbstractAsyncContextManager[Process]:
        """Just spawned: it takes the store, or stands by until it can."""
        journal = str(self.journal(account))
        venue = self.venues[key_class]
        if venue.addresses:
            terms = {"address": venue.addresses[account], "call_timeout_seconds": ON_A_WIRE_SECONDS} | terms
        plan = ServicePlan(store, venue.port, account, key_class, owner, journal, **terms)
        return process(self.fork_server, plan)

    def journal(self, account: str) -> Path:
        return self.folder / f"{account}.db-emergency.jsonl"


@asynccontextmanager
async def staged(
    folder: Path, engines: Collection[str], key_classes: Collection[str], accounts: tuple[str, ...]
) -> AsyncIterator[Scene]:
    """Every account is known at every venue."""
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - one folder
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(fork_server())
        stores = {name: await stack.enter_async_context(store_factory(name, folder)) for name in sorted(set(engines))}
        venues = {}
        for name in sorted(set(key_classes)):
            venue = await stack.enter_async_context(process(home, VenuePlan(name, accounts, str(folder / f"venue {name}.db"))))
            venues[name] = await stack.enter_async_context(_reached(venue))
        yield Scene(home, stores, venues, folder)


@asynccontextmanager
async def _reached(venue: Process) -> AsyncIterator[VenueAt]:
    started = await venue.wait_for("started")
    port = started["port"]
    transport = Tcp(HOST, port, SystemClock())
    try:
        yield VenueAt(port, VenueControl(transport, request_timeout_seconds=PATIENCE_SECONDS), started["addresses"])
    finally:
        await transport.close()
