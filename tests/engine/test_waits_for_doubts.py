"""What adds risk beside an order in doubt waits for what became of that, and touches nothing meanwhile (ADR 77)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.events import PERSON
from liveorder.domain.limit_tables import LimitTable, NarrowLimits
from liveorder.domain.order import LiveOrder
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Keys
from tests.engine.scenes import LAX, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_making_way import LIMIT, STOP, code_of, holding, unguarded
from tests.engine.test_refused_at_once import takes_no_trail
from tests.engine.test_waiting_exits import BY_HAND, SHORTS, an_exit, fills
from tests.engine.test_waiting_orders import ended

D = Decimal
KEYLESS = BY_HAND.model_copy(update={"keys": Keys(support=KeySupport.NONE)})


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


# --- what another rule refuses too ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whose", ["strat", "other"])
@pytest.mark.parametrize(
    ("limits", "fields", "code"),
    [
        ({"max_order_value": D(50_000)}, {"quantity": 190}, "order_value"),
        ({"max_order_quantity": D(50)}, {"quantity": 51}, "order_quantity"),
        ({"max_portfolio_exposure": D(20_000)}, {"quantity": 50}, "portfolio_exposure"),
        ({"min_buy_score": D(60)}, {"score": "50"}, "signal_score"),
        ({}, {"side": "SELL", "quantity": 10}, "short_selling"),
        ({}, {"order_type": "TRAILING_STOP", "trail_amount": "5"}, "OrderValidationError"),
    ],
)
async def test_what_another_rule_or_its_broker_refuses_too_does_not_wait(
    tmp_path: Path, limits: dict[str, object], fields: dict[str, object], code: str, whose: str
) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=LAX.model_copy(update=limits)) as scene, scene.living() as engine:
        takes_no_trail(scene)
        doubted = await in_doubt(scene, engine, 60.0, a_limit("theirs", strategy_name=whose, quantity=1, score="90"))
        signal = a_signal("s", strategy_name="strat", **fields)
        _, refusals = await engine.execute.validate(signal)
        assert code in [each.code for each in refusals]
        assert await code_of(scene, await engine.execute.execute(signal)) == code
        assert (await engine.orders.get(doubted.order_id)).is_in_doubt


async def test_what_a_table_of_limits_refuses_too_does_not_wait(tmp_path: Path) -> None:
    table = LimitTable.of(NarrowLimits(max_order_quantity=D(5)), LAX, strategy_name="trend")
    async with a_scene(tmp_path, BY_HAND, account_terms={"tables": (table,)}) as scene, scene.living() as engine:
        await in_doubt(scene, engine, 60.0, a_limit("theirs", strategy_name="other"))
        order = await engine.execute.execute(a_signal("s", strategy_name="trend", quantity=6))
        assert await code_of(scene, order) == "order_quantity"
        assert (await engine.execute.execute(a_signal("small", strategy_name="trend", quantity=5))).is_waiting


async def test_what_is_refused_takes_no_room_from_others(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_order_value": D(50_000), "max_portfolio_exposure": D(100_000)})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await in_doubt(scene, engine, 60.0, a_limit("theirs", quantity=1))
        await engine.execute.execute(a_signal("big", quantity=190))
        assert (await engine.execute.execute(a_signal("elsewhere", symbol="AAPL", quantity=50))).is_sent


@pytest.mark.parametrize("limits", [LAX, SHORTS], ids=["long only", "shorts"])
async def test_a_target_gives_way_to_no_newer_one_that_is_refused(tmp_path: Path, limits: RiskLimits) -> None:
    limits = limits.model_copy(update={"max_order_value": D(50_000)})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        await in_doubt(scene, engine, 4.0, a_limit("theirs", strategy_name="other"))
        first = await engine.execute.execute(a_target(10, "first"))
        assert first.is_waiting
        assert await code_of(scene, await engine.execute.execute(a_target(1000, "second"))) == "order_value"
        await until(lambda: scene.venue_orders(first) != [])


# --- how old it may get ---------------------------------------------------------------------------------------------------------


async def lost_exit_of(whose: str, scene: Scene, engine: Engine) -> LiveOrder:
    """In doubt until a person says that it never arrived."""
    await scene.control.clear_faults()
    await scene.lay(FaultKind.REQUEST_LOST)
    order = await engine.execute.execute(
        an_exit(f"exit of {whose}", strategy_name=whose, quantity=3, timestamp=engine.clock.now(), **LIMIT)
    )
    assert order.is_in_doubt
    return order


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restart"])
@pytest.mark.parametrize("fields", [{"side": None, "target_quantity": 10}, {"quantity": 10}], ids=["target", "entry"])
async def test_its_age_does_not_begin_anew_with_a_further_doubt(tmp_path: Path, fields: dict[str, object], restarts: bool) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 60.0})
    async with a_scene(tmp_path, KEYLESS, limits=limits) as scene:
        engine = scene.engine()
        await engine.start()
        for whose in ("other", "third"):
            entry = a_signal(f"in {whose}", strategy_name=whose, quantity=10, timestamp=engine.clock.now())
            await fills(scene, engine, await engine.execute.execute(entry), 10)
        first = await lost_exit_of("other", scene, engine)
        sent_at = engine.clock.now()
        order = await engine.execute.execute(a_signal("s", timestamp=sent_at, **{"quantity": None} | fields))
        assert order.is_waiting
        await asyncio.sleep(20)
        second = await lost_exit_of("third", scene, engine)
        if restarts:
            await scene.dies(engine)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
        await engine.doubts.settle_absent(first.order_id, "none", "person:ann")
        await asyncio.sleep(15)
        order = await engine.orders.get(order.order_id)
        assert order.wait is not None
        assert (order.wait.orders, order.terms.signal_at) == ((second.order_id,), sent_at)
        await asyncio.sleep(30)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancel_reason) == ("CANCELLED", "STALE")
        await engine.stop()


# --- what made way for it before ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_short", [False, True], ids=["long", "short"])
@pytest.mark.parametrize("way", ["reversal", "target"])
async def test_what_made_way_for_it_before_the_doubt_is_told_with_the_wait_and_once(
    tmp_path: Path, way: str, is_short: bool
) -> None:
    own, back = ("SELL", "BUY") if is_short else ("BUY", "SELL")
    async with a_scene(tmp_path, KEYLESS, limits=SHORTS) as scene:
        engine = scene.engine()
        await engine.start()
        await fills(scene, engine, await engine.execute.execute(a_signal("in", side=own, quantity=10)), 10)
        price = "700" if is_short else "300"
        stop = await engine.execute.execute(an_exit("stop", **STOP | {"side": back, "stop_price": price}))
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=2.0)
        turn = a_signal("turn", side=back, quantity=25) if way == "reversal" else a_target(5 if is_short else -5)
        order = await engine.execute.execute(turn)
        assert order.is_waiting
        await scene.lay(FaultKind.REQUEST_LOST)
        theirs = await engine.execute.execute(a_limit("theirs", strategy_name="other"))
        await until(lambda: _awaits(engine, order, theirs))
        assert [(each.quantity, each.orders) for each in await unguarded(scene, order)] == [(D(10), (stop.order_id,))]
        names = [type(each).__name__ for each in await scene.events(order)]
        assert names[-3:] == ["WaitEnded", "LeftUnguarded", "WaitBegan"]
        await scene.dies(engine)
        async with scene.living() as again:
            await again.doubts.settle_absent(theirs.order_id, "none", "person:ann")
            await until(lambda: scene.venue_orders(order) != [])
            await again.cancel.cancel(order.order_id)
            await ended(again, order)
            assert [each.quantity for each in await unguarded(scene, order)] == [D(10)]


@pytest.mark.parametrize("how", ["person", "kill", "stale"])
async def test_one_that_ends_while_it_waits_has_told_it_already(tmp_path: Path, how: str) -> None:
    limits = SHORTS.model_copy(update={"max_signal_age_seconds": 120.0})
    async with a_scene(tmp_path, KEYLESS, limits=limits) as scene, scene.living() as engine:
        await holding(scene, engine)
        await engine.execute.execute(an_exit("stop", timestamp=engine.clock.now(), **STOP))
        await scene.lay(FaultKind.REQUEST_HELD, Point.CANCEL, seconds=2.0)
        order = await engine.execute.execute(a_signal("turn", side="SELL", quantity=25, timestamp=engine.clock.now()))
        await scene.lay(FaultKind.REQUEST_LOST)
        theirs = await engine.execute.execute(a_limit("theirs", strategy_name="other", timestamp=engine.clock.now()))
        await until(lambda: _awaits(engine, order, theirs))
        if how == "person":
            await engine.cancel.cancel(order.order_id)
        elif how == "kill":
            await engine.kill_all.kill("enough", PERSON)
        assert (await ended(engine, order)).status != "FILLED"
        assert [each.quantity for each in await unguarded(scene, order)] == [D(10)]


def _awaits(engine: Engine, order: LiveOrder, other: LiveOrder) -> bool:
    known = engine.orders.unfinished_with(order.order_id)
    return known is not None and known.wait is not None and known.wait.orders == (other.order_id,)
