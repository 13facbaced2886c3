"""One account that strategies trade through `Runner`, in virtual time: what they ask for, and where three books say it stands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from liveorder import Runner
from liveorder.application.engine.engine import Engine
from liveorder.application.engine.service import Service
from liveorder.application.reporting.projector import Projector
from liveorder.application.reporting.read_models import Query
from liveorder.application.reporting.views import OrderView, SignalView
from liveorder.domain.instrument import Instrument
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.position import PositionSide, shown
from liveorder.domain.signal import Signal
from liveorder.domain.values import ZERO
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.readmodels import views_at
from liveorder.testing.venue.opening import catalogue_of
from liveorder.testing.venue.settings import PriceSource, VenueSettings
from tests.engine.scenes import ACCOUNT, Scene
from tests.field_cases.evidence import held_at_venue

AAPL, MSFT, RELIANCE = "NASDAQ:AAPL", "NASDAQ:MSFT", "NSE:RELIANCE"


class Held(NamedTuple):
    """Signed units, what one cost, and what was earned by those that were closed, before commission."""

    quantity: Decimal = ZERO
    average: Decimal | None = None
    realized: Decimal = ZERO


@dataclass(frozen=True)
class Books:
    """One instrument as the venue holds it, as the risk rules know it, and as it is reported, a row for each strategy."""

    venue: Decimal
    risk: Held
    report: Mapping[str, Held]

    @property
    def reported(self) -> Decimal:
        """What the rows come to together."""
        return sum((row.quantity for row in self.report.values()), ZERO)


def agreed(held: Held, strategy: str = "default") -> Books:
    """One strategy holds it, and all three say the same."""
    return Books(held.quantity, held, {strategy: held})


@dataclass(frozen=True)
class Trader:
    scene: Scene
    engine: Engine
    runner: Runner
    service: Service

    async def trades(self, signal: Signal | None = None, **fields: Any) -> OrderView:
        """The order that the signal became, once it is closed."""
        order = await self.runner.execute(signal or Signal(**fields))
        return order if order.status.is_closed else await self.runner.wait_closed(order.order_id, 60)

    async def enters(self, units: Decimal | int | str, signal: Signal | None = None, **fields: Any) -> OrderView:
        """As `trades`, of what a story begins with: raises `RuntimeError` unless so many are filled."""
        order = await self.trades(signal, **fields)
        if order.status is not OrderStatus.FILLED or order.filled_quantity != Decimal(units):
            raise RuntimeError(f"{order.signal_id}: {order.filled_quantity} filled, {order.status} ({order.error_message})")
        return order

    async def books(self, instrument: str) -> Books:
        known = self.engine.risk.positions(ACCOUNT).get(instrument)
        risk = Held() if known is None else Held(known.quantity, known.average_price, shown(known.realized_gross, 8))
        rows = [row for row in await self.runner.positions() if row.instrument == instrument]
        signs = {PositionSide.SHORT: -1}
        report = {
            row.strategy_name: Held(row.quantity * signs.get(row.side, 1), row.average_price, row.realized_pnl) for row in rows
        }
        return Books(held_at_venue(self.scene, instrument), risk, report)

    async def dead_letters(self) -> list[SignalView]:
        await self.service.settle_views()
        return [*await self.service.views.signals(Query(status="DEAD_LETTER"))]

    async def refused_by(self, order: OrderView) -> str:
        """Name of the rule; empty where none refused it."""
        if order.status is not OrderStatus.REJECTED:
            return ""
        (refusal,) = [line.data for line in await self.runner.history(order.order_id) if "code" in line.data]
        return str(refusal["code"])

    async def person_books(self, quantity: Decimal, reason: str, *, symbol: str, exchange: str, **said: Any) -> None:
        """What changed a position without an order, at a price of nothing: `quantity` (signed) for `reason`.

        By the one door that there is for it today; it is told as much of what the person says as it takes.
        """
        adopt = self.engine.adopt.adopt_position
        taken = {name: value for name, value in said.items() if name in signature(adopt).parameters}
        await adopt(ACCOUNT, symbol, exchange, quantity, ZERO, reason, "person:ann", **taken)


@asynccontextmanager
async def trading(scene: Scene, **terms: Any) -> AsyncIterator[Trader]:
    """One life of the service, read models included."""
    engine = scene.engine(**terms)
    store = engine.store
    assert isinstance(store, DatabaseOrderStore)
    views = views_at(f"sqlite:///{scene.folder / 'views.db'}", clock=scene.clock, is_inline=True)
    service = Service(engine, store.commands, views, Projector(store, views, scene.clock, _raise), [])
    try:
        await service.start(wait_for_lease=True)
        yield Trader(scene, engine, Runner(service), service)
    finally:
        await service.stop()
        await views.close()


def _raise(error: Exception) -> None:
    raise error


def listing(folder: Path, *instruments: Instrument, prices: Mapping[str, str]) -> dict[str, Any]:
    """For `a_scene`: a venue that lists these beside its own, at prices by instrument key that stand still."""
    path = folder / "catalogue.json"
    path.write_text(json.dumps([each.to_dict() for each in instruments]))
    starts = {key: Decimal(price) for key, price in prices.items()}
    venue = VenueSettings(catalogue_file=path, prices=PriceSource(volatility=0.0, start_prices=starts))
    return {"venue": venue, "instruments": SimulatedInstruments(catalogue_of(venue))}
