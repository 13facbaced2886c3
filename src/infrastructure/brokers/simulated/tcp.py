"""The venue in another process, over a socket. Each request in flight has its own connection, as with HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeAlias

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import BrokerConnectionError, OutcomeUnknown
from liveorder.infrastructure.brokers.simulated.transport import within
from liveorder.infrastructure.brokers.simulated.wire import Message

LINE_LIMIT = 1 << 26
"""Maximum length of an answer, in bytes."""

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Tcp:
    """A `Transport`. Connections are reused, unless the venue has closed them meanwhile."""

    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host, self._port, self._clock = host, port, clock
        self._idle: list[Connection] = []

    async def ask(self, line: str, timeout_seconds: float) -> Message:
        answer = await within(timeout_seconds, asyncio.ensure_future(self._exchange(line)), self._clock)
        try:
            message = json.loads(answer)
        except ValueError as error:
            raise OutcomeUnknown(f"the venue's answer could not be read: {answer[:200]!r}") from error
        if not isinstance(message, dict):
            raise OutcomeUnknown(f"the venue's answer could not be read: {answer[:200]!r}")
        return message

    async def _exchange(self, line: str) -> bytes:
        reader, writer = await self._connection()
        try:
            writer.write(line.encode() + b"\n")
            await writer.drain()
            answer = await reader.readline()
            if not answer.endswith(b"\n"):
                raise OutcomeUnknown("the connection to the venue broke before it answered")
        except (OSError, ValueError) as error:
            writer.close()
            raise OutcomeUnknown(f"the connection to the venue broke before it answered: {error}") from error
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return answer

    async def _connection(self) -> Connection:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await self._connected()

    async def _connected(self) -> Connection:
        try:
            return await asyncio.open_connection(self._host, self._port, limit=LINE_LIMIT)
        except OSError as error:
            raise BrokerConnectionError(f"no connection to the venue at {self._host}:{self._port}: {error}") from error

    async def subscribe(self, account_id: str) -> TcpFeed:
        reader, writer = await self._connected()
        writer.write(json.dumps({"verb": "subscribe", "account": account_id}).encode() + b"\n")
        try:
            answer = json.loads(await reader.readline() or b"null")
        except (OSError, ValueError) as error:
            writer.close()
            raise BrokerConnectionError(f"no report stream from the venue: {error}") from error
        if answer != {}:
            writer.close()
            raise BrokerConnectionError(f"no report stream from the venue: {answer}")
        return TcpFeed(reader, writer)

    async def close(self) -> None:
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


class TcpFeed:
    """Reports as lines of JSON until the connection ends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def __aiter__(self) -> AsyncIterator[Message]:
        with suppress(OSError):
            while (line := await self._reader.readline()).endswith(b"\n"):
                yield json.loads(line)
        self._writer.close()

    def close(self) -> None:
        self._writer.close()
