"""The same world, lived twice, gives the same events to the last digit."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.settings import Fills, PriceSource, VenueCommission, VenueSettings
from tests.engine.scenes import LAX, a_limit, a_scene, a_signal, until

ROUGH = VenueSettings(
    seed=7,
    prices=PriceSource(volatility=0.001),
    fills=Fills(delay_seconds=0.7, max_quantity=Decimal(3)),
    commission=VenueCommission(per_order=Decimal(1), per_unit=Decimal("0.005")),
    rejection_probability=0.1,
    latency_seconds=0.05,
    faults=FaultPlan(
        faults=(
            Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT, probability=0.2),
            Fault(kind=FaultKind.REPORT_DUPLICATED, on=Point.REPORT, probability=0.2),
            Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.SUBMIT, probability=0.3),
            Fault(kind=FaultKind.REQUEST_HELD, on=Point.SUBMIT, probability=0.2, seconds=3.0),
            Fault(kind=FaultKind.BUST, on=Point.FILL, probability=0.1, seconds=5.0),
            Fault(kind=FaultKind.STREAM_DROPPED, on=Point.CANCEL, nth=1, seconds=4.0),
        )
    ),
)


async def lived(folder: Path) -> list[str]:
    """An afternoon of twelve signals, a death in the middle of it included; every event with its envelope."""
    roomy = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(folder, ROUGH, limits=roomy) as scene:
        engine = scene.engine()
        await engine.start()
        signals = [a_signal(f"s{n}", symbol=symbol) for n, symbol in enumerate(("SPY", "AAPL", "MSFT", "TSLA") * 3)]
        executing = [asyncio.create_task(engine.execute.execute(signal)) for signal in signals]
        await asyncio.sleep(1.3)
        for task in executing:
            task.cancel()
        await scene.dies(engine)
        async with scene.living() as again:
            for signal in signals:
                await again.execute.execute(signal)
            rests = await again.execute.execute(a_limit("rests", time_in_force="GTC"))
            await asyncio.sleep(30)
            await again.cancel.cancel(rests.order_id)
            await until(lambda: not [o for o in again.orders.unfinished() if not o.status.is_closed], 300)

        async def told(store: DatabaseOrderStore) -> list[str]:
            pages = [page async for page in store.log()]
            return [f"{item.stream_id} {item.version} {item.envelope!r} {item.event!r}" for page in pages for item in page]

        events = await scene.reading(told)
        keys = [each.get("client_order_id") for each in scene.floors["SIM"].gateway.venue.questions.orders(scene.clock.now())]
        assert len(keys) == len(set(keys)), "two orders with one key"
        return events


async def test_the_same_afternoon_lived_twice_leaves_the_same_log(tmp_path_factory: pytest.TempPathFactory) -> None:
    first, second = [await lived(tmp_path_factory.mktemp(name)) for name in ("first", "second")]
    assert len(first) > 60
    assert first == second
