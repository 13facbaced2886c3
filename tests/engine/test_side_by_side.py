"""A broker that does not answer holds up no other, and questions to one broker do not wait for each other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.runtime.concurrently import concurrently
from liveorder.domain.lifecycle import OrderStatus
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_limit, a_scene, a_signal, until

SILENT, ACCOUNTS = "B", ("B", ACCOUNT)
UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})
QUESTIONS = ("find", "open_orders", "positions", "executions_since")
BOLD = {"breaker_failures": 1000}


def fall_silent(scene: Scene) -> None:
    async def silence(*asked: object) -> None:
        await asyncio.sleep(1e6)

    scene.witnesses[SILENT].answers.update(dict.fromkeys(QUESTIONS, silence))


async def doubt(scene: Scene, engine: Engine, account_id: str, orders: int = 1) -> None:
    """They rest at the venue, and nothing of it was heard."""
    control = scene.control_of(account_id)
    await control.drop_streams(seconds=1e6)
    await control.lay(Fault(kind=FaultKind.ACKNOWLEDGEMENT_LOST, on=Point.SUBMIT, nth=None))
    signals = [a_limit(f"{account_id}-{number}", account_id=account_id) for number in range(orders)]
    sent = await asyncio.gather(*(engine.execute.execute(signal) for signal in signals))
    await control.clear_faults()
    assert all(order.is_in_doubt for order in sent)


def doubtful(engine: Engine, account_id: str) -> list[Any]:
    return [each for each in engine.doubts.standing() if each.order.intent.account_id == account_id]


async def test_a_silent_brokers_doubts_keep_no_other_doubt_waiting(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=ACCOUNTS, account_terms=BOLD) as scene, scene.living(poll_seconds=1e6) as engine:
        fall_silent(scene)
        await doubt(scene, engine, SILENT, orders=10)
        await doubt(scene, engine, ACCOUNT)
        await until(lambda: not doubtful(engine, ACCOUNT), seconds=2)
        assert len(doubtful(engine, SILENT)) == 10


async def test_many_doubts_at_a_slow_broker_are_out_within_a_minute(tmp_path: Path) -> None:
    """Forty answers of five seconds each, one after the other, would take more than three."""
    async with a_scene(tmp_path, account_terms=BOLD) as scene, scene.living(poll_seconds=1e6) as engine:
        found, at_once = scene.witness.find, [0, 0]

        async def slowly(*asked: Any) -> Any:
            at_once[0] += 1
            at_once[1] = max(at_once)
            await asyncio.sleep(5)
            at_once[0] -= 1
            return await found(*asked)

        scene.witness.answers["find"] = slowly
        await doubt(scene, engine, ACCOUNT, orders=40)
        await until(lambda: not doubtful(engine, ACCOUNT), seconds=60)
        assert 1 < at_once[1] <= 8, "nor is the broker asked everything at once"


async def test_a_late_order_is_cancelled_though_another_broker_does_not_answer_about_its_own(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED, accounts=ACCOUNTS) as scene, scene.living() as engine:
        for number in range(10):
            await engine.execute.execute(a_limit(f"silent-{number}", account_id=SILENT, timeout_seconds=20.0))
        late = await engine.execute.execute(a_limit("late", timeout_seconds=20.0))
        fall_silent(scene)
        await asyncio.sleep(23)
        assert (await engine.orders.get(late.order_id)).status is OrderStatus.CANCELLED


async def test_an_account_is_reconciled_though_another_broker_does_not_answer(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=ACCOUNTS) as scene, scene.living(reconcile_seconds=5.0) as engine:
        fall_silent(scene)
        before = engine.reconcile.latest[ACCOUNT].at
        await asyncio.sleep(6)
        assert engine.reconcile.latest[ACCOUNT].at > before
        reports = {report.account_id: report for report in await engine.reconcile.reconcile_all()}
        assert (reports[ACCOUNT].is_clean, reports[SILENT].is_clean) == (True, False)


async def test_positions_are_closed_though_another_broker_does_not_answer(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=ACCOUNTS) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        fall_silent(scene)
        killing = asyncio.create_task(engine.kill_all.kill("enough", "person:ann", flatten=True))
        await until(lambda: not any(held.quantity for held in engine.risk.positions(ACCOUNT).values()), seconds=5)
        stopped = await killing
        assert [line for line in stopped.remaining if line.startswith(ACCOUNT)] == []
        assert any(line.startswith(f"{SILENT}: the broker could not be asked") for line in stopped.remaining)


# --- the tool -------------------------------------------------------------------------------------------------------------------


async def test_results_are_in_order_and_an_error_is_raised_once_everything_has_ended() -> None:
    ended: list[float] = []

    async def lasting(seconds: float) -> float:
        if seconds < 0:
            raise ValueError("negative")
        await asyncio.sleep(seconds)
        ended.append(seconds)
        return seconds

    assert await concurrently(lasting, (3, 1, 2), limit=2) == [3, 1, 2]
    assert ended == [1, 3, 2]
    ended.clear()
    with pytest.raises(ValueError, match="negative"):
        await concurrently(lasting, (-1, 2, 1))
    assert ended == [1, 2]
