"""What Alpaca answers instead of what was asked for, as our errors: only what it surely read and refused is a refusal.

Nothing of the SDK's exceptions is kept: they hold the request, and that holds the keys.
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
    """404, as Alpaca says it of an order or an asset that is not there: with a JSON body, or with an empty one.

    An answer to a question; of a request that was to change something it is no better than any other surprise.
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
    """A 4xx with a body of Alpaca's own: it read the request. Market data answers without a code."""
    code, message = body.get("code"), _message(body)
    told, words = f"alpaca: {message} ({status if code is None else f'{status}/{code}'})", message.lower()
    if code == _NOT_AUTHORIZED or (status == 403 and words.strip(" .") == "forbidden"):
        return BrokerAuthenticationError(told)
    if status == 422 and code == _INVALID and "client_order_id" in words and "unique" in words:
        return DuplicateClientOrderId(told)
    if code == _NOT_ENOUGH and "insufficient" in words:
        return InsufficientBalanceError(told)
    if _is_about_the_symbol(words):
        return InvalidSymbolError(told)
    return OrderValidationError(told)


def _is_about_the_symbol(words: str) -> bool:
    if "asset" not in words and "symbol" not in words:
        return False
    return any(said in words for said in ("not found", "could not find", "not active", "not tradable", "invalid symbol"))


def _body(text: str) -> dict[str, Any] | None:
    """None for what is not a JSON object: a page of a proxy's."""
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _message(body: dict[str, Any]) -> str:
    return str(body.get("message", ""))[:LONGEST_MESSAGE]


def _retry_after(failure: APIError) -> float | None:
    """`Retry-After`, where it is a number of seconds."""
    told = failure.response.headers.get("Retry-After", "") if failure.response is not None else ""
    return float(told) if told.isdigit() else None
