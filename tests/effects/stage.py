"""Where a field shows what it does: the parts that the settings make, at the built-in exchange, in virtual time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.clock import Clock
from liveorder.bootstrap import service
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import clock_of
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.sqlite import Placement
from liveorder.infrastructure.eventstore.store_by_url import create_store, store_at
from liveorder.infrastructure.settings import Settings
from tests.harness.worlds import RememberedLog

NOON = "2025-03-10T16:00:00Z"
"""A Monday in New York, market open; SPY stands at 500."""
LAX = dict.fromkeys(["max_daily_trades", "max_position_size", "price_collar_percent", "max_signal_age_seconds"])
STILL = {"prices": {"volatility": 0}}

Tables: TypeAlias = Mapping[str, Any]


@dataclass
class Stage:
    """A running engine, and what it was made from."""

    engine: Engine
    settings: Settings
    clock: Clock
    log: RememberedLog
    folder: Path

    @property
    def broker(self) -> Any:
        return next(iter(self.engine.gateways.values())).broker

    async def order(self, signal_id: str = "sig-1", **fields: Any) -> LiveOrder:
        return await self.engine.execute.execute(a_signal(signal_id, **fields))

    async def now(self, order: LiveOrder) -> LiveOrder:
        return await self.engine.orders.get(order.order_id)


def a_signal(signal_id: str = "sig-1", **fields: Any) -> Signal:
    """Buys ten SPY at the market, but for what is said otherwise; what is None is left out."""
    sized = {} if "notional" in fields else {"quantity": 10}
    return Signal(**({"signal_id": signal_id, "symbol": "SPY", "side": "BUY"} | sized | fields))


def settings_in(folder: Path, venue: Tables, tables: Tables) -> Settings:
    path = folder / "venue.json"
    path.write_text(json.dumps({**STILL, **venue}))
    simulation = {"starts_at": NOON, "venue_settings": path, "venue_data": folder / "venue.db"}
    return Settings(**merged({"simulation": simulation, "risk": LAX, "logs": {"console": False, "directory": folder}}, tables))


def merged(one: Tables, other: Tables) -> dict[str, Any]:
    both = {name: merged(one[name], other[name]) for name in one if isinstance(other.get(name), dict)}
    return {**one, **other, **both}


@asynccontextmanager
async def stage(folder: Path, venue: Tables, tables: Tables) -> AsyncIterator[Stage]:
    settings, log = settings_in(folder, venue, tables), RememberedLog()
    settings.check()
    clock, url = clock_of(settings), f"sqlite:///{folder / 'orders.db'}"
    accounts = [account.id for account in settings.trading_accounts]
    named: dict[str, Any] = {"namespace": settings.namespace, "default_account": settings.signals_account}
    await create_store(url, clock=clock, mode=settings.mode.value, account_ids=accounts, **named)
    store: DatabaseOrderStore = store_at(url, clock=clock, placement=Placement.INLINE)
    with connections_of(settings, clock, log) as connections:
        engine = service._engine(settings, store, connections, clock, log, False, lambda *_: None)
        await engine.start()
        try:
            yield Stage(engine, settings, clock, log, folder)
        finally:
            await engine.stop()
