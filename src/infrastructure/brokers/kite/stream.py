"""Kite's order updates, used as wake-ups only: they arrive late, out of order and without trade ids, so their content is ignored.

The vendor's ticker runs on Twisted, whose single reactor per process cannot be started twice. The first ticker starts it in a
thread that lives as long as the process, and every further ticker of any account uses it there. The ticker's own reconnecting is
off. Its address contains the access token and is never shown.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

from kiteconnect import KiteTicker

from liveorder.infrastructure.blocking_calls import handed_over

SILENCE_SECONDS = 30.0
"""Kite sends a heartbeat about every second. A connection without one for this long is dead, even if it was not reported as
closed.
"""
_START_SECONDS = 5.0

_starting = threading.Lock()
logging.getLogger("kiteconnect").addHandler(logging.NullHandler())  # it logs every closed connection as an error, to stderr


def reactor() -> Any:
    """The process's reactor. Importing it installs it, so the import is delayed until it is needed."""
    return import_module("twisted.internet.reactor")


def start(ticker: KiteTicker) -> None:
    """Connect on the reactor, from any other thread. Raises Twisted's error if the reactor was stopped before."""
    with _starting:
        if reactor().running:
            reactor().callFromThread(ticker.connect, threaded=True)
            return
        is_running = threading.Event()
        reactor().callWhenRunning(is_running.set)
        ticker.connect(threaded=True)
        is_running.wait(_START_SECONDS)


class WakeUps:
    """Ids of orders that changed, from `open` on. An id that is reported several times before it is read is yielded once.

    The iteration ends with the connection. Use it on one event loop only.
    """

    def __init__(self, api_key: str, access_token: str, root: str | None, timeout_seconds: float) -> None:
        self._ticker = KiteTicker(
            api_key, access_token, root=root, reconnect_max_tries=0, connect_timeout=max(int(timeout_seconds), 1)
        )
        self._orders: dict[str, None] = {}
        self._stirred = asyncio.Event()
        self._opened = asyncio.Event()
        self._hung_up = asyncio.Event()
        self.has_ended = False

    def listen(self) -> None:
        """Call before `start`. Passes the ticker thread's messages to this loop."""
        loop = asyncio.get_running_loop()
        heard, opened, ended, wake = (handed_over(loop, take) for take in (self._hear, self._open, self._lose, self._take))
        self._ticker.on_message = lambda ws, payload, is_binary: heard(None)
        self._ticker.on_connect = lambda ws, response: opened(None)
        self._ticker.on_close = lambda ws, code, reason: ended(None)
        self._ticker.on_noreconnect = lambda ws: ended(None)
        self._ticker.on_order_update = lambda ws, order: wake(order)

    def start(self) -> None:
        """Blocks until the reactor runs."""
        start(self._ticker)

    async def opened(self, timeout_seconds: float) -> bool:
        """Whether it connected within the time-out."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._opened.wait()
        except TimeoutError:
            self.close()
        return not self.has_ended

    def wake(self, order_id: str) -> None:
        """Record that this order changed."""
        self._orders[order_id] = None
        self._stirred.set()

    async def __aiter__(self) -> AsyncIterator[str]:
        while not self.has_ended or self._orders:
            while self._orders:
                order_id = next(iter(self._orders))
                del self._orders[order_id]
                yield order_id
            await self._wait()

    async def _wait(self) -> None:
        """Wait for a message or heartbeat. Closes the connection if it was silent for too long."""
        self._stirred.clear()
        if self.has_ended or self._orders:
            return
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await self._stirred.wait()
        except TimeoutError:
            self.close()

    def close(self) -> None:
        """Stop reading. The connection closes on its own thread."""
        self._end()
        reactor().callFromThread(self._hang_up)

    async def closed(self, timeout_seconds: float) -> None:
        """Wait until the other side has closed too, or the time-out has passed."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._hung_up.wait()
        except TimeoutError:
            return

    def _hang_up(self) -> None:
        """Runs on the reactor. A connection that is still being opened is closed once it is open."""
        self._ticker.on_open = lambda ws: self._ticker.close()
        if self._ticker.is_connected():
            self._ticker.close()

    def _hear(self, _: object) -> None:
        self._stirred.set()

    def _open(self, _: object) -> None:
        self._opened.set()

    def _take(self, order: Any) -> None:
        if isinstance(order, dict) and isinstance(order.get("order_id"), str):
            self.wake(order["order_id"])

    def _lose(self, _: object) -> None:
        self._hung_up.set()
        self._end()

    def _end(self) -> None:
        self.has_ended = True
        self._opened.set()
        self._stirred.set()
