"""A service that listens on a free port of this machine, and what asks it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiohttp import ClientSession, ClientTimeout

from liveorder.application.engine.service import Service
from liveorder.bootstrap import load_settings, open_service
from liveorder.bootstrap.http import listener
from liveorder.infrastructure.http.server import Listener
from tests.interfaces.command_line import ENOUGH_SECONDS

ANY_PORT = "127.0.0.1:0"


SECRET = "C4nary-of-the-http-door"  # noqa: S105 - of this test's service
"""Shown nowhere."""


def signed(body: bytes, *, nonce: str | None = None, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a sender that signs as the documentation says."""
    timestamp, nonce = str(int(time.time() if at is None else at)), nonce or uuid4().hex
    signature = hmac.new(secret.encode(), f"{timestamp}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Liveorder-Timestamp": timestamp, "X-Liveorder-Nonce": nonce, "X-Liveorder-Signature": signature}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: Any
    """The JSON, or text that is none."""


@dataclass(frozen=True)
class Door:
    """A running service and the way to it."""

    service: Service
    listener: Listener
    session: ClientSession

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.listener.port}{path}"

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.ask("GET", path, headers=headers)

    async def send(
        self,
        body: bytes | str,
        headers: Mapping[str, str] | None = None,
        *,
        nonce: str | None = None,
        at: float | None = None,
        secret: str = SECRET,
    ) -> Answer:
        """Signed, under a nonce of its own unless one is given. `at`: seconds since the epoch."""
        content = body.encode() if isinstance(body, str) else body
        usual = {"Content-Type": "application/json"} | signed(content, nonce=nonce, at=at, secret=secret)
        return await self.ask("POST", "/signals", data=content, headers={**usual, **(headers or {})})

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.url(path), **options) as answer:
            is_json = answer.content_type == "application/json" and method != "HEAD"
            return Answer(answer.status, answer.headers, await (answer.json() if is_json else answer.text()))


@asynccontextmanager
async def door(*, meanwhile: Callable[[Service], Awaitable[None]] | None = None, **http: Any) -> AsyncIterator[Door]:
    """By the settings in the working folder, with these of `[http]`. `meanwhile`: what is done before it is awaited to listen."""
    settings = load_settings(http={"listen": ANY_PORT, **http})
    async with open_service(settings) as service:
        listening = listener(settings, None, service, retry_seconds=0.02)
        async with listening.serving(), ClientSession(timeout=ClientTimeout(ENOUGH_SECONDS)) as session:
            running = asyncio.create_task(service.run())
            try:
                if meanwhile is not None:
                    await meanwhile(service)
                await asyncio.wait_for(listening.is_listening.wait(), ENOUGH_SECONDS)
                yield Door(service, listening, session)
            finally:
                running.cancel()
                await asyncio.wait({running})
