"""The settings of a process: where they are read, and what is derived from them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import InitSettingsSource

from liveorder.domain.errors import SettingsError
from liveorder.domain.values import TradingMode
from liveorder.domain.visible_text import visible
from liveorder.infrastructure.database_url import PostgresUrl, database_url
from liveorder.infrastructure.secrecy import MASK, Censor, is_secret_name, no_path
from liveorder.infrastructure.settings import accounts as the_accounts
from liveorder.infrastructure.settings.doors import doors
from liveorder.infrastructure.settings.fields import SettingsFields
from liveorder.infrastructure.settings.names import environment_name, nearest_setting, setting_paths
from liveorder.infrastructure.settings.sections import AccountSettings, Section, TokenFile
from liveorder.infrastructure.settings.sources import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    DOTENV,
    SettingsTables,
    from_dotenv,
    from_toml,
    from_variables,
)
from liveorder.infrastructure.settings.unread import unread_of, why_unread
from liveorder.infrastructure.settings.variables import variables_in

_TOKEN_FILE: TypeAdapter[Path | None] = TypeAdapter(TokenFile | None)
_ADDRESSED = re.compile(r"(?!.*://).+@", re.DOTALL)
"""USER@HOST, possibly with a password. A name that begins with @ does not match."""


class Settings(SettingsFields):
    """`Settings(...)` uses only its arguments; `Settings.load()` reads the environment, `.env` and the file.

    `load` raises `SettingsError` for an invalid setting. `check` raises it if the settings do not allow trading, so that reading a
    store never needs credentials.
    """

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> Self:
        """Read settings from `overrides` that are not None, then the environment, then `.env`, then the file; each overrides those
        after it.

        The file is `config`, or the one that LIVEORDER_CONFIG names, or ./liveorder.toml if it exists. Raises `SettingsError`.
        """
        named = _named(config)
        tables = (
            from_variables(os.environ, "environment"),
            from_dotenv(DOTENV),
            from_toml(named or DEFAULT_CONFIG, is_required=named is not None),
        )
        sources = (
            InitSettingsSource(cls, {name: value for name, value in overrides.items() if value is not None}),
            *(SettingsTables(cls, table) for table in tables),
        )
        try:
            return cls(_build_sources=(sources, {}))
        except ValidationError as error:
            raise _explained(error, cls) from None

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
        """The accounts that are no longer traded."""
        return tuple(account for account in self.accounts if account.closed)

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
        """Raises `SettingsError` if anything needed for trading is missing or contradictory."""
        the_accounts.check(self)

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
        return (*_secrets_in(dict(self)), *passwords, *of_doors, *of_plugins)

    def masked(self) -> dict[str, Any]:
        """The settings to show: nested tables of JSON values, secrets masked, with the effective read model."""
        databases = {"store": str(database_url(self.store)), "read_model": str(database_url(self.read_model_url))}
        tables: dict[str, Any] = _masked(self.model_dump(mode="json"))
        return {name: databases.get(name, value) for name, value in tables.items()}


def _named(config: Path | None) -> Path | None:
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None and (problem := no_path(str(named))) is not None:
        raise SettingsError(f"settings file: {problem}")
    return named


def _explained(error: ValidationError, model: type[Settings]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    dotted = ".".join(path)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return SettingsError(f"{dotted}: no such setting; {nearest_setting(path[-1], model)}")
    is_shown = model.model_fields[path[0]].repr and not is_secret_name(dotted) and _holds_no_secret(first)
    shown = f"{dotted} = {visible(str(first['input']))[:60]}" if is_shown else dotted
    variable = f" or in {environment_name(path)}" if path in setting_paths(model) else ""
    problem = first["msg"].removeprefix("Value error, ")
    return SettingsError(f"{shown}: {problem[:1].lower()}{problem[1:]}; correct it in the settings file{variable}")


def _holds_no_secret(error: ErrorDetails) -> bool:
    """False for a table, which may contain anything, for a value in place of a table, and for anything like an address."""
    value = error["input"]
    is_single = not isinstance(value, dict | list | tuple) and error["type"] not in ("model_type", "dict_type", "tuple_type")
    return is_single and not re.search("[@=]|://", str(value))


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
