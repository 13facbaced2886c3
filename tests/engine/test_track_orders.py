"""Whatever way the broker tells, or fails to tell, the books come out the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.broker import Absence, Prepared
from liveorder.application.recording import Cause
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.execution_report import (
    Accepted,
    BrokerStatus,
    CloseCause,
    Commission,
    Execution,
    ExecutionBusted,
    OrderClosed,
    OrderReplaced,
    OrderSnapshot,
    OrderTriggered,
)
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.reception import apply_report
from liveorder.domain.values import Side
from liveorder.testing.venue.capabilities import capabilities_of
from liveorder.testing.venue.faults import Fault, FaultKind, FaultPlan, Point
from liveorder.testing.venue.settings import Fills, Keys
from liveorder.testing.venue.settings import VenueCommission as Charges
from tests.engine.scenes import ACCOUNT, STILL, Scene, a_limit, a_scene, a_signal, until

PARTS = STILL.model_copy(
    update={"fills": Fills(delay_seconds=1.0, max_quantity=Decimal(4)), "commission": Charges(per_unit=Decimal("0.01"))}
)
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})
WITHOUT_KEYS = STILL.model_copy(update={"keys": Keys(support=KeySupport.NONE)})


async def bought(scene: Scene, engine: Engine, **fields: Any) -> LiveOrder:
    """Ten shares, to the end."""
    order = await engine.execute.execute(a_signal(**fields))
    await until(lambda: engine.is_quiet)
    return await engine.orders.get(order.order_id)


async def reconciled(engine: Engine) -> bool:
    return (await engine.reconcile.reconcile(ACCOUNT)).is_clean


# --- push and poll --------------------------------------------------------------------------------------------------------------


REPORT_FAULTS = [
    Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT),
    Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT),
    Fault(kind=FaultKind.REPORT_LOST, on=Point.FILL_REPORT, nth=2),
    Fault(kind=FaultKind.REPORT_DUPLICATED, on=Point.REPORT),
    Fault(kind=FaultKind.REPORT_LATE, on=Point.FILL_REPORT, seconds=30.0),
    Fault(kind=FaultKind.REPORT_OUT_OF_ORDER, on=Point.FILL_REPORT, nth=1),
    Fault(kind=FaultKind.ACKNOWLEDGEMENT_LATE, on=Point.SUBMIT, seconds=4.0),
    Fault(kind=FaultKind.STREAM_DROPPED, on=Point.SUBMIT, seconds=20.0),
    Fault(kind=FaultKind.RESTART, on=Point.SUBMIT, nth=1),
    Fault(kind=FaultKind.QUERY_FAILED, on=Point.OPEN_ORDERS),
    Fault(kind=FaultKind.QUERY_FAILED, on=Point.FIND, nth=1),
    Fault(kind=FaultKind.QUERY_FAILED, on=Point.EXECUTIONS),
]


@pytest.mark.parametrize("fault", REPORT_FAULTS, ids=lambda fault: f"{fault.kind}-{fault.on}-{fault.nth}")
async def test_an_order_comes_out_the_same_whatever_befalls_its_reports(tmp_path: Path, fault: Fault) -> None:
    venue = PARTS.model_copy(update={"faults": FaultPlan(faults=(fault,))})
    async with a_scene(tmp_path, venue) as scene, scene.living() as engine:
        order = await bought(scene, engine)
        await asyncio.sleep(90)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity, order.average_price) == (OrderStatus.FILLED, Decimal(10), Decimal(500))
        assert order.commission == Decimal("0.10")
        assert not order.anomalies
        assert not order.needs_review
        assert len(scene.witness.of("submit")) == 1
        await scene.control.clear_faults()
        assert await reconciled(engine)


async def test_polling_alone_finds_every_fill_within_half_a_second(tmp_path: Path) -> None:
    venue = STILL.model_copy(update={"faults": FaultPlan(faults=(Fault(kind=FaultKind.REPORT_LOST, on=Point.REPORT, nth=None),))})
    async with a_scene(tmp_path, venue) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(399))
        await asyncio.sleep(0.6)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity, order.average_price) == (OrderStatus.PARTIAL, Decimal(3), Decimal(399))


async def test_nothing_is_asked_while_no_order_is_open(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living():
        await asyncio.sleep(10)
        asked: list[str] = []

        async def counted() -> list[OrderSnapshot]:
            asked.append("open orders")
            return []

        scene.witness.answers["open_orders"] = counted
        await asyncio.sleep(20)
        assert asked == []


async def test_fills_while_the_stream_is_down_are_caught_up_on_when_it_is_back(tmp_path: Path) -> None:
    async with a_scene(tmp_path, terms={"poll_seconds": 9999.0, "reconcile_seconds": 9999.0}) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.control.drop_streams(seconds=5)
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await asyncio.sleep(4)
        assert (await engine.orders.get(order.order_id)).filled_quantity == 0
        await asyncio.sleep(6)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED


async def test_a_broker_that_cannot_be_reached_again_is_tried_until_it_can(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        async def unreachable() -> None:
            raise BrokerConnectionError("still down")

        scene.witness.answers["connect"] = unreachable
        await scene.control.drop_streams()
        await asyncio.sleep(10)
        assert any("still down" in line for line in scene.log.of("BROKER"))
        del scene.witness.answers["connect"]
        await until(lambda: not engine.halts.standing())
        order = await bought(scene, engine)
        assert order.status is OrderStatus.FILLED


async def test_a_question_that_is_never_answered_does_not_stop_the_others(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 2.0}) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.answers["open_orders"] = lambda: asyncio.sleep(1e6)
        await scene.control.bust(await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(399)))
        await asyncio.sleep(10)
        assert any("did not answer within 2 s" in line for line in scene.log.of("BROKER"))
        assert not await engine.track.poll(engine.gateways[ACCOUNT])


@pytest.mark.parametrize("verb", ["open_orders", "executions_since", "positions"])
async def test_an_adapters_surprise_in_a_question_is_no_answer(tmp_path: Path, verb: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.witness.answers[verb] = _surprise
        report = await engine.reconcile.reconcile(ACCOUNT)
        assert len(report.unanswered) == 1
        assert not report.is_clean


async def _surprise(*asked: object) -> None:
    raise ZeroDivisionError("a bug in the adapter")


# --- busts and corrections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "report lost"])
async def test_a_busted_fill_of_a_filled_order_is_taken_back(tmp_path: Path, is_told: bool) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await bought(scene, engine)
        if not is_told:
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        (execution_id,) = order.executions.reported
        await scene.control.bust(execution_id)
        await asyncio.sleep(70)
        await scene.control.clear_faults()
        await until(lambda: engine.dispatcher.is_idle)
        order = await engine.orders.get(order.order_id)
        assert "FillBusted" in await scene.event_names(order)
        assert await reconciled(engine)


async def test_a_busted_fill_of_a_working_order_is_found_by_polling(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"fills": Fills(automatic=False)})) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        execution_id = await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(399))
        await asyncio.sleep(1)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.PARTIAL
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.control.bust(execution_id)
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.SUBMITTED, Decimal(0))


LAGGING = replace(capabilities_of(BY_HAND), lookup_lag_seconds=10.0)


@pytest.mark.parametrize("is_listed", [True, False], ids=["listed", "total alone"])
@pytest.mark.parametrize("corrected_to", [0, 6])
async def test_an_answer_from_before_a_bust_or_a_correction_brings_nothing_back(
    tmp_path: Path, corrected_to: int, is_listed: bool
) -> None:
    """The broker pushes at once and answers questions as things stood up to ten seconds before."""
    async with a_scene(tmp_path, BY_HAND, capabilities=LAGGING) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        execution_id = await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(400))
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        old = await engine.track.ask(engine.gateways[ACCOUNT], order)
        assert isinstance(old, OrderSnapshot)
        assert (order.status, old.status) == (OrderStatus.FILLED, BrokerStatus.FILLED)
        _answer_with(scene, old if is_listed else structs.replace(old, executions=()))
        if corrected_to:
            await scene.control.correct(execution_id, Decimal(corrected_to), Decimal(400))
        else:
            await scene.control.bust(execution_id)
        await asyncio.sleep(9)
        scene.witness.answers.clear()
        await asyncio.sleep(60)
        after = await engine.orders.get(order.order_id)
        assert after.filled_quantity == corrected_to
        assert await reconciled(engine)


async def test_what_was_filled_after_a_bust_is_found_by_asking_once_answers_cannot_be_from_before_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND, capabilities=LAGGING) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        busted = await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        await scene.control.bust(busted)
        await asyncio.sleep(1)
        await scene.lay(FaultKind.REPORT_LOST, Point.FILL_REPORT, None)
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(30)
        assert (await engine.orders.get(order.order_id)).filled_quantity == 4


def _answer_with(scene: Scene, snapshot: OrderSnapshot) -> None:
    async def open_orders() -> list[OrderSnapshot]:
        return []

    async def find(*asked: object) -> OrderSnapshot:
        return snapshot

    scene.witness.answers |= {"open_orders": open_orders, "find": find}


async def test_a_correction_stands_in_place_of_what_it_corrects(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await bought(scene, engine)
        (execution_id,) = order.executions.reported
        await scene.control.correct(execution_id, Decimal(10), Decimal(499))
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.average_price) == (OrderStatus.FILLED, Decimal(499))
        assert await reconciled(engine)


# --- out of turn ----------------------------------------------------------------------------------------------------------------


async def test_a_fill_that_comes_before_the_acknowledgement_counts_once(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LATE, seconds=3.0)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(1)
        (early,) = engine.orders.unfinished() or [await engine.orders.get((await executing).order_id)]
        order = await executing
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(early.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.FILLED, Decimal(10))
        assert not order.needs_review


async def test_an_order_known_by_a_fill_alone_is_asked_about_until_it_ends(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST)
        scene.witness.answers["open_orders"] = _nothing_open
        order = await engine.execute.execute(a_limit())
        await engine.track.book(
            ACCOUNT, Execution(client_order_id=order.client_order_id, execution_id="E", quantity=Decimal(1), price=Decimal(400))
        )
        order = await engine.orders.get(order.order_id)
        assert (order.is_at_broker, order.is_acknowledged) == (True, False)
        broker_order_id = scene.venue_orders(order)[0]["broker_order_id"]
        await scene.control.close_order(broker_order_id)
        await asyncio.sleep(2)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED


async def _nothing_open() -> list[OrderSnapshot]:
    return []


async def test_a_fill_after_the_order_was_closed_is_booked_to_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.filled_quantity) == (OrderStatus.CANCELLED, Decimal(4))
        assert "fill_after_close" in order.anomalies
        assert await reconciled(engine)


async def test_many_reports_of_a_closed_order_at_once_are_all_booked(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet)
        fills = [
            Execution(client_order_id=order.client_order_id, execution_id=f"late-{n}", quantity=Decimal(1), price=Decimal(400))
            for n in range(8)
        ]
        await asyncio.gather(*(engine.track.book(ACCOUNT, fill) for fill in fills * 2))
        order = await engine.orders.get(order.order_id)
        assert (order.filled_quantity, order.status) == (Decimal(8), OrderStatus.CANCELLED)


async def test_reports_of_one_order_and_of_a_closed_one_never_conflict(tmp_path: Path) -> None:
    """A holder who comes just as the last one leaves must wait for those who came before."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await bought(scene, engine)
        inside: list[str] = []

        async def holds(name: str) -> None:
            async with engine.orders.hold(order.order_id):
                inside.append(name)
                assert len(inside) == 1
                await asyncio.sleep(0.01)
                inside.remove(name)

        async def comes_late(name: str) -> None:
            await asyncio.sleep(0.01)
            await holds(name)

        await asyncio.gather(holds("a"), holds("b"), comes_late("c"), holds("d"), comes_late("e"))


# --- matching -------------------------------------------------------------------------------------------------------------------


async def test_a_report_of_an_order_that_is_not_ours_is_kept_once_and_changes_nothing(tmp_path: Path) -> None:
    """FIX E.1.a: an order phoned to the broker, reported without a key of ours."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        outside = await scene.control.place(ACCOUNT, "ARCA:SPY", Side.SELL, Decimal(5), Decimal(600))
        await asyncio.sleep(1)
        await scene.control.fill(outside, Decimal(2), Decimal(600))
        order = await engine.execute.execute(a_limit())
        await asyncio.sleep(5)
        assert await scene.count("UnmatchedReportNoted") == 2
        assert (await engine.orders.get(order.order_id)).filled_quantity == 0
        assert len(engine.unmatched.live(ACCOUNT)) == 1
        assert len(engine.unmatched.waiting_for(ACCOUNT, outside)) < 6
    async with scene.living() as engine:
        await asyncio.sleep(5)
        assert await scene.count("UnmatchedReportNoted") == 2


async def test_reports_that_name_only_the_brokers_id_wait_for_the_acknowledgement(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        early: dict[str, Any] = {"broker_order_id": "V1"}
        reports = [
            Accepted(**early),
            OrderTriggered(**early),
            Execution(**early, execution_id="X-early", quantity=Decimal(4), price=Decimal(399)),
            Commission(**early, execution_id="X-early", commission=Decimal(1)),
        ]

        async def tells_first(verb: str) -> None:
            for report in reports * 2:
                assert await engine.track.book(ACCOUNT, report) is None

        scene.witness.at_call = tells_first
        order = await engine.execute.execute(a_limit())
        await until(lambda: engine.dispatcher.is_idle)
        order = await engine.orders.get(order.order_id)
        assert order.broker_order_id == "V1"
        assert (order.filled_quantity, order.commission, order.is_triggered) == (Decimal(4), Decimal(1), True)
        assert await scene.count("UnmatchedReportResolved") == 2
        assert engine.unmatched.waiting_for(ACCOUNT, "V1") == []


async def test_a_report_that_could_not_be_kept_is_kept_when_it_is_told_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        stray = Accepted(broker_order_id="V77")
        scene.lock_store()
        with pytest.raises(Exception, match="locked"):
            await engine.track.book(ACCOUNT, stray)
        scene.unlock_store()
        await engine.track.book(ACCOUNT, stray)
        assert await scene.count("UnmatchedReportNoted") == 1


async def test_a_refused_duplicate_of_a_request_leaves_the_first_order_as_it_is(tmp_path: Path) -> None:
    """FIX F.1.a: the reject is about the second request."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(quantity=Decimal(10000)))
        await scene.control.fill(order.broker_order_id or "", Decimal(1000), Decimal(400))
        await asyncio.sleep(1)
        before = await engine.orders.get(order.order_id)
        gateway = engine.gateways[ACCOUNT]
        assert before.submission is not None
        second = await gateway.submit("second", Prepared({}, before.submission.payload), gateway.deadlines.new("second"))
        after = await engine.submit.book_outcome(before, "second", second)
        assert (after.status, after.filled_quantity, after.version) == (OrderStatus.PARTIAL, Decimal(1000), before.version)


async def test_asking_for_an_order_that_the_broker_does_not_know_changes_no_other(tmp_path: Path) -> None:
    """FIX G.1.a: a status request about Y says nothing about X."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.control.fill(order.broker_order_id or "", Decimal(1), Decimal(400))
        await asyncio.sleep(1)
        before = await engine.orders.get(order.order_id)
        unknown = OrderSnapshot(client_order_id="Y", broker_order_id="V99", status=BrokerStatus.REJECTED, reason="unknown order")
        assert await engine.track.book(ACCOUNT, unknown) is None
        assert await engine.orders.get(order.order_id) == before


async def test_a_rejected_cancel_of_an_order_that_the_broker_does_not_know_leaves_it_in_doubt(tmp_path: Path) -> None:
    """FIX B.1.f: the order may still arrive."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD, seconds=4.0)
        order = await engine.execute.execute(a_limit())
        order = await engine.cancel.cancel(order.order_id)
        assert (order.status, order.submission_is_open, order.is_in_doubt) == (OrderStatus.SUBMITTED, True, True)
        assert (await scene.event_names(order))[-2:] == ["CancelRequested", "CancelRefused"]
        await until(lambda: bool(scene.venue_orders(order)))
        await until(lambda: not engine.doubts.standing())
        assert (await engine.orders.get(order.order_id)).is_acknowledged


async def test_an_order_that_turns_up_after_its_cancel_was_refused_as_unknown_is_cancelled_then(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD, seconds=4.0)
        order = await engine.execute.execute(a_limit())
        await engine.cancel.cancel(order.order_id)
        await until(lambda: engine.is_quiet, 30)
        order = await engine.orders.get(order.order_id)
        assert (order.status, order.cancels, order.filled_quantity) == (OrderStatus.CANCELLED, 2, Decimal(0))


async def test_a_bad_report_does_not_keep_the_ones_behind_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        bad = OrderSnapshot(client_order_id=order.client_order_id, status=BrokerStatus.WORKING)
        good = OrderClosed(client_order_id=order.client_order_id, cause=CloseCause.BY_BROKER)
        scene.lock_store()
        with pytest.raises(Exception, match="locked"):
            await engine.track.book(ACCOUNT, good)
        scene.unlock_store()
        await engine.track.book(ACCOUNT, bad)
        after = await engine.track.book(ACCOUNT, good)
        assert after is not None
        assert after.status is OrderStatus.CANCELLED


# --- without keys ---------------------------------------------------------------------------------------------------------------


async def test_orders_are_followed_by_the_brokers_id_where_reports_carry_no_key(tmp_path: Path) -> None:
    async with a_scene(tmp_path, WITHOUT_KEYS) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        asked: list[object] = []
        find = scene.witness._broker.find

        async def counted(*key: Any) -> Any:
            asked.append(key)
            return await find(*key)

        scene.witness.answers["find"] = counted
        await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(400))
        await asyncio.sleep(10)
        assert (await engine.orders.get(order.order_id)).filled_quantity == Decimal(3)
        assert asked == []
        await scene.control.fill(order.broker_order_id or "", Decimal(7), Decimal(400))
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.FILLED
        assert await scene.count("UnmatchedReportNoted") == 0


# --- brokers' ids that come again -----------------------------------------------------------------------------------------------


async def test_an_answer_about_another_order_that_has_the_brokers_id_by_now_is_no_answer(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())

        async def of_another(*asked: object) -> OrderSnapshot:
            return OrderSnapshot(client_order_id="ANOTHER", broker_order_id=order.broker_order_id, status=BrokerStatus.CANCELLED)

        scene.witness.answers["find"] = of_another
        assert await engine.gateways[ACCOUNT].find(order) is Absence.INCONCLUSIVE
        assert await engine.track.ask(engine.gateways[ACCOUNT], order) is Absence.INCONCLUSIVE
        assert (await engine.orders.get(order.order_id)).status is OrderStatus.SUBMITTED


async def test_a_report_that_waits_for_another_order_of_the_same_id_is_not_handed_to_a_new_one(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        for execution_id, key, hours in (("E-1", "ANOTHER", 0), ("E-2", None, -8), ("E-3", None, 0)):
            at = scene.clock.now() + timedelta(hours=hours)
            fields: dict[str, Any] = {"client_order_id": key, "broker_order_id": "V1", "occurred_at": at}
            await engine.track.book(
                ACCOUNT, Execution(execution_id=execution_id, quantity=Decimal(1), price=Decimal(400), **fields)
            )
        order = await engine.execute.execute(a_limit())
        order = await engine.orders.get(order.order_id)
        assert (order.broker_order_id, set(order.executions.reported)) == ("V1", {"E-3"})
        assert len(engine.unmatched.waiting_for(ACCOUNT, "V1")) == 2
        assert await scene.count("UnmatchedReportResolved") == 1


async def test_a_replaced_orders_old_id_still_leads_to_it(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        old = order.broker_order_id
        await engine.track.book(ACCOUNT, OrderReplaced(client_order_id=order.client_order_id, broker_order_id="V2-new"))
        late = Execution(broker_order_id=old, execution_id="E-1", quantity=Decimal(1), price=Decimal(400))
        booked = await engine.track.book(ACCOUNT, late)
        assert booked is not None
        assert (booked.order_id, booked.broker_order_id, booked.filled_quantity) == (order.order_id, "V2-new", Decimal(1))


async def test_an_answer_that_waits_for_a_bust_being_stored_is_older_than_the_bust(tmp_path: Path) -> None:
    """Found by the simulation: the answer was compared with the order before the bust was durable, and booked after it."""
    by_hand = STILL.model_copy(update={"fills": Fills(automatic=False)})
    async with a_scene(tmp_path, by_hand) as scene, scene.living(poll_seconds=9999.0) as engine:
        order = await engine.execute.execute(a_limit())
        execution_id = await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        async with engine.orders.hold(order.order_id) as held:
            asking = asyncio.create_task(engine.track.ask(engine.gateways[ACCOUNT], held))
            await asyncio.sleep(1)
            busted = apply_report(held, ExecutionBusted(broker_order_id=held.broker_order_id, execution_id=execution_id))
            await engine.orders.record(held, busted, Cause())
        assert await asking is Absence.INCONCLUSIVE
        assert (await engine.orders.get(order.order_id)).filled_quantity == 0
