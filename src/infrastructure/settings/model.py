"""The settings of a process: where they are read, and what is derived from them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, PrivateAttr, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import InitSettingsSource

from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.infrastructure.database_url import PostgresUrl, database_url
from liveorder.infrastructure.secrecy import MASK, Censor, is_secret_name, no_path
from liveorder.infrastructure.settings import accounts as the_accounts
from liveorder.infrastructure.settings.doors import doors
from liveorder.infrastructure.settings.explaining import all_of, explained
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.http import refuse_secrets_in_the_file, secrets_in_files
from liveorder.infrastructure.settings.sections import AccountSettings, Section, TokenFile
from liveorder.infrastructure.settings.simulation_profile import limits_in_a_simulation
from liveorder.infrastructure.settings.sources import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    DOTENV,
    SettingsTables,
    dotenv_variables,
    from_toml,
    from_variables,
    near_variables,
)
from liveorder.infrastructure.settings.unread import unread_of, why_unread
from liveorder.infrastructure.settings.variables import variables_in

_TOKEN_FILE: TypeAdapter[Path | None] = TypeAdapter(TokenFile | None, config=ConfigDict(defer_build=True))
_ADDRESSED = re.compile(r"(?!.*://).+@", re.DOTALL)
"""USER@HOST, possibly with a password. A name that begins with @ does not match."""


class Settings(SettingsFields):
    """`Settings(...)` uses only its arguments; `Settings.load()` reads the environment, `.env` and the file.

    `load` raises `SettingsError` for an invalid setting. `check` raises it if the settings do not allow trading, so that reading a
    store never needs credentials.
    """

    _near_variables: tuple[str, ...] = PrivateAttr(())
    """Variables whose names are nearly ours, each with the one that was probably meant."""

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> Self:
        """Read settings from `overrides` that are not None, then the environment, then `.env`, then the file; each overrides those
        after it.

        The file is `config`, or the one that LIVEORDER_CONFIG names, or ./liveorder.toml if it exists. Raises `SettingsError`.
        """
        named = _named(config)
        in_environment, in_dotenv = (os.environ, "the environment"), (dotenv_variables(DOTENV), str(DOTENV))
        given = (
            from_variables(*in_environment),
            from_variables(*in_dotenv),
            from_toml(named or DEFAULT_CONFIG, is_required=named is not None),
        )
        refuse_secrets_in_the_file(given[-1].tables.get("http"), named or DEFAULT_CONFIG)
        sources = (
            InitSettingsSource(cls, {name: value for name, value in overrides.items() if value is not None}),
            *(SettingsTables(cls, each.tables) for each in given),
        )
        try:
            settings = cls(_build_sources=(sources, {}))
        except ValidationError as error:
            raise explained(error, cls, given) from None
        settings._near_variables = (*near_variables(*in_environment), *near_variables(*in_dotenv))
        return settings

    def files(self, config: Path | None) -> tuple[Path, ...]:
        """The files that `load(config)` reads, and the token files that they name, whether or not they exist."""
        options = (account.options.get("access_token_file") for account in self.accounts)
        named = (*(_TOKEN_FILE.validate_python(path) for path in options), self.kite.access_token_file)
        return (_named(config) or DEFAULT_CONFIG, DOTENV, *(path for path in named if path is not None))

    @property
    def mode(self) -> TradingMode:
        """The trading mode. Raises `SettingsError` if it is unset while credentials or accounts at real brokers are configured."""
        return the_accounts.mode(self)

    @property
    def auto_trading(self) -> bool:
        """Whether signals trade automatically, until a person switches it."""
        return self.mode is TradingMode.SIMULATION if self.enable_auto_trading is None else self.enable_auto_trading

    @property
    def trading_accounts(self) -> tuple[AccountSettings, ...]:
        """The traded accounts with defaults filled in. In a simulation, all are at the simulated broker. Raises `SettingsError` if
        there is none.
        """
        return the_accounts.trading_accounts(self)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The ids of all accounts that the store may know, including closed ones."""
        return tuple(account.id for account in (*self.trading_accounts, *self.closed_accounts))

    @property
    def closed_accounts(self) -> tuple[AccountSettings, ...]:
        """The accounts that are not traded: closed, or at another broker than `broker` names. A store goes on knowing them."""
        traded = {account.id for account in self.trading_accounts}
        return tuple(account for account in self.accounts or the_accounts.left_out(self) if account.id not in traded)

    @property
    def signals_account(self) -> str:
        """The account of signals that name none."""
        return self.default_account or self.trading_accounts[0].id

    @property
    def read_model_url(self) -> str:
        if self.read_model is not None:
            return self.read_model
        return re.sub(r"(\.\w+)?$", r"-views\1", self.store, count=1) if self.store.startswith("sqlite") else self.store

    def at_the_venue(self, account: AccountSettings) -> AccountSettings:
        """The account with the limits of a simulation, unless it is a real broker's. Only for orders that go to the simulated
        venue: what is supplied in its place may be real.
        """
        return the_accounts.at_the_venue(self, account)

    def broker_section(self, account: AccountSettings) -> Section:
        """The table of the account's broker, with the account's options applied. Raises `SettingsError` for an unknown option."""
        return the_accounts.broker_section(self, account)

    def plugin_options(self, account: AccountSettings) -> dict[str, Any]:
        """`[brokers.NAME]` of the account's broker with the account's options applied and secrets in plain text. Raises
        `SettingsError`.
        """
        return the_accounts.plugin_options(self, account)

    def check(self) -> None:
        """Raises `SettingsError` if anything needed for trading is missing or contradictory, or if a variable has nearly the name
        of a setting: it may be a limit that somebody relies on.
        """
        if self._near_variables:
            remedy = "It is not read; rename it, or unset it if it is another program's"
            raise all_of([f"{each} {remedy}" for each in self._near_variables])
        the_accounts.check(self)

    def for_stopping(self) -> Self:
        """The same for the kill switch, which a typo among variables must not keep from working."""
        copy = self.model_copy()
        copy._near_variables = ()
        return copy

    @property
    def unread(self) -> tuple[str, ...]:
        """Settings that are set but ignored by this process because of other settings. A person must see them at start."""
        return unread_of(self.simulation, self.mode)

    @property
    def why_unread(self) -> str:
        """The common reason for all of `unread`."""
        return why_unread(self.simulation, self.mode)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """All values that must never be shown."""
        databases = (database_url(self.store), database_url(self.read_model_url))
        passwords = (secret for url in databases if isinstance(url, PostgresUrl) for secret in url.secrets)
        of_doors = (secret for door in doors(self) for secret in door.secrets)
        of_plugins = variables_in([self.brokers, *(account.options for account in self.accounts)])
        return (*_secrets_in(dict(self)), *secrets_in_files(self.http), *passwords, *of_doors, *of_plugins)

    def masked(self) -> dict[str, Any]:
        """The settings to show: nested tables of JSON values, secrets masked, with the effective read model, and the limits of
        simulated accounts in a simulation.
        """
        databases = {"store": str(database_url(self.store)), "read_model": str(database_url(self.read_model_url))}
        tables: dict[str, Any] = _masked(self.model_dump(mode="json"))
        with suppress(SettingsError):  # where it is none of the three, that is said elsewhere
            if self.mode is TradingMode.SIMULATION:
                tables["risk"] |= limits_in_a_simulation(self.risk.model_fields_set)
        return {name: databases.get(name, value) for name, value in tables.items()}


def _named(config: Path | None) -> Path | None:
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None and (problem := no_path(str(named))) is not None:
        raise SettingsError(f"settings file: {problem}")
    return named


def _secrets_in(value: Any) -> list[SecretStr]:
    match value:
        case SecretStr():
            return [value]
        case dict():
            return [secret for item in value.values() for secret in _secrets_in(item)]
        case list() | tuple():
            return [secret for item in value for secret in _secrets_in(item)]
    return _secrets_in(dict(value)) if hasattr(value, "model_fields_set") else []


def _masked(value: Any, *, is_secret: bool = False) -> Any:
    """Mask secrets. Every value under a secret's name is a secret, of any type and depth."""
    match value:
        case dict():
            return {key: _masked(item, is_secret=is_secret or is_secret_name(key)) for key, item in value.items()}
        case list():
            return [_masked(item, is_secret=is_secret) for item in value]
        case None:
            return None
        case str() if not is_secret and not _ADDRESSED.match(value):
            return Censor()(value)
    return MASK if is_secret or isinstance(value, str) else value
