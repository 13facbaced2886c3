"""Orders that stand too long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.ports.broker import Absence, Prepared
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.execution_report import CancelRejected
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason
from liveorder.domain.timeouts import ASK_AGAIN_SECONDS, LONGEST_WAIT_SECONDS, is_late, time_allowed
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import LAX, STILL, a_limit, a_scene, a_signal, until

UNFILLED = STILL.model_copy(update={"fills": Fills(automatic=False)})
BEFORE_THE_CLOSE = datetime(2025, 3, 10, 19, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 60),
        ({"order_type": "LIMIT", "limit_price": Decimal(400)}, 300),
        ({"order_type": "MARKET_TO_LIMIT"}, 300),
        ({"timeout_seconds": 20.0}, 20),
        ({"order_type": "LIMIT", "limit_price": Decimal(400), "time_in_force": "GTC", "timeout_seconds": 30.0}, 30),
    ],
)
async def test_an_order_is_cancelled_when_its_time_is_up_and_not_before(
    tmp_path: Path, fields: dict[str, Any], seconds: float
) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal(**fields))
        await asyncio.sleep(seconds - 0.5)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED
        await asyncio.sleep(3)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.reason) == (OrderStatus.CANCELLED, "TIMED_OUT")


@pytest.mark.parametrize(
    "fields",
    [
        {"order_type": "STOP", "stop_price": Decimal(600)},
        {"order_type": "STOP_LIMIT", "stop_price": Decimal(600), "limit_price": Decimal(610)},
        {"order_type": "TRAILING_STOP", "trail_amount": Decimal(50)},
        {"order_type": "TRAILING_STOP_LIMIT", "trail_amount": Decimal(50), "limit_offset": Decimal(1)},
        {"order_type": "MARKET_IF_TOUCHED", "stop_price": Decimal(400)},
        {"order_type": "LIMIT_IF_TOUCHED", "stop_price": Decimal(400), "limit_price": Decimal(400)},
        {"order_type": "LIMIT", "limit_price": Decimal(400), "time_in_force": "GTC"},
        {"side": "SELL", "role": "STOP_LOSS"},
        {"side": "SELL", "order_type": "LIMIT", "limit_price": Decimal(600), "role": "TAKE_PROFIT"},
    ],
)
async def test_stops_lasting_and_protective_orders_stand_as_long_as_they_like(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        held = await engine.execute.execute(a_signal("held"))
        await scene.control.fill(held.broker_order_id or "", Decimal(10), Decimal(500))
        await until(lambda: engine.is_quiet)
        order = await engine.execute.execute(a_signal(**fields))
        await asyncio.sleep(400)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED


async def test_a_day_limits_time_is_session_time_and_does_not_run_while_the_market_is_closed(tmp_path: Path) -> None:
    patient = {"day_limit_timeout_seconds": 300.0}
    limits = LAX.model_copy(update={"allow_closed_market": True})
    async with (
        a_scene(tmp_path, UNFILLED, BEFORE_THE_CLOSE, account_terms=patient, limits=limits) as scene,
        scene.living() as engine,
    ):
        order = (await engine.execute.execute(a_limit())).apply([])
        almost = datetime(2025, 3, 11, 13, 32, 59, tzinfo=UTC)
        calendar, intent = ExchangeCalendars(), order.intent
        allowed = time_allowed(intent, market_seconds=60.0, day_limit_seconds=300.0)

        def open_seconds(since: datetime, until: datetime) -> float:
            return calendar.open_seconds_for(intent.instrument, since, until, intent.terms.hours)

        assert not is_late(order, allowed, almost, open_seconds)
        assert is_late(order, allowed, almost + timedelta(seconds=1), open_seconds)


async def test_the_time_counts_from_the_stored_submission_over_a_restart(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene:
        engine = scene.engine()
        await engine.start()
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(30)
        await scene.dies(engine)
        await asyncio.sleep(28)
        async with scene.living() as engine:
            assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED
            await asyncio.sleep(4)
            assert (await engine.orders.get(order.order_id)).reason == "TIMED_OUT"


async def test_an_order_in_doubt_is_never_timed_out(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.answers["find"] = _nothing_known
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_signal())
        await asyncio.sleep(400)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.is_in_doubt) == (OrderStatus.SUBMITTED, True)
        assert scene.witness.of("cancel") == []
        assert len(scene.witness.of("submit")) == 1


async def test_the_cancel_of_a_late_order_that_never_arrived_is_asked_again_as_soon_as_that_is_known(tmp_path: Path) -> None:
    quick = {"call_timeout_seconds": 5.0}
    async with a_scene(tmp_path, UNFILLED, account_terms=quick) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        await scene.lay(FaultKind.REQUEST_LOST, Point.CANCEL)
        await until(lambda: not engine.orders.unfinished())
        first, second = scene.witness.of("cancel")
        assert second.at - first.at < ASK_AGAIN_SECONDS
        assert (await engine.orders.get(order.order_id)).cancel_reason is CancelReason.TIMED_OUT


async def _nothing_known(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def test_a_late_order_that_filled_unnoticed_is_booked_and_not_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living(poll_seconds=9999.0, reconcile_seconds=9999.0) as engine:
        order = await engine.execute.execute(a_signal())
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(500))
        await asyncio.sleep(62)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert scene.witness.of("cancel") == []


async def test_a_cancel_for_lateness_that_came_to_nothing_is_tried_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED, account_terms={"breaker_failures": 99}) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_signal())
        scene.witness.will_raise("cancel", *[BrokerConnectionError("down")] * 3)
        await asyncio.sleep(66)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED
        await until(lambda: engine.is_quiet, seconds=60)
        assert (await engine.orders.get(order.order_id)).reason == "TIMED_OUT"


async def test_a_failure_of_one_late_order_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        first = await engine.execute.execute(a_signal("one"))
        second = await engine.execute.execute(a_signal("two"))
        scene.lock_store()
        scene.witness.answers["find"] = _nothing_known
        await asyncio.sleep(61)
        scene.unlock_store()
        del scene.witness.answers["find"]
        await until(lambda: engine.is_quiet, seconds=60)
        for order in (first, second):
            assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def test_a_late_order_that_cannot_be_cancelled_is_tried_at_growing_intervals(tmp_path: Path) -> None:
    async with a_scene(tmp_path, UNFILLED) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())

        async def refused(prepared: Prepared) -> list[CancelRejected]:
            return [CancelRejected(reason="no such order today")]

        scene.witness.answers["cancel"] = refused
        await asyncio.sleep(4000)
        times = [call.at for call in scene.witness.of("cancel")]
        waits = [round(later - earlier) for earlier, later in pairwise(times)]
        assert waits == sorted(waits)
        assert waits[0] in (30, 31)
        assert LONGEST_WAIT_SECONDS <= waits[-1] <= LONGEST_WAIT_SECONDS + 2
        assert len(waits) == 7
