"""What strategies hold against each other, at a broker that takes no order across zero: an exit takes what the account has on its
side, and then the rest, which is the other strategy's position at the broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import OrderRole, PositionEffect, Product
from liveorder.testing.venue.settings import VenueAccount
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_scene, a_signal, until
from tests.engine.test_making_way import code_of
from tests.engine.test_products import BY_HAND, IN_INDIA, MIS, SHORTS, D, at_venue

NO_CROSSING = {"accounts": (VenueAccount(crosses_zero=False),)}
APART, APART_BY_HAND = STILL.model_copy(update=NO_CROSSING), BY_HAND.model_copy(update=NO_CROSSING)
EXITS: Mapping[str, Mapping[str, Any]] = {
    "close": {"side": None, "position_effect": PositionEffect.CLOSE},
    "no size": {},
    "exit": {"role": OrderRole.EXIT},
    "sized close": {"quantity": 8, "position_effect": PositionEffect.CLOSE},
    "sized": {"quantity": 8},
    "percent": {"percent": 100, "position_effect": PositionEffect.CLOSE},
    "target": {"side": None, "target_quantity": 0},
}


async def trades(engine: Engine, signal_id: str, strategy_name: str, **fields: Any) -> LiveOrder:
    order = await engine.execute.execute(a_signal(signal_id, strategy_name=strategy_name, **fields))
    await until(lambda: engine.orders.unfinished_with(order.order_id) is None)
    return await engine.orders.get(order.order_id)


async def both_hold(engine: Engine, side: str, other: str, **fields: Any) -> None:
    """A 8, and B 2 against it."""
    for name, its_side, units in (("A", side, 8), ("B", other, 2)):
        order = await trades(engine, name, name, side=its_side, quantity=units, **fields)
        assert order.status is OrderStatus.FILLED


@pytest.mark.parametrize(("side", "other"), [("BUY", "SELL"), ("SELL", "BUY")])
@pytest.mark.parametrize("fields", EXITS.values(), ids=EXITS)
@pytest.mark.parametrize("product", [None, MIS])
async def test_an_exit_takes_what_the_account_has_and_then_the_rest(
    tmp_path: Path, fields: Mapping[str, Any], side: str, other: str, product: Product | None
) -> None:
    there: dict[str, Any] = {} if product is None else {"symbol": "RELIANCE", "product": product}
    terms = {} if product is None else IN_INDIA
    async with a_scene(tmp_path, APART, limits=SHORTS, **terms) as scene, scene.living() as engine:
        await both_hold(engine, side, other, **there)
        leaving = {"side": other, "quantity": None, **fields, **there}
        first = await trades(engine, "x1", "A", **leaving)
        assert (first.status, first.filled_quantity) == (OrderStatus.FILLED, D(6)), first.error_message
        assert await at_venue(scene) == {}
        if "quantity" in fields:
            leaving["quantity"] = 2
        rest = await trades(engine, "x2", "A", **leaving)
        assert (rest.status, rest.filled_quantity) == (OrderStatus.FILLED, D(2)), rest.error_message
        assert await at_venue(scene) == {product: D(-2 if side == "BUY" else 2)}
        assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean


async def test_what_stays_is_told(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await both_hold(engine, "BUY", "SELL")
        appraisal = await engine.execute.appraise(a_signal("x", strategy_name="A", side="SELL", quantity=None))
        assert (appraisal.intent.terms.quantity, appraisal.figures["stays"], appraisal.refusals) == (D(6), "2", [])


async def filled(scene: Scene, engine: Engine, order: LiveOrder, units: int) -> None:
    await scene.control.fill(order.broker_order_id or "", D(units), D(500))
    await until(lambda: engine.orders.unfinished_with(order.order_id) is None)


async def test_while_open_orders_take_all_of_it_an_exit_is_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART_BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        for name, side, units in (("A", "BUY", 8), ("B", "SELL", 2)):
            order = await engine.execute.execute(a_signal(name, strategy_name=name, side=side, quantity=units))
            await filled(scene, engine, order, units)
        first = await engine.execute.execute(a_signal("x1", strategy_name="A", side="SELL", quantity=None))
        again = await engine.execute.execute(a_signal("x2", strategy_name="A", side="SELL", quantity=None))
        assert (again.status, await code_of(scene, again)) == (OrderStatus.REJECTED, "already_closing")
        await filled(scene, engine, first, 6)
        rest = await engine.execute.execute(a_signal("x3", strategy_name="A", side="SELL", quantity=None))
        assert rest.terms.quantity == D(2)


async def test_a_reversal_that_cannot_close_all_opens_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        await both_hold(engine, "BUY", "SELL")
        first = await trades(engine, "turn", "A", side="SELL", quantity=12)
        await until(lambda: engine.is_quiet)
        assert (first.filled_quantity, first.terms.position_effect) == (D(6), PositionEffect.CLOSE)
        assert await at_venue(scene) == {}
        held = {key.strategy_name: position.quantity for key, position in engine.risk.holdings(ACCOUNT, SPY).items()}
        assert held == {"A": D(2), "B": D(-2)}
