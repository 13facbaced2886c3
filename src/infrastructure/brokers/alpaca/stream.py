"""The trade-updates stream, one connection at a time.

The SDK's own `run()` connects again by itself for ever and tells nobody, so that what happened in between is never asked for. Here
its parts run on our loop: the first failure ends the connection, and what was missed is asked for before the next one is followed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from alpaca.trading.stream import TradingStream
from websockets.exceptions import WebSocketException

from liveorder.domain.errors import BrokerAuthenticationError, BrokerConnectionError, BrokerError
from liveorder.infrastructure.brokers.alpaca.translation import Message

PING_SECONDS = 10
"""A connection that does not answer a ping for so long is lost; the SDK would wait for three minutes."""

_QUIET = logging.getLogger(__name__)
_QUIET.setLevel(logging.WARNING)  # at DEBUG the library logs every frame, and the first holds the keys

_LOST = (WebSocketException, OSError, EOFError)


class TradeUpdateStream(TradingStream):
    """Open it once, read it until it ends, make another."""

    _ws: Any

    def __init__(self, api_key: str, secret_key: str, url: str, timeout_seconds: float) -> None:
        options = {
            "ping_interval": PING_SECONDS,
            "ping_timeout": PING_SECONDS,
            "open_timeout": timeout_seconds,
            "close_timeout": 1,
            "max_queue": 1024,
            "logger": _QUIET,
        }
        super().__init__(api_key, secret_key, raw_data=True, url_override=url, websocket_params=options)
        self._timeout_seconds = timeout_seconds
        self._events: deque[Message] = deque()
        self.subscribe_trade_updates(self._keep)

    @property
    def is_open(self) -> bool:
        return self._ws is not None and bool(self._ws.open)

    async def open(self) -> None:
        """Connected, let in and heard: what happens from now on is told. Raises the `BrokerError` that fits."""
        failure: BrokerError | None = BrokerConnectionError("alpaca: given up before the stream was open")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._start_ws()  # type: ignore[no-untyped-call]  # the SDK types it in part
                await self._until_heard()
            failure = None
        except Exception as error:  # noqa: BLE001 - whatever the libraries raise, there is no stream
            failure = _failure(error)
        finally:
            if failure is not None:
                await self.close()
        if failure is not None:
            raise failure

    async def _until_heard(self) -> None:
        """The SDK asks to listen and does not wait for the answer."""
        while True:
            message = await self._next()
            data = message.get("data")
            if message.get("stream") == "listening" and "trade_updates" in (data or {}).get("streams", ()):
                return
            if isinstance(data, dict) and data.get("status") == "unauthorized":
                raise ValueError("not let in")
            if message.get("action") == "error":
                raise ConnectionError("refused for now")
            await self._dispatch(message)

    async def events(self) -> AsyncIterator[Message]:
        """Until the connection is lost or closed."""
        with suppress(*_LOST):
            while self._ws is not None:
                while self._events:
                    yield self._events.popleft()
                await self._dispatch(await self._next())

    async def _next(self) -> Message:
        """Numbers kept exact. What is no JSON object says nothing."""
        try:
            message: Any = json.loads(await self._ws.recv(), parse_float=Decimal)
        except ValueError:
            return {}
        return message if isinstance(message, dict) else {}

    async def _keep(self, message: Message) -> None:
        data = message.get("data")
        self._events.append(data if isinstance(data, dict) else {})

    async def close(self) -> None:
        with suppress(*_LOST, TimeoutError):
            await super().close()


def _failure(error: Exception) -> BrokerError:
    """The SDK raises a bare `ValueError` where it is not let in."""
    if type(error) is ValueError:
        return BrokerAuthenticationError("alpaca: the stream refused the credentials")
    return BrokerConnectionError(f"alpaca: no stream ({type(error).__name__})")
