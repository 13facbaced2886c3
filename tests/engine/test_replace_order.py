"""New terms for a working order: one replace, one outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.ports.broker import Prepared
from liveorder.domain.errors import BrokerConnectionError, DecisionRefused, InvalidInput, OrderValidationError, TradingIsHalted
from liveorder.domain.execution_report import CancelIsPending, ExecutionReport, ReplaceIsPending, ReplaceRejected
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.infrastructure.brokers.simulated.broker import SIMULATED_CAPABILITIES
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, STILL, a_limit, a_scene, a_signal, until

BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def test_a_replace_is_durable_first_and_rounds_its_price_passively(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await engine.replace.replace(order.order_id, quantity=Decimal(12), limit_price=Decimal("401.019"))
        (call,) = scene.witness.of("replace")
        assert call.stored[-1] == "ReplaceRequested"
        await asyncio.sleep(1)
        order = await engine.orders.get(order.order_id)
        assert (order.quantity, order.limit_price, order.replaces) == (Decimal(12), Decimal("401.01"), 1)
        assert not order.replace_requested


async def test_quantities_of_a_replace_round_toward_zero_to_the_lot(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        order = await engine.replace.replace(order.order_id, quantity=Decimal("12.9"))
        await asyncio.sleep(1)
        assert (await engine.orders.get(order.order_id)).quantity == Decimal(12)


async def test_a_replace_to_a_price_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        with pytest.raises(InvalidInput, match=r"^limit_price: 0\.00009 is less than one tick"):
            await engine.replace.replace(order.order_id, limit_price=Decimal("0.00009"))
        assert scene.witness.of("replace") == []


async def test_where_the_broker_replaces_nothing_a_replace_is_refused(tmp_path: Path) -> None:
    never = replace(SIMULATED_CAPABILITIES, replaces=False)
    async with a_scene(tmp_path, capabilities=never) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        with pytest.raises(DecisionRefused, match="simulated replaces no orders; cancel it and order anew"):
            await engine.replace.replace(order.order_id, limit_price=Decimal(401))
        assert scene.witness.of("replace") == []


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({}, "changes at least one"),
        ({"quantity": Decimal(3)}, "not above the 3 that are filled"),
        ({"quantity": Decimal(21)}, "order_quantity"),
        ({"limit_price": Decimal(600)}, "price_collar"),
    ],
)
async def test_a_replace_that_must_not_be_asked_is_refused(tmp_path: Path, terms: dict[str, Any], why: str) -> None:
    limits = LAX.model_copy(update={"max_order_quantity": Decimal(15), "price_collar_percent": Decimal(10)})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(400))
        await asyncio.sleep(1)
        with pytest.raises(DecisionRefused, match=why):
            await engine.replace.replace(order.order_id, **terms)
        assert scene.witness.of("replace") == []


async def test_what_is_filled_already_does_not_count_against_a_limit_again(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"max_order_quantity": Decimal(15)})
    async with a_scene(tmp_path, BY_HAND, limits=limits) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.control.fill(order.broker_order_id or "", Decimal(3), Decimal(400))
        await asyncio.sleep(1)
        await engine.replace.replace(order.order_id, quantity=Decimal(18))
        await asyncio.sleep(1)
        assert (await engine.orders.get(order.order_id)).quantity == Decimal(18)


async def test_a_closed_or_unanswered_order_is_not_replaced(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        filled = await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        with pytest.raises(DecisionRefused, match="FILLED"):
            await engine.replace.replace(filled.order_id, quantity=Decimal(20))
        await scene.lay(FaultKind.REQUEST_HELD)
        doubtful = await engine.execute.execute(a_limit("sig-2"))
        with pytest.raises(DecisionRefused, match="has not been acknowledged"):
            await engine.replace.replace(doubtful.order_id, quantity=Decimal(20))


@pytest.mark.parametrize(
    ("quantity", "price", "said"),
    [("5", None, None), ("6", None, "cancel that one first"), (None, "610", None)],
)
async def test_a_sale_that_is_enlarged_takes_no_exit_beside_it_beyond_zero(
    tmp_path: Path, quantity: str | None, price: str | None, said: str | None
) -> None:
    """With short selling on. New, it would have the stop cancelled first; a replace cannot."""
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("in", quantity=10))
        await until(lambda: engine.is_quiet)
        stop = a_signal("stop", side="SELL", quantity=5, order_type="STOP", stop_price=300, position_effect="CLOSE")
        stop_id = (await engine.execute.execute(stop)).order_id
        sale = await engine.execute.execute(a_limit("sale", side="SELL", quantity=4, price=600))
        units, limit = (None if each is None else Decimal(each) for each in (quantity, price))
        if said is None:
            await engine.replace.replace(sale.order_id, quantity=units, limit_price=limit)
        else:
            with pytest.raises(DecisionRefused, match=f"{stop_id}, which closes, 5 of SPY are left to SELL.*{said}"):
                await engine.replace.replace(sale.order_id, quantity=units)


async def test_a_replace_in_doubt_blocks_the_next_until_it_is_known(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REQUEST_HELD, Point.REPLACE, seconds=3.0)
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert order.is_in_doubt
        assert order.worst_case_quantity(atomic_replace=False) == Decimal(30)
        with pytest.raises(DecisionRefused, match="in doubt"):
            await engine.replace.replace(order.order_id, quantity=Decimal(15))
        assert (await engine.execute.execute(a_signal("sig-2", quantity=1))).is_waiting
        await until(lambda: not engine.doubts.standing())
        order = await engine.orders.get(order.order_id)
        assert (order.quantity, order.replaces) == (Decimal(20), 1)
        order = await engine.replace.replace(order.order_id, quantity=Decimal(15))
        await asyncio.sleep(1)
        assert (await engine.orders.get(order.order_id)).quantity == Decimal(15)
        assert len(scene.venue_orders(order)) == 1


async def test_an_answer_is_that_of_its_own_request_whichever_answer_comes_first(tmp_path: Path) -> None:
    """The first replace is still on its way when the second one is refused, and pending when the broker is done with neither."""

    async def answered(prepared: Prepared) -> Sequence[ExecutionReport]:
        if len(scene.witness.of("replace")) == 2:
            return [ReplaceRejected(reason="another replace is on its way")]
        await asyncio.sleep(1)
        return [ReplaceIsPending()]

    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.answers["replace"] = answered
        first = asyncio.create_task(engine.replace.replace(order.order_id, quantity=Decimal(20)))
        await until(lambda: bool(scene.witness.of("replace")))
        order = await engine.replace.replace(order.order_id, quantity=Decimal(15))
        assert ([*order.requests], order.replace_pending) == ([f"{order.client_order_id}-r1"], False)
        assert (await first).replace_pending


async def test_a_pending_replace_that_the_stream_names_is_the_one_that_it_names(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.answers["replace"] = _no_word
        for quantity in (20, 15):
            order = await engine.replace.replace(order.order_id, quantity=Decimal(quantity))
        second = f"{order.client_order_id}-r2"
        order = await engine.track.book_on(order.order_id, ReplaceIsPending(request_id=second))
        assert [key for key, request in order.requests.items() if request.is_pending] == [second]


async def _no_word(prepared: Prepared) -> Sequence[ExecutionReport]:
    return []


async def test_a_lost_replace_that_shows_no_effect_past_every_bound_is_settled_as_refused(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REQUEST_LOST, Point.REPLACE)
        await engine.replace.replace(order.order_id, quantity=Decimal(20))
        await asyncio.sleep(40)
        order = await engine.orders.get(order.order_id)
        assert (order.quantity, order.is_in_doubt, order.replace_requested) == (Decimal(10), False, False)


async def test_a_replace_whose_answer_and_reports_are_lost_is_found_by_its_terms(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, Point.REPLACE)
        await engine.replace.replace(order.order_id, quantity=Decimal(20), limit_price=Decimal(410))
        await asyncio.sleep(3)
        order = await engine.orders.get(order.order_id)
        assert (order.quantity, order.limit_price, order.is_in_doubt) == (Decimal(20), Decimal(410), False)
        assert "Replaced" in await scene.event_names(order)
        assert "Restated" not in await scene.event_names(order)


async def test_a_replace_that_was_surely_not_received_is_refused_and_not_repeated(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.will_raise("replace", BrokerConnectionError("connection refused"))
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert (order.quantity, order.replace_requested) == (Decimal(10), False)
        assert len(scene.witness.of("replace")) == 1


async def test_a_replace_that_the_broker_will_not_do_leaves_the_order_as_it_was(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        scene.witness.will_raise("replace", OrderValidationError("too big"))
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert (order.status, order.quantity, order.replace_requested) == (OrderStatus.SUBMITTED, Decimal(10), False)
        order = await engine.replace.replace(order.order_id, stop_price=Decimal(300))
        assert (order.status, order.stop_price, order.replace_requested) == (OrderStatus.SUBMITTED, None, False)


async def test_what_the_broker_cannot_replace_is_refused_before_it_is_asked(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())

        def unable(request: object) -> None:
            raise OrderValidationError("this broker replaces nothing")

        scene.witness.answers["prepare"] = unable
        with pytest.raises(DecisionRefused, match="replaces nothing"):
            await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert "ReplaceRequested" not in await scene.event_names(order)


async def test_a_fill_during_a_replace_under_way_is_booked(tmp_path: Path) -> None:
    slow = BY_HAND.model_copy(update={"replace_delay_seconds": 5.0})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert order.replace_pending
        await scene.control.fill(order.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(6)
        order = await engine.orders.get(order.order_id)
        assert (order.filled_quantity, order.quantity, order.replace_pending) == (Decimal(4), Decimal(20), False)


async def test_a_halt_stops_a_replace_before_its_commit_and_after(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())

        def halts(*step: object) -> None:
            engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "now")

        engine.orders.listen(halts)
        order = await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert (order.quantity, order.replace_requested) == (Decimal(10), False)
        with pytest.raises((DecisionRefused, TradingIsHalted), match="halted"):
            await engine.replace.replace(order.order_id, quantity=Decimal(20))
        assert scene.witness.of("replace") == []


async def test_an_order_of_a_run_before_this_one_can_be_replaced_and_cancelled(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        async with scene.living() as engine:
            await engine.replace.replace(order.order_id, quantity=Decimal(20))
            await asyncio.sleep(1)
            assert (await engine.orders.get(order.order_id)).quantity == Decimal(20)
            await engine.cancel.cancel(order.order_id)
            await until(lambda: engine.is_quiet)
            assert (await engine.orders.get(order.order_id)).status is OrderStatus.CANCELLED
            assert len(scene.venue_orders(order)) == 1
        assert scene.witnesses[ACCOUNT].of("submit") == scene.witness.of("submit")


@pytest.mark.parametrize("verb", ["replace", "cancel"])
async def test_that_a_broker_is_at_it_is_old_news_once_it_was_done(tmp_path: Path, verb: str) -> None:
    """The stream overtakes the answer: what is pending for ever would keep the order from being changed again."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())

        async def answered_late(prepared: Prepared) -> Sequence[ExecutionReport]:
            told = await getattr(scene.witness._broker, verb)(prepared)
            await asyncio.sleep(5)
            pending = ReplaceIsPending if verb == "replace" else CancelIsPending
            return [pending(client_order_id=each.client_order_id, broker_order_id=each.broker_order_id) for each in told]

        scene.witness.answers[verb] = answered_late
        if verb == "replace":
            await engine.replace.replace(order.order_id, limit_price=Decimal(401))
        else:
            await engine.cancel.cancel(order.order_id)
        order = await engine.orders.get(order.order_id)
        assert (order.replace_pending, order.cancel_pending) == (False, False)
        assert order.limit_price == (Decimal(401) if verb == "replace" else Decimal(400))
