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


# --- what opens, and would take the account across zero ---------------------------------------------------------------------------

OPENINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {"quantity": 8},
    "open": {"quantity": 8, "position_effect": PositionEffect.OPEN},
    "money": {"notional": 4000},
    "money, open": {"notional": 4000, "position_effect": PositionEffect.OPEN},
    "percent": {"percent": D("0.4"), "position_effect": PositionEffect.OPEN},
    "risk": {"risk_percent": D("0.08")},
    "target": {"target_quantity": 8},
    "target percent": {"target_percent": D("0.4")},
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "market": {},
    "limit": {"order_type": "LIMIT", "limit_price": 500},
    "stop": {"order_type": "STOP"},
}


def opening(side: str, units: int, way: str, kind: str) -> dict[str, Any]:
    """For 8 units, or for `units` where it says so many."""
    sign = 1 if side == "BUY" else -1
    fields = {"side": side, "quantity": None, **OPENINGS[way], **KINDS[kind]}
    for name in ("quantity", "notional", "percent", "risk_percent", "target_quantity", "target_percent"):
        if fields.get(name) is not None:
            fields[name] = D(fields[name]) * units / 8 * (sign if name.startswith("target") else 1)
    if kind == "stop":
        fields["stop_price"] = 500 + sign
    if way == "risk":
        fields["stop_loss"] = (501 if kind == "stop" and sign > 0 else 499 if kind == "stop" else 500) - 100 * sign
    return fields


@pytest.mark.parametrize(("side", "other"), [("BUY", "SELL"), ("SELL", "BUY")])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", OPENINGS)
async def test_what_takes_the_account_across_zero_is_refused_before_it_is_sent(
    tmp_path: Path, way: str, kind: str, side: str, other: str
) -> None:
    """A has 5. As much as the account has goes out, where B says nothing of a position of its own."""
    async with a_scene(tmp_path, APART_BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await filled(scene, engine, await engine.execute.execute(a_signal("in", strategy_name="A", side=side, quantity=5)), 5)
        asked = opening(other, 8, way, kind)
        verdict = await engine.execute.appraise(a_signal("b1", strategy_name="B", **asked))
        assert [each.code for each in verdict.refusals] == ["across_zero"], verdict
        order = await engine.execute.execute(a_signal("b1", strategy_name="B", **asked))
        assert (order.status, await code_of(scene, order)) == (OrderStatus.REJECTED, "across_zero")
        assert "takes no order across zero" in (order.error_message or "")
        assert len(scene.witness.of("submit")) == 1
        fits = await engine.execute.execute(a_signal("b2", strategy_name="B", **opening(other, 5, way, kind)))
        assert fits.status is OrderStatus.SUBMITTED, fits.error_message


@pytest.mark.parametrize("open_units", [2, 5])
async def test_what_open_orders_take_of_the_account_is_not_there_for_another(tmp_path: Path, open_units: int) -> None:
    async with a_scene(tmp_path, APART_BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        await filled(scene, engine, await engine.execute.execute(a_signal("in", strategy_name="A", quantity=5)), 5)
        out = await engine.execute.execute(a_signal("out", strategy_name="A", side="SELL", quantity=open_units))
        over = await engine.execute.execute(a_signal("b1", strategy_name="B", side="SELL", quantity=6 - open_units))
        assert (over.status, await code_of(scene, over)) == (OrderStatus.REJECTED, "across_zero")
        assert f"leave {5 - open_units}" in (over.error_message or "")
        await filled(scene, engine, out, open_units)
        again = await engine.execute.execute(a_signal("b2", strategy_name="B", side="SELL", quantity=6 - open_units))
        assert (again.status is OrderStatus.SUBMITTED) is (open_units == 5), "nothing is left then"


@pytest.mark.parametrize("crosses", [True, False])
@pytest.mark.parametrize(("side", "other"), [("BUY", "SELL"), ("SELL", "BUY")])
@pytest.mark.parametrize("way", ["plain", "money", "risk"])
async def test_beside_an_exit_of_its_own_that_trades_a_sized_order_is_held_to_what_the_broker_takes(
    tmp_path: Path, way: str, side: str, other: str, crosses: bool
) -> None:
    """The exit can take all of it. One that goes through zero is sent where the broker takes that."""
    venue = BY_HAND if crosses else APART_BY_HAND
    async with a_scene(tmp_path, venue, limits=SHORTS) as scene, scene.living() as engine:
        await filled(scene, engine, await engine.execute.execute(a_signal("in", side=side, quantity=20)), 20)
        out = await engine.execute.execute(a_signal("out", side=other, quantity=None))
        order = await engine.execute.execute(a_signal("more", **opening(other, 8, way, "market")))
        if crosses:
            assert order.status is OrderStatus.SUBMITTED
            return
        assert (order.status, await code_of(scene, order)) == (OrderStatus.REJECTED, "across_zero")
        await filled(scene, engine, out, 20)
        again = await engine.execute.execute(a_signal("again", **opening(other, 8, way, "market")))
        assert again.status is OrderStatus.SUBMITTED, again.error_message


@pytest.mark.parametrize("way", ["plain", "money", "open"])
async def test_a_reversal_of_more_than_other_strategies_leave_is_refused_whole(tmp_path: Path, way: str) -> None:
    """A has 4 and C 3: A may open 3 after it closed its own, and no more."""
    async with a_scene(tmp_path, APART, limits=SHORTS) as scene, scene.living() as engine:
        for name, units in (("A", 4), ("C", 3)):
            await trades(engine, name, name, quantity=units)
        fields = opening("SELL", 8 if way != "open" else 4, way, "market")
        over = await trades(engine, "turn", "A", **fields)
        assert (over.status, await code_of(scene, over)) == (OrderStatus.REJECTED, "across_zero")
        assert await at_venue(scene) == {None: D(7)}
        assert engine.orders.unfinished() == []
        fits = opening("SELL", 7 if way != "open" else 3, way, "market")
        await trades(engine, "again", "A", **fits)
        await until(lambda: engine.is_quiet)
        held = {key.strategy_name: position.quantity for key, position in engine.risk.holdings(ACCOUNT, SPY).items()}
        assert (held, await at_venue(scene)) == ({"A": D(-3), "C": D(3)}, {})
