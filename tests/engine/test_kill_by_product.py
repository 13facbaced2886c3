"""A kill closes what is held under each product, each for the strategies that hold it, whatever is held or open under others."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from liveorder.application.emergency.kill import StopReport
from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerTimeoutError, OrderValidationError
from liveorder.domain.values import Product, Side
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, Scene, a_scene, a_signal
from tests.engine.test_products import CNC, IN_INDIA, MIS, NRML, RELIANCE, SHORTS, D, at_venue, hold, sent

Held = Mapping[str, Mapping[Product, int]]


async def holding(engine: Engine, held: Held) -> None:
    for name, parts in held.items():
        for product, units in parts.items():
            side = "BUY" if units > 0 else "SELL"
            await sent(engine, f"{name} {product}", product, side=side, quantity=abs(units), strategy_name=name)


async def killed(engine: Engine) -> StopReport:
    return await engine.kill_all.kill("test", "ann", flatten=True, wait_seconds=3.0)


def booked(engine: Engine) -> dict[str, dict[Product | None, Decimal]]:
    held = engine.risk.units_by_product(ACCOUNT, RELIANCE)
    return {key.strategy_name: dict(parts) for key, parts in held.items() if parts}


async def in_doubt(scene: Scene, engine: Engine, **fields: Any) -> None:
    scene.witness.answers["find"] = AsyncMock(side_effect=BrokerTimeoutError("no"))
    await scene.lay(FaultKind.REQUEST_LOST, Point.SUBMIT)
    order = await engine.execute.execute(a_signal("doubt", **{"symbol": "RELIANCE", "side": "SELL"} | fields))
    assert order.is_in_doubt


@pytest.mark.parametrize(
    "held",
    [
        {"swing": {CNC: 100}, "day": {MIS: -40}},
        {"swing": {CNC: 40}, "day": {MIS: -100}},
        {"A": {NRML: 10}, "B": {MIS: -10}},
        {"A": {MIS: 10, CNC: -10}},
        {"A": {MIS: 10, CNC: -15}},
        {"A": {MIS: 10, CNC: -3}, "B": {CNC: 4, MIS: -4}},
        {"A": {MIS: 10}, "B": {CNC: 4}},
    ],
)
async def test_what_is_held_under_products_against_each_other_is_closed(tmp_path: Path, held: Held) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await holding(engine, held)
        report = await killed(engine)
        assert (report.is_flat, report.not_closed) == (True, ())
        assert await at_venue(scene) == {}
        assert booked(engine) == {}
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_what_the_broker_converted_is_closed_under_its_new_product(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        for side, product in ((Side.SELL, MIS), (Side.BUY, CNC)):
            await scene.control.place(ACCOUNT, RELIANCE, side, D(10), product=product)
        report = await killed(engine)
        assert (report.not_closed, await at_venue(scene)) == ((), {})


@pytest.mark.parametrize(
    ("held", "doubt", "left"),
    [
        ({"A": {MIS: 10, CNC: 4}}, {"strategy_name": "A", "product": CNC, "quantity": 4}, {CNC: 4}),
        ({"swing": {CNC: 10}}, {"strategy_name": "day", "product": MIS, "quantity": 10}, {}),
    ],
)
async def test_what_is_in_doubt_under_one_product_keeps_no_other_open(
    tmp_path: Path, held: Held, doubt: Mapping[str, Any], left: Mapping[Product, int]
) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await holding(engine, held)
        await in_doubt(scene, engine, **doubt)
        await killed(engine)
        assert await at_venue(scene) == {product: D(units) for product, units in left.items()}


async def test_a_kill_of_which_one_product_is_refused_closes_the_others_for_their_own_strategies(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await holding(engine, {"A": {MIS: 10}, "B": {CNC: 4}})

        async def mis_is_blocked(verb: str) -> None:
            if verb == "submit" and '"MIS"' in scene.witness.calls[-1].payload:
                raise OrderValidationError("MIS orders are blocked after 15:20")

        scene.witness.at_call = mis_is_blocked
        assert not (await killed(engine)).is_flat
        assert booked(engine) == {"A": {MIS: D(10)}}
        assert await at_venue(scene) == {MIS: D(10)}
