"""An exit meets the entries of its own product alone: it waits for those and has them cancelled, whatever is open under others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import BrokerTimeoutError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import OrderRole, Product
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import Scene, a_scene, a_signal, until
from tests.engine.test_making_way import code_of
from tests.engine.test_products import BY_HAND, CLOSES, CNC, IN_INDIA, MIS, NRML, SHORTS, D, at_venue, hold, out

EXITS = {name: fields for name, fields in CLOSES.items() if name != "target"}
STOP: Mapping[str, Any] = {"role": OrderRole.STOP_LOSS, "order_type": "STOP", "stop_price": 1000, "side": "SELL"}


async def entry(engine: Engine, product: Product, units: int = 4) -> LiveOrder:
    limit = {"order_type": "LIMIT", "limit_price": 1200, "quantity": units}
    return await engine.execute.execute(a_signal(f"entry {product}", symbol="RELIANCE", product=product, **limit))


async def in_doubt(scene: Scene, engine: Engine, product: Product) -> LiveOrder:
    scene.witness.answers["find"] = AsyncMock(side_effect=BrokerTimeoutError("no"))
    await scene.lay(FaultKind.REQUEST_LOST, Point.SUBMIT)
    order = await entry(engine, product)
    assert order.is_in_doubt
    return order


@pytest.mark.parametrize("how", ["open", "in doubt"])
@pytest.mark.parametrize("named", [MIS, None])
@pytest.mark.parametrize("fields", EXITS.values(), ids=EXITS)
async def test_an_exit_neither_waits_for_entries_of_another_product_nor_cancels_them(
    tmp_path: Path, fields: Mapping[str, Any], named: Product | None, how: str
) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        other = await in_doubt(scene, engine, CNC) if how == "in doubt" else await entry(engine, CNC)
        order = await out(engine, "out", named, **fields)
        assert (order.status, order.terms.product, order.filled_quantity) == (OrderStatus.FILLED, MIS, D(10))
        other = await engine.orders.get(other.order_id)
        assert (other.status.is_closed, other.cancel_requested) == (False, False)


@pytest.mark.parametrize("nrml", [0, -10, -15])
@pytest.mark.parametrize("named", [MIS, None])
@pytest.mark.parametrize("fields", [each for name, each in EXITS.items() if name != "stop"], ids=[*EXITS][:-1])
async def test_an_exit_has_the_entry_of_its_product_cancelled_whatever_is_held_under_others(
    tmp_path: Path, fields: Mapping[str, Any], named: Product | None, nrml: int
) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, **({"NRML": nrml} if nrml else {}))
        more = await entry(engine, MIS)
        order = await out(engine, "out", named, **{**fields, "side": "SELL"})
        assert (order.terms.product, order.filled_quantity) == (MIS, D(10))
        assert (await engine.orders.get(more.order_id)).status is OrderStatus.CANCELLED


async def test_a_guard_waits_for_the_entry_of_its_product_alone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, **IN_INDIA) as scene, scene.living() as engine:
        mine, other = await entry(engine, MIS, 10), await entry(engine, CNC)
        guard = await engine.execute.execute(a_signal("guard", symbol="RELIANCE", product=MIS, **{**STOP, "quantity": None}))
        assert guard.wait is not None
        assert guard.wait.orders == (mine.order_id,)
        await scene.control.fill(mine.broker_order_id or "", D(10), D(1200))
        await until(lambda: not (engine.orders.unfinished_with(guard.order_id) or guard).is_waiting)
        guard = await engine.orders.get(guard.order_id)
        assert (guard.is_acknowledged, guard.terms.quantity, guard.terms.product) == (True, D(10), MIS)
        assert not (await engine.orders.get(other.order_id)).status.is_closed


async def test_where_nothing_is_held_an_exit_that_names_no_product_ends_all_entries(tmp_path: Path) -> None:
    """Which product it closes is not known before: what fills of them is what there is to close."""
    async with a_scene(tmp_path, BY_HAND, **IN_INDIA) as scene, scene.living() as engine:
        entries = [await entry(engine, product) for product in (MIS, NRML)]
        await out(engine, role=OrderRole.EXIT)
        assert {(await engine.orders.get(each.order_id)).status for each in entries} == {OrderStatus.CANCELLED}
        assert await at_venue(scene) == {}


@pytest.mark.parametrize("fields", EXITS.values(), ids=EXITS)
async def test_an_exit_of_no_certain_product_has_no_entry_cancelled(tmp_path: Path, fields: Mapping[str, Any]) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, NRML=4)
        more = await entry(engine, MIS)
        order = await engine.execute.execute(a_signal("out", symbol="RELIANCE", **{"side": "SELL", "quantity": None, **fields}))
        assert await code_of(scene, order) == "several_products"
        assert not (await engine.orders.get(more.order_id)).cancel_requested
