"""The venue as a process: lines of JSON over TCP, requests answered in turn on each connection, reports pushed to subscribers."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from liveorder.application.ports.clock import Clock
from liveorder.domain.errors import InvalidInput
from liveorder.infrastructure.brokers.simulated.refusal import VenueRefusal
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.infrastructure.private_files import open_private
from liveorder.testing.venue.floor import Floor
from liveorder.testing.venue.opening import open_venue
from liveorder.testing.venue.settings import VenueSettings

LINE_LIMIT = 1 << 20
"""Maximum length of a request, in bytes."""


async def serve(
    settings: VenueSettings,
    clock: Clock,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    data: Path | None = None,
    ready_file: Path | None = None,
    announce: Callable[[str], object] = sys.stdout.write,
) -> None:
    """Run a venue until cancelled. Port 0 selects a free one.

    Once it can be reached, it writes ``HOST:PORT`` to `ready_file` atomically and announces one line, ``venue listening on
    HOST:PORT``. Raises as `open_venue` does, and `InvalidInput` if it cannot listen there, as where the port is in use.
    """
    floor = Floor(open_venue(settings, clock.now(), data), settings, clock)
    try:
        async with listening(floor, host, port) as taken:
            _say_ready(f"{host}:{taken}", ready_file, announce)
            await asyncio.get_running_loop().create_future()
    finally:
        floor.close()


@asynccontextmanager
async def listening(floor: Floor, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve the floor over TCP inside the block. Yields the port."""
    reception = _Reception(floor)
    try:
        server = await asyncio.start_server(reception.receive, host, port, limit=LINE_LIMIT)
    except (OSError, UnicodeError) as error:
        raise _not_there(host, port, error) from None
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await reception.close()


def _not_there(host: str, port: int, error: OSError | UnicodeError) -> InvalidInput:
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        why = "is in use by another process" if error.errno == errno.EADDRINUSE else "may not be taken by this user"
        return InvalidInput("port", f"{host}:{port} {why}", "name another one, or 0 for a free one")
    return InvalidInput("host", f"{host!r} is no address of this machine", "name one such as 127.0.0.1")


def _say_ready(address: str, ready_file: Path | None, announce: Callable[[str], object]) -> None:
    if ready_file is not None:
        half_written = ready_file.with_name(ready_file.name + ".new")
        with open_private(half_written, "w") as file:
            file.write(address)
        half_written.replace(ready_file)
    announce(f"venue listening on {address}\n")
    sys.stdout.flush()


class _Reception:
    """Serves connections."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._callers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def close(self) -> None:
        """Close every connection, and return when all are done."""
        callers = dict(self._callers)
        for writer in callers.values():
            writer.close()
        await asyncio.gather(*callers, return_exceptions=True)

    async def receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        caller = asyncio.current_task()
        assert caller is not None
        self._callers[caller] = writer
        reading = asyncio.ensure_future(reader.readline())
        try:
            while (line := await reading).endswith(b"\n"):
                account = _subscriber(line)
                if account is not None:
                    await self._push(account, reader, writer)
                    return
                reading = asyncio.ensure_future(reader.readline())
                if not await self._answer(line, reading, writer):
                    return
        except (OSError, ValueError):
            return
        finally:
            reading.cancel()
            del self._callers[caller]
            writer.close()
            await asyncio.gather(reading, return_exceptions=True)

    async def _answer(self, line: bytes, reading: asyncio.Future[bytes], writer: asyncio.StreamWriter) -> bool:
        """Answer a request. Returns False if the connection should be closed instead, or its caller has gone. `reading`: its next
        line.
        """
        answer = self._floor.send(line)
        if not answer.done():
            await asyncio.wait((answer, reading), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and _is_a_line(reading):
            await answer
        reply = answer.result() if answer.done() else None
        if reply is None:
            return False
        await _write(writer, reply)
        return True

    async def _push(self, account: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            feed = self._floor.subscribe(account)
        except VenueRefusal as refused:
            await _write(writer, {"error": refused.code.value, "message": refused.message})
            return
        gone = asyncio.ensure_future(reader.read())
        gone.add_done_callback(lambda _: feed.close())
        try:
            await _write(writer, {})
            async for report in feed:
                await _write(writer, report)
        finally:
            gone.cancel()
            feed.close()


def _subscriber(line: bytes) -> str | None:
    """The account of a subscription request. None for any other request."""
    if b'"subscribe"' not in line:
        return None
    try:
        request = json.loads(line)
        return str(request["account"]) if request["verb"] == "subscribe" else None
    except (ValueError, KeyError, TypeError):
        return None


def _is_a_line(reading: asyncio.Future[bytes]) -> bool:
    """Whether the caller has sent its next request, rather than hung up after waiting too long."""
    return reading.exception() is None and reading.result().endswith(b"\n")


async def _write(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()
