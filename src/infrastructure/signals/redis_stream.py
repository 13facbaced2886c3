"""Signals from a Redis stream, read as a consumer group: at least once, in the order of their ids."""

from __future__ import annotations

import json
from asyncio import timeout
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from liveorder.application.gateway.backoff import Backoff
from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks, SourceMessage
from liveorder.domain.errors import StoreError
from liveorder.domain.signal import MAX_SIGNAL_BYTES
from liveorder.infrastructure.redis_client import CONNECT_SECONDS, FAILURES, REPLY_SECONDS, client_of, failure
from liveorder.infrastructure.settings.redis_url import StreamSource
from liveorder.infrastructure.signals.connection import ReportedConnection

AT_ONCE = 32
"""Entries in one reply: with those that are being worked on, all that is kept in memory."""
BLOCK_SECONDS = 2.0
"""How long the server waits for an entry before it answers that there is none."""
LOOK_SECONDS = 5.0
"""From one look for entries that are pending and not ours to the next. A former owner that was paused can still be handed some."""
CONSUMER = "liveorder"
"""The same for every owner of the store. A name for each process would leave one behind for each start."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_PLAUSIBLE = datetime(2000, 1, 1, tzinfo=UTC)

Entry: TypeAlias = tuple[str, Sequence[bytes] | None]
"""Its id, and names and values in turn; None if it was deleted."""


class RedisStream:
    """Endless. An entry is acknowledged once its order, its refusal or its dead letter is stored.

    The owner of the store reads alone. It first claims what is pending, of any reader, in the order of the ids, and then reads
    on. It does so again after a lost connection, because a lost reply leaves entries that were delivered and never arrived.

    A group that is missing is made: at the first start behind what is in the stream, later where it was left, or from the
    beginning of a stream that has become another one. A signal that is read again adds nothing.

    An entry of one field holds a signal as JSON; one of several holds the fields of a signal.
    """

    finite = False

    def __init__(self, source: StreamSource, bookmarks: Bookmarks, clock: Clock, log: ActivityLog) -> None:
        self.name = source.name
        self._source, self._bookmarks, self._clock, self._log = source, bookmarks, clock, log
        self._bookmark = f"signal_source:{self.name}"
        self._connection = ReportedConnection(self.name, bookmarks, clock, log, keeps=True)
        self._client: Redis | None = None
        self._place = self._saved = ""
        """The newest id that was acknowledged, and the one that is stored."""
        self._taken: dict[str, None] = {}
        """Ids that were delivered, in that order."""
        self._durable: dict[str, None] = {}
        """Ids that are stored here and not acknowledged to the server yet."""
        self._look_from: str | None = "-"
        """Where to look for pending entries next; None between two looks."""
        self._look_at = 0.0

    async def settle(self) -> str:
        """Asks the server for `CONNECT_SECONDS` at most, because open orders must not wait for it."""
        client = client_of(self._source.url)
        try:
            async with timeout(CONNECT_SECONDS):
                return await self._join(client)
        except FAILURES as error:
            return f"once it answers ({failure(error, self._source.url)})"
        finally:
            await client.aclose()

    async def messages(self) -> AsyncIterator[SourceMessage]:
        backoff = Backoff(self._clock)
        client = self._client = client_of(self._source.url)
        try:
            while True:
                try:
                    async with timeout(REPLY_SECONDS):
                        messages = await self._next(client)
                    backoff.reset()
                except StoreError:
                    await backoff.wait()
                    continue
                except FAILURES as error:
                    self._look_from = "-"
                    await self._connection.down(failure(error, self._source.url))
                    await backoff.wait()
                    continue
                for message in messages:
                    self._taken[message.offset] = None
                    yield message
        finally:
            self._client = None
            await self._connection.closed()
            await client.aclose()

    async def acknowledge(self, message: SourceMessage) -> None:
        """This one, and all that were delivered before it. While the server is away, they are acknowledged later."""
        if message.offset not in self._taken:
            return  # delivered before the group was lost
        for stream_id in list(self._taken):
            del self._taken[stream_id]
            self._durable[stream_id] = None
            self._place = max(self._place, stream_id, key=_in_numbers)
            if stream_id == message.offset:
                break
        if self._client is not None and self._connection.is_up:
            try:
                async with timeout(REPLY_SECONDS):
                    await self._acknowledge_durable(self._client)
            except FAILURES:
                self._look_from = "-"

    async def _next(self, client: Redis) -> Sequence[SourceMessage]:
        """The next messages, if any came within `BLOCK_SECONDS`."""
        if not self._connection.is_up:
            await self._join(client)
            await self._connection.up()
        await self._connection.alive()
        await self._acknowledge_durable(client)
        entries = await (self._new(client) if self._look_from is None else self._pending(client, self._look_from))
        return [self._as_message(stream_id, fields) for stream_id, fields in entries if fields is not None]

    async def _new(self, client: Redis) -> Sequence[Entry]:
        stream, group = self._source.stream, self._source.group
        block = int(BLOCK_SECONDS * 1000)
        reply = await _raw(client, "XREADGROUP", "GROUP", group, CONSUMER, "COUNT", AT_ONCE, "BLOCK", block, "STREAMS", stream, ">")
        if self._clock.monotonic() >= self._look_at:
            self._look_from = "-"
        return [(stream_id.decode(), fields) for _, entries in reply or () for stream_id, fields in entries]

    async def _pending(self, client: Redis, start: str) -> Sequence[Entry]:
        """Those of a page of pending ids that were not delivered by this process."""
        stream, group = self._source.stream, self._source.group
        known = {*self._taken, *self._durable}  # before they are asked for, because some may be acknowledged meanwhile
        page = [stream_id.decode() for stream_id, *_ in await _raw(client, "XPENDING", stream, group, start, "+", AT_ONCE)]
        if not page:
            await self._save_place()
            self._look_from, self._look_at = None, self._clock.monotonic() + LOOK_SECONDS
            return ()
        wanted = [stream_id for stream_id in page if stream_id not in known]
        found: Sequence[Entry] = ()
        if wanted:
            reply = await _raw(client, "XCLAIM", stream, group, CONSUMER, 0, *wanted)
            found = [(entry[0].decode(), entry[1]) for entry in reply if entry is not None]
            await self._give_up(client, sorted(set(wanted) - {stream_id for stream_id, fields in found if fields is not None}))
        self._look_from = f"({page[-1]}"
        return found

    async def _give_up(self, client: Redis, gone: Sequence[str]) -> None:
        """Entries that were deleted or trimmed before they were acknowledged, after a reader had them."""
        if gone:
            shown = ", ".join(gone)
            self._log.write("ERROR", f"{self.name} has lost entries that were pending (MAXLEN, XDEL): {shown}")
            await client.xack(self._source.stream, self._source.group, *gone)

    async def _acknowledge_durable(self, client: Redis) -> None:
        if ids := list(self._durable):
            await client.xack(self._source.stream, self._source.group, *ids)
            for stream_id in ids:
                self._durable.pop(stream_id, None)

    async def _save_place(self) -> None:
        if self._place != self._saved:
            await self._bookmarks.save_checkpoint(self._bookmark, self._place)
            self._saved = self._place

    async def _join(self, client: Redis) -> str:
        """Makes the group where it is missing. Returns where it reads from, as text."""
        stream, group = self._source.stream, self._source.group
        stored = self._saved or await self._bookmarks.checkpoint(self._bookmark) or ""
        left_at, end = await self._positions(client)
        if left_at is None:
            start, text = self._start_of_group(stored, end)
            try:
                await client.xgroup_create(stream, group, start, mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
            self._taken.clear()
            self._durable.clear()
            if stored:
                self._log.write("WARNING", f"{self.name} had lost its group; it is read {text}")
        else:
            start, text = left_at, "where its group left off, after what is pending"
        place = start if left_at is None else stored or start
        if place != stored:
            await self._bookmarks.save_checkpoint(self._bookmark, place)
        self._place = self._saved = place
        return text

    def _start_of_group(self, stored: str, end: str) -> tuple[str, str]:
        """The id after which to read, and that as text."""
        if stored and _in_numbers(end) >= _in_numbers(stored):
            return stored, f"after {stored}, where it was left; signals that are known add nothing"
        if stored:
            return "0-0", f"from its beginning: it is another stream than the one that was read up to {stored}"
        if self._source.from_beginning:
            return "0-0", "from its beginning"
        return end, f"after {end}, its end when it was first looked at"

    async def _positions(self, client: Redis) -> tuple[str | None, str]:
        """The last id that was handed to the group, None without a group; and the last id of the stream. A key that is no stream
        is an error of the server.
        """
        stream, group = self._source.stream, self._source.group
        if not await client.exists(stream):
            return None, "0-0"
        end = _pairs(await _raw(client, "XINFO", "STREAM", stream))[b"last-generated-id"].decode()
        groups = [_pairs(each) for each in await _raw(client, "XINFO", "GROUPS", stream)]
        left_at = [each[b"last-delivered-id"].decode() for each in groups if each[b"name"] == group.encode()]
        return left_at[0] if left_at else None, end

    def _as_message(self, stream_id: str, fields: Sequence[bytes]) -> SourceMessage:
        return SourceMessage(self.name, stream_id, _content(fields), self._published_at(stream_id))

    def _published_at(self, stream_id: str) -> datetime | None:
        """By the server's clock, and never later than now by ours. Unknown if the sender chose the id."""
        try:
            at = _EPOCH + timedelta(milliseconds=_in_numbers(stream_id)[0])
        except OverflowError:
            return None
        return min(at, self._clock.now()) if at >= _FIRST_PLAUSIBLE else None


async def _raw(client: Redis, command: str, *args: Any) -> Any:
    """The reply as it came. The client's own form of an entry keeps the last of two equal fields only."""
    untyped: Any = client
    untyped.set_response_callback(command, lambda reply, **_: reply)
    return await untyped.execute_command(command, *args)


def _content(fields: Sequence[bytes]) -> bytes:
    """A signal as JSON, cut after one byte more than is allowed. Repeated fields and bytes that are no text stay, to be refused."""
    if len(fields) == 2:
        return bytes(fields[1][: MAX_SIGNAL_BYTES + 1])
    parts = [part[: MAX_SIGNAL_BYTES + 1].decode(errors="surrogateescape") for part in fields]
    texts = [json.dumps(part, ensure_ascii=False) for part in parts]
    pairs = ",".join(f"{name}:{value}" for name, value in zip(texts[::2], texts[1::2], strict=True))
    return f"{{{pairs}}}".encode(errors="surrogateescape")[: MAX_SIGNAL_BYTES + 1]


def _pairs(reply: Sequence[Any]) -> dict[Any, Any]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


def _in_numbers(stream_id: str) -> tuple[int, int]:
    milliseconds, _, number = stream_id.partition("-")
    return int(milliseconds or 0), int(number or 0)
