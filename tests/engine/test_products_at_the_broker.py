"""Where a position is kept for each product, the broker's own figures by product say what may be closed under which."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.trading.adopt import Adopt
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.values import PositionEffect, Product, Side
from tests.engine.scenes import ACCOUNT, Scene, a_scene, until
from tests.engine.test_products import CLOSES, CNC, IN_INDIA, MIS, NRML, RELIANCE, SHORTS, D, at_venue, hold, out


async def adopted_of_no_product(scene: Scene, engine: Engine, **parts: int) -> None:
    """As a version did that knew no products."""
    for name, units in parts.items():
        await scene.control.place(ACCOUNT, RELIANCE, Side.BUY, D(units), product=Product(name))
    held = D(sum(parts.values()))
    with patch.object(Adopt, "_product", AsyncMock(return_value=None)):
        await engine.adopt.adopt_position(ACCOUNT, "RELIANCE", "NSE", held, D(1200), "old", "ann", None, "default")


@pytest.mark.parametrize("is_compared", [False, True], ids=["never compared", "compared"])
@pytest.mark.parametrize("fields", CLOSES.values(), ids=CLOSES)
async def test_what_is_of_no_known_product_closes_under_the_one_that_the_broker_names(
    tmp_path: Path, fields: Mapping[str, Any], is_compared: bool
) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene:
        async with scene.living() as engine:
            await adopted_of_no_product(scene, engine, MIS=10)
            if is_compared:
                assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
                assert engine.risk.account_by_product(ACCOUNT, RELIANCE) == {MIS: D(10)}
            order = await out(engine, **fields)
            assert (order.status, order.terms.product, order.filled_quantity) == (OrderStatus.FILLED, MIS, D(10)), (
                order.error_message
            )
            assert await at_venue(scene) == {}
        async with scene.living() as engine:
            assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
            assert engine.risk.account_by_product(ACCOUNT, RELIANCE) == {}
            again = await out(engine, "again", MIS, side=None, position_effect=PositionEffect.CLOSE)
            assert "holds no RELIANCE" in (again.error_message or "")


async def test_liveorder_close_closes_what_is_of_no_known_product_under_the_brokers(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await adopted_of_no_product(scene, engine, MIS=10)
        closed = await engine.close_positions.close("c1", "ann", "RELIANCE")
        assert [(order.terms.product, order.terms.quantity) for order in closed.orders] == [(MIS, D(10))]
        await until(lambda: engine.is_quiet)
        assert await at_venue(scene) == {}


async def test_held_under_several_products_at_the_broker_one_has_to_be_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await adopted_of_no_product(scene, engine, MIS=6, NRML=4)
        assert engine.risk.account_by_product(ACCOUNT, RELIANCE) == {None: D(10)}
        assert "6 under MIS, 4 under NRML" in ((await out(engine)).error_message or "")
        assert "holds no RELIANCE under CNC" in ((await out(engine, "other", CNC)).error_message or "")
        for product, units in ((MIS, 6), (NRML, 4)):
            order = await out(engine, f"out {product}", product)
            assert (order.terms.product, order.filled_quantity) == (product, D(units))
        assert await at_venue(scene) == {}
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_where_it_is_is_told_anew_by_each_comparison(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await adopted_of_no_product(scene, engine, MIS=10)
        await engine.reconcile.reconcile(ACCOUNT)
        await out(engine, "first")
        await adopted_of_no_product(scene, engine, CNC=5)
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        order = await out(engine, "second")
        assert (order.terms.product, order.filled_quantity) == (CNC, D(5))
        assert await at_venue(scene) == {}


AGAINST: Mapping[str, tuple[int, int]] = {"net zero": (10, -10), "net short": (10, -15), "net long": (10, -5), "short": (-10, 10)}


async def squared_off(scene: Scene, engine: Engine, mis: int, nrml: int) -> None:
    """The strategy holds one product against another, and the broker closes all MIS."""
    await hold(engine, MIS=mis, NRML=nrml)
    await asyncio.sleep(5)
    await scene.control.place(ACCOUNT, RELIANCE, Side.SELL if mis > 0 else Side.BUY, D(abs(mis)), product=MIS)
    await asyncio.sleep(5)
    assert await at_venue(scene) == {NRML: D(nrml)}


@pytest.mark.parametrize(("mis", "nrml"), AGAINST.values(), ids=AGAINST)
@pytest.mark.parametrize("named", [MIS, None])
@pytest.mark.parametrize("fields", CLOSES.values(), ids=CLOSES)
async def test_what_the_broker_closed_is_not_closed_again_whatever_is_held_under_others(
    tmp_path: Path, fields: Mapping[str, Any], named: Product | None, mis: int, nrml: int
) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await squared_off(scene, engine, mis, nrml)
        order = await out(engine, "out", named, **{"side": "SELL" if mis > 0 else "BUY", **fields})
        assert order.status is OrderStatus.REJECTED
        assert await at_venue(scene) == {NRML: D(nrml)}


@pytest.mark.parametrize(("mis", "nrml"), AGAINST.values(), ids=AGAINST)
@pytest.mark.parametrize("owner", PositionOwner)
async def test_liveorder_close_asks_under_each_product(tmp_path: Path, owner: PositionOwner, mis: int, nrml: int) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        engine.risk.judge_by(owner)
        await squared_off(scene, engine, mis, nrml)
        closed = await engine.close_positions.close("c1", "ann", "RELIANCE")
        await until(lambda: engine.is_quiet)
        assert await at_venue(scene) == {}
        assert [order.terms.product for order in closed.orders if order.status is not OrderStatus.REJECTED] == [NRML]


async def test_part_of_it_closed_by_the_broker_the_rest_is_closed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=-10, NRML=10)
        await asyncio.sleep(5)
        await scene.control.place(ACCOUNT, RELIANCE, Side.BUY, D(7), product=MIS)
        await asyncio.sleep(5)
        order = await out(engine, side=None, product=MIS, position_effect=PositionEffect.CLOSE)
        assert (order.terms.side, order.filled_quantity, order.terms.reduces_only) == (Side.BUY, D(3), True)
        assert await at_venue(scene) == {NRML: D(10)}
