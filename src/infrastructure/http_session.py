"""HTTP sessions for brokers' blocking SDKs: a time-out on every call, no retries, no redirects, exact numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException, Timeout
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NameResolutionError, NewConnectionError

from liveorder.domain.errors import BrokerConnectionError, BrokerError, BrokerTimeoutError, OutcomeUnknown

_NOTHING_LEFT_US = (NewConnectionError, ConnectTimeoutError, NameResolutionError)


class ExactResponse(Response):
    """Parses JSON numbers as `Decimal`, from their text."""

    def json(self, **keywords: Any) -> Any:
        return super().json(parse_float=Decimal, **keywords)


class OneTry(HTTPAdapter):
    """Sends each request once. Waits at most `timeout_seconds` for the connection, and again between two bytes of the answer."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(max_retries=0)
        self._timeout_seconds = timeout_seconds

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        return super().send(request, stream, self._timeout_seconds, verify, cert, proxies)

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        response = super().build_response(req, resp)
        response.__class__ = ExactResponse
        return response


def one_try_session(timeout_seconds: float) -> Session:
    """A session that neither retries nor follows redirects: a redirected POST means a wrong address."""
    session = Session()
    session.max_redirects = 0
    for scheme in ("http://", "https://"):
        session.mount(scheme, OneTry(timeout_seconds))
    return session


def error_of(failure: RequestException, broker: str) -> BrokerError:
    """The error of ours. It is a definite failure only if no connection was made. It names neither request nor address, which can
    hold keys.
    """
    kind = type(failure).__name__
    if isinstance(failure, ConnectTimeout) or _reason_of(failure) is not None:
        return BrokerConnectionError(f"{broker}: no connection ({kind})")
    if isinstance(failure, RequestsConnectionError):
        return OutcomeUnknown(f"{broker}: the connection broke before the answer ({kind})")
    if isinstance(failure, Timeout):
        return BrokerTimeoutError(f"{broker}: no answer in time ({kind})")
    return OutcomeUnknown(f"{broker}: no readable answer ({kind})")


def _reason_of(failure: RequestException) -> Exception | None:
    """Why no connection was made. None if one was made."""
    cause = failure.args[0] if failure.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return reason if isinstance(reason, _NOTHING_LEFT_US) else None
