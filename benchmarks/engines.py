"""A whole engine on a store of its own: everything that the service has but read models, command line and logs.

Logs are off: a line costs about as much as a tenth of an order, and where it goes is the operator's choice.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from benchmarks.counting import CountingDatabase
from benchmarks.instant_broker import InstantBroker, StillMarket
from benchmarks.places import Place
from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.ports.broker import Broker
from liveorder.application.recording import domain_events
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.domain.account_config import AccountConfig
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.database import Database
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import create_store, database_at

ACCOUNT = "SIM"
CLOCK = SystemClock()
MAPPER = DomainEventMapper(domain_events())
LIMITS = RiskLimits(
    max_position_size=Decimal(10**12),
    max_portfolio_exposure=Decimal(10**12),
    max_daily_trades=10**9,
    max_open_orders=10**6,
    allow_short_selling=True,
)
"""Every rule is asked, none refuses."""
SYMBOLS = ("SPY", "QQQ", "IWM", "DIA")


class SilentLog:
    """An `EventLog` that fails on an error: a figure of something that went wrong is none."""

    def write(self, category: str, sentence: str, **fields: object) -> None:
        if category in ("ERROR", "HALT", "LEASE"):
            raise RuntimeError(sentence)


@dataclass
class Trading:
    """An engine at work, and a future for each order that is waited for."""

    engine: Engine
    signals: int = 0
    _closing: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def next_line(self) -> tuple[str, str]:
        """A signal's id, and the signal as a strategy writes it: buys of some symbols and short sales of others, in turn.

        None takes off what is held: of those the broker is asked what it holds, which `exits` measures.
        """
        number, self.signals = self.signals, self.signals + 1
        fields = {
            "signal_id": f"sig-{number}",
            "symbol": SYMBOLS[number % len(SYMBOLS)],
            "side": "BUY" if number % 2 else "SELL",
            "quantity": 100,
            "strategy_name": "trend",
            "timestamp": datetime.now(UTC).isoformat(),
        }
        return f"sig-{number}", json.dumps(fields)

    async def trade(self, signal_id: str, line: str) -> None:
        """From the signal's text until its order is closed."""
        closed = self._closing[signal_id] = asyncio.get_running_loop().create_future()
        await self.engine.execute.execute(Signal.parse(line))
        await closed

    def hear(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        if after.is_finished and (closed := self._closing.pop(after.intent.signal_id, None)) is not None:
            closed.set_result(None)


@dataclass
class CountedTrading(Trading):
    """On a store whose transactions are counted."""

    database: CountingDatabase = field(kw_only=True)


async def new_store(place: Place) -> str:
    url = place.new_url()
    await create_store(url, clock=CLOCK, namespace="bench", default_account=ACCOUNT, mode="SIMULATION", account_ids=[ACCOUNT])
    return url


def engine_at(place: Place, url: str, broker: Broker, market: StillMarket | None = None) -> tuple[Engine, CountingDatabase]:
    """Not yet started."""
    database = CountingDatabase(database_at(url, CLOCK, place.placement))
    store = DatabaseOrderStore(cast(Database, database), MAPPER, CLOCK)
    market = market or StillMarket()
    connection = AccountConnection(AccountConfig(ACCOUNT, limits=LIMITS), broker, market, market)
    settled = EngineConfig(ExecutionConfig("session"), owner="bench", auto_trading_default=True)
    journal = FileEmergencyJournal(place.folder / "emergency.jsonl")
    calendar, chance = ExchangeCalendars(), random.Random()  # noqa: S311 -- ids of orders that nobody places
    return Engine(settled, store, store.lease, {ACCOUNT: connection}, calendar, journal, CLOCK, chance, SilentLog()), database


@asynccontextmanager
async def trading(
    place: Place, broker: Broker | None = None, url: str | None = None, market: StillMarket | None = None
) -> AsyncIterator[CountedTrading]:
    """An engine on a new store, or on the one at `url`, started and afterwards stopped in good order."""
    engine, database = engine_at(place, url or await new_store(place), broker or InstantBroker(ACCOUNT), market)
    await engine.start()
    try:
        found = CountedTrading(engine, database=database)
        engine.orders.listen(found.hear)
        yield found
    finally:
        await engine.stop()
