"""How Alpaca answers what it will not or cannot do."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

_BODIES: dict[str, tuple[int, int, str | None]] = {
    "duplicate": (422, 40010001, "client_order_id must be unique"),
    "insufficient_balance": (403, 40310000, "insufficient buying power"),
    "insufficient_quantity": (403, 40310000, None),
    "unknown_symbol": (422, 42210000, "asset not found"),
    "invalid_order": (422, 42210000, None),
    "other_intent": (422, 42210000, None),
    "too_late": (422, 42210000, None),
    "unknown_order": (404, 40410000, "order not found"),
    "malformed": (400, 40010000, None),
    "rate_limited": (429, 42910000, "rate limit exceeded"),
    "unavailable": (429, 42910000, "rate limit exceeded"),
    "unauthorized": (401, 40110000, "request is not authorized"),
    "unknown_account": (401, 40110000, "request is not authorized"),
    "server_error": (500, 50010000, "internal server error occurred"),
}
"""By the exchange's code: status, Alpaca's code, and its words where it has its own."""


class Refused(Exception):
    """Answers the request."""

    def __init__(self, code: str, message: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(code)
        self.code, self.message, self.retry_after_seconds = code, message, retry_after_seconds

    def response(self, *, empty_404: bool = False, pages: bool = False) -> web.Response:
        """`pages`: a 5xx is a page of the load balancer's, not Alpaca's JSON."""
        status, code, words = _BODIES[self.code]
        headers = {} if self.retry_after_seconds is None else {"Retry-After": f"{self.retry_after_seconds:.0f}"}
        if status == 404 and empty_404:
            return web.Response(status=404)
        if status >= 500 and pages:
            return web.Response(status=status, text="<html><body>Bad Gateway</body></html>", content_type="text/html")
        return web.json_response({"code": code, "message": words or self.message}, status=status, headers=headers)


class Garbled(Exception):
    """The answer arrives as something that nobody can read."""


def unless_refused(answer: dict[str, Any]) -> dict[str, Any]:
    """The exchange's answer. Raises `Refused` or `Garbled`."""
    if "error" in answer:
        raise Refused(answer["error"], answer.get("message", ""), answer.get("retry_after_seconds"))
    if answer.get("answer") == "\N{REPLACEMENT CHARACTER}":
        raise Garbled
    return answer


UNREADABLE = json.dumps({"id": 1})[:-3].encode() + b"\xff"
