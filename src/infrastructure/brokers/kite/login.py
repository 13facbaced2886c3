"""The daily login. A person logs in at Kite in a browser, and the resulting request token is exchanged for the day's access
token.
"""

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
    """An access token and the user it belongs to."""

    user_id: str
    token: AccessToken


def login_address(section: Kite) -> str:
    """The address at which a person logs in. It redirects to the address that the Kite Connect app was registered with."""
    if section.api_key is None:
        raise SettingsError("kite.api_key is not set; set KITE_API_KEY to the key of your Kite Connect app")
    return str(client_of(section, LONGEST_CALL_SECONDS).login_url())


def request_token_in(answer: str) -> str:
    """The request token, from the token itself or from the complete redirect address. Raises `InvalidInput`."""
    given = answer.strip()
    query = parse_qs(urlsplit(given).query)
    token = query.get("request_token", [""])[0] if "?" in given or "/" in given else given
    if not token.isalnum():
        raise InvalidInput("request token", "there is none in it", "paste the whole address that the login led to")
    return token


def exchanged(section: Kite, request_token: str, now: datetime) -> Login:
    """Exchange the request token, which is valid once and for a few minutes. Raises `SettingsError` and `BrokerError`. Blocks."""
    if section.api_secret is None:
        raise SettingsError("kite.api_secret is not set; set KITE_API_SECRET to the secret of your Kite Connect app")
    censored = Censor([section.api_secret, SecretStr(request_token)])
    error: BrokerError
    try:
        answer = client_of(section, LONGEST_CALL_SECONDS).generate_session(request_token, section.api_secret.get_secret_value())
        made_at = moment({"login_time": str(answer.get("login_time") or "")}, "login_time") or now
        return Login(str(answer["user_id"]), AccessToken(SecretStr(answer["access_token"]), made_at))
    except UNREADABLE as failure:
        error = OutcomeUnknown(f"kite: the answer to the login could not be read ({type(failure).__name__}); log in again")
    except Exception as failure:  # noqa: BLE001 - sorted like any other failure of the client
        error = error_of(failure, censored)
    raise error
