"""Settings turned into parts: clock, log, store, the simulated exchange, and a connection for each account."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TextIO

from liveorder.application.engine import Connection
from liveorder.application.gateway import AccountTerms
from liveorder.application.ports.broker import Broker
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.instruments import Instruments
from liveorder.application.ports.market_data import MarketData
from liveorder.application.retry_policy import RetryPolicy
from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.brokers.simulated.broker import SimulatedBroker, capabilities_of
from liveorder.infrastructure.brokers.simulated.in_process import InProcess
from liveorder.infrastructure.brokers.simulated.instruments import SimulatedInstruments
from liveorder.infrastructure.brokers.simulated.market_data import SimulatedMarketData
from liveorder.infrastructure.brokers.simulated.tcp import Tcp
from liveorder.infrastructure.brokers.simulated.transport import Transport
from liveorder.infrastructure.brokers.simulated.venue.floor import Floor
from liveorder.infrastructure.brokers.simulated.venue.opening import catalogue_of, open_venue
from liveorder.infrastructure.brokers.simulated.venue.settings import AccountTerms as VenueAccount
from liveorder.infrastructure.brokers.simulated.venue.settings import PriceSource, VenueSettings, read_settings
from liveorder.infrastructure.clock import LoopClock, SystemClock
from liveorder.infrastructure.eventstore.identity import Expectation
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.store_by_url import create_store, sqlite_path, store_at, store_exists
from liveorder.infrastructure.logs import StructuredLog
from liveorder.infrastructure.settings import Account, Settings, commented_toml


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """From file, `.env`, environment and overrides. Raises `SettingsError`."""
    return Settings.load(config, **overrides)


def settings_template() -> str:
    """A settings file with everything that can be set, its default and its unit, for `liveorder init`."""
    return commented_toml()


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


@contextmanager
def connections_of(
    settings: Settings, clock: Clock, supplied: Mapping[str, OwnBroker] = MappingProxyType({})
) -> Iterator[dict[str, Connection]]:
    """One for each account of the settings. Raises `SettingsError` for a broker that is not there."""
    needs_venue = any(account.id not in supplied for account in settings.trading_accounts)
    venue = open_simulation(settings, clock) if settings.mode is TradingMode.SIMULATION and needs_venue else None
    try:
        yield {
            account.id: _supplied(settings, account, supplied[account.id])
            if account.id in supplied
            else _simulated(settings, account, venue)
            for account in settings.trading_accounts
        }
    finally:
        if venue is not None:
            venue.close()


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
