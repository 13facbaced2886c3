"""The settings of a process: where they come from, and what follows from them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Self

from pydantic import SecretStr, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import InitSettingsSource

from liveorder.domain.errors import SettingsError
from liveorder.domain.risk_limits import RiskLimits
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
"""Somebody at some place, perhaps with a password; a name that begins with @ is none."""


class Settings(SettingsFields):
    """`Settings(...)` takes only what it is given; `Settings.load()` reads the environment, `.env` and the file.

    A setting that does not fit is told as `SettingsError` by `load`. Whether the settings allow trading is told by `check`, so
    that reading a store never needs credentials.
    """

    @classmethod
    def load(cls, config: Path | None = None, **overrides: Any) -> Self:
        """From `overrides` that are not None, then the environment, then `.env`, then the file; each wins over those after it.

        The file is `config`, else what LIVEORDER_CONFIG names, else ./liveorder.toml if there is one. Raises `SettingsError`.
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
        """That `load(config)` reads, and those with tokens that they name, whether they are there or not."""
        options = (account.options.get("access_token_file") for account in self.accounts)
        named = (*(_TOKEN_FILE.validate_python(path) for path in options), self.kite.access_token_file)
        return (_named(config) or DEFAULT_CONFIG, DOTENV, *(path for path in named if path is not None))

    @property
    def mode(self) -> TradingMode:
        """Raises `SettingsError` while it is unset and credentials, or accounts at real brokers, are there."""
        return the_accounts.mode(self)

    @property
    def auto_trading(self) -> bool:
        """What holds until a person switches it."""
        return self.mode is TradingMode.SIMULATION if self.enable_auto_trading is None else self.enable_auto_trading

    @property
    def trading_accounts(self) -> tuple[AccountSettings, ...]:
        """With the defaults filled in; all at the simulated broker in a simulation. Raises `SettingsError` when there is none."""
        return the_accounts.trading_accounts(self)

    @property
    def account_ids(self) -> tuple[str, ...]:
        """Of every account that the store may know, closed ones too."""
        return tuple(account.id for account in (*self.trading_accounts, *self.closed_accounts))

    @property
    def closed_accounts(self) -> tuple[AccountSettings, ...]:
        """Those that are traded no more."""
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

    def limits(self, account_id: str, currency: str = "") -> RiskLimits:
        """Of an account, for orders in `currency` where that has limits of its own. Raises `SettingsError` for an unknown one."""
        return the_accounts.named(account_id, self.trading_accounts).limits(self.risk, currency)

    def broker_section(self, account: AccountSettings) -> Section:
        """The table of the account's broker, with what differs for the account. Raises `SettingsError` for an unknown option."""
        return the_accounts.broker_section(self, account)

    def plugin_options(self, account: AccountSettings) -> dict[str, Any]:
        """`[brokers.NAME]` of the account's broker with what differs for the account, secrets plain. Raises `SettingsError`."""
        return the_accounts.plugin_options(self, account)

    def check(self) -> None:
        """Raises `SettingsError` that names what is missing or contradictory before anything may be traded."""
        the_accounts.check(self)

    @property
    def unread(self) -> tuple[str, ...]:
        """Settings that are set and that this process does not read, because of others: what a person must hear at the start."""
        return unread_of(self.simulation, self.mode)

    @property
    def why_unread(self) -> str:
        """The reason, which is one for all of `unread`."""
        return why_unread(self.simulation, self.mode)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """All that must never be shown."""
        databases = (database_url(self.store), database_url(self.read_model_url))
        passwords = (secret for url in databases if isinstance(url, PostgresUrl) for secret in url.secrets)
        of_doors = (secret for door in doors(self) for secret in door.secrets)
        of_plugins = variables_in([self.brokers, *(account.options for account in self.accounts)])
        return (*_secrets_in(dict(self)), *passwords, *of_doors, *of_plugins)

    def masked(self) -> dict[str, Any]:
        """For showing: nested tables of JSON values, secrets and passwords masked, with the read models that are in force."""
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
    """Neither a table, which may hold anything, nor what stands in its place, nor anything like an address."""
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
    """What stands under the name of a secret is one, of whatever type and however deep."""
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
