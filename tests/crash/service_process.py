"""A service in a process of the fork server's: the real engine, store and broker, in a composition in which it can be killed.

It speaks lines of JSON: each request has a number and is answered by it; what happens meanwhile is emitted as events. It ends when
its line does, by a shutdown when asked to `stop`, and like a service that lost its store when it has.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from liveorder.application.engine.engine import Engine
from liveorder.application.ports.signal_source import SignalSource, SourceMessage
from liveorder.application.reporting.projections.orders import ORDERS
from liveorder.domain.errors import LiveOrderError
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.infrastructure.settings.doors import Door
from liveorder.infrastructure.settings.redis_url import StreamSource, source_of
from liveorder.infrastructure.signals.followed_file import FollowedFile
from liveorder.infrastructure.signals.growing_file import end_of
from liveorder.infrastructure.signals.jsonl_file import JsonlFile
from tests.crash.cases import plain_units
from tests.crash.composition import composed
from tests.crash.plans import ServicePlan
from tests.crash.process_crash_point import Emit, ProcessCrashPoint
from tests.two_books import differences

PATIENT_QUESTIONS = 5


def main(fields: dict[str, Any], line: socket.socket) -> None:
    asyncio.run(_main(ServicePlan(**fields), line))


async def _main(plan: ServicePlan, line: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=line)

    def emit(**message: Any) -> None:
        writer.write(json.dumps(message).encode() + b"\n")

    await _Served(plan, emit).live(reader)
    await writer.drain()


class _Fed:
    """A `SignalSource` of what the test feeds."""

    name, finite = "fed", False

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._count = self._fed = self._acknowledged = 0

    def put(self, raw: str) -> None:
        self._fed += 1
        self._waiting.put_nowait(raw.encode())

    @property
    def is_durable(self) -> bool:
        return self._acknowledged == self._fed

    async def messages(self) -> AsyncIterator[SourceMessage]:
        while True:
            raw = await self._waiting.get()
            self._count += 1
            yield SourceMessage(self.name, str(self._count), raw)

    async def acknowledge(self, message: SourceMessage) -> None:
        self._acknowledged += 1


def _stream_of_redis(url: str, engine: Engine, emit: Emit) -> SignalSource:
    """Its client is imported by those lives only that read one."""
    from liveorder.infrastructure.signals.redis_stream import RedisStream

    source = source_of(Door("redis", url))
    assert isinstance(source, StreamSource)
    return RedisStream(source, engine.store, engine.clock, engine.log)


class _Memory:
    """The newest state of every order of this life, as the engine had it."""

    def __init__(self) -> None:
        self.orders: dict[UUID, LiveOrder] = {}

    def __call__(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        self.orders[after.order_id] = after


class _Served:
    def __init__(self, plan: ServicePlan, emit: Emit) -> None:
        self._emit, self._wait, self._account = emit, plan.wait_for_lease, plan.account
        self._crash_point = ProcessCrashPoint(emit, plan.crash_at, signal.Signals[plan.crash_signal])
        self._memory, self._source = _Memory(), _Fed()
        parts = composed(plan, self._crash_point, emit)
        self.engine, self._outbox, self._projector = parts.engine, parts.outbox, parts.projector
        self._connection, self._market = parts.connection, parts.market
        self.engine.orders.listen(self._memory)
        self._file = JsonlFile(Path(plan.file)) if plan.file else None
        followed = Path(plan.followed) if plan.followed else None
        self._followed = FollowedFile(followed, self.engine.store, self.engine.clock, end_of(followed), 0.05) if followed else None
        self._redis = _stream_of_redis(plan.redis, self.engine, emit) if plan.redis else None
        self._over = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()
        self._acts: Mapping[str, Callable[..., Awaitable[Any]]] = {
            "execute": self._execute,
            "adopt": self._adopt,
            "feed": self._feed,
            "cancel": self._cancel,
            "replace": self._replace,
            "kill": self._kill,
            "flatten": self._flatten,
            "transfer": self._transfer,
            "is_known": self._is_known,
            "sever": self._sever,
            "mend": self._mend,
            "open_market": self._open_market,
            "held": self._held,
            "books": self._books,
            "state": self._state,
            "halts": self._halts,
            "resume": self._resume,
            "replays": self._replays,
            "reconcile": self._reconcile,
            "bookmark": self._bookmark,
            "verify": self._verify,
            "pause": self._crash_point.strike,
            "stop": self._stop,
        }

    async def live(self, requests: asyncio.StreamReader) -> None:
        self._emit(event="spawned", pid=os.getpid())
        listening = asyncio.create_task(self._listen(requests))
        try:
            report = await self.engine.start(wait_for_lease=self._wait, before_trading=self._outbox.open)
        except Exception as error:  # noqa: BLE001 - whatever keeps a service from starting, the test must hear of it
            await self.engine.stop()  # a worker of an open connection pool may survive that its task is cancelled
            self._emit(event="failed", error=type(error).__name__, message=str(error))
            return
        self.engine.begin("outbox", self._outbox.run, lasting=True)
        if self._projector is not None and self.engine.identity is not None:
            self._projector.follow(self.engine.identity.store_id)
            self.engine.begin("projector", self._projector.run, lasting=True)
        self._emit(event="started", recovery=asdict(report), epoch=self.engine.orders.recorder.epoch, monotonic=time.monotonic())
        sources = (each for each in (self._source, self._file, self._followed, self._redis) if each is not None)
        reading = [asyncio.create_task(self._read(source)) for source in sources]
        losing = asyncio.create_task(self.engine.ownership.lost.wait())
        stopping = asyncio.create_task(self._over.wait())
        await asyncio.wait([losing, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in reading:
            task.cancel()
        await self.engine.stop(before_closing=self._outbox.flush)
        listening.cancel()
        self._emit(event="lost the store" if losing.done() else "stopped", boundaries=self._crash_point.names)

    async def _read(self, source: SignalSource) -> None:
        """A file that is followed is written by the test once it is known where it is read from."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.engine.intake.read(source))
            if source is self._followed:
                while await self._bookmark() is None:
                    await self.engine.clock.sleep(0.02)
                self._emit(event="listening")
        self._emit(event="read", source=source.name)

    async def _listen(self, requests: asyncio.StreamReader) -> None:
        while line := await requests.readline():
            request = json.loads(line)
            task = asyncio.create_task(self._answer(request.pop("number"), request.pop("act"), request))
            self._work.add(task)
            task.add_done_callback(self._work.discard)
        os._exit(1)

    async def _answer(self, number: int, act: str, fields: dict[str, Any]) -> None:
        try:
            self._emit(number=number, answer=await self._acts[act](**fields))
        except LiveOrderError as error:
            self._emit(number=number, error=type(error).__name__, message=str(error))

    # --- acts ------------------------------------------------------------------------------------------------------------------

    async def _execute(self, raw: str) -> Any:
        order = await self.engine.execute.execute(Signal.parse(raw))
        self._memory.orders.setdefault(order.order_id, order)
        return _shown(order)

    async def _adopt(self, broker_order_id: str, key: str) -> Any:
        """A person who sees that it is done already leaves it at that."""
        claim = await self.engine.store.claim_of(key)
        if claim is not None:
            order = await self.engine.orders.get(claim.order_id)
        else:
            order = await self.engine.adopt.adopt_order(self._account, broker_order_id, "seen at the venue", "person:test")
        self._memory.orders.setdefault(order.order_id, order)
        return _shown(order)

    async def _feed(self, raw: str) -> None:
        self._source.put(raw)

    async def _cancel(self, order_id: str) -> Any:
        return _shown(await self.engine.cancel.cancel(UUID(order_id)))

    async def _replace(self, order_id: str, limit_price: str) -> Any:
        return _shown(await self.engine.replace.replace(UUID(order_id), limit_price=Decimal(limit_price)))

    async def _kill(self) -> Any:
        report = await self.engine.kill_all.kill("test", "person:test")
        return {"is_durable": report.is_durable, "cancelled": len(report.cancelled), "is_flat": report.is_flat}

    async def _flatten(self, wait_seconds: float) -> Any:
        report = await self.engine.kill_all.kill("test", "person:test", flatten=True, wait_seconds=wait_seconds)
        return {"is_flat": report.is_flat, "remaining": report.remaining, "not_closed": report.not_closed}

    async def _transfer(self, instrument: str, giver: str, taker: str, quantity: str, name: str) -> None:
        """As a command that is known by its name when it comes again."""
        units, actor = Decimal(quantity), "person:test"
        await self.engine.transfer.transfer(self._account, instrument, giver, taker, units, "moved", actor, name=name)

    async def _is_known(self, key: str) -> bool:
        return await self.engine.store.claim_of(key) is not None

    async def _sever(self) -> None:
        """Answered once the account is halted for it."""
        self._connection.sever()
        while not self.engine.halts.now.is_waiting_for_broker(self._account):
            await self.engine.clock.sleep(0.02)

    async def _mend(self) -> None:
        self._connection.mend()

    async def _open_market(self) -> None:
        self._market.is_closed = False

    async def _held(self) -> dict[str, str]:
        """Units of each strategy, as the risk rules see them, all instruments together."""
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for instrument in self.engine.risk.positions(self._account):
            for key, position in self.engine.risk.holdings(self._account, instrument).items():
                held[key.strategy_name] += position.quantity
        return {name: plain_units(quantity) for name, quantity in held.items()}

    async def _books(self) -> Any:
        """Where the ledger and the reports differ; and the orders that are listed as waiting, by signal id."""
        assert self._projector is not None
        await self._projector.catch_up()
        rows = await self._projector._views.rows(ORDERS, None, 1000)
        waiting = [row.signal_id for row in rows if row.is_waiting]
        return {"differences": await differences(self.engine, self._projector), "waiting": waiting}

    async def _state(self) -> Any:
        known = self._memory.orders | {order.order_id: order for order in self.engine.orders.unfinished()}
        return {
            "is_quiet": self.engine.is_quiet,
            "is_idle": self.engine.dispatcher.is_idle and self._source.is_durable,
            "orders": {order.client_order_id: _shown(order) for order in known.values()},
            "doubts": [doubt.order.client_order_id for doubt in self.engine.doubts.standing()],
        }

    async def _halts(self) -> Any:
        return [f"{halt.reason}: {halt.detail}" for halt in self.engine.halts.standing()]

    async def _resume(self) -> None:
        """Whatever stands."""
        for halt in self.engine.halts.standing():
            await self.engine.halts.resume(halt.scope, "looked at", "person:test")

    async def _replays(self) -> bool:
        """Whether the stored events of each order, read anew, make the same order."""
        for order in self._memory.orders.values():
            events = await self.engine.store.stream(order.order_id)
            if LiveOrder.replay(events[: order.version]) != order:
                return False
        return True

    async def _reconcile(self) -> Any:
        """Asked again where a question was not answered in time: on a busy machine the venue is late, and that is no difference."""
        (report,) = await self.engine.reconcile.reconcile_all()
        for _ in range(PATIENT_QUESTIONS):
            if report.unanswered:
                (report,) = await self.engine.reconcile.reconcile_all()
        differences = [*map(str, report.differences), *(f"{question} not answered" for question in report.unanswered)]
        return {"is_clean": report.is_clean, "differences": differences}

    async def _bookmark(self) -> int | None:
        """How far the followed file was read."""
        assert self._followed is not None
        saved = await self.engine.store.checkpoint(f"signal_source:{self._followed.name}")
        return None if saved is None else int(saved.split()[0])

    async def _verify(self) -> list[str]:
        """What the read models have otherwise than the log, as `replay --verify` finds it."""
        assert self._projector is not None
        await self._projector.catch_up()
        return [str(each) for each in (await self._projector.verify()).differences]

    async def _stop(self) -> None:
        self._over.set()


def _shown(order: LiveOrder) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "key": order.client_order_id,
        "signal_id": order.intent.signal_id,
        "version": order.version,
        "status": order.status.value,
        "is_open": not order.is_finished,
        "reason": str(order.reject_reason or order.cancel_reason),
        "message": order.error_message,
        "filled": plain_units(order.filled_quantity),
        "limit_price": None if order.limit_price is None else f"{order.limit_price:f}",
        "is_in_doubt": order.is_in_doubt,
        "anomalies": sorted(order.anomalies),
        "is_at_broker": order.is_at_broker,
        "requests": sorted(order.requests),
        "is_waiting": order.is_waiting,
    }
