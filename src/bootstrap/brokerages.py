"""Each account's broker, by its name in the settings. A new adapter is registered here and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias

from pydantic import BaseModel, SecretStr, ValidationError

from liveorder.application.engine.engine import AccountConnection
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.plugin import BrokerPlugin
from liveorder.application.reporting.views import AccountView, account_view
from liveorder.application.risk.account_figures import with_equity
from liveorder.application.runtime.concurrently import concurrently
from liveorder.application.runtime.sparing_log import SparingLog
from liveorder.bootstrap.parts import clock_of, log_of
from liveorder.bootstrap.registry import Plugin, Registry
from liveorder.bootstrap.simulation import OpenedVenue, open_simulation, simulated_brokerage
from liveorder.bootstrap.supplied import NOTHING_SUPPLIED, Supplied
from liveorder.domain.account_config import AccountConfig, RetryPolicy
from liveorder.domain.errors import LiveOrderError, SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings import AccountSettings, Settings

OpenBrokerage: TypeAlias = Callable[[Settings, AccountSettings, Clock, ActivityLog], Brokerage]

ADAPTERS = {"alpaca": "alpaca", "kite": "kite", "ibkr": "ibkr] or liveorder[ib-async"}
"""By broker name, which is also the adapter package's name: the extra that installs its client library."""


@contextmanager
def connections_of(
    settings: Settings,
    clock: Clock,
    log: ActivityLog,
    supplied: Supplied = NOTHING_SUPPLIED,
    on_error: Callable[[AccountSettings, Exception], None] | None = None,
) -> Iterator[dict[str, AccountConnection]]:
    """A connection for each account of the settings.

    Raises `SettingsError` for a missing broker. With `on_error`, calls that instead, and connects the others.
    """
    own = supplied.brokers or {}
    venue = open_simulation(settings, clock) if needs_venue(settings, own) else None
    try:
        made: dict[str, AccountConnection] = {}
        for account in settings.trading_accounts:
            try:
                parts, is_at_venue = own.get(account.id), venue is not None and account.id not in own
                if parts is None:
                    parts = supplied.brokerage(account.id, _brokerage(settings, account, clock, log, venue))
                made[account.id] = _connection(settings, settings.at_the_venue(account) if is_at_venue else account, parts)
            except Exception as error:
                if on_error is None:
                    raise
                on_error(account, error)
        yield made
    finally:
        if venue is not None:
            venue.close()


def needs_venue(settings: Settings, supplied: Mapping[str, Brokerage]) -> bool:
    """Whether an account is traded at the simulated venue."""
    is_simulation = settings.mode is TradingMode.SIMULATION
    return is_simulation and any(account.id not in supplied for account in settings.trading_accounts)


def check_supplied(settings: Settings, supplied: Mapping[str, Brokerage]) -> None:
    """Raises `SettingsError` if an embedding program's own brokers are invalid, or belong to an account that is not traded."""
    if not isinstance(supplied, Mapping):
        raise SettingsError(f"brokers: a {type(supplied).__name__} is not a mapping; give {{account id: Brokerage}}")
    if not supplied:
        raise SettingsError("brokers: an empty mapping; name an account, or leave it out to use the brokers in the settings")
    accounts = [account.id for account in settings.trading_accounts]
    unread = [each.id for each in settings.accounts if each.id in supplied and each.options and each.broker not in ADAPTERS]
    for name, given in supplied.items():
        if name not in accounts:
            remedy = f"use {' or '.join(accounts)}, or add it: accounts=[{{'id': {name!r}}}]"
            raise SettingsError(f"brokers: {name!r} is not an account that the settings trade; {remedy}")
        if not isinstance(given, Brokerage):
            raise SettingsError(
                f"brokers: {name!r} has a {type(given).__name__}, not a Brokerage; give Brokerage(broker, market_data, instruments)"
            )
    if unread:
        raise SettingsError(f"account {unread[0]!r}: nothing reads its options, since its Brokerage is given; leave them out")


def brokerage_of(settings: Settings, account: AccountSettings, clock: Clock, log: ActivityLog) -> Brokerage:
    """A real broker's adapters for one account. Raises `SettingsError`, also if its client library is not installed."""
    return BROKERS.named(account.broker, f"account {account.id!r}: broker", settings.secrets)(settings, account, clock, log)


def _built_in(settings: Settings, account: AccountSettings, clock: Clock, log: ActivityLog) -> Brokerage:
    adapter: Callable[[AccountAccess, Any], Brokerage] = adapter_module(account, "assembly").brokerage
    return adapter(access_of(settings, account, clock, log), settings.broker_section(account))


def _plugin(plugin: Plugin) -> OpenBrokerage:
    loaded = plugin.load()
    if not isinstance(loaded, BrokerPlugin):
        raise plugin.failure("cannot be used", f"it is a {type(loaded).__name__}, not a BrokerPlugin(settings, open)")

    def brokerage(settings: Settings, account: AccountSettings, clock: Clock, log: ActivityLog) -> Brokerage:
        options = settings.plugin_options(account)
        hidden = [SecretStr(str(options[name])) for name in _secret_fields(loaded.settings) if name in options]
        censor = Censor((*settings.secrets, *hidden))
        with plugin.blamed(censor):
            try:
                section = loaded.settings.model_validate(options)
            except ValidationError as error:
                raise SettingsError(_first_of(error, account, loaded.settings)) from None
            made = loaded.open(access_of(settings, account, clock, log), section)
        return plugin.demanded(made, "Brokerage", ("broker", "market_data", "instruments"))

    return brokerage


def _secret_fields(model: type[BaseModel]) -> list[str]:
    return [name for name, info in model.model_fields.items() if "Secret" in str(info.annotation)]


def _first_of(error: ValidationError, account: AccountSettings, model: type[BaseModel]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    option = ".".join(str(part) for part in first["loc"])
    known = ", ".join(model.model_fields) or "none"
    return f"{option} in [brokers.{account.broker}] or the options of {account.id!r}: {first['msg']}; its settings are {known}"


def access_of(settings: Settings, account: AccountSettings, clock: Clock, log: ActivityLog) -> AccountAccess:
    return AccountAccess(
        account.id,
        settings.mode,
        account.currency or settings.default_currency,
        settings.timeouts.broker_call_seconds,
        account.adjusted,
        clock,
        SparingLog(log, clock),
    )


@asynccontextmanager
async def open_brokerage(settings: Settings, account_id: str) -> AsyncIterator[tuple[Brokerage, Clock]]:
    """One account's broker for questions, without a store. Not connected yet; closed at the end."""
    clock = clock_of(settings)
    with closing(log_of(settings, clock)) as log, connections_of(settings, clock, log) as connections:
        found = connections[account_id]
        try:
            yield Brokerage(found.broker, found.market_data, found.instruments), clock
        finally:
            await found.broker.close()


async def accounts_at_brokers(settings: Settings, account_id: str | None = None) -> Sequence[AccountView]:
    """The figures of one account, or of all, from the brokers. An account that cannot be asked carries the problem."""
    clock, problems = clock_of(settings), dict[str, str]()
    wanted = [account for account in settings.trading_accounts if account_id in (None, account.id)]
    with (
        closing(log_of(settings, clock)) as log,
        connections_of(settings, clock, log, on_error=lambda each, error: problems.update({each.id: str(error)})) as connections,
    ):

        async def asked(account: AccountSettings) -> AccountView:
            if account.id in problems:
                return account_view(account.id, account.broker, None, clock.now(), problems[account.id])
            return await _asked(connections[account.id], clock)

        return await concurrently(asked, wanted)


async def _asked(connection: AccountConnection, clock: Clock) -> AccountView:
    terms, broker = connection.terms, connection.broker
    try:
        account = with_equity(await broker.connect(), terms.equity, clock.now())
        return account_view(terms.account_id, broker.name, account, clock.now(), None)
    except LiveOrderError as error:
        return account_view(terms.account_id, broker.name, None, clock.now(), str(error))
    finally:
        await broker.close()


def _brokerage(
    settings: Settings, account: AccountSettings, clock: Clock, log: ActivityLog, venue: OpenedVenue | None
) -> Brokerage:
    return simulated_brokerage(account, venue) if venue is not None else brokerage_of(settings, account, clock, log)


def adapter_module(account: AccountSettings, name: str) -> ModuleType:
    """A module of the adapter of the account's broker. Raises `SettingsError` if its client library is not installed."""
    try:
        return import_module(f"liveorder.infrastructure.brokers.{account.broker}.{name}")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("liveorder"):
            raise
        raise SettingsError(
            f"account {account.id!r}: {account.broker} needs {error.name}, which is not installed; "
            f"pip install 'liveorder[{ADAPTERS[account.broker]}]'"
        ) from error


BROKERS: Registry[OpenBrokerage] = Registry(
    "broker", "liveorder.brokers", dict.fromkeys(ADAPTERS, _built_in), _plugin, or_else=", or give Runner your own"
)


def _connection(settings: Settings, account: AccountSettings, parts: Brokerage) -> AccountConnection:
    return AccountConnection(account_terms(settings, account), parts.broker, parts.market_data, parts.instruments)


def account_terms(settings: Settings, account: AccountSettings) -> AccountConfig:
    retry, timeouts, limits = settings.retry, settings.timeouts, account.limits(settings.risk, account.currency or "")
    return AccountConfig(
        account_id=account.id,
        currency=account.currency or settings.default_currency,
        mode=settings.mode,
        limits=limits,
        limits_by_currency={name: account.limits(settings.risk, name) for name in account.risk_by_currency},
        tables=account.tables(limits),
        equity=account.equity,
        default_exchange=account.exchange,
        default_product=account.product,
        retry=RetryPolicy(retry.max_attempts, retry.first_wait_seconds, retry.max_wait_seconds),
        call_timeout_seconds=timeouts.broker_call_seconds,
        market_timeout_seconds=timeouts.market_order_seconds,
        day_limit_timeout_seconds=timeouts.day_limit_order_seconds,
        breaker_failures=settings.engine.circuit_breaker_failures,
    )
