"""Stopping: at once, for good, and said only when it is so."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from liveorder.application.emergency.flatten import PART_SECONDS
from liveorder.application.engine.engine import Engine
from liveorder.application.engine.operator_commands import carry_out
from liveorder.application.ports.broker import Absence, BrokerPosition
from liveorder.application.ports.emergency_journal import JournalledHalt
from liveorder.application.ports.order_store import Commit, Committed
from liveorder.application.recording import ENGINE
from liveorder.domain.account_config import RetryPolicy
from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerConnectionError,
    OrderValidationError,
    OutcomeUnknown,
    StoreUnavailable,
)
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.order.events import CancelReason
from liveorder.domain.trading_halt import EVERYTHING, HaltReason, account_scope
from liveorder.domain.values import OrderRole, Product, Side
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.testing.venue.faults import FaultKind, Point
from liveorder.testing.venue.settings import Fills
from tests.engine.scenes import ACCOUNT, LAX, SPY, STILL, Scene, a_limit, a_scene, a_signal, until

REFUSED = BrokerConnectionError("connection refused")
RETRY_ONCE = RetryPolicy(1)
BY_HAND = STILL.model_copy(update={"fills": Fills(automatic=False)})


async def from_outside(scene: Scene) -> DatabaseOrderStore:
    store = scene.store()
    await store.open()
    return store


# --- halts ----------------------------------------------------------------------------------------------------------------------


async def test_a_halt_stops_signals_survives_a_restart_and_is_lifted_by_its_own_name(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            assert await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
            assert (await engine.execute.execute(a_signal())).reason == "RISK"
        async with scene.living() as engine:
            assert [halt.detail for halt in engine.halts.standing()] == ["enough"]
            assert (await engine.execute.execute(a_signal("sig-2"))).reason == "RISK"
            assert not await engine.halts.resume(account_scope(ACCOUNT), "", "person:ann")
            assert await engine.halts.resume(EVERYTHING, "fine again", "person:ann")
            assert not await engine.halts.resume(EVERYTHING, "fine again", "person:ann")
            assert (await engine.execute.execute(a_signal("sig-3"))).is_sent
        async with scene.living() as engine:
            assert engine.halts.standing() == []


async def test_a_halt_that_another_process_put_in_place_gets_its_event_and_stands(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            store = await from_outside(scene)
            await store.insert_halt(EVERYTHING, HaltReason.KILL_SWITCH, scene.clock.now())
            await store.close()
            await asyncio.sleep(1)
            (halt,) = engine.halts.standing()
            assert (halt.scope, halt.reason) == (EVERYTHING, HaltReason.KILL_SWITCH)
            assert await scene.count("TradingHalted") == 1
        async with scene.living() as engine:
            assert len(engine.halts.standing()) == 1


async def test_a_halt_from_outside_that_is_taken_in_while_it_is_stored_has_one_event(tmp_path: Path) -> None:
    """As a kill puts it in its place and then has the owner carry it out."""
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        append, storing, goes_on = engine.store.append, asyncio.Event(), asyncio.Event()

        async def slowly(commit: Commit) -> Committed:
            storing.set()
            await goes_on.wait()
            return await append(commit)

        await engine.store.insert_halt(EVERYTHING, "KILL_SWITCH: enough", scene.clock.now())
        engine.store.append = slowly  # type: ignore[method-assign]  # a slow disk
        taken_in = asyncio.create_task(engine.halts.take_in_rows())
        await storing.wait()
        halted = asyncio.create_task(engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann"))
        await asyncio.sleep(0)
        goes_on.set()
        await taken_in
        assert await halted
        assert [halt.detail for halt in engine.halts.standing()] == ["enough"]
        await engine.stop()
        assert await scene.count("TradingHalted") == 1


async def test_a_kill_while_a_resume_is_being_stored_halts_again(tmp_path: Path) -> None:
    """The halt that stood when the kill came is the one that is lifted."""
    async with a_scene(tmp_path) as scene:
        engine = scene.engine()
        await engine.start()
        await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "first", "person:ann")
        append, storing, goes_on = engine.store.append, asyncio.Event(), asyncio.Event()

        async def slowly(commit: Commit) -> Committed:
            storing.set()
            await goes_on.wait()
            return await append(commit)

        engine.store.append = slowly  # type: ignore[method-assign]  # a slow disk
        resumed = asyncio.create_task(engine.halts.resume(EVERYTHING, "all well", "person:bob"))
        await storing.wait()
        halted = asyncio.create_task(engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "second", "person:ann"))
        await asyncio.sleep(0)
        goes_on.set()
        assert (await resumed, await halted) == (True, True)
        assert [halt.detail for halt in engine.halts.standing()] == ["second"]
        assert [row.scope for row in await engine.store.halts()] == [EVERYTHING]
        await engine.stop()


async def resumed(engine: Engine) -> dict[str, Any]:
    return await carry_out(engine, "resume", {}, "person:ann")


async def test_a_resume_lifts_what_was_to_halt_before_it_so_that_it_halts_nothing_afterwards(tmp_path: Path) -> None:
    """Journalled and not booked yet; put in by another process and not taken in yet; left aside by a service that died."""
    journal = FileEmergencyJournal(tmp_path / "emergency.jsonl")
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        for entry, place in (("first", "emergency.jsonl.booked"), ("second", "emergency.jsonl")):
            journal.write(JournalledHalt(entry, "person:ann", scene.clock.now()))
            (tmp_path / "emergency.jsonl").rename(tmp_path / place)
        engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "in memory")
        await engine.store.insert_halt(EVERYTHING, "KILL_SWITCH", scene.clock.now())
        assert (await resumed(engine))["result"]["lifted"]
        await asyncio.sleep(5)
        assert (engine.halts.standing(), await engine.store.halts(), journal.read()) == ([], [], [])


async def test_a_resume_is_refused_while_the_emergency_journal_cannot_be_read(tmp_path: Path) -> None:
    """It would be lifted for a second, in which orders go out."""
    cut = tmp_path / "emergency.jsonl"
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        cut.write_bytes(b'{"detail": "half a li')
        answer = await resumed(engine)
        assert (answer["error"], "emergency.jsonl cannot be read" in answer["message"]) == ("DecisionRefused", True)
        assert (await engine.execute.execute(a_signal())).status is OrderStatus.REJECTED
        cut.unlink()
        assert (await resumed(engine))["result"]["lifted"]
        assert (await engine.execute.execute(a_signal("s-2"))).is_sent


async def test_a_store_restored_from_a_backup_starts_halted_and_says_why(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            await engine.execute.execute(a_signal())
            await until(lambda: engine.is_quiet)
            await engine.store.backup(str(tmp_path / "copy.db"))
        scene.path.unlink()
        (tmp_path / "copy.db").rename(scene.path)
        async with scene.living() as engine:
            (halt,) = engine.halts.standing()
            assert (halt.scope, halt.reason) == (EVERYTHING, HaltReason.RESTORED_STORE)
            assert "restored from a backup" in halt.detail
            assert (await engine.execute.execute(a_signal("sig-2"))).is_in_doubt
            await until(lambda: not engine.doubts.standing() and engine.dispatcher.is_idle)
            assert await engine.halts.resume(EVERYTHING, "reconciled", "person:ann")
            assert (await engine.execute.execute(a_signal("sig-3"))).is_sent


async def test_a_halt_that_cannot_be_stored_stands_in_memory_and_is_stored_when_it_can(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        scene.lock_store()
        assert not await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
        assert engine.halts.now.stands_for(ACCOUNT) is not None
        assert len(engine.halts.standing()) == 1
        await asyncio.sleep(5)
        scene.unlock_store()
        await asyncio.sleep(3)
        assert await scene.count("TradingHalted") == 1
        store = await from_outside(scene)
        assert [row.scope for row in await store.halts()] == [EVERYTHING]
        await store.close()


async def test_a_halt_in_memory_only_can_be_lifted(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "enough")
        assert not engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "enough")
        assert await engine.halts.resume(EVERYTHING, "no", "person:ann")
        assert (await engine.execute.execute(a_signal())).is_sent


async def test_the_halt_of_a_store_that_may_have_forgotten_something_is_stored_before_it_is_lifted(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            scene.lock_store()
            engine.halts.halt_now(EVERYTHING, HaltReason.RESTORED_STORE, "shorter than it was")
            with pytest.raises(StoreUnavailable):
                await engine.halts.resume(EVERYTHING, "no", "person:ann")
            assert engine.halts.now.stands_for(ACCOUNT) is not None
            scene.unlock_store()
            engine.halts.halt_now(EVERYTHING, HaltReason.RESTORED_STORE, "shorter than it was")
            assert await engine.halts.resume(EVERYTHING, "looked at", "person:ann")
            assert engine.halts.standing() == []
        async with scene.living() as engine:
            assert engine.halts.now.may_have_forgotten(ACCOUNT, None, engine.clock.now())


async def test_a_halt_whose_commit_conflicts_is_stored_after_the_stream_was_read_again(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.halts.switch_auto_trading(True, "on", "person:ann")
        engine.halts._version = 0
        assert not await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
        await asyncio.sleep(2)
        assert await scene.count("TradingHalted") == 1


# --- the circuit breaker --------------------------------------------------------------------------------------------------------


async def test_five_broker_failures_in_a_row_halt_the_account_and_no_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path, accounts=("SIM", "B")) as scene:
        async with scene.living() as engine:
            scene.witness.will_raise("submit", *[REFUSED] * 3, OutcomeUnknown("?"))
            await engine.execute.execute(a_signal("one"))
            assert engine.halts.standing() == []
            await engine.execute.execute(a_signal("two"))
            scene.witness.will_raise("submit", REFUSED)
            order = await engine.execute.execute(a_signal("three", symbol="AAPL"))
            assert (order.status, order.reason) == (OrderStatus.CANCELLED, "HALTED")
            (halt,) = engine.halts.standing()
            assert (halt.scope, halt.reason) == (account_scope(ACCOUNT), HaltReason.CIRCUIT_BREAKER)
            assert (await engine.execute.execute(a_signal("four", account_id="B"))).is_sent
        async with scene.living() as engine:
            assert (await engine.execute.execute(a_signal("five"))).reason == "RISK"


async def test_an_answer_in_between_and_a_resumption_start_the_counting_anew(tmp_path: Path) -> None:
    once = {"breaker_failures": 2, "retry": RETRY_ONCE}
    async with a_scene(tmp_path, account_terms=once) as scene, scene.living() as engine:
        for name in ("a", "b", "c"):
            scene.witness.will_raise("submit", REFUSED)
            await engine.execute.execute(a_signal(name))
            await engine.execute.execute(a_limit(f"{name}-fine"))
        assert engine.halts.standing() == []
        for name, halts in (("d", 0), ("e", 1)):
            scene.witness.will_raise("submit", REFUSED)
            await engine.execute.execute(a_signal(name))
            assert len(engine.halts.standing()) == halts
        await asyncio.sleep(1)
        await engine.halts.resume(account_scope(ACCOUNT), "broker is back", "person:ann")
        scene.witness.will_raise("submit", REFUSED)
        await engine.execute.execute(a_signal("f"))
        assert engine.halts.standing() == []


async def test_refused_credentials_halt_at_once_and_are_told_apart_from_failures(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"breaker_failures": 1}) as scene, scene.living() as engine:
        scene.witness.will_raise("submit", BrokerAuthenticationError("token expired"))
        order = await engine.execute.execute(a_signal())
        assert order.status is OrderStatus.REJECTED
        (halt,) = engine.halts.standing()
        assert (halt.reason, halt.detail) == (HaltReason.BROKER_AUTH, "credentials refused: token expired")
        await asyncio.sleep(1)
        await engine.halts.resume(account_scope(ACCOUNT), "renewed", "person:ann")
        scene.witness.will_raise("submit", REFUSED)
        await engine.execute.execute(a_signal("sig-2"))
        (halt,) = engine.halts.standing()
        assert halt.reason is HaltReason.CIRCUIT_BREAKER


# --- stopping trading -----------------------------------------------------------------------------------------------------------


async def test_killing_cancels_entries_keeps_what_protects_and_says_what_is_left(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living() as engine:
        held = await engine.execute.execute(a_limit("held", quantity=4, strategy_name="guarded"))
        await scene.control.fill(held.broker_order_id or "", Decimal(4), Decimal(400))
        await asyncio.sleep(1)
        entry = await engine.execute.execute(a_limit("entry"))
        guards: dict[str, Any] = {"side": "SELL", "role": OrderRole.STOP_LOSS, "strategy_name": "guarded"}
        guard = await engine.execute.execute(a_limit("guard", 600, **guards))
        report = await engine.kill_all.kill("enough", "person:ann")
        assert (report.is_durable, report.cancelled, report.not_cancelled) == (True, (entry.order_id,), ())
        entry = await engine.orders.get(entry.order_id)
        assert (entry.status, entry.cancel_reason) == (OrderStatus.CANCELLED, CancelReason.HALTED)
        assert (await engine.orders.get(guard.order_id)).status is OrderStatus.SUBMITTED
        assert not report.is_flat
        assert report.remaining == (
            f"{ACCOUNT}: order {guard.broker_order_id} SPY WORKING",
            f"{ACCOUNT}: position {SPY} 4",
        )
        report = await engine.kill_all.kill("enough", "person:ann", cancel_all=True)
        assert report.cancelled == (guard.order_id,)


async def test_flattening_closes_every_position_and_flat_is_said_only_then(tmp_path: Path) -> None:
    limits = LAX.model_copy(update={"allow_short_selling": True})
    async with a_scene(tmp_path, limits=limits) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("long"))
        await engine.execute.execute(a_signal("short", symbol="AAPL", side="SELL"))
        await until(lambda: engine.is_quiet)
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert (report.is_flat, report.not_cancelled, report.not_closed) == (True, (), ())
        assert sorted(report.closing) == [
            f"{ACCOUNT}: BUY 10 of 10 AAPL at 200, FILLED",
            f"{ACCOUNT}: SELL 10 of 10 SPY at 500, FILLED",
        ]
        assert {key: held.quantity for key, held in engine.risk.positions(ACCOUNT).items()} == {SPY: 0, "NASDAQ:AAPL": 0}
        assert (await engine.execute.execute(a_signal("more"))).reason == "RISK"


async def test_flat_is_said_once_the_closing_orders_have_filled(tmp_path: Path) -> None:
    slow = STILL.model_copy(update={"fills": Fills(delay_seconds=5.0)})
    async with a_scene(tmp_path, slow) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert (report.is_flat, report.remaining) == (True, ())


async def test_flattening_cancels_what_protected_the_position_lest_it_opens_another(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        stop = {"side": "SELL", "order_type": "STOP", "stop_price": Decimal(300), "role": OrderRole.STOP_LOSS}
        guard = await engine.execute.execute(a_signal("guard", **stop))
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert (report.is_flat, report.cancelled) == (True, (guard.order_id,))


async def test_flattening_leaves_what_an_order_in_doubt_could_still_take(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        scene.witness.answers["find"] = _nothing_known
        await scene.lay(FaultKind.REQUEST_LOST)
        doubtful = await engine.execute.execute(a_signal("part", side="SELL", quantity=Decimal(4)))
        assert doubtful.is_in_doubt
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        (kept,) = report.not_closed
        assert kept.startswith(f"{ACCOUNT}: position {SPY}: 4 kept")
        assert report.remaining == (f"{ACCOUNT}: position {SPY} 4", f"{ACCOUNT}: in doubt {doubtful.order_id}")


@pytest.mark.parametrize(
    ("held", "doubtful", "closed"),
    [
        ({"CNC": 50, "MIS": 10}, 0, {"MIS": 10}),
        ({"CNC": 4, "NRML": 6}, 0, {"NRML": 6, "CNC": 4}),
        ({"MIS": 6, "NRML": 4}, 3, {"MIS": 3, "NRML": 1}),
        ({"MIS": -5, "CNC": 15}, 0, {"CNC": 10}),
    ],
    ids=["a person's shares last", "each under its own", "an order in doubt may be of either", "on both sides"],
)
async def test_what_is_held_under_several_products_is_closed_under_each_and_no_more_of_it_than_is_ours(
    tmp_path: Path, held: dict[str, int], doubtful: int, closed: dict[str, int]
) -> None:
    """Ten are ours, and nothing says under which product."""
    async with a_scene(tmp_path) as scene, scene.living(reconcile_seconds=1e6) as engine:
        instrument = (await engine.execute.execute(a_signal())).intent.instrument
        await until(lambda: engine.is_quiet)
        if doubtful:
            scene.witness.answers["find"] = _nothing_known
            await scene.lay(FaultKind.REQUEST_LOST)
            assert (await engine.execute.execute(a_signal("part", side="SELL", quantity=Decimal(doubtful)))).is_in_doubt

        async def by_product() -> list[BrokerPosition]:
            return [BrokerPosition(instrument, Decimal(quantity), product=Product(name)) for name, quantity in held.items()]

        scene.witness.answers["positions"] = by_product
        before = len(scene.witness.of("submit"))
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        sent = [json.loads(call.payload) for call in scene.witness.of("submit")[before:]]
        assert {order["product"]: int(order["quantity"]) for order in sent} == closed
        assert {order["side"] for order in sent} == {"SELL"}
        for name, quantity in held.items():
            kept = abs(quantity) - closed.get(name, 0)
            assert any(f"{SPY} {name}: {kept} kept" in line for line in report.not_closed) is bool(kept)
            assert f"{ACCOUNT}: position {SPY} {name} {quantity}" in report.remaining


async def test_the_parts_of_a_position_are_closed_one_after_the_other(tmp_path: Path) -> None:
    async with a_scene(tmp_path, BY_HAND) as scene, scene.living(reconcile_seconds=1e6) as engine:
        order = await engine.execute.execute(a_signal())
        await scene.control.fill(order.broker_order_id or "", Decimal(10), Decimal(500))
        await until(lambda: engine.is_quiet)
        parts = [BrokerPosition(order.intent.instrument, Decimal(5), product=product) for product in (Product.CNC, Product.MIS)]

        async def by_product() -> list[BrokerPosition]:
            return parts

        scene.witness.answers["positions"] = by_product
        killing = asyncio.create_task(engine.kill_all.kill("enough", "person:ann", flatten=True))
        await asyncio.sleep(2)
        (_, first) = scene.witness.of("submit")
        (resting,) = engine.orders.unfinished()
        await scene.control.fill(resting.broker_order_id or "", Decimal(5), Decimal(500))
        await asyncio.sleep(1)
        (_, _, second) = scene.witness.of("submit")
        assert [json.loads(call.payload)["product"] for call in (first, second)] == ["MIS", "CNC"]
        await killing
        assert second.at - first.at < PART_SECONDS


async def _nothing_known(*asked: object) -> Absence:
    return Absence.INCONCLUSIVE


async def test_a_position_that_cannot_be_closed_is_named_and_does_not_keep_the_others_open(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal("one"))
        await engine.execute.execute(a_signal("two", symbol="AAPL"))
        await until(lambda: engine.is_quiet)
        await scene.control.place(ACCOUNT, SPY, Side.SELL, Decimal(20))
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        (kept,) = report.not_closed
        assert kept.startswith(f"{ACCOUNT}: position {SPY}: 10 kept")
        assert report.remaining == (f"{ACCOUNT}: position {SPY} -10",)


async def test_a_position_is_closed_in_the_contract_that_the_broker_names(tmp_path: Path) -> None:
    """Whatever the catalogue knows: a symbol may be listed in several currencies, fit several classes, or be delisted."""
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)

        async def nothing_known(query: object) -> None:
            return None

        scene.instruments.resolve = nothing_known  # type: ignore[method-assign]  # a fault of our own making
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert (report.is_flat, report.not_closed) == (True, ())


async def test_an_order_that_cannot_be_cancelled_is_named(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit())

        def nameless(request: object) -> None:
            raise OrderValidationError("broker_order_id: not known yet")

        scene.witness.answers["prepare"] = nameless
        report = await engine.kill_all.kill("enough", "person:ann")
        assert report.cancelled == ()
        assert str(order.order_id) in report.not_cancelled[0]


async def test_without_an_answer_nothing_is_flat(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.QUERY_FAILED, Point.POSITIONS, None)
        report = await engine.kill_all.kill("enough", "person:ann", flatten=True)
        assert not report.is_flat
        assert "could not be asked" in report.remaining[0]
        assert report.not_closed[0].startswith(f"{ACCOUNT}: venue")


async def test_calls_that_had_begun_are_waited_for_and_then_listed(tmp_path: Path) -> None:
    async with a_scene(tmp_path, account_terms={"call_timeout_seconds": 60.0}) as scene, scene.living() as engine:
        scene.witness.answers["submit"] = lambda prepared: asyncio.sleep(1e6)
        executing = asyncio.create_task(engine.execute.execute(a_signal()))
        await asyncio.sleep(1)
        began = scene.clock.monotonic()
        report = await engine.kill_all.kill("enough", "person:ann", wait_seconds=3.0)
        assert scene.clock.monotonic() - began >= 3.0
        (call,) = report.calls_in_flight
        assert call.request_id.endswith("-s1")
        assert (report.is_flat, report.remaining) == (False, ())
        executing.cancel()


async def test_an_order_in_doubt_is_cancelled_and_counts_as_left(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD)
        order = await engine.execute.execute(a_limit())
        report = await engine.kill_all.kill("enough", "person:ann")
        assert report.remaining == (f"{ACCOUNT}: in doubt {order.order_id}",)
        await until(lambda: engine.is_quiet)
        order = await engine.orders.get(order.order_id)
        assert order.status is OrderStatus.CANCELLED
        assert len(scene.witness.of("submit")) == 1


async def test_nothing_is_sent_after_a_halt_while_signals_keep_coming(tmp_path: Path) -> None:
    async with a_scene(tmp_path, STILL.model_copy(update={"latency_seconds": 0.05})) as scene, scene.living() as engine:
        executing, halted_at = [], 0.0
        for n in range(60):
            executing.append(asyncio.create_task(engine.execute.execute(a_limit(f"s{n}"))))
            await asyncio.sleep(0.01)
            if n == 30:
                await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
                halted_at = scene.clock.monotonic()
        await asyncio.gather(*executing)
        assert 0 < len(scene.witness.of("submit")) <= 31
        assert all(call.at <= halted_at for call in scene.witness.of("submit"))


@pytest.mark.parametrize("is_stored", [True, False])
async def test_that_the_store_may_have_forgotten_something_is_not_lost_behind_another_halt(tmp_path: Path, is_stored: bool) -> None:
    async with a_scene(tmp_path) as scene:
        async with scene.living() as engine:
            if is_stored:
                await engine.halts.halt(EVERYTHING, HaltReason.KILL_SWITCH, "enough", "person:ann")
            else:
                engine.halts.halt_now(EVERYTHING, HaltReason.KILL_SWITCH, "enough")
            assert not engine.halts.now.may_have_forgotten(ACCOUNT, None, engine.clock.now())
            await engine.halts.halt(EVERYTHING, HaltReason.RESTORED_STORE, "shorter than it was", ENGINE)
            assert engine.halts.now.may_have_forgotten(ACCOUNT, None, engine.clock.now())
        async with scene.living() as engine:
            (halt,) = engine.halts.standing()
            assert (halt.reason, halt.detail) == (
                HaltReason.RESTORED_STORE,
                "shorter than it was; halted before: KILL_SWITCH enough",
            )
            await engine.halts.resume(EVERYTHING, "looked at", "person:ann")
            assert engine.halts.standing() == []
            assert engine.halts.now.may_have_forgotten(ACCOUNT, None, engine.clock.now())


@pytest.mark.parametrize("reason", [HaltReason.RECONCILIATION, HaltReason.CIRCUIT_BREAKER, HaltReason.RESTORED_STORE])
async def test_the_first_reason_of_a_scope_stands(tmp_path: Path, reason: HaltReason) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.halts.halt(account_scope(ACCOUNT), reason, "first", "person:ann")
        await engine.halts.halt(account_scope(ACCOUNT), HaltReason.KILL_SWITCH, "second", "person:ann")
        assert [(halt.reason, halt.detail) for halt in engine.halts.standing()] == [(reason, "first")]
