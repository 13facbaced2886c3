"""What other processes ask of the one that owns the store."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from liveorder.application.engine.operator_commands import OperatorCommands, carry_out
from liveorder.application.ports.order_store import StoredCommand
from liveorder.domain.errors import StoreUnavailable
from liveorder.domain.lifecycle import OrderStatus
from liveorder.domain.values import Side
from liveorder.testing.venue.faults import FaultKind
from liveorder.testing.venue.settings import OpeningPosition, VenueAccount
from tests.engine.scenes import ACCOUNT, SPY, STILL, Scene, a_limit, a_scene, a_signal, until
from tests.engine.test_ownership import taken_over

SIDE = Side.BUY
HOLDING = STILL.model_copy(
    update={"accounts": (VenueAccount(positions={SPY: OpeningPosition(quantity=Decimal(7), price=Decimal(450))}),)}
)


async def asked(scene: Scene, kind: str, arguments: Any, command_id: UUID | None = None, seconds: float = 5.0) -> dict[str, Any]:
    """As the command line does it: a row, and its answer."""
    store = scene.store()
    await store.open()
    command_id = command_id or uuid4()
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    await store.commands.insert(StoredCommand(command_id, kind, text, "person:ann", scene.clock.now()))
    async with asyncio.timeout(seconds):
        while (command := await store.commands.find(command_id)) is None or command.answer is None:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.1)
    await store.close()
    answer: dict[str, Any] = json.loads(command.answer)
    return answer


async def test_a_signal_a_cancel_and_a_replace_are_carried_out_and_answered_with_the_order(tmp_path: Path) -> None:
    async with a_scene(tmp_path, terms={"auto_trading_default": False}) as scene, scene.living() as engine:
        answer = await asked(scene, "submit", {"signal": a_limit().to_json()})
        assert answer["ok"]
        order = answer["result"]
        assert (order["status"], order["signal_id"], order["quantity"]) == ("SUBMITTED", "sig-1", "10")
        answer = await asked(scene, "replace", {"order_id": order["order_id"], "quantity": "12", "limit_price": "401"})
        assert answer["ok"]
        await asyncio.sleep(1)
        assert (await engine.orders.get(UUID(order["order_id"]))).quantity == Decimal(12)
        answer = await asked(scene, "cancel", {"order_id": order["order_id"]})
        assert answer["ok"]
        await until(lambda: engine.is_quiet)
        assert (await engine.orders.get(UUID(order["order_id"]))).status is OrderStatus.CANCELLED
        assert len(scene.log.of("COMMAND")) == 3


async def test_killing_and_resuming(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await engine.execute.execute(a_signal())
        await until(lambda: engine.is_quiet)
        answer = await asked(scene, "kill", {"detail": "enough", "flatten": True, "cancel_all": True})
        assert (answer["result"]["is_flat"], answer["result"]["is_durable"]) == (True, True)
        assert (await asked(scene, "resume", {"detail": "fine"}))["result"] == {"scope": "*", "lifted": True, "still_halted": []}
        assert (await asked(scene, "resume", {"scope": "account:SIM"}))["result"] == {
            "scope": "account:SIM",
            "lifted": False,
            "still_halted": [],
        }
        assert (await asked(scene, "auto_trading", {"enabled": False}))["result"] == {"auto_trading": False}
        assert not engine.halts.now.auto_trading


async def test_settling_doubts(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        await scene.lay(FaultKind.REQUEST_HELD, nth=1)
        await scene.lay(FaultKind.REQUEST_HELD, nth=2)
        first = await engine.execute.execute(a_limit("one"))
        second = await engine.execute.execute(a_limit("two", symbol="AAPL", price=100))
        answer = await asked(scene, "settle_absent", {"order_id": str(first.order_id), "evidence": "the desk"})
        assert answer["result"]["status"] == "CANCELLED"
        arguments = {"order_id": str(second.order_id), "broker_order_id": "V1", "evidence": "the desk"}
        assert (await asked(scene, "settle_found", arguments))["result"]["broker_order_id"] == "V1"


async def test_adopting_reconciling_and_recovering(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING) as scene, scene.living() as engine:
        report = (await asked(scene, "reconcile", {"account_id": ACCOUNT}))["result"]
        assert (report["is_clean"], report["differences"][0]["theirs"]) == (False, "7")
        adoption = {"account_id": ACCOUNT, "symbol": "SPY", "quantity": "7", "price": "450", "evidence": "statement"}
        assert (await asked(scene, "adopt_position", adoption))["result"]["filled_quantity"] == "7"
        (report,) = (await asked(scene, "reconcile", {}))["result"]
        assert report["is_clean"]
        outside = await scene.control.place(ACCOUNT, SPY, SIDE, Decimal(5), Decimal(400))
        adoption = {"account_id": ACCOUNT, "broker_order_id": outside, "evidence": "by phone"}
        assert (await asked(scene, "adopt_order", adoption))["result"]["broker_order_id"] == outside
        assert (await asked(scene, "recover", {}))["result"]["unfinished"] == 1
        assert len(engine.orders.unfinished()) == 1


async def test_the_accounts_money_is_told_and_asked_for_where_it_is_old(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living():
        await asyncio.sleep(30)
        (account,) = (await asked(scene, "account", {}))["result"]
        assert (account["account_id"], account["broker"], account["cash"]["amount"]) == (ACCOUNT, "simulated", "1000000")
        assert account["cash"]["age_seconds"] == 0.0
        assert (await asked(scene, "account", {"account_id": ACCOUNT}))["result"][0]["equity"]["amount"] == "1000000"


@pytest.mark.parametrize(
    ("kind", "arguments", "error"),
    [
        ("account", {"account_id": "elsewhere"}, "InvalidInput"),
        ("dance", {}, "InvalidInput"),
        ("cancel", {}, "InvalidInput"),
        ("cancel", {"order_id": "no uuid"}, "InvalidInput"),
        ("cancel", {"order_id": None}, "InvalidInput"),
        ("cancel", {"order_id": str(UUID(int=1))}, "OrderNotFound"),
        ("replace", {"order_id": str(UUID(int=1)), "quantity": "many"}, "InvalidInput"),
        ("submit", {"signal": "{"}, "UnusableSignal"),
        ("submit", {"signal": None}, "InvalidInput"),
        ("reconcile", {"account_id": "elsewhere"}, "InvalidInput"),
        ("adopt_order", {"account_id": "elsewhere", "broker_order_id": "V1", "evidence": ""}, "InvalidInput"),
        ("cancel", "{", "InvalidInput"),
        ("cancel", "[]", "InvalidInput"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_is_answered_with_its_error(
    tmp_path: Path, kind: str, arguments: Any, error: str
) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        answer = await asked(scene, kind, arguments)
        assert (answer["ok"], answer["error"]) == (False, error)
        assert answer["message"]
        assert engine.dispatcher.is_idle


async def test_an_adapters_surprise_is_an_answer_too(tmp_path: Path) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:

        def bug(request: object) -> None:
            raise AttributeError("a bug in the adapter")

        scene.witness.answers["prepare"] = bug
        answer = await asked(scene, "submit", {"signal": a_limit().to_json()})
        assert answer == {"ok": False, "error": "AttributeError", "message": "a bug in the adapter"}
        assert engine.orders.unfinished() == []


async def test_a_command_is_carried_out_once_however_long_its_answer_takes_to_be_written(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING) as scene:
        engine = scene.engine()
        await engine.start()
        commands = engine.store.commands  # type: ignore[attr-defined]  # the store is known to have it
        answer, failures = commands.answer, iter([True] * 4)

        async def reluctantly(command_id: UUID, text: str) -> None:
            if next(failures, False):
                raise StoreUnavailable("locked")
            await answer(command_id, text)

        commands.answer = reluctantly
        engine.begin("commands", OperatorCommands(engine, commands, engine.dispatcher, engine.clock, engine.log).serve_for_ever)
        adoption = {"account_id": ACCOUNT, "symbol": "SPY", "quantity": "7", "price": "450", "evidence": "statement"}
        assert (await asked(scene, "adopt_position", adoption, seconds=30.0))["ok"]
        await asyncio.sleep(5)
        assert engine.risk.positions(ACCOUNT)[SPY].quantity == Decimal(7)
        assert len(scene.log.of("COMMAND")) == 1
        await engine.stop()


async def test_an_adoption_that_death_left_unanswered_is_not_booked_twice(tmp_path: Path) -> None:
    async with a_scene(tmp_path, HOLDING) as scene:
        command_id = uuid4()
        adoption = {"account_id": ACCOUNT, "symbol": "SPY", "quantity": "7", "price": "450", "evidence": "statement"}
        engine = scene.engine()
        await engine.start()
        await carry_out(engine, "adopt_position", adoption | {"command_id": str(command_id)}, "person:ann")
        await scene.dies(engine)
        async with scene.living() as again:
            assert (await asked(scene, "adopt_position", adoption, command_id))["ok"]
            assert again.risk.positions(ACCOUNT)[SPY].quantity == Decimal(7)


@pytest.mark.parametrize("kind", ["cancel", "kill"])
async def test_a_command_that_reaches_an_owner_which_lost_the_store_is_left_to_the_new_one(tmp_path: Path, kind: str) -> None:
    async with a_scene(tmp_path) as scene, scene.living() as engine:
        order = await engine.execute.execute(a_limit(time_in_force="GTC"))
        await taken_over(scene)
        command = StoredCommand(uuid4(), kind, json.dumps({"order_id": str(order.order_id)}), "person:ann", scene.clock.now())
        store = scene.store()
        await store.open()
        await store.commands.insert(command)
        await asyncio.sleep(30)
        assert scene.log.of("COMMAND")
        assert await store.commands.pending() == [command]
        assert scene.witness.of("cancel") == []
        await store.close()
