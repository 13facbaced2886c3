"""A running service: the engine, the projector, the outboxes and the signal sources, from start to clean shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from liveorder.application.engine.engine import Engine
from liveorder.application.engine.operator_commands import OperatorCommands
from liveorder.application.outbox.outbox import Outbox
from liveorder.application.ports.order_store import Commands
from liveorder.application.ports.signal_source import Settling, SignalSource
from liveorder.application.recovery.recover import RecoveryReport
from liveorder.application.reporting.order_log import OrderLog
from liveorder.application.reporting.packaged import PackagedProjector
from liveorder.application.reporting.projections import named
from liveorder.application.reporting.projector import Projector
from liveorder.application.reporting.read_models import Query, Views
from liveorder.domain.errors import InvalidInput
from liveorder.domain.events import RecordedEvent
from liveorder.domain.order import LiveOrder

UNCHANGED_SECONDS = 5.0
"""An order that is open or in doubt counts as resting once it has not changed for this long."""
REMEMBERED = 100
"""Orders that the summary of a run names at most."""
SETTLING_SECONDS = 30.0
"""Maximum wait of a run for the fees of what it bought, after its orders came to rest. The next start settles the others."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended: what it placed, what it left open, and whether another process took its store."""

    placed: int = 0
    """Orders sent to a broker for the first time, by this run."""
    refused: int = 0
    """Orders that this run made and did not send, because a rule said no."""
    orders: tuple[UUID, ...] = ()
    """The newest orders that this run made or changed, `REMEMBERED` at most, in that order."""
    resting: tuple[UUID, ...] = ()
    in_doubt: tuple[UUID, ...] = ()
    lost_lease: bool = False
    waiting: tuple[UUID, ...] = ()
    """Not sent yet: see `domain.waiting`."""


class Service:
    """Owns one store while it runs."""

    def __init__(
        self,
        engine: Engine,
        commands: Commands,
        views: Views,
        projector: Projector,
        sources: Sequence[SignalSource],
        outboxes: Sequence[Outbox] = (),
        packaged: Sequence[PackagedProjector] = (),
    ) -> None:
        self.engine, self.views, self._projector = engine, views, projector
        self._commands, self.sources, self._outboxes, self._packaged = commands, sources, outboxes, packaged
        self.recovery: RecoveryReport | None = None
        self._placed, self._refused = 0, 0
        self._orders: dict[UUID, None] = {}
        self._beginnings: Sequence[str] = ()

    async def start(self, *, wait_for_lease: bool = False) -> None:
        """Recover before any signal is taken. Raises as `Engine.start` does."""
        engine = self.engine
        engine.orders.listen(OrderLog(engine.log))
        engine.orders.listen(self._count)
        self.recovery = await engine.start(wait_for_lease=wait_for_lease, before_trading=self._settle)
        dispatcher = OperatorCommands(engine, self._commands, engine.dispatcher, engine.clock, engine.log)
        engine.begin("commands", dispatcher.serve_for_ever)
        engine.begin("projector", self._projector.run, lasting=True)
        for each in self._packaged:
            engine.begin(f"projector {each.model.name}", each.run, lasting=True)
        for outbox in self._outboxes:
            engine.begin("outbox", outbox.run, lasting=True)
        for beginning in self._beginnings:
            engine.log.write("SOURCE", beginning)

    def _count(self, before: LiveOrder | None, after: LiveOrder, recorded: Sequence[RecordedEvent]) -> None:
        """An order whose submission did not begin after all is not sent: it is taken off again."""
        self._placed += (after.attempts > 0) - (before is not None and before.attempts > 0)
        self._refused += after.is_unsent_refusal and not (before is not None and before.is_unsent_refusal)
        self._orders[after.order_id] = self._orders.pop(after.order_id, None)
        if len(self._orders) > REMEMBERED:
            del self._orders[next(iter(self._orders))]

    async def _settle(self) -> None:
        """Settle where the sources are read from. Then open projector and outboxes, which detect a truncated log."""
        assert self.engine.identity is not None
        self._beginnings = [await _beginning_of(source) for source in self.sources]
        self._projector.follow(self.engine.identity.store_id)
        await self._projector.look_before_trading()
        for each in self._packaged:
            each.follow(self.engine.identity.store_id)
        for outbox in self._outboxes:
            await outbox.open()

    async def stop(self) -> None:
        """Finish running work, deliver all outbox messages including those of the last events, and release the store."""
        await self.engine.stop(before_closing=self._flush_outboxes if self.recovery is not None else None)
        await asyncio.gather(*(each.close() for each in self._packaged))

    async def _flush_outboxes(self) -> None:
        await asyncio.gather(*(self._flush(outbox) for outbox in self._outboxes))

    async def _flush(self, outbox: Outbox) -> None:
        try:
            async with asyncio.timeout(self.engine.terms.drain_seconds):
                await outbox.flush()
        except Exception as error:  # noqa: BLE001 - an unreachable destination gets it after the next start
            self.engine.log.write("WARNING", f"Not sent yet: {type(error).__name__}: {error}")

    async def settle_views(self) -> int:
        """Bring the read models level with the log. Returns the position. Raises `ViewsUnavailable`."""
        return await self._projector.catch_up()

    async def listed(self, name: str, wanted: Query) -> Sequence[Any]:
        """A list by the name of its read model, level with the log. Raises `ViewsUnavailable` and `InvalidInput`."""
        for each in self._packaged:
            if each.model.name == name:
                return await each.listed(wanted)
        model = named(name)
        await self.settle_views()
        return await self.views.listed(model, wanted)

    async def run(
        self, *, until_idle: bool = False, stop: asyncio.Event | None = None, on_progress: Callable[[int], None] | None = None
    ) -> RunSummary:
        """Feed the sources to the engine until `stop` is set, the store is lost, or, with `until_idle`, everything has come to
        rest.

        Once `stop` is set, nothing more is sent, and the summary is of what stands when calls in flight have ended.

        A failing source is logged, and the others go on. With `until_idle` its error is raised, because its end was not reached;
        and `InvalidInput` is raised if a source never ends.
        """
        endless = [source.name for source in self.sources if not source.finite]
        if until_idle and endless:
            raise InvalidInput("until-idle", f"{', '.join(endless)} never ends", "leave it out, or the source")
        reading = [asyncio.create_task(self._read(source)) for source in self.sources]
        stopping = asyncio.create_task((stop or asyncio.Event()).wait())
        losing = asyncio.create_task(self.engine.ownership.lost.wait())
        resting = asyncio.create_task(self._until_at_rest(reading, on_progress) if until_idle else asyncio.Event().wait())
        try:
            await asyncio.wait({stopping, losing, resting}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                self.engine.send_no_more()
        finally:
            for task in (*reading, stopping, losing, resting):
                task.cancel()
            await asyncio.gather(*reading, stopping, losing, resting, return_exceptions=True)
        if not resting.cancelled():
            resting.result()
        if stopping.done() and not stopping.cancelled():
            await self.engine.come_to_rest()
        return self._summary()

    async def _read(self, source: SignalSource) -> None:
        try:
            await self.engine.intake.read(source)
        except Exception as error:
            self.engine.log.write("ERROR", f"No more signals from {source.name}: {type(error).__name__}: {error}")
            raise

    async def _until_at_rest(self, reading: Sequence[asyncio.Task[None]], on_progress: Callable[[int], None] | None) -> None:
        """Returns once every source has ended, every order is closed or has rested for a while, and fees in kind are settled."""
        await asyncio.gather(*reading)
        await self._until_orders_rest(on_progress)
        clock = self.engine.clock
        latest = clock.monotonic() + SETTLING_SECONDS
        while self.engine.reconcile.is_settling and clock.monotonic() < latest:
            await clock.sleep(0.1)

    async def _until_orders_rest(self, on_progress: Callable[[int], None] | None) -> None:
        clock, seen = self.engine.clock, self._versions()
        since = clock.monotonic()
        while self._versions() or not self.engine.dispatcher.is_idle:
            await clock.sleep(0.1)
            now = self._versions()
            if now != seen or not self.engine.dispatcher.is_idle:
                seen, since = now, clock.monotonic()
            if on_progress is not None:
                on_progress(len(now))
            if clock.monotonic() - since >= UNCHANGED_SECONDS:
                return

    def _versions(self) -> dict[UUID, int]:
        return {order.order_id: order.version for order in self.engine.orders.unfinished()}

    def _summary(self) -> RunSummary:
        left = self.engine.orders.unfinished()
        in_doubt = tuple(order.order_id for order in left if order.is_in_doubt)
        waiting = tuple(order.order_id for order in left if order.is_waiting)
        resting = tuple(order.order_id for order in left if not (order.is_in_doubt or order.is_waiting) and _is_open(order))
        return RunSummary(
            placed=self._placed,
            refused=self._refused,
            orders=tuple(self._orders),
            resting=resting,
            in_doubt=in_doubt,
            lost_lease=self.engine.ownership.lost.is_set(),
            waiting=waiting,
        )


async def _beginning_of(source: SignalSource) -> str:
    where = f": {await source.settle()}" if isinstance(source, Settling) else ""
    return f"{'Reads' if source.finite else 'Listens to'} {source.name}{where}"


def _is_open(order: LiveOrder) -> bool:
    return not order.status.is_closed
