"""Brokers of Indian shares keep a position for each product: what closes one of them opens nothing under another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import BrokerPosition
from liveorder.domain.errors import InvalidInput
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.reconciliation import DifferenceKind
from liveorder.domain.values import OrderRole, PositionEffect, Product, Side
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, NOON, STILL, Scene, a_scene, a_signal, until
from tests.harness.virtual_time import run_virtually
from tests.memory import folder_in_memory

D = Decimal
RELIANCE = "NSE:RELIANCE"
IN_INDIA: dict[str, Any] = {
    "start": NOON.replace(hour=6, minute=0),
    "account_terms": {"currency": "INR", "default_exchange": "NSE", "default_product": Product.CNC},
}
SHORTS = LAX.model_copy(update={"allow_short_selling": True})
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
MIS, CNC, NRML = Product.MIS, Product.CNC, Product.NRML


async def sent(engine: Engine, signal_id: str, product: Product | None = None, **fields: Any) -> LiveOrder:
    """As it is once it is over."""
    signal = a_signal(signal_id, **{"symbol": "RELIANCE", "product": product} | fields)
    order = await engine.execute.execute(signal)
    await until(lambda: engine.orders.unfinished_with(order.order_id) is None)
    return await engine.orders.get(order.order_id)


async def out(engine: Engine, signal_id: str = "out", product: Product | None = None, **fields: Any) -> LiveOrder:
    return await sent(engine, signal_id, product, **{"side": "SELL", "quantity": None} | fields)


async def hold(engine: Engine, **parts: int) -> None:
    for name, units in parts.items():
        side = "BUY" if units > 0 else "SELL"
        order = await sent(engine, f"in {name} {units}", Product(name), side=side, quantity=abs(units))
        assert order.status is OrderStatus.FILLED, order.error_message


async def at_venue(scene: Scene) -> Mapping[Product | None, Decimal]:
    return {held.product: held.quantity for held in await scene.witness.positions()}


CLOSES: Mapping[str, Mapping[str, Any]] = {
    "close": {"side": None, "position_effect": PositionEffect.CLOSE},
    "no size": {},
    "exit": {"role": OrderRole.EXIT},
    "sized": {"quantity": 10, "position_effect": PositionEffect.CLOSE},
    "percent": {"percent": 100, "position_effect": PositionEffect.CLOSE},
    "target": {"side": None, "target_quantity": 0},
    "stop": {"role": OrderRole.STOP_LOSS},
}


@pytest.mark.parametrize("fields", CLOSES.values(), ids=CLOSES)
async def test_what_closes_is_sent_under_the_product_that_is_held(tmp_path: Path, fields: Mapping[str, Any]) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        order = await out(engine, **fields)
        assert (order.status, order.terms.product, order.filled_quantity) == (OrderStatus.FILLED, MIS, D(10))
        assert await at_venue(scene) == {}
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


@pytest.mark.parametrize("fields", CLOSES.values(), ids=CLOSES)
async def test_of_several_products_one_has_to_be_named(tmp_path: Path, fields: Mapping[str, Any]) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, CNC=4)
        order = await out(engine, **fields)
        assert order.status is OrderStatus.REJECTED
        assert "4 under CNC, 10 under MIS" in (order.error_message or "")
        assert "name `product`" in (order.error_message or "")
        named = await out(engine, "named", CNC, **fields)
        assert (named.terms.product, named.terms.quantity, named.filled_quantity) == (CNC, D(4), D(4))
        assert await at_venue(scene) == {MIS: D(10)}


@pytest.mark.parametrize("fields", [each for name, each in CLOSES.items() if name != "target"], ids=[*list(CLOSES)[:5], "stop"])
async def test_a_product_that_is_not_held_closes_nothing(tmp_path: Path, fields: Mapping[str, Any]) -> None:
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        order = await out(engine, "out", NRML, **fields)
        assert order.status is OrderStatus.REJECTED
        assert "holds no RELIANCE under NRML" in (order.error_message or "")
        assert "10 under MIS" in (order.error_message or "")
        assert await at_venue(scene) == {MIS: D(10)}


async def test_a_target_without_a_product_goes_on_under_the_one_that_is_held(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10)
        await out(engine, "up", side=None, target_quantity=15)
        await out(engine, "own", CNC, side=None, target_quantity=3)
        assert await at_venue(scene) == {MIS: D(15), CNC: D(3)}
        await out(engine, "down", MIS, side=None, target_quantity=2)
        assert await at_venue(scene) == {MIS: D(2), CNC: D(3)}


async def test_liveorder_close_sends_an_order_for_each_product(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, CNC=4)
        closed = await engine.close_positions.close("c1", "ann", "RELIANCE")
        assert {(order.terms.product, order.terms.quantity) for order in closed.orders} == {(MIS, D(10)), (CNC, D(4))}
        assert closed.failures == []
        await until(lambda: engine.is_quiet)
        assert await at_venue(scene) == {}


async def test_an_exit_counts_the_exits_of_its_own_product_alone(tmp_path: Path) -> None:
    """Those of another product take nothing of what it closes, and none of them makes way."""
    async with a_scene(tmp_path, BY_HAND, **IN_INDIA) as scene, scene.living() as engine:
        for product in (MIS, CNC):
            entry = await engine.execute.execute(a_signal(f"in {product}", symbol="RELIANCE", product=product))
            await scene.control.fill(entry.broker_order_id or "", D(10), D(1200))
        await until(lambda: engine.is_quiet)
        stop = {"side": "SELL", "role": OrderRole.STOP_LOSS, "order_type": "STOP", "stop_price": 1000, "symbol": "RELIANCE"}
        guard = await engine.execute.execute(a_signal("guard", quantity=10, product=CNC, **stop))
        closing = await engine.execute.execute(a_signal("out", symbol="RELIANCE", side="SELL", quantity=None, product=MIS))
        assert (closing.terms.quantity, closing.terms.product, closing.is_waiting) == (D(10), MIS, False)
        assert not (await engine.orders.get(guard.order_id)).cancel_requested


async def test_a_store_knows_the_products_again_after_a_restart(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene:
        async with scene.living() as engine:
            await hold(engine, MIS=10, CNC=4)
            await out(engine, "part", MIS, quantity=3, position_effect=PositionEffect.CLOSE)
        async with scene.living() as engine:
            order = await out(engine, "all", MIS)
            assert (order.terms.product, order.terms.quantity) == (MIS, D(7))


async def test_where_positions_are_the_accounts_so_are_their_products(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        engine.risk.judge_by(PositionOwner.ACCOUNT)
        await sent(engine, "A in", MIS, strategy_name="A")
        await sent(engine, "B in", CNC, strategy_name="B", quantity=4)
        assert "4 under CNC, 10 under MIS" in ((await out(engine, strategy_name="C")).error_message or "")
        order = await out(engine, "C out", CNC, strategy_name="C")
        assert (order.terms.product, order.filled_quantity) == (CNC, D(4))
        closed = await engine.close_positions.close("c1", "ann", "RELIANCE")
        await until(lambda: engine.is_quiet)
        assert [(order.terms.product, order.terms.quantity) for order in closed.orders] == [(MIS, D(10))]
        assert await at_venue(scene) == {}


async def converted(scene: Scene, engine: Engine) -> None:
    """A person at the broker makes 10 MIS of ours into CNC."""
    await hold(engine, MIS=10)
    (held,) = await scene.witness.positions()

    async def positions() -> Sequence[BrokerPosition]:
        return [replace(held, product=CNC)]

    scene.witness.answers["positions"] = positions


async def test_a_difference_in_products_is_shown_and_bounds_what_closes(tmp_path: Path) -> None:
    """Until it is adopted: under the one product there is nothing at the broker, under the other nothing in our book."""
    async with a_scene(tmp_path, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
        await converted(scene, engine)
        found = (await engine.reconcile.reconcile(ACCOUNT)).differences
        assert [(each.kind, each.key, each.ours, each.theirs) for each in found] == [
            (DifferenceKind.POSITION, f"{RELIANCE} CNC", "0", "10"),
            (DifferenceKind.POSITION, f"{RELIANCE} MIS", "10", "0"),
        ]
        assert "is not the broker's" in ((await sent(engine, "more", MIS)).error_message or "")
        assert "none of the RELIANCE under MIS at its broker, which has 0" in ((await out(engine)).error_message or "")
        for units in (-10, 10):
            await engine.adopt.adopt_position(ACCOUNT, "RELIANCE", "NSE", D(units), D(1200), "converted", "ann", None, "default")
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        scene.witness.answers.clear()
        order = await engine.execute.execute(a_signal("out 2", symbol="RELIANCE", side="SELL", quantity=None))
        assert (order.terms.product, order.terms.quantity) == (CNC, D(10))


async def test_what_lacks_of_one_product_keeps_nobody_from_closing_another(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, CNC=4)
        parts = [held for held in await scene.witness.positions() if held.product is CNC]

        async def positions() -> Sequence[BrokerPosition]:
            return parts

        scene.witness.answers["positions"] = positions
        (found,) = (await engine.reconcile.reconcile(ACCOUNT)).differences
        assert (found.key, found.ours, found.theirs) == (RELIANCE, "14", "4")
        assert (await out(engine, "gone", MIS)).status is OrderStatus.REJECTED
        assert (await out(engine, "there", CNC)).filled_quantity == 4


async def test_a_transfer_keeps_the_product(tmp_path: Path) -> None:
    async with a_scene(tmp_path, **IN_INDIA) as scene, scene.living() as engine:
        await hold(engine, MIS=10, CNC=4)
        give = partial(engine.transfer.transfer, ACCOUNT, RELIANCE, "default", "B")
        with pytest.raises(InvalidInput, match="4 under CNC, 10 under MIS; name the product"):
            await give(D(3), "wrong strategy", "ann")
        with pytest.raises(InvalidInput, match="not 5 under CNC"):
            await give(D(5), "wrong strategy", "ann", product=CNC)
        await give(D(3), "wrong strategy", "ann", product=MIS)
        await give(D(4), "wrong strategy", "ann", product=CNC)
    async with scene.living() as engine:
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        own = await out(engine, "own")
        assert (own.terms.product, own.terms.quantity) == (MIS, D(7))
        theirs = [await out(engine, f"B {product}", product, strategy_name="B") for product in (MIS, CNC)]
        assert [order.terms.quantity for order in theirs] == [D(3), D(4)]
        assert await at_venue(scene) == {}


async def test_what_is_adopted_is_under_the_product_that_its_broker_names(tmp_path: Path) -> None:
    """An order of elsewhere, and then a position of which nobody named it."""
    async with a_scene(tmp_path, BY_HAND, **IN_INDIA) as scene, scene.living() as engine:
        outside = await scene.control.place(ACCOUNT, RELIANCE, Side.BUY, D(6), product=MIS)
        adopted = await engine.adopt.adopt_order(ACCOUNT, outside, "by phone", "ann", "default")
        assert adopted.terms.product is MIS
        await scene.control.fill(outside, D(6), D(1200))
        await until(lambda: engine.orders.unfinished_with(adopted.order_id) is None)
        other = await scene.control.place(ACCOUNT, RELIANCE, Side.BUY, D(4), product=NRML)
        await scene.control.fill(other, D(4), D(1200))
        adopting = partial(engine.adopt.adopt_position, ACCOUNT, "RELIANCE", "NSE", strategy_name="default")
        assert (await adopting(D(4), D(1200), "by phone", "ann")).terms.product is NRML
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
        scene.witness.answers["positions"] = AsyncMock(return_value=[])
        with pytest.raises(InvalidInput, match="name the product"):
            await adopting(D(-5), D(1200), "squared off", "ann")
        assert (await adopting(D(-6), D(1200), "squared off", "ann")).terms.product is MIS


async def test_the_log_has_the_products_of_a_store_that_is_booked_anew(tmp_path: Path) -> None:
    """A store of an earlier version does not have them in its rows; a migration has all positions booked from the log."""
    async with a_scene(tmp_path, **IN_INDIA) as scene:
        async with scene.living() as engine:
            await hold(engine, MIS=10, CNC=4)
        store = scene.store()
        await store.open()
        await store._database.write("DELETE FROM risk WHERE substr(key, 1, 9)='position:'", {})
        await store._database.write("INSERT INTO risk VALUES ('', 'to_rebook', 'migrated')", {})
        await store.close()
        async with scene.living() as engine:
            assert engine.risk.account_by_product(ACCOUNT, RELIANCE) == {MIS: D(10), CNC: D(4)}


STEP = st.tuples(
    st.sampled_from(("BUY", "SELL")),
    st.sampled_from((MIS, CNC, NRML, None)),
    st.sampled_from(("entry", *CLOSES)),
    st.integers(1, 12),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, min_size=2, max_size=8))
def test_no_close_takes_a_product_beyond_zero_at_the_venue(steps: list[tuple[str, Product | None, str, int]]) -> None:
    """Whatever was entered before under which product, by orders of a size that may sell short."""

    async def lived(folder: Path) -> None:
        async with a_scene(folder, limits=SHORTS, **IN_INDIA) as scene, scene.living() as engine:
            for number, (side, product, how, units) in enumerate(steps):
                before = await at_venue(scene)
                fields = {"quantity": units} if how == "entry" else {"quantity": None} | dict(CLOSES[how])
                if "quantity" in CLOSES.get(how, {}):
                    fields["quantity"] = units
                order = await sent(engine, f"s-{number}", product, **{"side": side} | fields)
                after = await at_venue(scene)
                if order.terms.position_effect is PositionEffect.CLOSE:
                    for each in {*before, *after}:
                        was, now = before.get(each, D(0)), after.get(each, D(0))
                        assert was == now or (was * now >= 0 and abs(now) < abs(was)), (each, was, now)
            assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean

    with folder_in_memory() as folder:
        run_virtually(lived(folder))
