"""What a start makes of what it finds: here, at the broker, and in the broker's numbering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from liveorder.domain.execution_report import ExecutionReport
from liveorder.domain.lifecycle import OrderStatus
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.field_cases.evidence import Repeated, all_at_venue, at_venue, held_at_venue, retell, sent_keys, stored, without_key

R = TypeVar("R", bound=ExecutionReport)
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_a_restart_sends_nothing_that_the_broker_has_though_the_strategy_tells_all_its_signals_again(tmp_path: Path) -> None:
    """Case 2 (nautilus#3176): every restart created all orders anew."""
    resting = a_limit("resting", time_in_force="GTC")
    strategy = Repeated((a_signal("filled"), resting, a_limit("cancelled"), a_limit("caught in flight", time_in_force="GTC")))
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, nth=4, seconds=4.0)
        reading = asyncio.create_task(engine.intake.read(strategy))
        await until(lambda: len(all_at_venue(scene)) == 4)
        (cancelled,) = [order for order in engine.orders.unfinished() if order.intent.signal_id == "cancelled"]
        await engine.cancel.cancel(cancelled.order_id)
        await scene.dies(engine)
        reading.cancel()
        for _ in range(3):
            async with scene.living() as again:
                await again.intake.read(strategy)
                await asyncio.sleep(30)
                open_here = sorted(order.intent.signal_id for order in again.orders.unfinished())
                assert open_here == ["caught in flight", "resting"]
        assert sorted(each["state"] for each in all_at_venue(scene)) == ["CANCELLED", "FILLED", "WORKING", "WORKING"]
        assert len(sent_keys(scene)) == len(set(sent_keys(scene))) == 4
        assert await scene.count("Requested") == 4


async def test_orders_that_worked_before_a_restart_can_be_replaced_and_cancelled_after_it(tmp_path: Path) -> None:
    """Case 14 (nautilus#5057): orders that worked before the restart could be neither changed nor cancelled after it."""
    async with a_scene(tmp_path, BY_HAND) as scene:
        engine = scene.engine()
        await engine.start()
        to_replace = await engine.execute.execute(a_limit("to replace", time_in_force="GTC"))
        to_cancel = await engine.execute.execute(a_limit("to cancel", time_in_force="GTC"))
        await scene.control.fill(to_replace.broker_order_id or "", Decimal(3), Decimal(400))
        await scene.dies(engine)
        async with scene.living() as again:
            await again.replace.replace(to_replace.order_id, quantity=Decimal(8), limit_price=Decimal(402))
            await again.cancel.cancel(to_cancel.order_id)
            await asyncio.sleep(2)
            known = await stored(scene, to_replace)
            assert (known.quantity, known.limit_price, known.filled_quantity) == (Decimal(8), Decimal(402), Decimal(3))
            assert (await stored(scene, to_cancel)).status is OrderStatus.CANCELLED
            told = [(each["state"], each["quantity"], each["limit_price"]) for each in all_at_venue(scene)]
            assert told == [("WORKING", "8", "402"), ("CANCELLED", "10", "400")]
            await again.cancel.cancel(to_replace.order_id)
            await until(lambda: again.is_quiet)
        assert at_venue(scene, to_replace) == [("CANCELLED", Decimal(3))]


@dataclass
class Numbering:
    """A gateway that numbers orders from 1, and begins again at 1 whenever it was restarted. It is asked by our key alone."""

    scene: Scene
    numbers: dict[str, str] = field(default_factory=dict)
    """By the venue's id, which is never told."""
    latest: int = 0
    tells_keys: bool = True

    def restart(self) -> None:
        self.latest = 0

    def told(self, report: R) -> R:
        number = self.numbers.get(report.broker_order_id or "")
        if number is None:
            self.latest += 1
            number = self.numbers[report.broker_order_id or ""] = str(self.latest)
        executions = [self.told(each) for each in getattr(report, "executions", ())]
        changes: dict[str, Any] = {"executions": tuple(executions)} if executions else {}
        named = structs.replace(report, broker_order_id=number, **changes)
        return named if self.tells_keys else without_key(named)

    def take_over(self) -> None:
        """From here on, for every life, the broker of the scene is this gateway."""
        retell(self.scene, self.told)

        async def submit(prepared: Any) -> Any:
            return [self.told(report) for report in await self.scene.witness._broker.submit(prepared)]

        async def find(key: str, number: str | None, reference: Any) -> Any:
            found = await self.scene.witness._broker.find(key, None, reference)
            return self.told(found) if isinstance(found, ExecutionReport) else found

        def prepare(request: Any) -> Any:
            by_key = replace(request, broker_order_id=None) if hasattr(request, "broker_order_id") else request
            return self.scene.witness._broker.prepare(by_key)

        self.scene.witness.answers |= {"submit": submit, "find": find, "prepare": prepare}


async def test_numbers_that_begin_again_after_a_gateway_restart_are_not_mixed_up(tmp_path: Path) -> None:
    """Case 18 (Lean.IB#242): nextValidId rolled back when the gateway restarted, and callbacks went to the wrong order."""
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        gateway = Numbering(scene)
        gateway.take_over()
        await scene.control.drop_streams()
        await asyncio.sleep(2)
        first = await engine.execute.execute(a_limit("first", quantity=Decimal(10), time_in_force="GTC"))
        gateway.restart()
        await scene.control.drop_streams(seconds=2)
        await asyncio.sleep(4)
        second = await engine.execute.execute(a_limit("second", quantity=Decimal(20), price=410, time_in_force="GTC"))
        assert (first.broker_order_id, second.broker_order_id) == ("1", "1")
        names = [each["broker_order_id"] for each in all_at_venue(scene)]
        await scene.control.fill(names[0], Decimal(4), Decimal(400))
        await scene.control.fill(names[1], Decimal(5), Decimal(410))
        await asyncio.sleep(5)
        assert [(await stored(scene, order)).filled_quantity for order in (first, second)] == [Decimal(4), Decimal(5)]
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.control.close_order(names[0])
        await asyncio.sleep(5)
        assert (await stored(scene, first)).status is OrderStatus.CANCELLED
        await scene.control.fill(names[1], Decimal(15), Decimal(410))
        await until(lambda: engine.is_quiet)
        known = [await stored(scene, order) for order in (first, second)]
        assert [(o.status, o.filled_quantity) for o in known] == [
            (OrderStatus.CANCELLED, Decimal(4)),
            (OrderStatus.FILLED, Decimal(20)),
        ]
        assert [order.anomalies for order in known] == [frozenset()] * 2
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(24)


async def test_a_number_that_comes_again_in_another_session_is_told_apart_also_where_no_key_is_told(tmp_path: Path) -> None:
    """Case 19 (nautilus#4247): IB's raw order id came again in the next session and collided with the order that had it before."""
    async with a_scene(tmp_path, BY_HAND) as scene:
        gateway = Numbering(scene)
        async with scene.living() as engine:
            gateway.take_over()
            await scene.control.drop_streams()
            await asyncio.sleep(2)
            before = await engine.execute.execute(a_limit("before"))
            name = all_at_venue(scene)[0]["broker_order_id"]
            busted = await scene.control.fill(name, Decimal(6), Decimal(400))
            await scene.control.fill(name, Decimal(4), Decimal(400))
            await until(lambda: engine.is_quiet)
        gateway.restart()
        await asyncio.sleep(3600)
        async with scene.living() as engine:
            after = await engine.execute.execute(a_limit("after", price=410, quantity=Decimal(20), time_in_force="GTC"))
            assert (before.broker_order_id, after.broker_order_id) == ("1", "1")
            await engine.track.catch_up(engine.gateways[ACCOUNT], scene.clock.now() - timedelta(hours=8))
            assert (await stored(scene, after)).filled_quantity == Decimal(0)
            gateway.tells_keys = False
            await scene.control.fill(all_at_venue(scene)[1]["broker_order_id"], Decimal(5), Decimal(410))
            await scene.control.bust(busted)
            await asyncio.sleep(5)
            known = [await stored(scene, order) for order in (before, after)]
            assert [order.filled_quantity for order in known] == [Decimal(4), Decimal(5)]
            assert [order.anomalies for order in known] == [frozenset()] * 2
            assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(9)


async def test_fills_that_the_broker_tells_again_at_every_start_count_once(tmp_path: Path) -> None:
    """Case 27 (nautilus#3046): on a restart the broker replayed its fills, and they were counted twice."""

    async def replaying() -> AsyncIterator[ExecutionReport]:
        for report in await scene.witness._broker.executions_since(scene.clock.now() - timedelta(days=1)):
            yield report
            yield report
        async for report in scene.witness._broker.reports():
            yield report

    async with a_scene(tmp_path, BY_HAND) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
            for quantity in (3, 4):
                await scene.control.fill(order.broker_order_id or "", Decimal(quantity), Decimal(400))
            await asyncio.sleep(1)
        scene.witness.answers["reports"] = replaying
        for _ in range(2):
            async with scene.living() as engine:
                await asyncio.sleep(5)
                assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(7)
        known = await stored(scene, order)
        assert (known.filled_quantity, known.status) == (Decimal(7), OrderStatus.PARTIAL)
        assert await scene.count("Filled") == 2
        assert at_venue(scene, order) == [("WORKING", Decimal(7))]
