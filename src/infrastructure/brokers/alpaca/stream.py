"""The trade-updates stream, one connection at a time.

The SDK's `run()` reconnects forever on its own without reporting it, so nobody would ask for what was missed. Here its parts run on
our loop. The first failure ends the connection, and missed events are asked for before the next connection is read.
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
"""A connection that leaves a ping unanswered for this long counts as lost. The SDK would wait for three minutes."""

_QUIET = logging.getLogger(__name__)
_QUIET.setLevel(logging.WARNING)  # at DEBUG the library logs every frame, and the first holds the keys

_LOST = (WebSocketException, OSError, EOFError)


class TradeUpdateStream(TradingStream):
    """One connection: opened once and read until it ends. A new connection needs a new object."""

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
        """Connect, authenticate and subscribe. From then on, events arrive. Raises the matching `BrokerError`."""
        failure: BrokerError | None = BrokerConnectionError("alpaca: cancelled before the stream was open")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._start_ws()  # type: ignore[no-untyped-call]  # the SDK types it in part
                await self._until_heard()
            failure = None
        except Exception as error:  # noqa: BLE001 - after any exception of the libraries there is no stream
            failure = _failure(error)
        finally:
            if failure is not None:
                await self.close()
        if failure is not None:
            raise failure

    async def _until_heard(self) -> None:
        """Wait for the confirmation of the subscription; the SDK does not."""
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
        """Yield events until the connection is lost or closed."""
        with suppress(*_LOST):
            while self._ws is not None:
                while self._events:
                    yield self._events.popleft()
                await self._dispatch(await self._next())

    async def _next(self) -> Message:
        """The next message, with exact numbers. Empty if it is not a JSON object."""
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
    """The SDK raises a bare `ValueError` if authentication fails."""
    if type(error) is ValueError:
        return BrokerAuthenticationError("alpaca: the stream refused the credentials")
    return BrokerConnectionError(f"alpaca: no stream ({type(error).__name__})")
