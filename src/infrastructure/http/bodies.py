"""Reading the body of a request in bounded memory and time."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.web import RequestPayloadError

from liveorder.infrastructure.http.server import problem

READ_SECONDS = 10.0


class Unreadable(Exception):
    """`answer` says why."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.answer = problem(status, error, message)


async def json_body(request: web.Request, max_bytes: int) -> bytes:
    """The body, which calls itself uncompressed JSON. No more of it than `max_bytes` is kept. Raises `Unreadable`."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() != "utf-8":
        raise Unreadable(415, "not_json", "send Content-Type: application/json, in UTF-8")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Unreadable(415, "compressed", "send it without Content-Encoding: compressed bodies are not read")
    if (request.content_length or 0) > max_bytes:
        raise _too_large(max_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > max_bytes:
                    raise _too_large(max_bytes)
    except TimeoutError:
        raise Unreadable(408, "too_slow", f"the body did not come within {READ_SECONDS:.0f} s") from None
    except (RequestPayloadError, OSError):
        raise Unreadable(400, "broken_body", "the body ended early, or its chunks cannot be read") from None
    return bytes(body)


def _too_large(max_bytes: int) -> Unreadable:
    return Unreadable(413, "too_large", f"keep the body within {max_bytes} bytes")
