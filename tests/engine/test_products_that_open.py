"""What opens or turns round is of one product too: it is sized, judged and sent under the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import PositionEffect, Product
from liveorder.testing.venue.settings import VenueAccount
from tests.engine.scenes import ACCOUNT, STILL, a_scene, a_signal, until
from tests.engine.test_making_way import code_of
from tests.engine.test_products import BY_HAND, CNC, IN_INDIA, MIS, NRML, SHORTS, STEP, D, at_venue, hold, out, sent
from tests.harness.virtual_time import run_virtually
from tests.memory import folder_in_memory

APART = STILL.model_copy(update={"accounts": (VenueAccount(crosses_zero=False),)})
OPEN: Mapping[str, Any] = {"side": "SELL", "quantity": 5, "position_effect": PositionEffect.OPEN}
TARGET: Mapping[str, Any] = {"side": None, "target_quantity": -5}
SIZED: Mapping[str, Any] = {"side": "SELL", "quantity": 15}


@pytest.mark.parametrize("venue", [STILL, APART], ids=["crosses zero", "does not"])
@pytest.mark.parametrize(
    ("fields", "product", "expected"),
    [
        (OPEN, None, {MIS: -5}),
        (OPEN, MIS, {MIS: -5}),
        (OPEN, CNC, {MIS: 10, CNC: -5}),
        (TARGET, None, {MIS: -5}),
        (TARGET, MIS, {MIS: -5}),
        (TARGET, CNC, {MIS: 10, CNC: -5}),
        (SIZED, None, {MIS: 10, CNC: -15}),
        (SIZED, MIS, {MIS: -5}),
        (SIZED, NRML, {MIS: 10, NRML: -15}),
    ],
)
async def test_what_turns_a_position_round_turns_its_product(
    tmp_path: Path, venue: Any, fields: Mapping[str, Any], product: Product | None, expected: Mapping[Product, int]
) -> None:
    """A sized order without an effect goes out under its own, else the usual one: that closes nothing of another."""
    async with a_scene(tmp_path, venue, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        await out(engine, "turn", product, **fields)
        await until(lambda: engine.is_quiet)
        assert await at_venue(scene) == {name: D(units) for name, units in expected.items()}
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_of_several_products_that_an_open_would_turn_round_one_has_to_be_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, NRML=4)
        assert "name `product`" in ((await out(engine, **OPEN)).error_message or "")
        await hold(engine, CNC=3)
        await out(engine, "usual", **OPEN)
        assert await at_venue(scene) == {MIS: D(10), NRML: D(4), CNC: D(-5)}


@pytest.mark.parametrize(
    ("held", "fields", "product", "expected"),
    [
        ({"MIS": 10}, {"quantity": 4}, None, {MIS: 6}),
        ({"MIS": 10}, {"notional": 5600}, None, {MIS: 6}),
        ({"MIS": 10}, {"notional": 50000}, None, {}),
        ({"MIS": 10}, {"quantity": 12}, None, "short_selling"),
        ({"MIS": 10}, {"quantity": 4}, CNC, "short_selling"),
        ({"MIS": 10}, {"notional": 5600}, CNC, "short_selling"),
        ({"MIS": 10, "CNC": 4}, {"quantity": 4}, None, {MIS: 10}),
        ({"MIS": 10, "CNC": 4}, {"quantity": 5}, None, "short_selling"),
        ({"MIS": 10, "CNC": 4}, {"quantity": 5}, MIS, {MIS: 5, CNC: 4}),
        ({"MIS": 10, "NRML": 4}, {"quantity": 4}, None, "several_products"),
        ({}, {"quantity": 4}, None, "short_selling"),
    ],
)
async def test_where_nothing_may_be_short_a_sale_is_of_what_there_is_under_its_product(
    tmp_path: Path, held: Mapping[str, int], fields: Mapping[str, Any], product: Product | None, expected: Any
) -> None:
    """The one that is named, else the usual one if some of it is held, else the only one that is."""
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, **held)
        before = await at_venue(scene)
        order = await out(engine, "out", product, **fields)
        if isinstance(expected, str):
            assert (order.status, await code_of(scene, order)) == (OrderStatus.REJECTED, expected)
            assert await at_venue(scene) == before
        else:
            assert await at_venue(scene) == {name: D(units) for name, units in expected.items()}


async def test_a_sale_waits_for_the_entry_of_its_product(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, **IN_INDIA) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in", symbol="RELIANCE", product=MIS))
        sale = await engine.execute.execute(a_signal("out", symbol="RELIANCE", side="SELL", quantity=10))
        assert (sale.is_waiting, sale.terms.product) == (True, MIS)
        await scene.control.fill(entry.broker_order_id or "", D(10), D(1200))
        await until(lambda: not (engine.orders.unfinished_with(sale.order_id) or sale).is_waiting)
        assert (await engine.orders.get(sale.order_id)).is_acknowledged


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, min_size=2, max_size=8))
def test_where_nothing_may_be_short_no_product_ever_is(steps: list[tuple[str, Product | None, str, int]]) -> None:
    async def lived() -> None:
        with folder_in_memory() as folder:
            async with a_scene(folder, **IN_INDIA) as scene, scene.living() as engine:
                for number, (side, product, how, units) in enumerate(steps):
                    fields = {"notional": units * 1000} if how == "percent" else {"quantity": units}
                    await sent(engine, f"s-{number}", product, side=side, **{"quantity": None, **fields})
                    assert all(held > 0 for held in (await at_venue(scene)).values())

    run_virtually(lived())
