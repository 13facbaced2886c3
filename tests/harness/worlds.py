"""A whole engine with a real store and the real simulated exchange, in one process and out of time. Dies and lives at will."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.ports.broker import Broker
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES, SimulatedBroker
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.clock import LoopClock
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import create_store, store_at
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.in_process import InProcess
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import PriceSource, VenueSettings
from tests.harness.crash_points import CrashPoint, crashing_broker, crashing_store

ACCOUNT = "SIM"
NOON = datetime(2025, 3, 10, 16, 0, tzinfo=UTC)
"""A Monday in New York, market open."""

LAX = RiskLimits(max_daily_trades=None, max_position_size=None, price_collar_percent=None, max_signal_age_seconds=None)
STILL = VenueSettings(prices=PriceSource(volatility=0.0))
"""A venue whose prices stand still."""


class StandingClock:
    """Time passes when a test says so."""

    def __init__(self) -> None:
        self.at = NOON
        self.count = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.count

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.count += seconds
        self.at += timedelta(seconds=seconds)


class RememberedLog:
    """An `ActivityLog` that a test can read."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self.lines.append((category, sentence))

    def of(self, category: str) -> list[str]:
        return [sentence for found, sentence in self.lines if found == category]


@dataclass
class World:
    """A venue that outlives engines, and a store that outlives them too."""

    folder: Path
    clock: LoopClock
    floor: Floor
    limits: RiskLimits = LAX
    capabilities: BrokerCapabilities = SIMULATED_CAPABILITIES
    terms: dict[str, Any] = field(default_factory=dict)
    account_terms: dict[str, Any] = field(default_factory=dict)
    log: RememberedLog = field(default_factory=RememberedLog)
    lives: int = 0

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'orders.db'}"

    def broker(self) -> Broker:
        return SimulatedBroker(InProcess(self.floor, self.clock), account_id=ACCOUNT, capabilities=self.capabilities)

    def venue_orders(self, order: LiveOrder | str) -> list[Any]:
        """What the venue has under this order's key."""
        key = order if isinstance(order, str) else order.client_order_id
        return list(self.floor.gateway.venue.questions.orders_by_key(key, self.clock.now()))

    def engine(self, crash_point: CrashPoint | None = None, **terms: Any) -> Engine:
        """The next life of the service, not yet started. With a `crash_point` it can die."""
        self.lives += 1
        crash_point = crash_point or CrashPoint()
        store = crashing_store(store_at(self.url, clock=self.clock, placement=Placement.INLINE), crash_point)
        transport = InProcess(self.floor, self.clock)
        connection = AccountConnection(
            AccountConfig(account_id=ACCOUNT, limits=self.limits, **self.account_terms),
            crashing_broker(self.broker(), crash_point),
            SimulatedMarketData(transport),
            SimulatedInstruments(),
        )
        execution = ExecutionConfig(f"session-{self.lives}")
        settled = EngineConfig(
            execution, owner=f"life-{self.lives}", auto_trading_default=True, reconcile_seconds=60.0, lease_seconds=3.0
        )
        return Engine(
            replace(settled, **(self.terms | terms)),
            store,
            store.lease,
            {ACCOUNT: connection},
            ExchangeCalendars(),
            FileEmergencyJournal(self.folder / "emergency.jsonl"),
            self.clock,
            random.Random(self.lives),
            self.log,
        )

    @asynccontextmanager
    async def living(self, **terms: Any) -> AsyncIterator[Engine]:
        """One life from start to an orderly stop."""
        engine = self.engine(**terms)
        await engine.start(wait_for_lease=True)
        try:
            yield engine
        finally:
            await engine.stop()


@asynccontextmanager
async def a_world(folder: Path, venue: VenueSettings = STILL, start: datetime = NOON, **settled: Any) -> AsyncIterator[World]:
    clock = LoopClock(start)
    floor = Floor(open_venue(venue, clock.now()), venue, clock)
    world = World(folder, clock, floor, **settled)
    await create_store(world.url, clock=clock, namespace="test", default_account=ACCOUNT, mode="SIMULATION", account_ids=[ACCOUNT])
    try:
        yield world
    finally:
        floor.close()


def a_signal(signal_id: str = "sig-1", **fields: Any) -> Signal:
    return Signal(**({"signal_id": signal_id, "symbol": "SPY", "side": "BUY", "quantity": Decimal(10)} | fields))


async def until(condition: Any, seconds: float = 600.0) -> None:
    """Let the world's time pass until it is so; fails after `seconds` of it."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - any condition, looked at as virtual time goes by
            await asyncio.sleep(0.25)
