"""Sending again, and what makes an order recognisable: the key that is the same on every attempt, and nothing else."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.order_store import StoredCommand
from liveorder.domain.broker_capabilities import KeySupport
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.identifiers import SignalKey
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import OrderRole, Side
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills, Keys
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.field_cases.evidence import all_at_venue, at_venue, held_at_venue, sent_keys, stored

REFUSED = BrokerConnectionError("connection refused")
QUESTIONS = (Point.FIND, Point.OPEN_ORDERS, Point.EXECUTIONS, Point.POSITIONS, Point.CONNECT)
WORKING = [("WORKING", Decimal(0))]
FILLED = [("FILLED", Decimal(10))]
SEARCHABLE = STILL.model_copy(update={"keys": Keys(support=KeySupport.SEARCHABLE, lookup_lag_seconds=3.0)})


async def network_goes(scene: Scene, seconds: float) -> None:
    """Requests still arrive; no answer comes back, no question is answered and no report is pushed."""
    await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, nth=None, silent=True)
    for point in QUESTIONS:
        await scene.lay(FaultKind.QUERY_FAILED, point, None)
    await scene.control.drop_streams(seconds=seconds)


@pytest.mark.parametrize("teller", ["stream", "answer", "poll"])
async def test_an_order_that_was_acknowledged_on_any_path_is_not_sent_again(tmp_path: Path, teller: str) -> None:
    """Case 1 (nautilus#4215): the call timed out and was retried although the stream had told that the order was accepted."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        if teller != "answer":
            await scene.lay(FaultKind.ACKNOWLEDGEMENT_LOST, silent=True)
        if teller != "stream":
            await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await asyncio.sleep(120)
        assert at_venue(scene, order) == WORKING
        assert len(sent_keys(scene)) == 1
        assert await scene.event_names(order) == ["Requested", "Approved", "SubmissionStarted", "Acknowledged"]


async def test_a_time_out_is_asked_about_and_the_order_that_arrives_late_is_the_only_one(tmp_path: Path) -> None:
    """Case 4 (hummingbot#493): a time-out was taken for a failure and the order was sent again."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD, seconds=8.0, silent=True)
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        order = await engine.execute.execute(a_signal())
        assert (order.is_in_doubt, order.status, at_venue(scene, order)) == (True, OrderStatus.SUBMITTED, [])
        await until(lambda: bool(engine.doubts.standing()[0].asked))
        await until(lambda: engine.is_quiet)
        assert at_venue(scene, order) == FILLED
        assert len(sent_keys(scene)) == 1
        names = await scene.event_names(order)
        assert names.index("OutcomeUnknown") < names.index("Filled")
        assert "SubmissionFailed" not in names


async def test_a_stop_that_is_tried_three_times_is_one_stop_under_one_key(tmp_path: Path) -> None:
    """Case 6 (OpenAlice#91): three attempts without a key left three stops at the broker."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        held = await engine.execute.execute(a_signal("held"))
        await until(lambda: engine.is_quiet)
        for nth, kind in enumerate((FaultKind.UNAVAILABLE, FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR), 1):
            await scene.lay(kind, nth=nth)
        stop: dict[str, Any] = {"side": "SELL", "order_type": "STOP", "stop_price": Decimal(450), "time_in_force": "GTC"}
        order = await engine.execute.execute(a_signal(**stop, role=OrderRole.STOP_LOSS))
        await asyncio.sleep(60)
        assert len({call.payload for call in scene.witness.of("submit")[1:]}) == 1
        assert sent_keys(scene) == [held.client_order_id, *[order.client_order_id] * 3]
        assert at_venue(scene, order) == [("WORKING", Decimal(0))]
        assert len(all_at_venue(scene)) == 2
        assert (await stored(scene, order)).is_acknowledged


async def test_a_key_is_the_same_on_every_attempt_after_a_restart_and_from_an_empty_store(tmp_path: Path) -> None:
    """Case 7 (Kalshi-starter#135): each retry drew a new uuid, so that no retry could be recognised."""
    key = SignalKey("test", ACCOUNT, "sig-1").client_order_id
    for name in ("first", "lost"):
        (tmp_path / name).mkdir()
    async with a_scene(tmp_path / "first") as scene:
        engine = scene.engine()
        await engine.start()
        scene.witness.will_raise("submit", REFUSED, REFUSED)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await until(lambda: len(sent_keys(scene)) == 2)
        await scene.dies(engine)
        executing.cancel()
        async with scene.living() as again:
            await until(lambda: again.is_quiet)
        assert sent_keys(scene) == [key] * 3
        async with a_scene(tmp_path / "lost") as other:
            other.floors = scene.floors
            async with other.living() as third:
                await other.lay(FaultKind.QUERY_FAILED, Point.POSITIONS, None)
                assert (await third.execute.execute(a_signal())).client_order_id == key
                await until(lambda: third.is_quiet)
        assert at_venue(scene, key) == FILLED
        assert held_at_venue(scene) == Decimal(10)


async def clicked(scene: Scene, clicks: int) -> list[dict[str, Any]]:
    """The answers to the same signal, asked for by as many commands of the command line's kind."""
    store = scene.store()
    await store.open()
    command_ids = [uuid4() for _ in range(clicks)]
    for command_id in command_ids:
        arguments = json.dumps({"signal": a_signal().to_json()})
        await store.commands.insert(StoredCommand(command_id, "submit", arguments, "person:ann", scene.clock.now()))
        await asyncio.sleep(2)
    await asyncio.sleep(30)
    found = [await store.commands.find(command_id) for command_id in command_ids]
    await store.close()
    return [json.loads(command.answer or "") for command in found if command is not None]


async def test_a_person_who_clicks_again_during_a_slow_call_gets_the_same_order(tmp_path: Path) -> None:
    """Case 8 (openalgo#1685): the call was slow, the user clicked again, and bought twice."""
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 2.0})) as scene, scene.living():
        answers = await clicked(scene, 4)
        (order_id,) = {answer["result"]["order_id"] for answer in answers}
        assert [answer["ok"] for answer in answers] == [True] * 4
        assert [each["filled_quantity"] for each in all_at_venue(scene)] == ["10"]
        assert len(sent_keys(scene)) == 1
        assert await scene.count("Requested") == 1
        assert order_id


SIX = ("SPY", "AAPL", "MSFT", "TSLA", "BTC/USD", "ETH/USD")


async def test_six_orders_that_were_accepted_while_no_name_could_be_resolved_are_all_found(tmp_path: Path) -> None:
    """Case 12 (hummingbot#8457): in a DNS outage the answers to six accepted orders were lost, and the bot dropped the orders."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await network_goes(scene, seconds=90)
        signals = [a_limit(symbol, price=100, symbol=symbol, time_in_force="GTC") for symbol in SIX]
        orders = await asyncio.gather(*(engine.execute.execute(signal) for signal in signals))
        await asyncio.sleep(85)
        assert [(order.status, order.is_in_doubt) for order in engine.orders.unfinished()] == [(OrderStatus.SUBMITTED, True)] * 6
        await scene.control.clear_faults()
        await until(lambda: not engine.doubts.standing(), seconds=60)
        assert [at_venue(scene, order) for order in orders] == [WORKING] * 6
        assert len(all_at_venue(scene)) == len(sent_keys(scene)) == 6
        names = {each["client_order_id"]: each["broker_order_id"] for each in all_at_venue(scene)}
        assert [(await stored(scene, order)).broker_order_id for order in orders] == [names[o.client_order_id] for o in orders]


async def test_an_order_that_goes_through_after_its_time_out_and_without_an_id_is_found_by_its_key(tmp_path: Path) -> None:
    """Case 17 (ccxt#2599): the exchange took the order after the time-out was reported, and the caller had no id to ask for it."""
    async with a_scene(tmp_path, SEARCHABLE) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REPORT_LOST, Point.REPORT, None)
        await scene.lay(FaultKind.REQUEST_HELD, seconds=7.0, silent=True)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        assert (order.is_in_doubt, order.broker_order_id, at_venue(scene, order)) == (True, None, [])
        await until(lambda: not engine.doubts.standing(), seconds=30)
        (taken,) = scene.venue_orders(order)
        assert (await stored(scene, order)).broker_order_id == taken["broker_order_id"]
        assert len(sent_keys(scene)) == 1


@pytest.mark.parametrize("support", [KeySupport.SEARCHABLE, KeySupport.NONE])
async def test_an_order_of_the_same_kind_and_moment_is_not_taken_for_ours(tmp_path: Path, support: KeySupport) -> None:
    """Case 20 (freqtrade#13399): a look-back of ten seconds attached an older order to a new trade."""
    venue = STILL.model_copy(update={"keys": Keys(support=support), "fills": Fills(automatic=False)})
    async with a_scene(tmp_path, venue) as scene, scene.living() as engine:
        older = await scene.control.place(ACCOUNT, SPY, Side.BUY, Decimal(10), Decimal(400))
        await asyncio.sleep(2)
        await scene.lay(FaultKind.REQUEST_LOST)
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await scene.control.fill(older, Decimal(10), Decimal(400))
        await asyncio.sleep(120)
        known = await stored(scene, order)
        assert (known.filled_quantity, known.broker_order_id == older) == (Decimal(0), False)
        assert await scene.count("UnmatchedReportNoted") >= 1
        if support is KeySupport.NONE:
            assert (known.is_in_doubt, len(sent_keys(scene)), at_venue(scene, order)) == (True, 1, [])
        else:
            assert (sent_keys(scene), at_venue(scene, order)) == ([order.client_order_id] * 2, WORKING)


async def traded(engine: Engine, signal_id: str, account_id: str | None = None) -> str:
    order = await engine.execute.execute(a_signal(signal_id, account_id=account_id))
    await until(lambda: engine.is_quiet)
    return order.client_order_id


async def test_instances_and_accounts_that_use_the_same_signal_id_have_orders_of_their_own(tmp_path: Path) -> None:
    """Case 21 (hummingbot#4673): two instances drew the same client ids, and each took the other's orders for its own."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with (
        a_scene(tmp_path / "one", accounts=(ACCOUNT, "B")) as one,
        a_scene(tmp_path / "two", namespace="second instance") as two,
    ):
        two.floors = {ACCOUNT: one.floors[ACCOUNT]}
        async with one.living() as first, two.living() as second:
            keys = [await traded(first, "sig-1"), await traded(first, "sig-1", "B"), await traded(second, "sig-1")]
            await first.reconcile.reconcile_all()
            await second.reconcile.reconcile_all()
        assert len(set(keys)) == 3
        assert [at_venue(one, key) for key in (keys[0], keys[2])] == [FILLED, FILLED]
        assert [each["client_order_id"] for each in all_at_venue(one, "B")] == [keys[1]]
        for scene, mine in ((one, 2), (two, 1)):
            assert await scene.count("Filled") == mine
            assert await scene.count("UnmatchedReportNoted") >= 1
