"""An exit that meets an entry which is open or in doubt waits for the end of that, and closes what it filled."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import Refused
from liveorder.domain.position_owner import PositionOwner
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, NOON, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_waiting_orders import ended
from tests.simulation.clocks import JumpingClock

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
TEN = Decimal(10)
SHORTS = LAX.model_copy(update={"allow_short_selling": True})


def an_exit(signal_id: str = "out", **fields: Any) -> Any:
    return a_signal(signal_id, **({"side": "SELL", "role": "EXIT", "quantity": None} | fields))


async def held(engine: Engine) -> Decimal:
    return sum((each.quantity for each in engine.risk.positions(ACCOUNT).values()), Decimal(0))


async def fills(scene: Scene, engine: Engine, order: LiveOrder, quantity: int) -> None:
    before = (await engine.orders.get(order.order_id)).filled_quantity
    await scene.control.fill(order.broker_order_id or "", Decimal(quantity), Decimal(500))
    for _ in range(300):
        await asyncio.sleep(0.1)
        if (await engine.orders.get(order.order_id)).filled_quantity != before:
            return
    raise AssertionError("the fill was not booked")


@pytest.mark.parametrize(
    "signal", [{}, {"role": "ENTRY"}, {"position_effect": "CLOSE", "role": "ENTRY"}], ids=["exit", "unsized", "close"]
)
@pytest.mark.parametrize("filled", [0, 4])
async def test_an_exit_has_the_open_rest_of_its_entry_cancelled_and_closes_what_it_filled(
    tmp_path: Path, filled: int, signal: dict[str, Any]
) -> None:
    """One that was to close opens nothing once there is nothing to close, though selling short is allowed."""
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        if filled:
            await fills(scene, engine, entry, filled)
        exit_ = await engine.execute.execute(an_exit(**signal))
        assert exit_.is_waiting
        assert str(entry.order_id) in (exit_.error_message or "")
        assert (await ended(engine, entry)).status == "CANCELLED"
        if not filled:
            assert (await ended(engine, exit_)).status == "REJECTED"
            (refused,) = [event for event in await scene.events(exit_) if isinstance(event, Refused)]
            assert refused.code == "nothing_to_close"
            assert scene.venue_orders(exit_) == []
            return
        await until(lambda: scene.venue_orders(exit_) != [])
        sent = await engine.orders.get(exit_.order_id)
        assert (sent.quantity, sent.terms.reduces_only) == (Decimal(filled), True)
        await fills(scene, engine, sent, filled)
        assert await held(engine) == 0


async def test_an_entry_that_fills_while_its_cancel_is_under_way_is_closed_whole(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=3))
        exit_ = await engine.execute.execute(an_exit())
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == TEN


async def test_an_entry_that_fills_before_its_cancel_is_no_error(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        entry, exit_ = await asyncio.gather(
            engine.execute.execute(a_signal("in", quantity=TEN)), engine.execute.execute(an_exit(timestamp=scene.clock.now()))
        )
        assert exit_.wait is not None
        await until(lambda: engine.is_quiet)
        assert (await ended(engine, entry)).status == (await ended(engine, exit_)).status == "FILLED"
        assert scene.log.of("ERROR") == []


async def test_a_clock_that_is_set_back_keeps_no_cancel_from_being_tried_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        scene.clock = jumping = JumpingClock(NOON)
        async with scene.living() as engine:
            entry = await engine.execute.execute(a_limit("in", quantity=10))
            cancel, slow = engine.cancel.cancel, [True]

            async def at_first_not(*asked: Any, **how: Any) -> LiveOrder:
                if slow:
                    slow.clear()
                    raise StoreUnavailable("it takes its time")
                return await cancel(*asked, **how)

            engine.cancel.cancel = at_first_not  # type: ignore[method-assign]  # a fault of our own making
            await engine.execute.execute(an_exit())
            await until(lambda: not slow)
            jumping.jump(-3600)
            await asyncio.sleep(120)
            assert (await engine.orders.get(entry.order_id)).status == "CANCELLED"


async def test_while_the_entry_is_in_doubt_the_exit_waits_past_its_age(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_signal_age_seconds": 10.0})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        for point in (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS):
            await scene.control.lay(Fault(kind=FaultKind.QUERY_FAILED, on=point))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_LOST, on=Point.CANCEL))
        await scene.control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.SUBMIT, nth=1))
        await scene.control.lay(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT))
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        assert entry.is_in_doubt
        exit_ = await engine.execute.execute(an_exit(timestamp=scene.clock.now()))
        await asyncio.sleep(300)
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        await scene.control.clear_faults()
        (at_venue,) = scene.venue_orders(entry)
        await scene.control.fill(at_venue["broker_order_id"], TEN, Decimal(400))
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == TEN


async def test_a_wait_for_an_entry_survives_a_crash_at_any_moment_of_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        await fills(scene, engine, entry, 4)
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, nth=1, seconds=20))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.is_waiting
        await scene.dies(engine)
        async with scene.living() as again:
            await until(lambda: scene.venue_orders(exit_) != [])
            assert (await again.orders.get(exit_.order_id)).quantity == Decimal(4)
            assert (await again.orders.get(entry.order_id)).status == "CANCELLED"
        assert len(scene.venue_orders(exit_)) == 1


@pytest.mark.parametrize("role", ["STOP_LOSS", "TAKE_PROFIT"])
async def test_what_guards_a_position_waits_for_its_entry_and_leaves_it_alone(tmp_path: Path, role: str) -> None:
    kind = {"order_type": "STOP", "stop_price": "300"} if role == "STOP_LOSS" else {"order_type": "LIMIT", "limit_price": "600"}
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        guard = await engine.execute.execute(an_exit("guard", role=role, **kind))
        assert guard.is_waiting
        await asyncio.sleep(60)
        assert not (await engine.orders.get(entry.order_id)).cancels
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(guard) != [])
        assert (await engine.orders.get(guard.order_id)).quantity == TEN


async def test_where_exits_cancel_no_entry_they_wait_until_it_has_ended(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"exit_cancels_entry": False})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        exit_ = await engine.execute.execute(an_exit())
        await asyncio.sleep(30)
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        await fills(scene, engine, entry, 10)
        await until(lambda: scene.venue_orders(exit_) != [])


# --- no side, and nothing held: flat whatever its entries come to ----------------------------------------------------------------

FLAT: dict[str, dict[str, Any]] = {
    "exit": {},
    "close": {"role": "ENTRY", "position_effect": "CLOSE"},
    "quantity": {"quantity": 25},
    "percent": {"role": "ENTRY", "position_effect": "CLOSE", "percent": 100},
}


@pytest.mark.parametrize("restarted", [False, True], ids=["", "restart"])
@pytest.mark.parametrize("positions", [PositionOwner.STRATEGY, PositionOwner.ACCOUNT])
@pytest.mark.parametrize(("bought", "sold"), [(0, 0), (4, 0), (0, 4), (10, 4), (4, 10), (10, 10)])
@pytest.mark.parametrize("flat", FLAT)
async def test_an_exit_without_a_side_ends_flat_though_entries_are_open_on_both_sides(
    tmp_path: Path, flat: str, bought: int, sold: int, positions: PositionOwner, restarted: bool
) -> None:
    """What fills while the cancels are under way is closed."""
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene:
        engine = scene.engine(positions=positions)
        await engine.start()
        buy = await engine.execute.execute(a_limit("buy", quantity=10, time_in_force="GTC"))
        sell = await engine.execute.execute(a_limit("sell", 600, side="SELL", quantity=10, time_in_force="GTC"))
        await scene.control.lay(Fault(kind=FaultKind.REQUEST_HELD, on=Point.CANCEL, seconds=20))
        exit_ = await engine.execute.execute(an_exit(side=None, **FLAT[flat]))
        assert exit_.wait is not None
        assert {*exit_.wait.orders} == {buy.order_id, sell.order_id}
        for entry, units in ((buy, bought), (sell, sold)):
            if units:
                await fills(scene, engine, entry, units)
        if restarted:
            await scene.dies(engine)
            engine = scene.engine(positions=positions)
            await engine.start(wait_for_lease=True)
        await scene.control.clear_faults()
        assert [(await ended(engine, each)).status.is_closed for each in (buy, sell)] == [True, True]
        if bought == sold:
            over = await ended(engine, exit_)
            assert [event.code for event in await scene.events(over) if isinstance(event, Refused)] == ["nothing_to_close"]
        else:
            await until(lambda: scene.venue_orders(exit_) != [])
            left = await engine.orders.get(exit_.order_id)
            assert (left.terms.side, left.quantity) == ("SELL" if bought > sold else "BUY", abs(Decimal(bought - sold)))
            await fills(scene, engine, left, abs(bought - sold))
        assert await held(engine) == 0
        assert engine.orders.unfinished() == []
        await engine.stop()


async def test_an_exit_without_a_side_leaves_entries_on_both_sides_alone_where_a_setting_says_so(tmp_path: Path) -> None:
    limits = SHORTS.model_copy(update={"exit_cancels_entry": False})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        buy = await engine.execute.execute(a_limit("buy", quantity=10))
        sell = await engine.execute.execute(a_limit("sell", 600, side="SELL", quantity=4))
        exit_ = await engine.execute.execute(an_exit(side=None))
        await fills(scene, engine, buy, 10)
        await asyncio.sleep(10)
        assert not (await engine.orders.get(sell.order_id)).cancels
        assert (await engine.orders.get(exit_.order_id)).is_waiting
        await fills(scene, engine, sell, 4)
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == Decimal(6)


async def test_an_exit_that_names_its_side_leaves_entries_on_the_other_alone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, limits=SHORTS) as scene, scene.living() as engine:
        buy = await engine.execute.execute(a_limit("buy", quantity=10))
        sell = await engine.execute.execute(a_limit("sell", 600, side="SELL", quantity=10))
        exit_ = await engine.execute.execute(an_exit(side="SELL"))
        assert (await ended(engine, exit_)).status == "REJECTED"
        assert (await engine.orders.get(buy.order_id)).status == "CANCELLED"
        assert not (await engine.orders.get(sell.order_id)).cancels


async def test_another_strategys_entry_is_neither_waited_for_nor_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        other = await engine.execute.execute(a_limit("in", quantity=10, strategy_name="other"))
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.status == "REJECTED"
        assert not (await engine.orders.get(other.order_id)).cancels


async def test_where_positions_are_the_accounts_so_are_the_entries_that_an_exit_waits_for(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(positions=PositionOwner.ACCOUNT) as engine:
        other = await engine.execute.execute(a_limit("in", quantity=10, strategy_name="other"))
        await fills(scene, engine, other, 4)
        exit_ = await engine.execute.execute(an_exit())
        assert exit_.is_waiting
        assert (await ended(engine, other)).status == "CANCELLED"
        await until(lambda: scene.venue_orders(exit_) != [])
        assert (await engine.orders.get(exit_.order_id)).quantity == Decimal(4)


async def test_a_cancel_ends_the_wait_and_the_entry_stays_as_it_is(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"exit_cancels_entry": False})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        entry = await engine.execute.execute(a_limit("in", quantity=10))
        exit_ = await engine.execute.execute(an_exit())
        assert (await engine.cancel.cancel(exit_.order_id)).status == "CANCELLED"
        await fills(scene, engine, entry, 10)
        await asyncio.sleep(5)
        assert scene.venue_orders(exit_) == []


async def test_an_exit_decided_while_its_entry_is_being_stored_waits_for_it_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        entry, exit_ = await asyncio.gather(
            engine.execute.execute(a_limit("in", quantity=10)), engine.execute.execute(an_exit(timestamp=scene.clock.now()))
        )
        assert exit_.wait is not None
        assert exit_.wait.orders == (entry.order_id,)
        assert (await ended(engine, entry)).status == "CANCELLED"
        assert (await ended(engine, exit_)).status == "REJECTED"
        assert scene.venue_orders(exit_) == []


async def test_a_broker_that_is_slow_with_one_wait_keeps_no_other_of_the_account_from_being_looked_at(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        under_way: list[str] = []

        async def is_slow_at_first(prepared: Any) -> Any:
            if under_way:
                return await scene.witness._broker.cancel(prepared)
            under_way.append(prepared.payload)
            try:
                await asyncio.sleep(1e6)
            finally:
                under_way.append("over")

        scene.witness.answers["cancel"] = is_slow_at_first
        entries = []
        for name in ("A", "B"):
            entry = await engine.execute.execute(a_limit(f"in {name}", quantity=10, strategy_name=name))
            await engine.execute.execute(an_exit(f"out {name}", strategy_name=name))
            await until(lambda: bool(under_way))
            entries.append(entry)
        assert (await ended(engine, entries[1])).status == "CANCELLED"
        assert len(under_way) == 1, "the first cancel is still under way"
