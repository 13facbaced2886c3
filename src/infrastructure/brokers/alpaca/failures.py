"""Maps Alpaca's error answers to our errors. Only a request that Alpaca certainly read and refused counts as refused.

The SDK's exceptions are not kept: they hold the request, and the request holds the keys.
"""

from __future__ import annotations

import json
from typing import Any

from alpaca.common.exceptions import APIError

from liveorder.domain.errors import (
    BrokerAuthenticationError,
    BrokerError,
    BrokerRateLimitError,
    DuplicateClientOrderId,
    InsufficientBalanceError,
    InvalidSymbolError,
    OrderValidationError,
    OutcomeUnknown,
)

LONGEST_MESSAGE = 200
_NOT_AUTHORIZED, _NOT_ENOUGH, _INVALID = 40110000, 40310000, 40010001


class NotFound(OutcomeUnknown):
    """404 for an order or asset that does not exist: with a JSON body, or with an empty one.

    It answers a question. For a request that was to change something, it proves nothing.
    """


def error_of(failure: APIError) -> BrokerError:
    status, text = failure.status_code, str(failure)
    if status == 429:
        return BrokerRateLimitError("alpaca: too many requests", _retry_after(failure))
    if status == 401:
        return BrokerAuthenticationError("alpaca: the credentials are refused (401)")
    body = _body(text)
    if status == 404 and (body is not None or not text.strip()):
        return NotFound(f"alpaca: {_message(body or {}) or 'not found'}")
    if status is None or status >= 500 or status in (404, 408) or body is None:
        return OutcomeUnknown(f"alpaca: answered {status}")
    return _refusal(status, body)


def _refusal(status: int, body: dict[str, Any]) -> BrokerError:
    """The error for a 4xx with Alpaca's own JSON body: Alpaca read the request. Market data sends no code."""
    code, message = body.get("code"), _message(body)
    text, words = f"alpaca: {message} ({status if code is None else f'{status}/{code}'})", message.lower()
    if code == _NOT_AUTHORIZED or (status == 403 and words.strip(" .") == "forbidden"):
        return BrokerAuthenticationError(text)
    if status == 422 and code == _INVALID and "client_order_id" in words and "unique" in words:
        return DuplicateClientOrderId(text)
    if code == _NOT_ENOUGH and "insufficient" in words:
        return InsufficientBalanceError(text)
    if _is_about_the_symbol(words):
        return InvalidSymbolError(text)
    return OrderValidationError(text)


def _is_about_the_symbol(words: str) -> bool:
    if "asset" not in words and "symbol" not in words:
        return False
    return any(phrase in words for phrase in ("not found", "could not find", "not active", "not tradable", "invalid symbol"))


def _body(text: str) -> dict[str, Any] | None:
    """The JSON object. None for anything else, such as a proxy's error page."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _message(body: dict[str, Any]) -> str:
    return str(body.get("message", ""))[:LONGEST_MESSAGE]


def _retry_after(failure: APIError) -> float | None:
    """`Retry-After`, if it is a number of seconds."""
    header = failure.response.headers.get("Retry-After", "") if failure.response is not None else ""
    return float(header) if header.isdigit() else None
