"""Tasks beside trading: backups, the simulated venue as its own process, checks of brokers and calendars."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import SystemRandom
from urllib.parse import quote

from liveorder.application.engine.choose_default_account import choose_default_account
from liveorder.application.engine.engine import AccountConnection
from liveorder.application.recording import Recorder
from liveorder.bootstrap.brokerages import connections_of
from liveorder.bootstrap.parts import calendars_of, clock_of, expectation_of, log_of, owner_name, without_secrets
from liveorder.bootstrap.simulation import venue_settings
from liveorder.domain.errors import InvalidInput, LeaseLost, LiveOrderError, SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.calendars import calendar_of_exchange
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.database_url import HOW_TO_WRITE, NOT_SHOWN, DatabaseUrl, PostgresUrl, SqliteUrl, database_url
from liveorder.infrastructure.eventstore.migrations import migrate
from liveorder.infrastructure.eventstore.store_by_url import database_at, identity_at, store_at
from liveorder.infrastructure.settings import Settings
from liveorder.testing.venue.server import serve

MOMENT_SECONDS = 15.0
"""Maximum time for which a command that changes a store owns it."""


async def backup(settings: Settings, target: str) -> str:
    """Make a verified, consistent copy of the store while it is in use. Returns where it is, in a form to show.

    `target`: a file, or a database URL of the same kind as the store's. Raises `InvalidInput` otherwise.
    """
    copy = _place_of_copy(settings, target)
    store = store_at(settings.store, clock=SystemClock())
    await store.open()
    try:
        await store.backup(target if isinstance(copy, PostgresUrl) else str(copy.path))
    finally:
        await store.close()
    return str(copy) if isinstance(copy, PostgresUrl) else str(copy.path)


def _place_of_copy(settings: Settings, target: str) -> DatabaseUrl:
    try:
        copy = database_url(target if "://" in target else f"sqlite:///{quote(target, safe='/:@')}")
    except SettingsError:
        copy = None
    if copy is None or (isinstance(copy, SqliteUrl) and without_secrets(str(copy.path)) != str(copy.path)):
        raise InvalidInput("target", NOT_SHOWN, HOW_TO_WRITE)
    if isinstance(copy, SqliteUrl) and not copy.path.absolute().parent.is_dir():
        raise InvalidInput("target", f"there is no folder {copy.path.parent}", "make it first, or name another file")
    if type(copy) is not type(database_url(settings.store)):
        there, here = ("a file", "PostgreSQL") if isinstance(copy, SqliteUrl) else ("PostgreSQL", "a file")
        raise InvalidInput("target", f"this is {there}, and the store is in {here}", "name a target of the same kind")
    return copy


async def change_default_account(settings: Settings, account_id: str, evidence: str, actor: str) -> None:
    """Runs offline, as the store's owner. Raises `LeaseLost` while a service runs, `InvalidInput` for an account that is not
    traded.
    """
    traded = [account.id for account in settings.trading_accounts]
    if account_id not in traded:
        raise InvalidInput("ID", f"{account_id} is not traded by these settings", f"name one of {', '.join(traded)}")
    if not evidence.strip():
        raise InvalidInput("evidence", "is empty", "say why signals that name no account go there")
    clock = SystemClock()
    known = await identity_at(settings.store, clock)
    expectation = replace(expectation_of(settings), default_account=known.default_account)
    await migrate(database_at(settings.store, clock), owner_name(), expectation)
    store = store_at(settings.store, clock=clock, expectation=expectation)
    await store.open()
    try:
        if (epoch := await store.lease.acquire(owner_name(), MOMENT_SECONDS)) is None:
            raise LeaseLost("a service owns this store; stop it first")
        identity = await store.identify()
        recorder = Recorder(store, clock, SystemRandom())
        recorder.epoch = epoch
        if identity.default_account != account_id:
            await choose_default_account(store, recorder, account_id, evidence, actor)
        await store.lease.release()
    finally:
        await store.close()


async def serve_venue(settings: Settings, *, host: str, port: int, data: Path | None, ready_file: Path | None) -> None:
    """Run the simulated venue as its own process, until cancelled."""
    await serve(venue_settings(settings), clock_of(settings), host=host, port=port, data=data, ready_file=ready_file)


@dataclass(frozen=True)
class BrokerCheck:
    """Whether an account's broker can be reached with the settings' credentials."""

    account_id: str
    broker: str
    problem: str | None


async def check_brokers(settings: Settings) -> list[BrokerCheck]:
    """Connect to every account's broker and ask for its account. Sends no order."""
    clock = clock_of(settings)
    with closing(log_of(settings, clock)) as log, connections_of(settings, clock, log) as connections:
        return [await _checked(connection) for connection in connections.values()]


async def _checked(connection: AccountConnection) -> BrokerCheck:
    problem = None
    try:
        account = await connection.broker.connect()
        if account.mode is not connection.terms.mode:
            problem = f"it is {account.mode}, but the settings say {connection.terms.mode}"
    except LiveOrderError as error:
        problem = str(error)
    finally:
        await connection.broker.close()
    return BrokerCheck(connection.terms.account_id, connection.broker.name, problem)


@dataclass(frozen=True)
class CalendarCheck:
    """How far an exchange calendar reaches. After its last session, nothing that trades by it can be ordered."""

    name: str
    last_session: date
    days_left: int
    """Days from today to the last session. Negative if it has passed."""


def check_calendars(settings: Settings, ordered: Collection[str]) -> list[CalendarCheck]:
    """Check the calendars of the accounts' default exchanges, unless the simulated market never closes, and those `ordered` so
    far. Raises `InvalidInput` for an unknown one.
    """
    is_always_open = settings.mode is TradingMode.SIMULATION and venue_settings(settings).hours == "always"
    accounts = () if is_always_open else settings.trading_accounts
    exchanges = {account.exchange for account in accounts if account.exchange is not None}
    names = {calendar_of_exchange(exchange) for exchange in exchanges} | set(ordered)
    calendars, today = calendars_of(settings), clock_of(settings).now().date()
    ends = {name: calendars.last_session(name) for name in sorted(name for name in names if name is not None)}
    return [CalendarCheck(name, end, (end - today).days) for name, end in ends.items() if end is not None]
