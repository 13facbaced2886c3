"""A stop that stops, *flat* only when it is so, and positions that are what was filled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.reconciliation import Difference, DifferenceKind
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.domain.values import Side
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.faults import FaultKind, Point
from tests.engine.scenes import ACCOUNT, SPY, a_limit, a_scene, a_signal, until
from tests.field_cases.evidence import Repeated, all_at_venue, held_at_venue, sent_keys, stored


async def test_a_position_that_differs_is_shown_and_keeps_only_its_own_symbol_from_new_risk(tmp_path: Path) -> None:
    """Case 29 (nautilus#3104): +75 here and -65 at the venue; the engine refused to start at all."""
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal("bought", quantity=Decimal(75)))
            await until(lambda: engine.is_quiet)
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(140))
        async with scene.living() as engine:
            shown = engine.reconcile.latest[ACCOUNT].differences
            assert shown == (Difference(DifferenceKind.POSITION, SPY, "75", "-65"),)
            assert any(f"POSITION {SPY}: 75 here, -65 at the broker" in line for line in scene.log.of("RECONCILE"))
            refused = await engine.execute.execute(a_signal("more"))
            assert "our position in SPY is not the broker's" in (refused.error_message or "")
            assert (await engine.execute.execute(a_signal("elsewhere", symbol="AAPL"))).is_sent
            assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(75)
            await engine.adopt.adopt_position(ACCOUNT, "SPY", "ARCA", Decimal(-140), Decimal(500), "sold by phone", "person:ann")
            assert (await engine.reconcile.reconcile(ACCOUNT)).is_clean
            assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(-65)
            assert (await engine.execute.execute(a_signal("again"))).is_sent


async def test_a_liquidation_by_the_broker_is_reported_as_orders_and_positions_that_are_not_ours(tmp_path: Path) -> None:
    """Case 30 (Lean.IB#156): the broker liquidated the position, and the engine went on as if it still had it."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(10))
        working = await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(5), Decimal(600))
        await asyncio.sleep(61)
        assert set(engine.reconcile.latest[ACCOUNT].differences) == {
            Difference(DifferenceKind.POSITION, SPY, "10", "0"),
            Difference(DifferenceKind.UNKNOWN_ORDER, working, "none", "WORKING"),
        }
        assert any("POSITION" in line for line in scene.log.of("RECONCILE"))
        assert await scene.count("UnmatchedReportNoted") >= 2
        assert (await stored(scene, order)).filled_quantity == Decimal(10)
        assert "is not the broker's" in ((await engine.execute.execute(a_signal("more"))).error_message or "")


async def test_what_a_question_about_positions_gives_changes_none_of_them(tmp_path: Path) -> None:
    """Case 31 (openalgo#1794): a catch-up job got an empty list of positions and zeroed those that were live."""
    async with a_scene(tmp_path) as scene, scene.living(lease_seconds=300.0) as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)

        async def none_at_all() -> list[Any]:
            return []

        scene.witness.answers["positions"] = none_at_all
        await asyncio.sleep(600)
        assert engine.reconcile.latest[ACCOUNT].differences == (Difference(DifferenceKind.POSITION, SPY, "10", "0"),)
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(10)
        del scene.witness.answers["positions"]
        await scene.lay(FaultKind.QUERY_FAILED, Point.POSITIONS, None)
        report = await engine.reconcile.reconcile(ACCOUNT)
        assert (report.differences, report.unanswered) == ((), ("positions",))
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == held_at_venue(scene) == Decimal(10)
        assert await scene.count("Filled", "FillInferred", "FillCorrected", "FillBusted") == 1


async def test_nothing_leaves_after_the_halt_is_durable_whatever_waits_comes_or_is_tried_again(tmp_path: Path) -> None:
    """Case 33 (hummingbot#2534): the kill switch fired, and orders kept coming."""
    slow = replace(SIMULATED_CAPABILITIES, requests_per_second=5.0)
    async with a_scene(tmp_path, capabilities=slow) as scene:
        async with scene.living() as engine:
            signals = tuple(a_limit(f"s{number}", time_in_force="GTC") for number in range(40))
            scene.witness.will_raise("submit", *[BrokerConnectionError("down")] * 3)
            reading = asyncio.create_task(engine.intake.read(Repeated(signals)))
            await asyncio.sleep(2.5)
            assert await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
            at = scene.clock.monotonic()
            assert 5 < len(sent_keys(scene)) < 40
            sent = len(sent_keys(scene))
            await reading
            await engine.intake.read(Repeated((a_limit("after"),)))
            await asyncio.sleep(120)
            assert (await engine.kill_all.kill("and all of it", "person:ann")).is_flat
            assert engine.is_quiet
        async with scene.living() as again:
            await again.intake.read(Repeated((*signals, a_limit("after the restart"))))
            await asyncio.sleep(30)
        assert (len(sent_keys(scene)), max(call.at for call in scene.witness.of("submit")) <= at) == (sent, True)
        assert {each["state"] for each in all_at_venue(scene)} == {"CANCELLED"}


async def test_flat_is_said_only_when_the_broker_was_asked_and_nothing_rests_there(tmp_path: Path) -> None:
    """Case 34 (go-trader#1462): the bot reported *flat* while its limit orders still rested at the exchange."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        outside = await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(5), Decimal(300))
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert not report.is_flat
        assert f"{ACCOUNT}: order {order.broker_order_id} SPY WORKING" in report.remaining
        assert f"{ACCOUNT}: order {outside} SPY WORKING" in report.remaining
        await scene.lay(FaultKind.QUERY_FAILED, Point.OPEN_ORDERS)
        unanswered = await engine.kill_all.kill("enough", "person:ann")
        assert (unanswered.is_flat, (await stored(scene, order)).status) == (False, OrderStatus.CANCELLED)
        await scene.control.close_order(outside)
        report = await engine.kill_all.kill("enough", "person:ann")
        assert (report.is_flat, held_at_venue(scene)) == (True, Decimal(0))
        assert {each["state"] for each in all_at_venue(scene)} == {"CANCELLED"}
