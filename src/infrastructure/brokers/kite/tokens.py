"""The day's access token: where it is stored, and when it expires."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path

from pydantic import SecretStr

from liveorder.domain.errors import BrokerAuthenticationError
from liveorder.infrastructure.brokers.kite.failures import LOGIN_REMEDY
from liveorder.infrastructure.brokers.kite.fields import IST
from liveorder.infrastructure.private_files import make_folder, open_private
from liveorder.infrastructure.settings.sections import Kite

ENDS_AT = time(6, 0, tzinfo=IST)
"""Tokens expire at about this time of the next morning. Kite does not promise it, so it only leads to a warning and decides
nothing.
"""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token. `made_at` is None for a token from the settings, whose age is not known."""

    value: SecretStr
    made_at: datetime | None = None

    def has_surely_ended(self, now: datetime) -> bool:
        return self.made_at is not None and now >= _end_of(self.made_at)


def _end_of(made_at: datetime) -> datetime:
    """The first 06:00 in India after it was made."""
    local = made_at.astimezone(IST)
    end = datetime.combine(local.date(), ENDS_AT)
    return end if local < end else end + timedelta(days=1)


def current(section: Kite) -> AccessToken:
    """The current token. A configured token file is read again each time. Raises `BrokerAuthenticationError`."""
    if section.access_token_file is not None:
        return read(section.access_token_file)
    if section.access_token is None:
        raise BrokerAuthenticationError(f"kite: no access token is set; {LOGIN_REMEDY}")
    return AccessToken(section.access_token)


def read(path: Path) -> AccessToken:
    """Read a file made by `write`, or one that contains only the token."""
    try:
        content = path.read_text().strip()
    except (OSError, ValueError):
        raise BrokerAuthenticationError(f"kite: {path} cannot be read; {LOGIN_REMEDY}") from None
    if not content.startswith("{"):
        return AccessToken(SecretStr(content))
    try:
        fields = json.loads(content)
        return AccessToken(SecretStr(fields["access_token"]), datetime.fromisoformat(fields["made_at"]))
    except (ValueError, KeyError, TypeError):
        raise BrokerAuthenticationError(f"kite: {path} is no token file; {LOGIN_REMEDY}") from None


def write(path: Path, token: str, made_at: datetime) -> None:
    """Write the token file, readable by its owner only. The write is atomic, because a service may be reading the file."""
    make_folder(path.parent)
    half_written = path.with_name(path.name + ".new")
    half_written.unlink(missing_ok=True)
    with open_private(half_written, "x") as file:
        json.dump({"access_token": token, "made_at": made_at.isoformat()}, file)
    half_written.replace(path)
