"""Answers of Kite's as bytes, given to the vendor's client as if they had come over the wire."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from pydantic import SecretStr
from requests import PreparedRequest, Response
from urllib3 import HTTPResponse

from liveorder.application.ports.brokerage import Brokerage
from liveorder.infrastructure.brokers.kite.assembly import brokerage
from liveorder.infrastructure.brokers.kite.broker import KiteBroker
from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.http_session import OneTry
from liveorder.infrastructure.settings.sections import Kite
from tests.harness.worlds import RememberedLog
from tests.twins.kite.client import access_to

SECRETS = ("cannedapikey", "cannedapisecret", "cannedaccesstoken")
_PATIENCE_SECONDS = 10
MORNING = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
"""Half past nine in India, on a Friday."""


class SetClock(SystemClock):
    """Stands still, but for those who sleep."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Answer:
    body: str
    status: int = 200
    content_type: str = "application/json"


def success(data: str) -> Answer:
    """`data` is JSON as it stands on the wire."""
    return Answer(f'{{"status": "success", "data": {data}}}')


def error(status: int, error_type: str, message: str = "no") -> Answer:
    return Answer(json.dumps({"status": "error", "message": message, "error_type": error_type, "data": None}), status)


class Wire(OneTry):
    """Answers by what the address ends with, without a connection; an exception is raised instead."""

    def __init__(self, answers: dict[str, Answer | Exception]) -> None:
        super().__init__(1.0)
        self.answers = answers
        self.asked: list[str] = []
        """The address of every call."""
        self.until: threading.Event | None = None
        """Answers wait for it."""

    def count(self, path: str) -> int:
        """How often this was asked."""
        return sum(url.split("?")[0].endswith(path) for url in self.asked)

    async def is_asked(self, times: int = 1) -> None:
        """Waits for it: calls come from threads."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.asked) < times:  # noqa: ASYNC110 - the wire is asked in a thread
                await asyncio.sleep(0.001)

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        url = request.url or ""
        path = url.split("?")[0]
        answer = next(answer for end, answer in self.answers.items() if path.endswith(end))
        self.asked.append(url)
        if self.until is not None:
            self.until.wait(_PATIENCE_SECONDS)
        if isinstance(answer, Exception):
            answer.request = request  # type: ignore[attr-defined]  # as requests does: it leads to the token
            raise answer
        raw = HTTPResponse(
            BytesIO(answer.body.encode()), {"content-type": answer.content_type}, answer.status, preload_content=False
        )
        return self.build_response(request, raw)


@dataclass
class Canned:
    """A broker on such a wire."""

    broker: KiteBroker
    parts: Brokerage
    wire: Wire
    log: RememberedLog
    clock: SetClock


def broker_on(
    answers: Mapping[str, Answer | Exception], *, capabilities: Mapping[str, Any] | None = None, **options: Any
) -> Canned:
    """`options` are settings of the kite section."""
    log, clock, wire = RememberedLog(), SetClock(), Wire(dict(answers))
    key, secret, token = map(SecretStr, SECRETS)
    credentials: dict[str, Any] = {"api_key": key, "api_secret": secret, "access_token": token}
    section = Kite(**{**credentials, "root": "http://127.0.0.1:1", **options})
    parts = brokerage(access_to(log, clock, **capabilities or {}), section)
    broker = parts.broker
    assert isinstance(broker, KiteBroker)
    broker._session.take_token()
    broker._session._client.reqsession.mount("http://", wire)
    return Canned(broker, parts, wire, log, clock)
