"""What only Kite needs: a login every morning, and charges that are estimated because no trade tells them."""

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
"""Where the token goes when neither the settings nor the command say where."""


@dataclass(frozen=True)
class KiteLogin:
    """`is_read`: whether the settings have the token read from there."""

    user_id: str
    path: Path
    is_read: bool


class Charges(Protocol):
    """Estimated, of one order of today."""

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
    """Raises `SettingsError`."""
    account = _account(settings, account_id)
    return str(adapter_module(account, "login").login_address(settings.broker_section(account)))


def kite_login(settings: Settings, answer: str, account_id: str | None = None, path: Path | None = None) -> KiteLogin:
    """Exchange what the login led to for an access token, and keep that in a file that only its owner can read."""
    account = _account(settings, account_id)
    section: Any = settings.broker_section(account)
    login, tokens = adapter_module(account, "login"), adapter_module(account, "tokens")
    done = login.exchanged(section, login.request_token_in(answer), SystemClock().now())
    target = path or section.access_token_file or TOKEN_FILE
    tokens.write(target, done.token.value.get_secret_value(), done.token.made_at)
    return KiteLogin(done.user_id, target, target == section.access_token_file)


async def kite_charges(settings: Settings, account_id: str | None = None) -> Sequence[Charges]:
    """Of today's orders, as Kite's calculator reckons them. Raises `BrokerError`."""
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
    """The one that is named, else the only one at Kite, else what the [kite] table alone describes."""
    at_kite = [account for account in settings.accounts if account.broker == "kite"]
    named = [account for account in at_kite if account_id in (None, account.id)]
    if len(named) == 1:
        return named[0]
    if account_id is None and not at_kite:
        return AccountSettings(id="kite", broker="kite")
    known = ", ".join(account.id for account in at_kite)
    raise SettingsError(f"which account at Kite? [[accounts]] has {known or 'none'}; name one with --account")
