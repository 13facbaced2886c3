"""Opening a service on its store: waiting for ownership, migrating, starting, and shutting down cleanly."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from datetime import datetime
from decimal import localcontext
from logging import Logger, LoggerAdapter
from typing import Any
from uuid import uuid4

from liveorder.application.engine.engine import AccountConnection, Engine
from liveorder.application.engine.ownership import stand_by, until_free
from liveorder.application.engine.rooms import EngineConfig
from liveorder.application.engine.service import Service
from liveorder.application.orders.order_register import OrderListener
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.reporting.projector import Projector
from liveorder.application.reporting.views.fields import View, build_all
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.application.trading.execute_order import ExecutionConfig
from liveorder.bootstrap.brokerages import check_supplied, connections_of, needs_venue
from liveorder.bootstrap.doors import Doors, Source, open_doors, refuse_doubled
from liveorder.bootstrap.parts import (
    calendars_of,
    clock_of,
    expectation_of,
    journal_of,
    log_given,
    log_of,
    open_store,
    owner_name,
)
from liveorder.bootstrap.projections import projector_of
from liveorder.bootstrap.simulation import what_is_simulated
from liveorder.bootstrap.supplied import NOTHING_SUPPLIED, Supplied
from liveorder.bootstrap.venue_files import reserve_venue
from liveorder.domain.errors import LeaseLost, LiveOrderError
from liveorder.domain.order import LiveOrder
from liveorder.domain.signal import Signal
from liveorder.domain.values import USUAL
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.foreign_events import ForeignEvent
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.order_store import PAGE, DatabaseOrderStore
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.store_by_url import database_at, store_at
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.settings import Settings


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    sources: Sequence[Source] = (),
    supplied: Supplied = NOTHING_SUPPLIED,
    is_shadow: bool = False,
    wait_for_lease: bool = False,
    on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    on_order: OrderListener | None = None,
    log: ActivityLog | Logger | LoggerAdapter[Any] | None = None,
    find_doors: Callable[[Settings], Doors] = open_doors,
    before_closing_the_log: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Service]:
    """A service that has recovered, and runs until the block ends. `log` takes the place of the settings' own. `on_order`
    is also told what recovery finds.

    If the store's owner may be dead, this waits until its lease has expired. Raises `SettingsError`, `StoreRefused`, `LeaseLost`
    (another live process owns the store), `InvalidInput` (a source that must not be read) and `BrokerError` (the first connection
    failed).
    """
    settings.check()
    _build_models()
    if supplied.brokers is not None:
        check_supplied(settings, supplied.brokers)
    supplied.check(settings)
    doors = find_doors(settings).beside(supplied)
    given_log = None if log is None else log_given(log, settings)
    is_simulated = needs_venue(settings, supplied.brokers or {})
    set_aside = await reserve_venue(settings) if is_simulated else None
    store = await open_store(settings)
    clock = clock_of(settings, not_before=await _await_turn(settings, given_log, wait=wait_for_lease))
    own_log = log_of(settings, clock)
    used_log: ActivityLog = given_log or own_log
    await _migrate(settings, used_log, wait=wait_for_lease)
    _warn_of_ignored_settings(settings, used_log)
    if is_simulated:
        used_log.write("SIMULATION", what_is_simulated(settings))
    if set_aside is not None:
        used_log.write("SIMULATION", f"A new store has a new simulated exchange; that of the store before is kept as {set_aside}")
    sparing_log = SparingLog(used_log, clock)
    views = views_at(settings.read_model_url, clock=clock)
    with closing(own_log), connections_of(settings, clock, used_log, supplied) as connections:
        try:
            engine = _engine(settings, store, connections, clock, used_log, is_shadow, on_error)
            if on_order is not None:
                engine.orders.listen(on_order)
            projector = Projector(store, views, clock, lambda error: sparing_log.write("ERROR", f"Read models: {error}"))
            feeding = [source(store, clock, used_log) for source in (*sources, *doors.sources)]
            refuse_doubled(feeding)
            outboxes = doors.outboxes(store, clock, used_log)
            packaged = [
                projector_of(settings, model, store, clock, lambda error: sparing_log.write("ERROR", f"Projection: {error}"))
                for model in doors.projections
            ]
            service = Service(engine, store.commands, views, projector, feeding, outboxes, packaged)
            await _start(service, wait_for_lease)
            try:
                yield service
            finally:
                await service.stop()
                if before_closing_the_log is not None:
                    await before_closing_the_log()
        finally:
            await views.close()


def _build_models() -> None:
    """So that no order waits for it."""
    for model in (Signal, View):
        build_all(model)


def _warn_of_ignored_settings(settings: Settings, log: ActivityLog) -> None:
    if settings.unread:
        log.write("WARNING", f"Ignored here: {', '.join(settings.unread)}; {settings.why_unread}")


async def _await_turn(settings: Settings, log: ActivityLog | None, *, wait: bool) -> datetime | None:
    """Wait until nobody owns the store, before opening anything that only its owner may have, such as the venue's file.

    Returns when its latest event was recorded. None if there is none.
    """
    clock = SystemClock()
    store = store_at(settings.store, clock=clock, expectation=expectation_of(settings))
    await store.open()
    try:
        with closing(log_of(settings, clock)) as own_log:
            await (stand_by if wait else until_free)(store.lease, clock, log or own_log)
        return await _newest_moment(store)
    finally:
        await store.close()


async def _migrate(settings: Settings, log: ActivityLog, *, wait: bool) -> None:
    """Migrate the store, once nobody owns it and before anything is opened that needs the present schema."""
    while True:
        try:
            version = await migrate(database_at(settings.store, SystemClock()), owner_name(), expectation_of(settings))
        except LeaseLost:
            if not wait:
                raise
            await _await_turn(settings, log, wait=True)  # another process took it meanwhile
            continue
        if version is not None:
            log.write("STORE", f"The store was migrated from schema {version} to {SCHEMA_VERSION}")
        return


async def _newest_moment(store: DatabaseOrderStore) -> datetime | None:
    """When the latest of our own events was recorded. Events of other programs do not count."""
    end = await store.head()
    while end > 0:
        start = max(0, end - PAGE)
        pages = [page async for page in store.log(after=start, limit=end - start)]
        moments = [item.envelope.recorded_at for page in pages for item in page if not isinstance(item.event, ForeignEvent)]
        if moments:
            return moments[-1]
        end = start
    return None


async def _start(service: Service, wait_for_lease: bool) -> None:
    try:
        with localcontext(USUAL):  # the tasks that begin here keep it
            await service.start(wait_for_lease=wait_for_lease)
    except BaseException:
        await service.stop()
        raise


def _engine(
    settings: Settings,
    store: DatabaseOrderStore,
    connections: Mapping[str, AccountConnection],
    clock: Clock,
    log: ActivityLog,
    is_shadow: bool,
    on_error: Callable[[LiveOrder, LiveOrderError], None],
) -> Engine:
    execution = ExecutionConfig(f"session-{uuid4().hex[:12]}", is_shadow)
    terms = EngineConfig(
        execution=execution,
        owner=owner_name(),
        auto_trading_default=settings.auto_trading,
        poll_seconds=settings.engine.poll_seconds,
        reconcile_seconds=settings.engine.reconcile_seconds,
        lease_seconds=settings.engine.lease_seconds,
        drain_seconds=settings.timeouts.drain_seconds,
        signals_at_once=settings.engine.signals_at_once,
        positions=settings.positions,
    )
    journal, calendars = journal_of(settings), calendars_of(settings)
    return Engine(terms, store, store.lease, connections, calendars, journal, clock, random.SystemRandom(), log, on_error)
