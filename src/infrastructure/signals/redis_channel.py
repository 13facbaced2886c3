"""Signals from a Redis channel: at most once, since the server keeps nothing."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeAlias

from redis.asyncio.client import PubSub

from liveorder.application.gateway.backoff import Backoff
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.domain.signal import MAX_SIGNAL_BYTES
from liveorder.infrastructure.redis_client import FAILURES, REPLY_SECONDS, client_of, failure
from liveorder.infrastructure.settings.redis_url import ChannelSource
from liveorder.infrastructure.signals.connection import ReportedConnection

BUFFERED = 256
"""Messages that wait here. When it is full nothing more is read, and the server ends the connection once its own buffer is full."""
PING_SECONDS = 5.0
"""A connection on which nothing came for so long is asked whether it lives, and given up when it does not answer for as long."""
STEADY_SECONDS = 5.0
"""A connection that held for so long is made anew at once, since each moment without one loses signals."""

_Buffer: TypeAlias = asyncio.Queue[SourceMessage | None]
"""None ends it."""


class RedisChannel:
    """Endless. What is sent while it is not connected is lost: such gaps are counted, and shown by `liveorder status`.

    The offset of a message is a digest of its content: a channel has no places, and the time of arrival is part of no id.
    """

    finite = False

    def __init__(self, source: ChannelSource, bookmarks: Bookmarks, clock: Clock, log: ActivityLog) -> None:
        self.name = source.name
        self._source, self._clock, self._log = source, clock, log
        self._connection = ReportedConnection(self.name, bookmarks, clock, log, keeps=False)

    async def settle(self) -> str:
        return "from when it is connected; what is sent without a connection is lost"

    async def messages(self) -> AsyncIterator[SourceMessage]:
        buffer: _Buffer = asyncio.Queue(BUFFERED)
        hearing = asyncio.create_task(self._hear(buffer), name=self.name)
        try:
            while (message := await buffer.get()) is not None:
                yield message
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing
            await self._connection.closed()

    async def acknowledge(self, message: SourceMessage) -> None:
        """There is nobody to acknowledge it to."""

    async def _hear(self, buffer: _Buffer) -> None:
        try:
            await self._hear_for_ever(buffer)
        except Exception:
            await buffer.put(None)
            raise

    async def _hear_for_ever(self, buffer: _Buffer) -> None:
        backoff = Backoff(self._clock)
        while True:
            since = self._clock.monotonic()
            try:
                await self._hear_once(buffer)
            except FAILURES as error:
                was_steady = self._connection.is_up and self._clock.monotonic() - since >= STEADY_SECONDS
                await self._connection.down(failure(error, self._source.url))
                if was_steady:
                    backoff.reset()
                else:
                    await backoff.wait()

    async def _hear_once(self, buffer: _Buffer) -> None:
        """Until the connection is lost."""
        client = client_of(self._source.url)
        try:
            async with client.pubsub() as subscription:
                async with asyncio.timeout(REPLY_SECONDS):
                    await subscription.subscribe(self._source.channel)
                await self._take(subscription, buffer)
        finally:
            await client.aclose()

    async def _take(self, subscription: PubSub, buffer: _Buffer) -> None:
        is_asked = False
        while True:
            message = await subscription.get_message(timeout=PING_SECONDS)
            if message is None and is_asked:
                raise TimeoutError(f"no answer within {PING_SECONDS:.0f} s")
            is_asked = message is None
            if message is None:
                async with asyncio.timeout(REPLY_SECONDS):
                    await subscription.ping()
            elif message["type"] == "subscribe":
                self._log.write("SOURCE", f"{self.name} is subscribed to")
                await self._connection.up()
            elif message["type"] == "message":
                await buffer.put(self._as_message(message["data"]))
            await self._connection.alive()

    def _as_message(self, content: bytes) -> SourceMessage:
        digest = hashlib.sha256(content).hexdigest()[:16]
        return SourceMessage(self.name, digest, content[: MAX_SIGNAL_BYTES + 1], self._clock.now())
