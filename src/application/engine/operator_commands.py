"""Requests of other processes, carried out by the owner of the store and answered in its `commands` table.

Each command has one small function. Its result, as JSON-ready data, is the answer.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.engine.engine import Engine
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Commands, StoredCommand
from liveorder.application.reporting.views import doubt_view, order_view, verdict_view
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.runtime.dispatcher import Dispatcher, Lane
from liveorder.application.trading.adopt import ADOPTED
from liveorder.application.trading.close_positions import ClosedPositions
from liveorder.domain.errors import DecisionRefused, InvalidInput, LeaseLost, LiveOrderError
from liveorder.domain.events import PERSON
from liveorder.domain.order import LiveOrder
from liveorder.domain.order.events import CancelReason
from liveorder.domain.signal import Signal
from liveorder.domain.trading_halt import covered_by
from liveorder.domain.values import Product

OLDEST_SECONDS = 60.0
"""Maximum age of a command. Nobody waits for an older one, and in a copy of a store it may have been carried out long ago."""

COMMAND_ID = "command_id"
"""Added to a stored command's arguments, so that a command repeated after a crash is recognised as the same."""

Arguments = Mapping[str, Any]
Handler = Callable[[Engine, Arguments, str], Awaitable[Any]]


async def carry_out(engine: Engine, kind: str, arguments: Arguments, actor: str) -> dict[str, Any]:
    """Carry out a command. Returns `{"ok": true, "result": …}` or `{"ok": false, "error": …, "message": …}`, in every case.

    Raises only `LeaseLost`: then the new owner has to answer.
    """
    try:
        result = await _HANDLERS[CommandKind(kind)](engine, arguments, actor)
    except LeaseLost:
        raise
    except LiveOrderError as error:
        return {"ok": False, "error": type(error).__name__, "message": str(error)}
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        return {"ok": False, "error": "InvalidInput", "message": f"command {kind}: {type(error).__name__}: {error}"}
    except Exception as error:  # noqa: BLE001 - an adapter may raise anything, and a person is waiting for the answer
        engine.log.write("ERROR", f"Command {kind} failed: {type(error).__name__}: {error}")
        return {"ok": False, "error": type(error).__name__, "message": str(error)}
    return answered(result)


def answered(result: Any) -> dict[str, Any]:
    """The answer for a command that succeeded."""
    return {"ok": True, "result": _jsonable(result)}


async def _submit(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.execute.execute(Signal.parse(arguments["signal"]), operator=_person(actor))


async def _validate(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return verdict_view(*await engine.execute.appraise(Signal.parse(arguments["signal"]), operator=_person(actor))).to_dict()


async def _cancel(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.cancel.cancel(UUID(arguments["order_id"]), CancelReason.REQUESTED, actor)


async def _replace(engine: Engine, arguments: Arguments, actor: str) -> Any:
    terms = {name: _decimal(arguments.get(name)) for name in ("quantity", "limit_price", "stop_price")}
    return await engine.replace.replace(UUID(arguments["order_id"]), actor=actor, **terms)


async def _close(engine: Engine, arguments: Arguments, actor: str) -> Any:
    """Without a command's id each call is another one."""
    name = f"close-{arguments.get(COMMAND_ID) or engine.recorder.new_id()}"
    asked = (arguments.get(each) for each in ("symbol", "strategy_name", "account_id"))
    return await engine.close_positions.close(name, _person(actor), *asked)


async def _kill(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.kill_all.kill(
        arguments.get("detail", ""),
        actor,
        cancel_all=bool(arguments.get("cancel_all")),
        flatten=bool(arguments.get("flatten")),
    )


async def _resume(engine: Engine, arguments: Arguments, actor: str) -> Any:
    scope = arguments.get("scope", "*")
    await engine.halts.take_in_rows()  # a halt requested before now is lifted too, and does not take effect later
    if (trouble := await engine.replay_journal.book()) is not None:
        raise DecisionRefused(trouble)
    await engine.waiting.end_killed()
    lifted = await engine.halts.resume(scope, arguments.get("detail", ""), actor)
    standing = [f"{covered_by(halt.scope)} ({halt.reason})" for halt in engine.halts.standing()]
    return {"scope": scope, "lifted": lifted, "still_halted": standing}


async def _settle_found(engine: Engine, arguments: Arguments, actor: str) -> Any:
    order_id = UUID(arguments["order_id"])
    return await engine.doubts.settle_found(order_id, arguments["broker_order_id"], arguments.get("evidence", ""), actor)


async def _settle_absent(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.doubts.settle_absent(UUID(arguments["order_id"]), arguments["evidence"], actor)


async def _adopt_order(engine: Engine, arguments: Arguments, actor: str) -> Any:
    strategy = arguments.get("strategy_name") or ADOPTED
    name, evidence = arguments["broker_order_id"], arguments["evidence"]
    return await engine.adopt.adopt_order(arguments["account_id"], name, evidence, actor, strategy)


async def _adopt_position(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.adopt.adopt_position(
        arguments["account_id"],
        arguments["symbol"],
        arguments.get("exchange"),
        Decimal(arguments["quantity"]),
        Decimal(arguments["price"]),
        arguments["evidence"],
        actor,
        arguments.get(COMMAND_ID),
        arguments.get("strategy_name") or ADOPTED,
        _product(arguments),
    )


async def _transfer(engine: Engine, arguments: Arguments, actor: str) -> Any:
    transferred = await engine.transfer.transfer(
        arguments.get("account_id") or engine.orders.identity.default_account,
        arguments["instrument"],
        arguments["from"],
        arguments["to"],
        Decimal(arguments["quantity"]),
        arguments["evidence"],
        actor,
        _decimal(arguments.get("price")),
        arguments.get(COMMAND_ID),
        _product(arguments),
    )
    return transferred.to_dict()


async def _reconcile(engine: Engine, arguments: Arguments, actor: str) -> Any:
    account_id = arguments.get("account_id")
    return await engine.reconcile.reconcile_all() if account_id is None else await engine.reconcile.reconcile(account_id)


async def _recover(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.recover.recover()


async def _doubts(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return [doubt_view(doubt, is_being_asked=True).to_dict() for doubt in engine.doubts.standing()]


async def _account(engine: Engine, arguments: Arguments, actor: str) -> Any:
    """For a person who looks: figures as recent as the broker's rate limit allows."""
    account_id = arguments.get("account_id")
    wanted = engine.gateways if account_id is None else [account_id]
    return [shown.to_dict() for shown in await concurrently(partial(engine.figures.shown, seconds=0.0), wanted)]


async def _auto_trading(engine: Engine, arguments: Arguments, actor: str) -> Any:
    await engine.halts.switch_auto_trading(bool(arguments["enabled"]), arguments.get("detail", ""), actor)
    return {"auto_trading": engine.halts.now.auto_trading}


async def _retry(engine: Engine, arguments: Arguments, actor: str) -> Any:
    return await engine.dead_letters.retry(UUID(arguments["dead_letter"]), actor)


_HANDLERS: dict[CommandKind, Handler] = {
    CommandKind.SUBMIT: _submit,
    CommandKind.VALIDATE: _validate,
    CommandKind.CANCEL: _cancel,
    CommandKind.REPLACE: _replace,
    CommandKind.CLOSE: _close,
    CommandKind.KILL: _kill,
    CommandKind.RESUME: _resume,
    CommandKind.SETTLE_FOUND: _settle_found,
    CommandKind.SETTLE_ABSENT: _settle_absent,
    CommandKind.ADOPT_ORDER: _adopt_order,
    CommandKind.ADOPT_POSITION: _adopt_position,
    CommandKind.TRANSFER: _transfer,
    CommandKind.RECONCILE: _reconcile,
    CommandKind.RECOVER: _recover,
    CommandKind.DOUBTS: _doubts,
    CommandKind.ACCOUNT: _account,
    CommandKind.AUTO_TRADING: _auto_trading,
    CommandKind.RETRY: _retry,
}


class OperatorCommands:
    """Polls for commands and carries out each one once."""

    def __init__(
        self,
        engine: Engine,
        commands: Commands,
        dispatcher: Dispatcher,
        clock: Clock,
        log: ActivityLog,
        *,
        poll_seconds: float = 0.25,
    ) -> None:
        self._engine, self._commands, self._dispatcher = engine, commands, dispatcher
        self._clock, self._log, self._poll_seconds = clock, log, poll_seconds
        self._begun: set[UUID] = set()
        """Kept for the life of the process: a list of pending commands can be older than the answer to one of them."""
        self._answers: dict[UUID, str] = {}

    async def serve_for_ever(self) -> None:
        while True:
            await self._give_answers()
            for command in await self._commands.pending():
                if command.command_id not in self._begun:
                    self._begun.add(command.command_id)
                    self._dispatcher.post(Lane.OPERATOR, partial(self._serve, command))
            await self._engine.halts.take_in_rows()
            await self._clock.sleep(self._poll_seconds)

    async def _serve(self, command: StoredCommand) -> None:
        self._log.write("COMMAND", f"{command.kind} asked by {command.actor}", command_id=str(command.command_id))
        try:
            arguments = {**json.loads(command.arguments), COMMAND_ID: str(command.command_id)}
        except (ValueError, TypeError) as error:
            answer: dict[str, Any] = {"ok": False, "error": "InvalidInput", "message": f"arguments: {error}"}
        else:
            answer = await self._too_old(command) or await carry_out(self._engine, command.kind, arguments, command.actor)
        self._answers[command.command_id] = json.dumps(answer)
        await self._give_answers()

    async def _too_old(self, command: StoredCommand) -> dict[str, Any] | None:
        """Judged by the lease's clock. In a simulation the engine's clock may show another date."""
        lease = await self._engine.ownership.lease.state()
        if lease is None or (lease.now - command.created_at).total_seconds() <= OLDEST_SECONDS:
            return None
        message = f"asked at {command.created_at.isoformat()}, more than {OLDEST_SECONDS:g} s ago: not done; ask again"
        return {"ok": False, "error": "DecisionRefused", "message": message}

    async def _give_answers(self) -> None:
        """Write the answers. A failed write is repeated; the command is not carried out again."""
        for command_id, answer in list(self._answers.items()):
            await self._commands.answer(command_id, answer)
            self._answers.pop(command_id, None)


def _person(actor: str) -> str:
    return actor.removeprefix(PERSON)


def _product(arguments: Arguments) -> Product | None:
    """Raises `InvalidInput`."""
    if (name := arguments.get("product")) is None:
        return None
    if name not in set(Product):
        raise InvalidInput("product", f"{name} is none", f"name one of {', '.join(Product)}")
    return Product(name)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, LiveOrder):
        return order_view(value).to_dict()
    if isinstance(value, ClosedPositions):
        return {"orders": _jsonable(value.orders), "failures": value.failures}
    if hasattr(value, "__dataclass_fields__"):
        return _jsonable(asdict(value) | {name: getattr(value, name) for name in ("is_flat", "is_clean") if hasattr(value, name)})
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
