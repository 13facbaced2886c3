"""What adds risk beside an order in doubt waits for what became of that, and touches nothing meanwhile (ADR 77)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.testing.venue.faults import FaultKind
from tests.engine.scenes import LAX, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, holding
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills

D = Decimal


def a_target(units: int, signal_id: str = "target", **fields: object) -> Signal:
    return a_signal(signal_id, quantity=None, side=None, target_quantity=units, **fields)


def a_reversal() -> Signal:
    return a_signal("turn", side="SELL", quantity=25)


async def in_doubt(scene: Scene, engine: Engine, seconds: float, signal: Signal) -> LiveOrder:
    """It arrives after so long."""
    await scene.lay(FaultKind.REQUEST_HELD, seconds=seconds)
    order = await engine.execute.execute(signal)
    assert order.is_in_doubt
    return order


# --- whose orders make way for it afterwards ------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restart"])
@pytest.mark.parametrize("cancels_entry", [True, False], ids=["", "entries stay"])
@pytest.mark.parametrize(
    ("limits", "exit_", "signal"),
    [(LAX, LIMIT, a_target(20)), (SHORTS, LIMIT, a_target(20)), (SHORTS, STOP, a_reversal()), (SHORTS, STOP, a_target(-5))],
    ids=["target", "target, shorts", "reversal", "target beyond zero"],
)
async def test_what_it_waited_for_does_not_make_way_for_it(
    tmp_path: Path, limits: RiskLimits, exit_: dict[str, str], signal: Signal, cancels_entry: bool, restarts: bool
) -> None:
    limits = limits.model_copy(update={"exit_cancels_entry": cancels_entry})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene:
        engine = scene.engine()
        await engine.start()
        await holding(scene, engine)
        own = await engine.execute.execute(an_exit("own", **exit_))
        theirs = await in_doubt(scene, engine, 4.0, a_limit("theirs", strategy_name="other", time_in_force="GTC"))
        order = await engine.execute.execute(signal)
        assert order.wait is not None
        assert order.wait.orders == (theirs.order_id,)
        if restarts:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await until(lambda: scene.venue_orders(order) != [])
        await asyncio.sleep(60)
        theirs, own = await engine.orders.get(theirs.order_id), await engine.orders.get(own.order_id)
        assert (theirs.status, theirs.cancels) == ("SUBMITTED", 0)
        assert (own.status, own.cancel_reason) == ("CANCELLED", "MADE_WAY")
        await engine.stop()


async def test_a_stop_loss_of_another_strategy_stays(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        await holding(scene, engine)
        theirs = await engine.execute.execute(a_signal("in2", strategy_name="other", quantity=10))
        await fills(scene, engine, theirs, 10)
        await engine.execute.execute(an_exit("limit", **LIMIT))
        stop = await in_doubt(scene, engine, 4.0, an_exit("stop2", strategy_name="other", **STOP))
        order = await engine.execute.execute(a_target(20))
        assert order.is_waiting
        await until(lambda: scene.venue_orders(order) != [])
        stop = await engine.orders.get(stop.order_id)
        assert (stop.status, stop.cancels) == ("SUBMITTED", 0)
