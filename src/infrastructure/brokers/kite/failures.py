"""From what a call of Kite's client raises to our errors: surely not received, refused for good, or not known."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from kiteconnect import exceptions
from requests import RequestException

from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)
from liveorder.infrastructure.http_session import error_of as http_error_of

LOGIN_REMEDY = "make a new access token with `liveorder kite login`, then `liveorder resume`"
IP_REMEDY = "enter this machine's address under IP Whitelist at developers.kite.trade, then `liveorder resume`"

_MISSING = ("MarginException", "HoldingException", "UserException")
"""Names that Kite sends and its client does not know: it would tell them as GeneralException."""
_TOO_FAST = 429
_FIRST_OF_THE_SERVERS = 500
"""From this HTTP status on it is the server that failed, perhaps after it had taken the order."""

_ABOUT_THE_ADDRESS = re.compile(r"\bIPs?\b.*(allow|whitelist|regist|configur|permit|static)|\b[iI][pP] address")
_ABOUT_THE_INSTRUMENT = re.compile(r"instrument|trading ?symbol|scrip", re.IGNORECASE)


@cache
def complete_exceptions() -> None:
    """Adds the missing classes to the client's module, as kinds of what they came as before: nobody else sees a difference."""
    for name in _MISSING:
        if not hasattr(exceptions, name):
            setattr(exceptions, name, type(name, (exceptions.GeneralException,), {}))


def error_of(failure: Exception, censored: Callable[[str], str] = str) -> BrokerError:
    """Whatever is not surely one of the two certain kinds is not known, our own mistakes among it.

    Messages of Kite's are kept, `censored`; bodies that could not be read are not, since a token may stand in them.
    """
    if isinstance(failure, BrokerError):
        return failure
    if isinstance(failure, RequestException):
        return http_error_of(failure, "kite")
    if isinstance(failure, exceptions.KiteException):
        return _told(failure, censored(str(failure)))
    return OutcomeUnknown(f"kite: no readable answer ({type(failure).__name__})")


def _told(failure: exceptions.KiteException, message: str) -> BrokerError:
    kind, code = type(failure).__name__, failure.code
    if code == _TOO_FAST:
        return BrokerRateLimitError(f"kite: too many requests ({message})")
    if kind == "DataException":
        return OutcomeUnknown(f"kite: no readable answer ({kind} {code})")
    if kind == "NetworkException" or (code >= _FIRST_OF_THE_SERVERS and kind not in ("MarginException", "HoldingException")):
        return OutcomeUnknown(f"kite: {message} ({kind} {code})")
    return _refusal(kind, message)


def _refusal(kind: str, message: str) -> BrokerRefusal:
    """Read and refused."""
    told = f"kite: {message} ({kind})"
    if kind in ("PermissionException", "InputException", "GeneralException") and is_about_the_address(message):
        return BrokerAuthenticationError(f"{told}; {IP_REMEDY}")
    if kind == "TokenException":
        return BrokerAuthenticationError(f"{told}; {LOGIN_REMEDY}")
    if kind == "UserException":
        return BrokerAuthenticationError(f"{told}; look at the account in Kite, then `liveorder resume`")
    if kind in ("MarginException", "HoldingException"):
        return InsufficientBalanceError(told)
    if kind == "InputException" and _ABOUT_THE_INSTRUMENT.search(message):
        return InvalidSymbolError(told)
    return OrderValidationError(told)


def is_about_the_address(message: str) -> bool:
    """Whether requests for orders are refused for where they come from. The wording is not documented: any mention will do."""
    return _ABOUT_THE_ADDRESS.search(message) is not None
