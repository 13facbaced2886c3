"""The daily login: a person logs in at Kite in a browser, and what comes back is exchanged for the day's access token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from liveorder.domain.errors import BrokerError, InvalidInput, OutcomeUnknown, SettingsError
from liveorder.infrastructure.brokers.kite.failures import error_of
from liveorder.infrastructure.brokers.kite.fields import UNREADABLE, moment
from liveorder.infrastructure.brokers.kite.session import LONGEST_CALL_SECONDS, client_of
from liveorder.infrastructure.brokers.kite.tokens import AccessToken
from liveorder.infrastructure.secrecy import Censor
from liveorder.infrastructure.settings.sections import Kite


@dataclass(frozen=True, slots=True)
class Login:
    """Whose token it is."""

    user_id: str
    token: AccessToken


def login_address(section: Kite) -> str:
    """Where a person logs in; it leads back to the address that the Kite Connect app was registered with."""
    if section.api_key is None:
        raise SettingsError("kite.api_key is not set; set KITE_API_KEY to the key of your Kite Connect app")
    return str(client_of(section, LONGEST_CALL_SECONDS).login_url())


def request_token_in(answer: str) -> str:
    """From the token itself, or the whole address that the login led to. Raises `InvalidInput`."""
    given = answer.strip()
    query = parse_qs(urlsplit(given).query)
    token = query.get("request_token", [""])[0] if "?" in given or "/" in given else given
    if not token.isalnum():
        raise InvalidInput("request token", "there is none in it", "paste the whole address that the login led to")
    return token


def exchanged(section: Kite, request_token: str, now: datetime) -> Login:
    """A request token is good for a few minutes, and once. Raises `SettingsError` and `BrokerError`; blocks."""
    if section.api_secret is None:
        raise SettingsError("kite.api_secret is not set; set KITE_API_SECRET to the secret of your Kite Connect app")
    censored = Censor([section.api_secret, SecretStr(request_token)])
    error: BrokerError
    try:
        told = client_of(section, LONGEST_CALL_SECONDS).generate_session(request_token, section.api_secret.get_secret_value())
        made_at = moment({"login_time": str(told.get("login_time") or "")}, "login_time") or now
        return Login(str(told["user_id"]), AccessToken(SecretStr(told["access_token"]), made_at))
    except UNREADABLE as failure:
        error = OutcomeUnknown(f"kite: the answer to the login could not be read ({type(failure).__name__}); log in again")
    except Exception as failure:  # noqa: BLE001 - sorted like every other failure of the client
        error = error_of(failure, censored)
    raise error
