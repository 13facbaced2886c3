"""Commands for the store's owner, from other processes. Only a command that must own the store itself needs an engine."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from liveorder.application.engine.command_kind import CommandKind
from liveorder.application.ports.order_store import StoredCommand
from liveorder.application.reporting.views import DoubtView, doubt_view
from liveorder.domain.doubt import doubts_of
from liveorder.domain.errors import LeaseLost, LiveOrderError, NotAnswered, StoreError, StoreRefused, StoreUnavailable
from liveorder.domain.identifiers import uuid7
from liveorder.domain.order import LiveOrder
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.store_by_url import store_at, store_exists
from liveorder.infrastructure.settings import Settings

UNFOLLOWED = "unfollowed"
"""In an answer: the ids of orders that are open when no service runs, so that nobody follows them."""

_OLD_STORE = (
    "orders and positions are unchanged: this store was written by an earlier version, and a kill does not migrate it; "
    "`liveorder kill --emergency` cancels at the brokers"
)
_WITHOUT_STORE = "`liveorder kill --emergency` stops at the brokers, without the store"


async def send_command(
    settings: Settings,
    kind: CommandKind,
    arguments: dict[str, Any],
    *,
    actor: str,
    timeout_seconds: float = 30.0,
) -> dict[str, Any]:
    """Have the store's owner carry out the command. If nobody owns the store, own it briefly and carry it out here.

    Raises `NotAnswered` if the owner does not answer in time: the command stays in its table and may still be carried out. A
    kill halts before it asks anyone, and once that halt is stored it always returns a report: stopping depends neither on a
    healthy owner, nor on a reachable broker, nor on the present schema.
    """
    if kind is not CommandKind.KILL:
        return await _sent(settings, kind, arguments, actor, timeout_seconds)
    is_old = await _halt_stored(settings, arguments)
    try:
        answer = await _sent(settings, kind, arguments, actor, timeout_seconds)
        problem = "" if answer["ok"] else answer["message"]
    except LiveOrderError as error:
        if is_old is None and await _halt_stored(settings, arguments) is None:
            raise  # there is no store yet, and none could be made
        answer, problem = {}, str(error)
    if problem:
        return _halted_only(_OLD_STORE if is_old else f"what the brokers hold is not known: {problem}")
    return answer


async def _halt_stored(settings: Settings, arguments: dict[str, Any]) -> bool | None:
    """Store the halt. Returns whether the store has an earlier schema; None if there is no store yet. Raises `StoreError`."""
    if not await store_exists(settings.store):
        return None
    store = store_at(settings.store, clock=SystemClock())
    try:
        is_old = (await store.open()).schema_version < SCHEMA_VERSION
        await store.insert_halt(EVERYTHING, _reason(arguments, is_plain=is_old), datetime.now(UTC))
        return is_old
    except StoreError as error:
        raise type(error)(f"{error}; no halt is stored: {_WITHOUT_STORE}") from None
    finally:
        await store.close()


async def _sent(
    settings: Settings, kind: CommandKind, arguments: dict[str, Any], actor: str, timeout_seconds: float
) -> dict[str, Any]:
    if await store_exists(settings.store):
        store = store_at(settings.store, clock=SystemClock())
        identity = await store.open()
        try:
            lease = await store.lease.state()
            if lease is not None and lease.is_held:
                return await _ask_owner(store, kind, arguments, actor, timeout_seconds, lease.owner)
        finally:
            await store.close()
        if identity.schema_version < SCHEMA_VERSION:
            raise StoreRefused("this store was written by an earlier version; back it up, then `liveorder run` migrates it")
    from liveorder.bootstrap.brief_ownership import own_for_a_moment

    try:
        answer, left_open = await own_for_a_moment(settings, kind, arguments, actor)
        return answer | {UNFOLLOWED: [str(order_id) for order_id in left_open]}
    except LeaseLost:
        if kind is not CommandKind.KILL:
            raise  # another kind of command may be partly done
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        lease = await store.lease.state()  # held by the faster process
        return await _ask_owner(store, kind, arguments, actor, timeout_seconds, lease.owner if lease is not None else "nobody")
    finally:
        await store.close()


def _halted_only(remaining: str) -> dict[str, Any]:
    """The answer of a kill of which nothing but the halt is known to have happened."""
    from liveorder.application.emergency.kill import StopReport
    from liveorder.application.engine.operator_commands import answered

    report = StopReport(is_durable=True, calls_in_flight=(), cancelled=(), not_cancelled=(), not_closed=(), remaining=(remaining,))
    return answered(report)


async def standing_doubts(settings: Settings, *, actor: str, timeout_seconds: float = 5.0) -> Sequence[DoubtView]:
    """The doubts as a running service knows them. From the log alone if none runs or answers in time."""
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        lease = await store.lease.state()
        if lease is not None and lease.is_held:
            with suppress(StoreUnavailable):
                answer = await _ask_owner(store, CommandKind.DOUBTS, {}, actor, timeout_seconds, lease.owner)
                return [DoubtView.model_validate(doubt) for doubt in answer["result"]]
        orders = [LiveOrder.replay(events) for events in (await store.unfinished()).values()]
        return [doubt_view(doubt, is_being_asked=False) for order in orders for doubt in doubts_of(order)]
    finally:
        await store.close()


async def ask_for_accounts(
    settings: Settings, account_id: str | None, *, actor: str, timeout_seconds: float = 30.0
) -> dict[str, Any]:
    """The figures of one account, or of all, from the running service, which asks the brokers if needed. Without a service, the
    brokers are asked from here. Nothing is owned, recovered or sent. Raises `StoreUnavailable` if the service does not answer in
    time.
    """
    arguments = {} if account_id is None else {"account_id": account_id}
    if await store_exists(settings.store):
        store = store_at(settings.store, clock=SystemClock())
        await store.open()
        try:
            lease = await store.lease.state()
            if lease is not None and lease.is_held:
                return await _ask_owner(store, CommandKind.ACCOUNT, arguments, actor, timeout_seconds, lease.owner)
        finally:
            await store.close()
    from liveorder.bootstrap.brokerages import accounts_at_brokers

    return {"ok": True, "result": [shown.to_dict() for shown in await accounts_at_brokers(settings, account_id)]}


def _reason(arguments: dict[str, Any], *, is_plain: bool) -> str:
    """The halt's reason. `is_plain`: without detail, for an owner of an earlier version that knows only the bare word."""
    detail = "" if is_plain else arguments.get("detail", "")
    return f"{HaltReason.KILL_SWITCH}: {detail}" if detail else HaltReason.KILL_SWITCH


async def _ask_owner(
    store: DatabaseOrderStore, kind: CommandKind, arguments: dict[str, Any], actor: str, seconds: float, owner: str
) -> dict[str, Any]:
    now = datetime.now(UTC)
    command_id = uuid7(now, random.SystemRandom().getrandbits(74))
    await store.commands.insert(StoredCommand(command_id, kind.value, json.dumps(arguments), actor, now))
    try:
        async with asyncio.timeout(seconds):
            while True:
                command = await store.commands.find(command_id)
                if command is not None and command.answer is not None:
                    answer: dict[str, Any] = json.loads(command.answer)
                    return answer
                await asyncio.sleep(0.05)
    except TimeoutError:
        if kind.only_asks:
            raise StoreUnavailable(f"{owner} owns the store and did not answer {kind} within {seconds:g} s") from None
        raise NotAnswered(
            f"{owner} owns the store and did not answer {kind} within {seconds:g} s; "
            "it may still carry it out: see `liveorder status`"
        ) from None
