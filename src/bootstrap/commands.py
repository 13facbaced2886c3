"""Sending commands to the process that owns the store, or owning the store briefly to carry them out."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from liveorder.application.emergency.kill import StopReport
from liveorder.application.engine.engine import Engine
from liveorder.application.engine.operator_commands import CommandKind, answered, carry_out
from liveorder.application.ports.order_store import StoredCommand
from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.application.reporting.views import DoubtView, doubt_view
from liveorder.bootstrap.brokerages import accounts_at_brokers
from liveorder.bootstrap.doors import doors_of_a_command
from liveorder.bootstrap.service import open_service
from liveorder.domain.doubt import doubts_of
from liveorder.domain.errors import LeaseLost, StoreRefused, StoreUnavailable
from liveorder.domain.identifiers import uuid7
from liveorder.domain.order import LiveOrder
from liveorder.domain.trading_halt import EVERYTHING, HaltReason
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.store_by_url import store_at, store_exists
from liveorder.infrastructure.settings import Settings

MOMENT_SECONDS = 2.0
"""Maximum wait for orders to close, for a command that owns the store briefly."""


_OLD_STORE = (
    "orders and positions are unchanged: this store was written by an earlier version, and a kill does not migrate it; "
    "`liveorder kill --emergency` cancels at the brokers"
)
_HALTED_ONLY = StopReport(
    is_durable=True, calls_in_flight=(), cancelled=(), not_cancelled=(), not_closed=(), remaining=(_OLD_STORE,)
)


async def send_command(
    settings: Settings,
    kind: CommandKind,
    arguments: dict[str, Any],
    *,
    actor: str,
    timeout_seconds: float = 30.0,
) -> dict[str, Any]:
    """Have the store's owner carry out the command. If nobody owns the store, own it briefly and carry it out here.

    Raises `StoreUnavailable` if the owner does not answer in time: the command stays in its table and may still be carried out. A
    kill halts before it asks anyone. So stopping depends neither on a healthy owner, nor on a reachable broker, nor on the present
    schema.
    """
    store = store_at(settings.store, clock=SystemClock()) if await store_exists(settings.store) else None
    if store is not None:
        identity = await store.open()
        try:
            lease = await store.lease.state()
            is_old = identity.schema_version < SCHEMA_VERSION
            is_owned = lease is not None and lease.is_held
            if kind is CommandKind.KILL:
                await store.insert_halt(EVERYTHING, _reason(arguments, is_plain=is_owned or is_old), datetime.now(UTC))
            if lease is not None and lease.is_held:
                return await _ask_owner(store, kind, arguments, actor, timeout_seconds, lease.owner)
        finally:
            await store.close()
        if is_old and kind is CommandKind.KILL:
            return answered(_HALTED_ONLY)
        if is_old:
            raise StoreRefused("this store was written by an earlier version; back it up, then `liveorder run` migrates it")
    try:
        return await _own_for_a_moment(settings, kind, arguments, actor)
    except LeaseLost:
        if kind is not CommandKind.KILL or store is None:
            raise  # another kind of command may be partly done
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        lease = await store.lease.state()  # held by the faster process
        return await _ask_owner(store, kind, arguments, actor, timeout_seconds, lease.owner if lease is not None else "nobody")
    finally:
        await store.close()


async def _own_for_a_moment(settings: Settings, kind: CommandKind, arguments: dict[str, Any], actor: str) -> dict[str, Any]:
    usable = settings.for_stopping() if kind is CommandKind.KILL else settings
    async with open_service(usable, find_doors=doors_of_a_command) as service:
        answer = await carry_out(service.engine, kind, arguments, actor)
        await _come_to_rest(service.engine)
        with suppress(ViewsUnavailable):  # the command is done; the next reader updates the views
            await service.settle_views()
        return answer


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
    return answered([shown.to_dict() for shown in await accounts_at_brokers(settings, account_id)])


async def _come_to_rest(engine: Engine) -> None:
    """Give orders just sent a moment to fill, since nobody follows them after this process ends."""
    give_up_at = engine.clock.monotonic() + MOMENT_SECONDS
    while not engine.is_quiet and engine.clock.monotonic() < give_up_at:
        await engine.clock.sleep(0.05)


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
        so_far = "trading is halted; " if kind is CommandKind.KILL else ""
        raise StoreUnavailable(
            f"{so_far}{owner} owns the store and did not answer {kind} within {seconds:g} s; "
            "it may still carry it out: see `liveorder status`"
        ) from None
