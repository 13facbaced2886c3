"""The composition root: the only module that names adapters. It turns settings into running parts."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

from liveorder.application.command_desk import CommandKind, carry_out
from liveorder.application.engine import Connection, Engine, EngineTerms
from liveorder.application.execute_order import ExecutionTerms
from liveorder.application.gateway import AccountTerms
from liveorder.application.outbox import Outbox
from liveorder.application.outlets import Confirmations
from liveorder.application.ports.broker import Broker, CancelRequest
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.emergency_journal import JournalledHalt
from liveorder.application.ports.event_log import EventLog
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.ports.order_store import LeaseState, StoredCommand, StoreIdentity
from liveorder.application.ports.signal_source import SignalSource
from liveorder.application.ports.views import ViewsUnavailable
from liveorder.application.projector import Progress, Projector
from liveorder.application.retry_policy import RetryPolicy
from liveorder.application.service import Service
from liveorder.application.verification import Verification
from liveorder.application.views import DoubtView, doubt_view
from liveorder.domain.doubt import doubts_of
from liveorder.domain.errors import LeaseLost, LiveOrderError, SettingsError, StoreUnavailable
from liveorder.domain.identifiers import uuid7
from liveorder.domain.order import LiveOrder
from liveorder.domain.values import OrderType
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker, capabilities_of
from liveorder.infrastructure.brokers.simulated.in_process import InProcess
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.infrastructure.brokers.simulated.venue.floor import Floor
from liveorder.infrastructure.brokers.simulated.venue.opening import catalogue_of, open_venue
from liveorder.infrastructure.brokers.simulated.venue.server import serve
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms as VenueAccount
from liveorder.infrastructure.brokers.simulated.venue.settings import PriceSource, VenueSettings, read_settings
from liveorder.infrastructure.calendars import ExchangeCalendars
from liveorder.infrastructure.clock import LoopClock, SystemClock
from liveorder.infrastructure.emergency_journal import FileEmergencyJournal
from liveorder.infrastructure.eventstore.identity import Expectation
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import create_store, sqlite_path, store_at, store_exists
from liveorder.infrastructure.logs import StructuredLog
from liveorder.infrastructure.publishers.jsonl import JsonLinesPublisher
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from liveorder.infrastructure.settings import Account, Settings, commented_toml
from liveorder.infrastructure.signals.followed_file import FollowedFile
from liveorder.infrastructure.signals.jsonl_file import JsonlFile
from liveorder.infrastructure.signals.stdin import StandardInput

__all__ = ["Reader", "Settings", "load_settings", "open_reader", "open_service", "send_command"]


MOMENT_SECONDS = 2.0
"""How long a command that owns the store for a moment waits at most for the orders to close."""


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """From file, `.env`, environment and overrides. Raises `SettingsError`."""
    return Settings.load(config, **overrides)


def settings_template() -> str:
    """A settings file with everything that can be set, its default and its unit, for `liveorder init`."""
    return commented_toml()


# --- parts -------------------------------------------------------------------------------------------------------------------


def clock_of(settings: Settings, not_before: datetime | None = None) -> Clock:
    """The machine's, or one that begins where the simulation does, or where its last run ended: history does not go back."""
    starts_at = settings.simulation.starts_at
    if starts_at is None:
        return SystemClock()
    return LoopClock(max(starts_at, not_before or starts_at))


def log_of(settings: Settings, clock: Clock, console: TextIO | None = None) -> StructuredLog:
    shown = console or (sys.stderr if settings.logs.console else None)
    return StructuredLog(clock, shown, settings.logs.directory, settings.secrets)


async def open_store(settings: Settings) -> DatabaseOrderStore:
    """The store of these settings, made if there is none; not opened yet.

    Its own clock, by which the lease runs, is the machine's even where a simulation lives at another date: other processes look at
    the same lease.
    """
    accounts = tuple(account.id for account in settings.trading_accounts)
    if not await store_exists(settings.store):
        if settings.store.startswith("sqlite"):
            sqlite_path(settings.store).parent.mkdir(parents=True, exist_ok=True)
        await create_store(
            settings.store,
            clock=SystemClock(),
            namespace=settings.namespace,
            default_account=settings.signals_account,
            mode=settings.mode.value,
            account_ids=accounts,
        )
    return store_at(settings.store, clock=SystemClock(), expectation=Expectation(settings.mode.value, accounts))


def venue_settings(settings: Settings) -> VenueSettings:
    """The venue's own file, with the quotes, seed and accounts of the simulation."""
    simulation = settings.simulation
    venue = VenueSettings() if simulation.venue_settings is None else read_settings(simulation.venue_settings)
    known = {account.account_id for account in venue.accounts}
    ours = [account for account in settings.trading_accounts if account.id not in known]
    accounts = [VenueAccount(account_id=account.id, currency=account.currency or "USD") for account in ours]
    changes: dict[str, Any] = {"accounts": (*venue.accounts, *accounts)}
    if simulation.quotes is not None:
        changes["prices"] = PriceSource(file=simulation.quotes)
    return venue.model_copy(update=changes | {"seed": simulation.seed})


@dataclass
class Venue:
    """The way to the simulated venue, and the venue itself where it lives in this process."""

    transport: Callable[[], Transport]
    settings: VenueSettings
    floor: Floor | None = None

    def close(self) -> None:
        if self.floor is not None:
            self.floor.close()


def open_simulation(settings: Settings, clock: Clock) -> Venue:
    venue, simulation = venue_settings(settings), settings.simulation
    if simulation.venue is not None:
        host, port = simulation.venue.rsplit(":", 1)
        return Venue(lambda: Tcp(host, int(port), clock), venue)
    simulation.venue_data.parent.mkdir(parents=True, exist_ok=True)
    floor = Floor(open_venue(venue, clock.now(), simulation.venue_data), venue, clock)
    return Venue(lambda: InProcess(floor, clock), venue, floor)


def account_terms(settings: Settings, account: Account) -> AccountTerms:
    retry, timeouts = settings.retry, settings.timeouts
    return AccountTerms(
        account_id=account.id,
        currency=account.currency or settings.default_currency,
        mode=settings.mode,
        limits=settings.limits(account.id, account.currency or ""),
        limits_by_currency={name: settings.limits(account.id, name) for name in account.risk_by_currency},
        default_exchange=account.exchange,
        default_product=account.product,
        retry=RetryPolicy(retry.max_attempts, retry.first_wait_seconds, retry.max_wait_seconds),
        call_timeout_seconds=timeouts.broker_call_seconds,
        market_timeout_seconds=timeouts.market_order_seconds,
        day_limit_timeout_seconds=timeouts.day_limit_order_seconds,
        breaker_failures=settings.engine.circuit_breaker_failures,
    )


@dataclass(frozen=True)
class OwnBroker:
    """A broker of the user's own, with where its prices and instruments come from."""

    broker: Broker
    market_data: MarketData
    instruments: Instruments


def connections_of(
    settings: Settings, clock: Clock, venue: Venue | None, supplied: Mapping[str, OwnBroker]
) -> dict[str, Connection]:
    """One for each account of the settings. Raises `SettingsError` for a broker that is not there."""
    return {
        account.id: _supplied(settings, account, supplied[account.id])
        if account.id in supplied
        else _simulated(settings, account, venue)
        for account in settings.trading_accounts
    }


def _supplied(settings: Settings, account: Account, own: OwnBroker) -> Connection:
    return Connection(account_terms(settings, account), own.broker, own.market_data, own.instruments)


def _simulated(settings: Settings, account: Account, venue: Venue | None) -> Connection:
    if venue is None or account.broker != "simulated":
        raise SettingsError(
            f'account {account.id!r}: no adapter for broker {account.broker!r} is installed; use broker = "simulated" '
            "or give Runner your own"
        )
    transport = venue.transport()
    return Connection(
        account_terms(settings, account),
        SimulatedBroker(transport, account_id=account.id, capabilities=account.adjusted(capabilities_of(venue.settings))),
        SimulatedMarketData(transport),
        SimulatedInstruments(catalogue_of(venue.settings)),
    )


def owner_name() -> str:
    """Who owns a store, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


def journal_path(settings: Settings) -> Path:
    """Beside the store; beside the read models' default where the store is a server's."""
    if settings.store.startswith("sqlite"):
        return sqlite_path(settings.store).with_suffix(".emergency.jsonl")
    return Path("var/liveorder.emergency.jsonl")


# --- services ----------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_service(
    settings: Settings,
    *,
    sources: Sequence[Callable[[DatabaseOrderStore, Clock], SignalSource]] = (),
    supplied: Mapping[str, OwnBroker] | None = None,
    is_shadow: bool = False,
    wait_for_lease: bool = False,
    on_error: Callable[[LiveOrder, LiveOrderError], None] = lambda order, error: None,
    log: EventLog | None = None,
) -> AsyncIterator[Service]:
    """A service that has recovered and runs until the block ends.

    Raises `SettingsError`, `StoreRefused`, `LeaseLost` (another process owns the store) and `BrokerError` (no first connection).
    """
    settings.check()
    store = await open_store(settings)
    clock = clock_of(settings, not_before=await _await_turn(settings, log, wait=wait_for_lease))
    own_log = log_of(settings, clock)
    told: EventLog = log or own_log
    needs_venue = any(account.id not in (supplied or {}) for account in settings.trading_accounts)
    venue = open_simulation(settings, clock) if settings.mode.value == "SIMULATION" and needs_venue else None
    views = views_at(settings.read_model_url, clock=clock)
    try:
        connections = connections_of(settings, clock, venue, supplied or {})
        engine = _engine(settings, store, connections, clock, told, is_shadow, on_error)
        projector = Projector(store, views, clock, lambda error: told.write("ERROR", f"Read models: {error}"))
        feeding = [source(store, clock) for source in sources]
        service = Service(engine, store.commands, views, projector, feeding, _outboxes(settings, store, clock, told))
        await _start(service, wait_for_lease)
        try:
            yield service
        finally:
            await service.stop()
    finally:
        await views.close()
        if venue is not None:
            venue.close()
        own_log.close()


async def _await_turn(settings: Settings, log: EventLog | None, *, wait: bool) -> datetime | None:
    """Return once nobody owns the store, before anything is opened that only its owner may have, such as the venue's file.

    Returns when its newest fact was recorded; None while there is none.
    """
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    told = None
    try:
        while (held := await store.lease.state()) is not None and held.is_held:
            if not wait:
                raise LeaseLost(f"this store is owned by {held.owner}; stop it first, or wait as its standby")
            if told != held.owner:
                with closing(log_of(settings, SystemClock())) as own_log:
                    (log or own_log).write("LEASE", f"Standing by: this store is owned by {held.owner}")
                told = held.owner
            await asyncio.sleep(max((held.expires_at - held.now).total_seconds(), 0.05))
        return await _newest_moment(store)
    finally:
        await store.close()


async def _newest_moment(store: DatabaseOrderStore) -> datetime | None:
    head = await store.head()
    async for page in store.log(after=head - 1):
        return page[-1].envelope.recorded_at
    return None


async def _start(service: Service, wait_for_lease: bool) -> None:
    try:
        await service.start(wait_for_lease=wait_for_lease)
    except BaseException:
        await service.stop()
        raise


def _outboxes(settings: Settings, store: DatabaseOrderStore, clock: Clock, log: EventLog) -> list[Outbox]:
    if settings.confirmations is None:
        return []
    outlet = Confirmations(JsonLinesPublisher(settings.confirmations))
    return [Outbox(store, outlet, clock, lambda error: log.write("ERROR", f"Confirmations: {error}"))]


def _engine(
    settings: Settings,
    store: DatabaseOrderStore,
    connections: Mapping[str, Connection],
    clock: Clock,
    log: EventLog,
    is_shadow: bool,
    on_error: Callable[[LiveOrder, LiveOrderError], None],
) -> Engine:
    execution = ExecutionTerms(settings.namespace, settings.signals_account, f"session-{uuid4().hex[:12]}", is_shadow)
    terms = EngineTerms(
        execution=execution,
        owner=owner_name(),
        auto_trading_default=settings.auto_trading,
        poll_seconds=settings.engine.poll_seconds,
        reconcile_seconds=settings.engine.reconcile_seconds,
        lease_seconds=settings.engine.lease_seconds,
        drain_seconds=settings.timeouts.drain_seconds,
        signals_at_once=settings.engine.signals_at_once,
    )
    journal = FileEmergencyJournal(journal_path(settings))
    return Engine(terms, store, store.lease, connections, ExchangeCalendars(), journal, clock, random.SystemRandom(), log, on_error)


def file_source(settings: Settings, path: Path, *, follow: bool) -> Callable[[DatabaseOrderStore, Clock], SignalSource]:
    """JSON Lines from a file: once, or as it grows."""
    if follow:
        return lambda store, clock: FollowedFile(path, store, clock, settings.engine.source_poll_seconds)
    return lambda store, clock: JsonlFile(path)


def stdin_source() -> Callable[[DatabaseOrderStore, Clock], SignalSource]:
    return lambda store, clock: StandardInput()


# --- readers -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """A store opened for questions, with its read models level with the log."""

    store: DatabaseOrderStore
    views: SqlViews
    projector: Projector
    identity: StoreIdentity

    async def lease_state(self) -> LeaseState | None:
        return await self.store.lease.state()


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Reader]:
    """Works beside a running service and without one. Raises `StoreRefused` where there is no store."""
    clock = SystemClock()
    store = store_at(settings.store, clock=clock)
    views = views_at(settings.read_model_url, clock=clock)
    identity = await store.open()
    try:
        projector = Projector(store, views, clock, lambda error: None)
        projector.follow(identity.store_id)
        await projector.catch_up()
        yield Reader(store, views, projector, identity)
    finally:
        await views.close()
        await store.close()


async def rebuild_views(settings: Settings, on_progress: Progress) -> int:
    """Make all read models anew from the log; the position reached. Nothing is sent and nobody is told."""
    async with open_reader(settings) as reader:
        return await reader.projector.rebuild(on_progress)


async def verify_views(settings: Settings, on_progress: Progress) -> Verification:
    """Compare the read models with what the log makes of them."""
    async with open_reader(settings) as reader:
        return await reader.projector.verify(on_progress)


# --- commands ----------------------------------------------------------------------------------------------------------------


async def send_command(
    settings: Settings,
    kind: CommandKind,
    arguments: dict[str, Any],
    *,
    actor: str,
    timeout_seconds: float = 30.0,
) -> dict[str, Any]:
    """Have the store's owner carry it out; where nobody owns the store, own it for a moment and carry it out here.

    Raises `StoreUnavailable` when an owner does not answer in time: the command stands in its table and may still be carried out.
    """
    store = store_at(settings.store, clock=SystemClock()) if await store_exists(settings.store) else None
    if store is not None:
        await store.open()
        try:
            lease = await store.lease.state()
            if lease is not None and lease.is_held:
                return await _ask_owner(store, kind, arguments, actor, timeout_seconds, lease.owner)
        finally:
            await store.close()
    async with open_service(settings) as service:
        answer = await carry_out(service.engine, kind, arguments, actor)
        await _come_to_rest(service.engine)
        with suppress(ViewsUnavailable):  # what was done stands; whoever reads next brings them level
            await service.settle_views()
        return answer


async def standing_doubts(settings: Settings, *, actor: str, timeout_seconds: float = 5.0) -> Sequence[DoubtView]:
    """As the service that runs knows them, asked and answered; from the log alone where none runs or answers in time."""
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        lease = await store.lease.state()
        if lease is not None and lease.is_held:
            with suppress(StoreUnavailable):
                answer = await _ask_owner(store, CommandKind.DOUBTS, {}, actor, timeout_seconds, lease.owner)
                return [DoubtView.model_validate(doubt) for doubt in answer["result"]]
        orders = [LiveOrder.replay(facts) for facts in (await store.unfinished()).values()]
        return [doubt_view(doubt, is_being_asked=False) for order in orders for doubt in doubts_of(order)]
    finally:
        await store.close()


async def _come_to_rest(engine: Engine) -> None:
    """Nobody follows the orders when we are gone: give what was just sent a moment to be filled."""
    give_up_at = engine.clock.monotonic() + MOMENT_SECONDS
    while not engine.is_quiet and engine.clock.monotonic() < give_up_at:
        await engine.clock.sleep(0.05)


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
        raise StoreUnavailable(
            f"{owner} owns the store and did not answer {kind} within {seconds:g} s; it may still do it: see `liveorder status`"
        ) from None


# --- upkeep ------------------------------------------------------------------------------------------------------------------


async def backup(settings: Settings, target: str) -> None:
    """A consistent copy of the store, verified, while it is in use."""
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        await store.backup(target)
    finally:
        await store.close()


async def serve_venue(settings: Settings, *, host: str, port: int, data: Path | None, ready_file: Path | None) -> None:
    """The simulated venue as a process of its own, until cancelled."""
    await serve(venue_settings(settings), clock_of(settings), host=host, port=port, data=data, ready_file=ready_file)


@dataclass(frozen=True)
class BrokerCheck:
    """Whether an account's broker can be reached with the settings' credentials."""

    account_id: str
    broker: str
    problem: str | None


async def check_brokers(settings: Settings) -> list[BrokerCheck]:
    """Connect to every account's broker and ask which account it is; nothing is ordered."""
    clock = clock_of(settings)
    venue = open_simulation(settings, clock) if settings.mode.value == "SIMULATION" else None
    try:
        connections = connections_of(settings, clock, venue, {})
        return [await _checked(connection) for connection in connections.values()]
    finally:
        if venue is not None:
            venue.close()


async def _checked(connection: Connection) -> BrokerCheck:
    problem = None
    try:
        account = await connection.broker.connect()
        if account.mode is not connection.terms.mode:
            problem = f"it is {account.mode} and the settings say {connection.terms.mode}"
    except LiveOrderError as error:
        problem = str(error)
    finally:
        await connection.broker.close()
    return BrokerCheck(connection.terms.account_id, connection.broker.name, problem)


@dataclass(frozen=True)
class EmergencyReport:
    """What an emergency stop did without the store. `is_durable`: written down, so that no service sends when it is back."""

    is_durable: bool
    cancelled: tuple[str, ...]
    not_cancelled: tuple[str, ...]
    remaining: tuple[str, ...]


async def emergency_kill(settings: Settings, detail: str, actor: str, *, cancel_all: bool = False) -> EmergencyReport:
    """Halt and cancel without the store: the halt is journalled beside it, the brokers are spoken to directly.

    Orders whose role nobody can look up are taken for entries, unless the broker says that they are stops; `cancel_all` cancels
    those too.
    """
    clock = clock_of(settings)
    is_durable = FileEmergencyJournal(journal_path(settings)).write(JournalledHalt(detail, actor, clock.now()))
    venue = open_simulation(settings, clock) if settings.mode.value == "SIMULATION" else None
    done: list[str] = []
    failed: list[str] = []
    left: list[str] = []
    try:
        for connection in connections_of(settings, clock, venue, {}).values():
            await _cancel_everything(connection, done, failed, left, cancel_all=cancel_all)
    finally:
        if venue is not None:
            venue.close()
    return EmergencyReport(is_durable, tuple(done), tuple(failed), tuple(left))


async def _cancel_everything(
    connection: Connection, done: list[str], failed: list[str], left: list[str], *, cancel_all: bool
) -> None:
    broker, account_id = connection.broker, connection.terms.account_id
    try:
        await broker.connect()
        for order in await broker.open_orders():
            name = f"{account_id}: {order.broker_order_id} {order.symbol}"
            if order.order_type in _STOPS and not cancel_all:
                left.append(f"{name}, a stop, kept")
                continue
            request = CancelRequest(order.client_order_id or "", order.broker_order_id, account_id)
            try:
                await broker.cancel(broker.prepare(request))
                done.append(name)
            except LiveOrderError as error:
                failed.append(f"{name}: {error}")
        left += [f"{account_id}: position {p.instrument.key} {p.quantity:f}" for p in await broker.positions() if p.quantity]
    except LiveOrderError as error:
        failed.append(f"{account_id}: {error}")
    finally:
        await broker.close()


_STOPS = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
