"""What a signal opens or closes, through a whole engine: sized by what its strategy has when it is judged, and kept to that."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Approved, CancelReason, Refused
from liveorder.domain.signal import Signal
from liveorder.domain.values import PositionEffect
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills, VenueAccount
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until

D = Decimal
SHORTS = LAX.model_copy(update={"allow_short_selling": True})
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def holds(engine: Engine, units: int, strategy: str = "default") -> LiveOrder:
    """So many SPY at 500; negative is short."""
    side = "BUY" if units > 0 else "SELL"
    order = await engine.execute.execute(a_signal(f"{strategy} in", side=side, quantity=abs(units), strategy_name=strategy))
    await until(lambda: engine.orders.unfinished_with(order.order_id) is None)
    return await engine.orders.get(order.order_id)


async def out(engine: Engine, signal_id: str = "out", **fields: Any) -> LiveOrder:
    return await engine.execute.execute(a_signal(signal_id, **{"side": "SELL", "quantity": None} | fields))


async def code_of(scene: Scene, order: LiveOrder) -> str:
    """Of its refusal; empty where there is none."""
    return next((event.code for event in await scene.events(order) if isinstance(event, Refused)), "")


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
async def test_what_was_asked_stands_on_the_order_beside_what_it_came_to(tmp_path: Path, limits: Any) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_signal("in", quantity=20))
        await scene.control.fill(entry.broker_order_id or "", D(20), D(500))
        await until(lambda: engine.is_quiet)
        half = (await out(engine, "half", position_effect="CLOSE", percent=50)).terms
        assert (half.quantity, half.percent, half.position_effect) == (D(10), D(50), PositionEffect.CLOSE)
        rest = (await out(engine, "rest", quantity=25, role="EXIT")).terms
        assert (rest.quantity, rest.asked_quantity, rest.position_effect) == (D(10), D(25), PositionEffect.CLOSE)
        assert "SELL 10 ARCA:SPY at market, DAY, CLOSE (quantity 25)" in (await scene.events(half_id(engine, "rest")))[0].sentence()
        none = await out(engine, "none")
        assert await code_of(scene, none) == "already_closing"
        both = ", ".join(str(half_id(engine, name)) for name in ("half", "rest"))
        assert both in (none.error_message or "")


def half_id(engine: Engine, signal_id: str) -> Any:
    return next(order.order_id for order in engine.orders.unfinished() if order.intent.signal_id == signal_id)


async def test_two_exits_at_once_share_what_is_held(tmp_path: Path) -> None:
    """Each was sized before the other was decided."""
    async with a_scene(tmp_path, limits=SHORTS) as scene, scene.living() as engine:
        await holds(engine, 10)
        asked = (out(engine, str(n), position_effect="CLOSE", quantity=6) for n in range(3))
        orders = await asyncio.gather(*asked)
        await until(lambda: engine.is_quiet)
        assert sorted(order.quantity or D(0) for order in orders) == [D(4), D(6), D(6)]
        assert sorted([await code_of(scene, order) for order in orders]) == ["", "", "already_closing"]
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == 0


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
@pytest.mark.parametrize("role", ["EXIT", "STOP_LOSS", "TAKE_PROFIT"])
async def test_what_closes_opens_nothing(tmp_path: Path, limits: Any, role: str) -> None:
    """Today's shorts: a role was only a word."""
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        assert await code_of(scene, await out(engine, quantity=10, role=role)) == "nothing_to_close"
        assert scene.witness.calls == []


async def test_an_exit_that_meets_an_entry_open_or_in_doubt_waits_and_names_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("entry", strategy_name="rests"))
        open_still = await out(engine, "one", strategy_name="rests")
        assert open_still.is_waiting
        assert str(entry.order_id) in (open_still.error_message or "")
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        scene.witness.answers["find"] = scene.witness.answers["open_orders"] = _never
        await engine.execute.execute(a_signal("lost", symbol="AAPL"))
        assert (await out(engine, "two", symbol="AAPL", role="EXIT")).is_waiting


async def _never(*_: Any) -> Any:
    await asyncio.sleep(1e6)


async def test_a_close_is_judged_again_before_each_attempt(tmp_path: Path) -> None:
    """Shorting is allowed, and what it was to close is gone by the second attempt."""
    async with a_scene(tmp_path, limits=SHORTS) as scene, scene.living() as engine:
        (bought,) = (await holds(engine, 10)).executions.effective()
        await scene.lay(FaultKind.UNAVAILABLE)
        closing = asyncio.create_task(out(engine, position_effect="CLOSE"))
        await asyncio.sleep(0.1)
        await scene.control.bust(bought.execution_id)
        order = await closing
        assert (order.status, order.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.STALE)
        assert "CLOSE: default has 0 SPY" in (order.error_message or "")


async def test_a_replacement_of_what_closes_goes_no_further_than_what_is_held(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, scene.living() as engine:
        await holds(engine, 10)
        order = await out(engine, position_effect="CLOSE", quantity=4, order_type="LIMIT", limit_price=600)
        assert (await engine.replace.replace(order.order_id, quantity=D(10))).quantity == 10
        with pytest.raises(
            Exception, match="beyond_zero: CLOSE: default has 10 SPY, its open orders and its broker leave 10 of it to close"
        ):
            await engine.replace.replace(order.order_id, quantity=D(11))


async def test_the_figures_by_which_it_was_sized_stand_in_its_approval(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await holds(engine, 10)
        (approved,) = [event for event in await scene.events(await out(engine)) if isinstance(event, Approved)]
        assert {name: approved.figures[name] for name in ("held", "closable")} == {"held": "10", "closable": "10"}


# --- equity ----------------------------------------------------------------------------------------------------------------------

RICH = STILL.model_copy(update={"accounts": (VenueAccount(cash=D(100_000)),)})


@pytest.mark.parametrize(
    ("fields", "units"),
    [
        ({"position_effect": "OPEN", "percent": 25}, 50),
        ({"risk_percent": 2, "stop_loss": 450}, 40),
        ({"side": None, "target_percent": 25}, 50),
    ],
)
async def test_a_part_of_the_equity_is_of_what_the_broker_reports(tmp_path: Path, fields: dict[str, Any], units: int) -> None:
    async with a_scene(tmp_path, RICH) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(**{"quantity": None} | fields))
        assert (order.terms.quantity, order.terms.decision_equity) == (D(units), D(100_000))


async def test_an_old_equity_is_asked_for_and_one_that_stays_old_sizes_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path, RICH) as scene, scene.living(reconcile_seconds=1e6) as engine:
        await asyncio.sleep(120)
        scene.witness.answers["account"] = _never
        order = await engine.execute.execute(a_signal("late", quantity=None, side=None, target_percent=25))
        assert await code_of(scene, order) == "no_equity"
        assert "120 s old" in (order.error_message or "") or "122 s old" in (order.error_message or "")
        assert scene.witness.of("submit") == []
        del scene.witness.answers["account"]
        await asyncio.sleep(2)
        order = await engine.execute.execute(a_signal("now", quantity=None, side=None, target_percent=25))
        assert order.terms.quantity == D(50)


async def test_the_equity_that_the_settings_name_is_never_old(tmp_path: Path) -> None:
    async with a_scene(tmp_path, RICH, account_terms={"equity": D(10_000)}) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(quantity=None, side=None, target_percent=50))
        assert order.terms.quantity == D(10)


@pytest.mark.parametrize(("units", "limits"), [(10, LAX), (10, SHORTS), (-10, SHORTS)], ids=["long only", "long", "short"])
async def test_to_be_flat_takes_neither_equity_nor_a_price(tmp_path: Path, units: int, limits: Any) -> None:
    async with a_scene(tmp_path, RICH, limits=limits) as scene, scene.living(reconcile_seconds=1e6) as engine:
        await holds(engine, units)
        await asyncio.sleep(120)
        scene.witness.answers["account"] = _never
        await scene.lay(FaultKind.QUERY_FAILED, Point.QUOTE, nth=None)
        order = await engine.execute.execute(a_signal("flat", quantity=None, side=None, target_percent=0))
        await until(lambda: engine.is_quiet)
        assert await code_of(scene, order) == ""
        assert (order.terms.quantity, order.terms.position_effect) == (D(10), PositionEffect.CLOSE)
        assert order.terms.decision_price is None
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == 0


# --- targets ---------------------------------------------------------------------------------------------------------------------


async def test_targets_lead_from_wherever_it_stands(tmp_path: Path) -> None:
    async with a_scene(tmp_path, limits=SHORTS) as scene, scene.living() as engine:
        for number, (target, expected) in enumerate([(10, 10), (4, 6), (4, None), (0, 4), (-5, 5), (3, 8), (0, 3)]):
            order = await engine.execute.execute(a_signal(f"t{number}", quantity=None, side=None, target_quantity=target))
            await until(lambda: engine.is_quiet)
            assert order.quantity == (None if expected is None else D(expected)), target
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == 0


async def test_what_each_strategy_has_is_its_own_target(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await holds(engine, 10, "A")
        order = await engine.execute.execute(a_signal(quantity=None, side=None, target_quantity=10, strategy_name="B"))
        assert (order.terms.side, order.quantity) == ("BUY", D(10))


async def test_a_dry_check_says_what_it_would_come_to_and_why(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await holds(engine, 10)
        checked = await engine.execute.validate(a_signal(side="SELL", quantity=None))
        assert (checked[0].terms.quantity, checked[1]) == (D(10), [])
        checked = await engine.execute.validate(a_signal(side="BUY", quantity=None, position_effect="CLOSE"))
        assert [refusal.code for refusal in checked[1]] == ["close_would_add"]


# --- pairs -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
@pytest.mark.parametrize("price", [650, 350], ids=["gain", "loss"])
async def test_pairs_without_a_size_end_flat_on_two_strategies_at_once(tmp_path: Path, limits: Any, price: int) -> None:
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:

        async def both(side: str) -> None:
            said = {"signal_type": side, "symbol": "SPY", "cms_score": 75 if side == "BUY" else -75}
            lines = (json.dumps(said | {"signal_id": f"{side} {name}", "strategy_name": name}) for name in ("A", "B"))
            await asyncio.gather(*(engine.execute.execute(Signal.parse(line)) for line in lines))
            await until(lambda: engine.is_quiet)

        await both("BUY")
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == 4
        await scene.control.post_price(SPY, D(price))
        await both("SELL")
        held = engine.risk.holdings(ACCOUNT, SPY)
        assert {key.strategy_name: position.quantity for key, position in held.items()} == {"A": D(0), "B": D(0)}
        assert engine.risk.positions(ACCOUNT)[SPY].realized_gross == 4 * (price - 500)
