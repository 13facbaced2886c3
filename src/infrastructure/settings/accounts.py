"""What the settings mean for trading: the mode, the accounts, and whether they are complete."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.settings.explaining import all_of
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.http import check_http
from liveorder.infrastructure.settings.limit_tables import check_limit_tables
from liveorder.infrastructure.settings.names import environment_name
from liveorder.infrastructure.settings.sections import AccountSettings, Section
from liveorder.infrastructure.settings.simulation_profile import CURRENCIES, simulated_limits
from liveorder.infrastructure.settings.unread import check_unread, check_unread_options
from liveorder.infrastructure.settings.variables import filled_in

SIMULATED = "simulated"
SIMULATED_ACCOUNT = "SIM"
REQUIRED_OPTIONS = {"alpaca": ("api_key", "secret_key"), "kite": ("api_key", "access_token"), "ibkr": ("host",)}
"""Required options by broker. If any of them is set, the user wants to trade there."""
_IN_PLACE_OF = {"access_token": "access_token_file"}
"""Options that can replace a required one."""


def mode(settings: SettingsFields) -> TradingMode:
    if _wants_simulation(settings):
        return TradingMode.SIMULATION
    if settings.trading_mode is not None:
        return settings.trading_mode
    real = [
        *_brokers_with_credentials(settings),
        *(account.broker for account in _traded(settings) if account.broker != SIMULATED),
    ]
    if real:
        raise SettingsError(
            f"TRADING_MODE is not set, but {real[0]} is configured; "
            "set TRADING_MODE to PAPER or LIVE, or to SIMULATION to trade at the simulated venue"
        )
    return TradingMode.SIMULATION


def trading_accounts(settings: SettingsFields) -> tuple[AccountSettings, ...]:
    accounts = tuple(_with_defaults(settings, account) for account in _declared(settings))
    if not accounts:
        raise SettingsError(_nothing_to_trade_at(settings))
    return accounts


def named(account_id: str, accounts: Iterable[AccountSettings]) -> AccountSettings:
    by_id = {account.id: account for account in accounts}
    if account_id not in by_id:
        close = difflib.get_close_matches(account_id, by_id, n=1) or list(by_id)
        raise SettingsError(f"no account {account_id!r} among [[accounts]]; did you mean {close[0]!r}?")
    return by_id[account_id]


def at_the_venue(settings: SettingsFields, account: AccountSettings) -> AccountSettings:
    declared = next((each for each in settings.accounts if each.id == account.id), None)
    if declared is not None and declared.broker != SIMULATED:
        return account
    own, chosen = account.currency or settings.default_currency, settings.risk.model_fields_set
    changes: dict[str, Any] = {"risk": simulated_limits(own, chosen) | account.risk}
    if declared is None:  # it trades all that the venue lists
        changes["risk_by_currency"] = {name: simulated_limits(name, chosen) for name in CURRENCIES if name != own}
    return account.model_copy(update=changes)


def broker_options(settings: SettingsFields, account: AccountSettings) -> dict[str, Any]:
    general = dict(getattr(settings, account.broker)) if account.broker in REQUIRED_OPTIONS else {}
    return general | account.options


def broker_section(settings: SettingsFields, account: AccountSettings) -> Section:
    kind: type[Section] = type(getattr(settings, account.broker)) if account.broker in REQUIRED_OPTIONS else Section
    try:
        return kind.model_validate(broker_options(settings, account))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        option = ".".join(str(part) for part in first["loc"])
        known = f"its options are {', '.join(kind.model_fields) or 'none'}"
        raise SettingsError(f"account {account.id!r}: options.{option}: {first['msg']}; {known}") from None


def is_plugin(broker: str) -> bool:
    """Whether the broker comes from an installed package or from the embedding program."""
    return broker != SIMULATED and broker not in REQUIRED_OPTIONS


def plugin_options(settings: SettingsFields, account: AccountSettings) -> dict[str, Any]:
    general = filled_in(settings.brokers.get(account.broker, {}), f"brokers.{account.broker}")
    options: dict[str, Any] = general | filled_in(account.options, f"account {account.id!r}: options")
    return options


def check(settings: SettingsFields) -> None:
    if settings.broker not in (None, SIMULATED) and mode(settings) is TradingMode.SIMULATION:
        raise SettingsError(
            f"broker is {settings.broker}, but the mode is SIMULATION; set TRADING_MODE to PAPER or LIVE with its credentials, "
            "or leave broker unset"
        )
    if settings.trading_mode not in (None, TradingMode.SIMULATION) and _asks_for_mock(settings):
        raise SettingsError(
            f"TRADING_MODE is {settings.trading_mode}, but the simulated broker is requested; "
            "unset one of TRADING_MODE and USE_MOCK_BROKER"
        )
    accounts = trading_accounts(settings)
    ids = [account.id for account in (*accounts, *(each for each in settings.accounts if each.closed))]
    if len(set(ids)) < len(ids):
        raise SettingsError(
            f"[[accounts]]: {next(name for name in ids if ids.count(name) > 1)!r} is used twice; give each account its own id"
        )
    is_simulation = mode(settings) is TradingMode.SIMULATION
    limited = [at_the_venue(settings, each) for each in accounts] if is_simulation else accounts
    _check_all(
        partial(_check_default, settings, accounts),
        partial(check_unread, settings),
        partial(check_http, settings.http),
        *(partial(check_limit_tables, account, account.limits(settings.risk, account.currency or "")) for account in limited),
        *(partial(broker_section, settings, account) for account in settings.accounts if not is_plugin(account.broker)),
        partial(_check_plugin_tables, settings),
        *(partial(_check_real, settings, account) for account in accounts if not is_simulation),
    )


def _check_all(*checks: Callable[[], object]) -> None:
    """Raises one `SettingsError` for all that fail."""
    problems: list[str] = []
    for check_one in checks:
        try:
            check_one()
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise all_of(problems)


def _check_plugin_tables(settings: SettingsFields) -> None:
    used = {account.broker for account in settings.accounts}
    for name in settings.brokers:
        if not is_plugin(name):
            remedy = "it has no settings" if name == SIMULATED else f"its settings are in [{name}]"
            raise SettingsError(f"brokers.{name}: {name} is built in; {remedy}")
        if name not in used:
            raise SettingsError(
                f"brokers.{name}: no account is at this broker; add broker = {name!r} to one, or leave the table out"
            )


def _check_default(settings: SettingsFields, accounts: Sequence[AccountSettings]) -> None:
    if settings.default_account in [account.id for account in settings.accounts if account.closed]:
        raise SettingsError(f"default_account: {settings.default_account!r} is closed; name an account that is traded")
    try:
        named(settings.default_account or accounts[0].id, accounts)
    except SettingsError as error:
        raise SettingsError(f"default_account: {error}") from None


def _check_real(settings: SettingsFields, account: AccountSettings) -> None:
    trading_mode, options = mode(settings), broker_options(settings, account)
    if account.broker == SIMULATED:
        raise SettingsError(f"account {account.id!r} is simulated, but TRADING_MODE is {trading_mode}; name its broker")
    if account.mode not in (None, trading_mode):
        raise SettingsError(f"account {account.id!r} is for {account.mode} but TRADING_MODE is {trading_mode}; make them agree")
    required = REQUIRED_OPTIONS.get(account.broker, ())
    missing = [name for name in required if not options.get(name) and not options.get(_IN_PLACE_OF.get(name, name))]
    if missing:
        names = " and ".join(environment_name((account.broker, name)) for name in missing)
        raise SettingsError(f"account {account.id!r} needs credentials for {trading_mode}; set {names}")
    check_unread_options(account, options)


def _asks_for_mock(settings: SettingsFields) -> bool:
    return settings.use_mock_broker or settings.broker == SIMULATED


def _wants_simulation(settings: SettingsFields) -> bool:
    return settings.trading_mode is TradingMode.SIMULATION or _asks_for_mock(settings)


def _brokers_with_credentials(settings: SettingsFields) -> list[str]:
    return [broker for broker, names in REQUIRED_OPTIONS.items() if any(getattr(getattr(settings, broker), name) for name in names)]


def _traded(settings: SettingsFields) -> tuple[AccountSettings, ...]:
    return tuple(account for account in settings.accounts if not account.closed)


def _declared(settings: SettingsFields) -> Iterable[AccountSettings]:
    """The accounts as written, or one for each configured broker. In a simulation, all are simulated."""
    if mode(settings) is TradingMode.SIMULATION:
        accounts = _traded(settings) or (AccountSettings(id=SIMULATED_ACCOUNT),)
        return [account.model_copy(update={"broker": SIMULATED, "mode": TradingMode.SIMULATION}) for account in accounts]
    accounts = _traded(settings) or _implied(settings)
    return [account for account in accounts if settings.broker in (None, account.broker)]


def _implied(settings: SettingsFields) -> tuple[AccountSettings, ...]:
    """One account for each configured broker."""
    return tuple(AccountSettings(id=broker, broker=broker) for broker in _brokers_with_credentials(settings))


def left_out(settings: SettingsFields) -> tuple[AccountSettings, ...]:
    """Where no account is written down: all of which only those at `broker` are traded."""
    is_narrowed = settings.broker is not None and mode(settings) is not TradingMode.SIMULATION
    return _implied(settings) if is_narrowed else ()


def _with_defaults(settings: SettingsFields, account: AccountSettings) -> AccountSettings:
    return account.model_copy(
        update={
            "mode": account.mode or mode(settings),
            "currency": account.currency or settings.default_currency,
            "exchange": account.exchange or settings.default_exchange,
            "product": account.product or settings.default_product,
        }
    )


def _nothing_to_trade_at(settings: SettingsFields) -> str:
    brokers = REQUIRED_OPTIONS if settings.broker not in REQUIRED_OPTIONS else (settings.broker,)
    choices = (" and ".join(environment_name((broker, name)) for name in REQUIRED_OPTIONS[broker]) for broker in brokers)
    at = f" at {settings.broker}" if settings.broker else ""
    return f"TRADING_MODE is {mode(settings)} and no account{at} is configured; set {', or '.join(choices)}"
