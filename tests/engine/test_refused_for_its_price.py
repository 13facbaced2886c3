"""An exit that a rule of price refuses now is refused before anything of ours is cancelled for it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import PassedExitStop, RiskLimits
from liveorder.domain.signal import Signal
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import LAX, SPY, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import STOP, code_of
from tests.engine.test_waiting_exits import BY_HAND, an_exit, fills

D = Decimal
NARROW = LAX.model_copy(update={"price_collar_percent": D(10)})
REFUSING = NARROW.model_copy(update={"passed_exit_stop": PassedExitStop.REFUSE})
SHORT = {"allow_short_selling": True}

PRICES: dict[str, tuple[RiskLimits, dict[str, Any], dict[str, Any], str]] = {
    "limit": (
        NARROW,
        {"order_type": "LIMIT", "limit_price": "400"},
        {"order_type": "LIMIT", "limit_price": "600"},
        "price_collar",
    ),
    "stop limit": (
        NARROW,
        {"order_type": "STOP_LIMIT", "stop_price": "450", "limit_price": "350"},
        {"order_type": "STOP_LIMIT", "stop_price": "550", "limit_price": "650"},
        "price_collar",
    ),
    "passed": (
        REFUSING,
        {"order_type": "STOP", "stop_price": "550"},
        {"order_type": "STOP", "stop_price": "450"},
        "stop_already_passed",
    ),
    "touched": (
        REFUSING,
        {"order_type": "MARKET_IF_TOUCHED", "stop_price": "450"},
        {"order_type": "MARKET_IF_TOUCHED", "stop_price": "550"},
        "stop_already_passed",
    ),
    "less than a tick": (
        LAX,
        {"order_type": "STOP", "stop_price": "0.00004"},
        {"order_type": "LIMIT", "limit_price": "0.00004"},
        "invalid_",
    ),
    "no stop-loss": (LAX, {"stop_loss": "-5"}, {"take_profit": "-5"}, "invalid_"),
    "trails too far": (
        LAX,
        {"order_type": "TRAILING_STOP", "trail_amount": "600"},
        {"order_type": "TRAILING_STOP", "trail_amount": "5", "take_profit": "-5"},
        "invalid_",
    ),
}
"""Limits, what a SELL says, what a BUY says, and the code."""
SIZES: dict[str, dict[str, Any]] = {
    "all": {"quantity": None},
    "quantity": {"quantity": 3},
    "percent": {"quantity": None, "percent": 50, "position_effect": "CLOSE", "role": "ENTRY"},
    "notional": {"quantity": None, "notional": 1000, "position_effect": "CLOSE", "role": "ENTRY"},
}


def entering(side: str, signal_id: str, **fields: Any) -> Signal:
    """An entry that rests."""
    return a_limit(signal_id, 450 if side == "BUY" else 550, **{"side": side, "quantity": 10, "time_in_force": "GTC"} | fields)


async def has_cancelled(engine: Engine, order: LiveOrder) -> bool:
    await asyncio.sleep(5)
    return bool((await engine.orders.get(order.order_id)).cancels)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("price", PRICES)
async def test_it_leaves_its_entry_alone_whether_anything_is_held_yet_or_not(
    tmp_path: Path, price: str, size: str, side: str
) -> None:
    limits, sells, buys, code = PRICES[price]
    fields = SIZES[size] | (sells if side == "BUY" else buys) | {"side": "SELL" if side == "BUY" else "BUY"}
    async with a_scene(tmp_path, BY_HAND, limits=limits.model_copy(update=SHORT)) as scene, scene.living() as engine:
        entry = await engine.execute.execute(entering(side, "in"))
        for name in ("flat", "held"):
            signal = an_exit(f"out {name}", **fields)
            _, refusals = await engine.execute.validate(signal)
            exit_ = await engine.execute.execute(signal)
            assert (await code_of(scene, exit_)).startswith(code)
            assert any(each.code.startswith(code) for each in refusals)
            assert not await has_cancelled(engine, entry)
            if name == "flat":
                await fills(scene, engine, entry, 4)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("price", PRICES)
@pytest.mark.parametrize("is_entering", [False, True], ids=["", "entering"])
async def test_it_leaves_the_exits_in_its_way_alone(tmp_path: Path, price: str, size: str, is_entering: bool) -> None:
    limits, sells, _, code = PRICES[price]
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await fills(scene, engine, await engine.execute.execute(a_signal("in", quantity=10)), 10)
        others = [await engine.execute.execute(an_exit("stop", **STOP))]
        if is_entering:
            others.append(await engine.execute.execute(entering("BUY", "more")))
        exit_ = await engine.execute.execute(an_exit(**SIZES[size] | sells))
        assert (await code_of(scene, exit_)).startswith(code)
        assert not any([await has_cancelled(engine, each) for each in others])


async def test_it_is_refused_after_a_restart_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=NARROW) as scene:
        async with scene.living() as engine:
            entry = await engine.execute.execute(entering("BUY", "in"))
            await fills(scene, engine, entry, 4)
        async with scene.living() as engine:
            exit_ = await engine.execute.execute(an_exit(**PRICES["stop limit"][1]))
            assert await code_of(scene, exit_) == "price_collar"
            assert not await has_cancelled(engine, entry)


@pytest.mark.parametrize(
    ("limits", "fields"),
    [
        (NARROW, {"order_type": "LIMIT", "limit_price": "460"}),
        (NARROW, {"order_type": "STOP_LIMIT", "stop_price": "300", "limit_price": "275"}),
        (NARROW, {"order_type": "STOP", "stop_price": "550"}),
        (NARROW, {"order_type": "STOP_LIMIT", "stop_price": "550", "limit_price": "300"}),
    ],
    ids=["within the collar", "within that of its stop", "passed, at the market", "passed stop limit, at the market"],
)
async def test_what_the_rules_of_price_let_pass_has_its_entry_cancelled_and_closes(
    tmp_path: Path, limits: RiskLimits, fields: dict[str, Any]
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(entering("BUY", "in"))
        await fills(scene, engine, entry, 4)
        exit_ = await engine.execute.execute(an_exit(**fields))
        assert exit_.is_waiting
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(entry.order_id)).status == "CANCELLED"


# --- what may pass later ----------------------------------------------------------------------------------------------------------

GUARDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "stop below a break-out": (
        {"order_type": "STOP", "limit_price": None, "stop_price": "520"},
        {"role": "STOP_LOSS", "order_type": "STOP", "stop_price": "510"},
    ),
    "stop-limit below a break-out": (
        {"order_type": "STOP", "limit_price": None, "stop_price": "520"},
        {"role": "STOP_LOSS", "order_type": "STOP_LIMIT", "stop_price": "510", "limit_price": "500"},
    ),
    "target below the market": ({"limit_price": "400"}, {"role": "TAKE_PROFIT", "order_type": "LIMIT", "limit_price": "420"}),
}


@pytest.mark.parametrize("limits", [NARROW, REFUSING], ids=["market", "refuse"])
@pytest.mark.parametrize("guard", GUARDS)
async def test_a_guard_is_measured_by_the_market_only_once_its_entry_is_filled(
    tmp_path: Path, guard: str, limits: RiskLimits
) -> None:
    """Until then the market is elsewhere, and it cancels nothing."""
    entry, exit_ = GUARDS[guard]
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        bought = await engine.execute.execute(entering("BUY", "in", **entry))
        waits = await engine.execute.execute(an_exit(**exit_))
        assert waits.is_waiting
        await scene.control.post_price(SPY, D(entry.get("stop_price") or "400"))
        await fills(scene, engine, bought, 10)
        await until(lambda: scene.venue_orders(waits) != [])
        assert (await engine.orders.get(waits.order_id)).terms.order_type == exit_["order_type"]


@pytest.mark.parametrize("role", ["STOP_LOSS", "TAKE_PROFIT"])
async def test_a_guard_whose_limit_is_beyond_the_collar_of_its_own_stop_is_refused_at_once(tmp_path: Path, role: str) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=NARROW) as scene, scene.living() as engine:
        entry = await engine.execute.execute(entering("BUY", "in"))
        exit_ = await engine.execute.execute(an_exit(role=role, **PRICES["stop limit"][1]))
        assert await code_of(scene, exit_) == "price_collar"
        assert not await has_cancelled(engine, entry)


async def test_an_exit_that_has_no_entry_cancelled_is_measured_by_the_market_of_then(tmp_path: Path) -> None:
    limits = NARROW.model_copy(update={"exit_cancels_entry": False})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", 400, quantity=10, time_in_force="GTC"))
        exit_ = await engine.execute.execute(an_exit(order_type="LIMIT", limit_price="420"))
        assert exit_.is_waiting
        await scene.control.post_price(SPY, D(400))
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(exit_) != [])


async def test_without_a_price_an_exit_waits_and_closes(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=NARROW) as scene, scene.living() as engine:
        entry = await engine.execute.execute(entering("BUY", "in"))
        await fills(scene, engine, entry, 4)
        await scene.lay(FaultKind.QUERY_FAILED, Point.QUOTE, nth=None)
        await asyncio.sleep(NARROW.max_price_age_seconds + 60)
        exit_ = await engine.execute.execute(an_exit(order_type="LIMIT", limit_price="400"))
        assert exit_.is_waiting
        await until(lambda: scene.venue_orders(exit_) != [])
