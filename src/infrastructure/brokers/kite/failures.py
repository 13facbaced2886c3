"""Maps exceptions of Kite's client to our errors: surely not received, refused for good, or outcome unknown."""

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
"""Exception names that Kite sends but its client does not know. The client would raise GeneralException for them."""
_TOO_FAST = 429
_FIRST_OF_THE_SERVERS = 500
"""From this HTTP status on, the server failed, perhaps after it had accepted the order."""

_ABOUT_THE_ADDRESS = re.compile(r"\bIPs?\b.*(allow|whitelist|regist|configur|permit|static)|\b[iI][pP] address")
_ABOUT_THE_INSTRUMENT = re.compile(r"instrument|trading ?symbol|scrip", re.IGNORECASE)


@cache
def complete_exceptions() -> None:
    """Add the missing classes to the client's module, as subclasses of GeneralException. No other user of the client sees a
    difference.
    """
    for name in _MISSING:
        if not hasattr(exceptions, name):
            setattr(exceptions, name, type(name, (exceptions.GeneralException,), {}))


def error_of(failure: Exception, censored: Callable[[str], str] = str) -> BrokerError:
    """The error of ours. Everything that is not certainly "not received" or "refused" is unknown, including our own mistakes.

    Kite's messages are kept, `censored`. Unreadable bodies are not kept, because they may contain a token.
    """
    if isinstance(failure, BrokerError):
        return failure
    if isinstance(failure, RequestException):
        return http_error_of(failure, "kite")
    if isinstance(failure, exceptions.KiteException):
        return _kite_error(failure, censored(str(failure)))
    return OutcomeUnknown(f"kite: no readable answer ({type(failure).__name__})")


def _kite_error(failure: exceptions.KiteException, message: str) -> BrokerError:
    kind, code = type(failure).__name__, failure.code
    if code == _TOO_FAST:
        return BrokerRateLimitError(f"kite: too many requests ({message})")
    if kind == "DataException":
        return OutcomeUnknown(f"kite: no readable answer ({kind} {code})")
    if kind == "NetworkException" or (code >= _FIRST_OF_THE_SERVERS and kind not in ("MarginException", "HoldingException")):
        return OutcomeUnknown(f"kite: {message} ({kind} {code})")
    return _refusal(kind, message)


def _refusal(kind: str, message: str) -> BrokerRefusal:
    """The error for a request that Kite read and refused."""
    text = f"kite: {message} ({kind})"
    if kind in ("PermissionException", "InputException", "GeneralException") and is_about_the_address(message):
        return BrokerAuthenticationError(f"{text}; {IP_REMEDY}")
    if kind == "TokenException":
        return BrokerAuthenticationError(f"{text}; {LOGIN_REMEDY}")
    if kind == "UserException":
        return BrokerAuthenticationError(f"{text}; look at the account in Kite, then `liveorder resume`")
    if kind in ("MarginException", "HoldingException"):
        return InsufficientBalanceError(text)
    if kind == "InputException" and _ABOUT_THE_INSTRUMENT.search(message):
        return InvalidSymbolError(text)
    return OrderValidationError(text)


def is_about_the_address(message: str) -> bool:
    """Whether Kite refuses order requests because of the sender's IP address. The wording is not documented, so any mention
    counts.
    """
    return _ABOUT_THE_ADDRESS.search(message) is not None
