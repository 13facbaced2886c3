"""Kite only: the daily login, and estimated charges, since its trades report none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from liveorder.bootstrap.brokerages import access_of, adapter_module
from liveorder.bootstrap.parts import clock_of, log_of
from liveorder.domain.errors import SettingsError
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.settings import AccountSettings, Settings

QUESTIONS_PER_SECOND = 10.0
TOKEN_FILE = Path("var/kite-access-token.json")
"""The default token file, if neither the settings nor the command name one."""


@dataclass(frozen=True)
class KiteLogin:
    """A finished login. `is_read`: whether the settings read the token from `path`."""

    user_id: str
    path: Path
    is_read: bool


class Charges(Protocol):
    """The estimated charges of one of today's orders."""

    @property
    def broker_order_id(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def tradingsymbol(self) -> str: ...
    @property
    def total(self) -> Decimal: ...
    @property
    def by_kind(self) -> Mapping[str, Decimal]: ...


def kite_login_address(settings: Settings, account_id: str | None = None) -> str:
    """The address at which a person logs in. Raises `SettingsError`."""
    account = _account(settings, account_id)
    return str(adapter_module(account, "login").login_address(settings.broker_section(account)))


def kite_login(settings: Settings, answer: str, account_id: str | None = None, path: Path | None = None) -> KiteLogin:
    """Exchange the login's request token for an access token, and store that in a file readable by its owner only."""
    account = _account(settings, account_id)
    section: Any = settings.broker_section(account)
    login, tokens = adapter_module(account, "login"), adapter_module(account, "tokens")
    done = login.exchanged(section, login.request_token_in(answer), SystemClock().now())
    target = path or section.access_token_file or TOKEN_FILE
    tokens.write(target, done.token.value.get_secret_value(), done.token.made_at)
    return KiteLogin(done.user_id, target, target == section.access_token_file)


async def kite_charges(settings: Settings, account_id: str | None = None) -> Sequence[Charges]:
    """The charges of today's orders, as Kite's calculator estimates them. Raises `BrokerError`."""
    account, clock = _account(settings, account_id), clock_of(settings)
    section: Any = settings.broker_section(account)
    with closing(log_of(settings, clock)) as log:
        access = access_of(settings, account, clock, log)
        session = adapter_module(account, "session").KiteSession(section, access, QUESTIONS_PER_SECOND)
        with closing(session):
            session.take_token()
            charges: Sequence[Charges] = await adapter_module(account, "charges").estimated_charges(session)
            return charges


def _account(settings: Settings, account_id: str | None) -> AccountSettings:
    """The named account, or else the only one at Kite, or else one described by the [kite] table alone."""
    at_kite = [account for account in settings.accounts if account.broker == "kite"]
    named = [account for account in at_kite if account_id in (None, account.id)]
    if len(named) == 1:
        return named[0]
    if account_id is None and not at_kite:
        return AccountSettings(id="kite", broker="kite")
    known = ", ".join(account.id for account in at_kite)
    raise SettingsError(f"which account at Kite? [[accounts]] has {known or 'none'}; name one with --account")
