"""What a start does with what the last run left."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from liveorder.application.ports.broker import Absence
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import BrokerConnectionError, LeaseLost, SettingsError
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import TradingMode
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, STILL, a_limit, a_scene, a_signal, until

REFUSED = BrokerConnectionError("connection refused")
GAVE_UP = "gave up after 2 attempts: connection refused"
UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_an_empty_store_recovers_nothing(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        assert await engine.start() == RecoveryReport(0, 0, 0, ())
        assert scene.log.of("RECOVERY") == []
        await engine.stop()


async def test_fourteen_working_orders_are_all_tracked_and_nothing_is_sent(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene:
        engine = scene.engine()
        await engine.start()
        orders = [await engine.execute.execute(a_limit(f"s{n}", time_in_force="GTC")) for n in range(14)]
        await scene.dies(engine)
        for order in orders[:7]:
            await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(400))
        await scene.control.close_order(orders[13].broker_order_id or "")
        before = len(scene.witness.calls)
        again = scene.engine()
        report = await again.start(wait_for_lease=True)
        assert (report.unfinished, report.in_doubt, report.taken_up) == (14, 0, 0)
        assert len(again.orders.unfinished()) == 13
        filled = [(await again.orders.get(order.order_id)).filled_quantity for order in orders]
        assert filled == [Decimal(3)] * 7 + [Decimal(0)] * 7
        assert len(scene.witness.calls) == before
        await again.stop()


async def test_a_call_that_death_interrupted_is_in_doubt_and_found(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 5.0}) as scene:
        engine = scene.engine()
        await engine.start()
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, seconds=4.0)
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        executing.cancel()
        await scene.dies(engine)
        async with scene.living() as again:
            (order,) = again.orders.unfinished()
            assert (order.is_acknowledged, order.is_in_doubt) == (True, False)
            assert len(scene.venue_orders(order)) == len(scene.witness.of("submit")) == 1


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_an_order_that_surely_never_left_is_taken_up_again_within_its_attempts(tmp_path: Path, failures: int) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        if failures == 0:
            engine.gateways[ACCOUNT].limit.has_room = lambda **_: False  # type: ignore[method-assign]  # a fault of our own making
            engine.gateways[ACCOUNT].limit.take = lambda **_: asyncio.sleep(1e6)  # type: ignore[method-assign]  # a fault of our own making
        scene.witness.will_raise("submit", *[REFUSED] * failures)
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await asyncio.sleep(max(failures - 0.5, 0.5))
        executing.cancel()
        (order,) = engine.orders.unfinished()
        assert (order.attempts, order.submission_is_open) == (failures, False)
        await scene.dies(engine)
        scene.account_terms = {"retry": RetryPolicy(2)}
        async with scene.living() as again:
            await until(lambda: again.dispatcher.is_idle)
            order = await again.orders.get(order.order_id)
            expected = (OrderStatus.REJECTED, "RETRIES_EXHAUSTED") if failures == 2 else (OrderStatus.SUBMITTED, None)
            assert (order.status, order.reason) == expected
            assert len(scene.venue_orders(order)) == (0 if failures == 2 else 1)
        assert [str(error) for _, error in scene.errors] == [GAVE_UP] * (failures == 2)


async def test_an_attempt_that_failed_before_a_restart_is_asked_about_before_it_is_sent_again(tmp_path: Path) -> None:
    """So that its adapter knows the reference of an earlier run before it gives one to another order."""
    asked: list[int] = []
    async with a_scene(tmp_path, UNFILLED, account_terms={"retry": RetryPolicy(2, 3600, 3600)}) as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.will_raise("submit", REFUSED)
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await asyncio.sleep(1)
        executing.cancel()
        (order,) = engine.orders.unfinished()
        assert (order.attempts, order.submission_is_open) == (1, False)
        await scene.dies(engine)

        async def find(client_order_id: str, broker_order_id: str | None, reference: Mapping[str, str]) -> Absence:
            assert order.submission is not None
            if reference == order.submission.reference:
                asked.append(len(scene.witness.of("submit")))
            return Absence.ABSENT

        scene.witness.answers["find"] = find
        async with scene.living() as again:
            await until(lambda: again.dispatcher.is_idle)
            assert (await again.orders.get(order.order_id)).is_at_broker
            assert (asked, len(scene.witness.of("submit"))) == ([1], 2)


@pytest.mark.parametrize("failures", [0, 1, 2])
async def test_attempts_that_were_lost_with_us_leave_the_retries_as_they_were(tmp_path: Path, failures: int) -> None:
    deaths, exhausted, signal = 3, failures == 2, a_signal(timeout_seconds=3600)
    async with a_scene(tmp_path, account_terms={"retry": RetryPolicy(2)}) as scene:
        for life in range(1, deaths + 1):
            await scene.lay(FaultKind.REQUEST_LOST, silent=True)
            engine = scene.engine()
            await engine.start(wait_for_lease=True)
            executing = asyncio.create_task(engine.execute.execute(signal))
            await until(lambda sent=life: len(scene.witness.of("submit")) == sent)
            await scene.dies(engine)
            executing.cancel()
        await scene.control.clear_faults()
        scene.witness.will_raise("submit", *[REFUSED] * failures)
        async with scene.living() as engine:
            await until(lambda: engine.is_quiet)
            order = await engine.execute.execute(signal)
            assert (order.status, order.reason) == (
                (OrderStatus.REJECTED, "RETRIES_EXHAUSTED") if exhausted else (OrderStatus.FILLED, None)
            )
            assert (order.attempts, order.failures) == (deaths + failures + (not exhausted), failures)
        assert len(scene.venue_orders(order)) == (not exhausted)


async def test_a_cancel_and_a_replace_that_death_interrupted_are_in_doubt_until_they_show(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        first = await engine.execute.execute(a_limit("one", time_in_force="GTC"))
        second = await engine.execute.execute(a_limit("two", time_in_force="GTC"))
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, Point.CANCEL, seconds=4.0)
        await scene.lay(FaultKind.REQUEST_LOST, Point.REPLACE, silent=True)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        doing = [
            asyncio.create_task(engine.cancel.cancel(first.order_id)),
            asyncio.create_task(engine.replace.replace(second.order_id, quantity=Decimal(20))),
        ]
        await asyncio.sleep(0.1)
        for task in doing:
            task.cancel()
        await scene.dies(engine)
        again = scene.engine()
        report = await again.start(wait_for_lease=True)
        assert report.in_doubt == 1
        assert (await again.orders.get(first.order_id)).reason == "REQUESTED"
        await until(lambda: not again.doubts.standing())
        second = await again.orders.get(second.order_id)
        assert (second.status, second.quantity) == (OrderStatus.SUBMITTED, Decimal(10))
        await again.stop()


async def test_a_broker_that_does_not_answer_is_named_and_its_orders_are_asked_about_when_it_does(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit())
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await scene.lay(FaultKind.QUERY_FAILED, Point.OPEN_ORDERS, None)
        await scene.lay(FaultKind.QUERY_FAILED, Point.EXECUTIONS, None)
        again = scene.engine()
        report = await again.start(wait_for_lease=True)
        assert report.unreachable == (ACCOUNT,)
        await scene.control.clear_faults()
        await until(lambda: again.is_quiet)
        assert (await again.orders.get(order.order_id)).status is OrderStatus.FILLED
        await again.stop()


async def test_fills_told_again_after_a_restart_count_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_signal())
            await until(lambda: engine.is_quiet)
        for _ in range(2):
            async with scene.living() as engine:
                await engine.track.catch_up(engine.gateways[ACCOUNT], order.submitted_at or scene.clock.now())
                assert (await engine.orders.get(order.order_id)).filled_quantity == Decimal(10)
                assert engine.risk.positions(ACCOUNT)["ARCA:SPY"].quantity == Decimal(10)


async def test_recovering_on_demand_leaves_the_calls_in_flight_alone(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 1.0})) as scene, scene.living() as engine:
        executing = asyncio.create_task(engine.execute.execute(a_limit()))
        await asyncio.sleep(1.5)
        await engine.recover.recover()
        order = await executing
        assert order.is_acknowledged
        assert "OutcomeUnknown" not in await scene.event_names(order)


async def test_an_account_that_left_the_settings_with_orders_open_is_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=("SIM", "B")) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_limit(account_id="B", time_in_force="GTC"))
        floors, scene.floors = scene.floors, {ACCOUNT: scene.floors[ACCOUNT]}
        engine = scene.engine()
        with pytest.raises(SettingsError, match="account B has unfinished orders"):
            await engine.start()
        await engine.stop()
        scene.floors = floors
        async with scene.living():
            pass


async def test_a_start_that_is_refused_lets_go_of_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as owner:
        second = scene.engine()
        with pytest.raises(LeaseLost, match="owned by life-1"):
            await second.start()
        await second.stop()
        order = await owner.execute.execute(a_signal())
        await until(lambda: owner.is_quiet)
        assert (await owner.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_a_broker_of_another_mode_is_refused_at_start(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"mode": TradingMode.LIVE}) as scene:
        engine = scene.engine()
        with pytest.raises(SettingsError, match="TRADING_MODE"):
            await engine.start()
        await engine.stop()
