"""The Redis server that tests use: every key and channel of a test begins with a name of its own, and its keys are deleted."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import redis.asyncio
from redis.exceptions import RedisError

Redis: TypeAlias = Any
"""A client of one. Its own types have several forms of each reply."""
REDIS = os.environ.get("LIVEORDER_TEST_REDIS", "redis://127.0.0.1:6379/0")
HOST, PORT = urlsplit(REDIS).hostname or "127.0.0.1", urlsplit(REDIS).port or 6379


def redis_client() -> Redis:
    return redis.asyncio.Redis.from_url(REDIS, protocol=2)


@asynccontextmanager
async def redis_of_a_test() -> AsyncIterator[tuple[Redis, str]]:
    """A client, and the name. Skips where there is no server, or fails where the services are required."""
    client, name = redis_client(), f"liveorder-test-{uuid4().hex}"
    try:
        try:
            await client.ping()
        except RedisError as error:
            reason = f"no Redis at {HOST}:{PORT}: {error}"
            if os.environ.get("LIVEORDER_REQUIRE_SERVICES") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        yield client, name
        async for key in client.scan_iter(f"{name}*"):
            await client.delete(key)
    finally:
        await client.aclose()


async def add(client: Redis, stream: str, signal: dict[str, Any] | str, stream_id: str = "*") -> str:
    """The id of the new entry."""
    text = signal if isinstance(signal, str) else json.dumps(signal)
    added: bytes = await client.xadd(stream, {"data": text}, id=stream_id)
    return added.decode()


async def pending(client: Redis, stream: str, group: str = "liveorder") -> int:
    """Entries that were handed out and not acknowledged."""
    return int((await client.xpending(stream, group))["pending"])


async def is_all_acknowledged(client: Redis, stream: str, group: str = "liveorder") -> bool:
    """Whether the group has had every entry, and acknowledged it."""
    infos = [each for each in await client.xinfo_groups(stream) if each["name"] == group.encode()]
    end = (await client.xinfo_stream(stream))["last-generated-id"]
    return [(each["last-delivered-id"], each["pending"]) for each in infos] == [(end, 0)]


async def end_connections(client: Redis, command: str) -> int:
    """CLIENT KILL of those whose last command was that one. How many there were."""
    found = [each for each in await client.client_list() if each["cmd"] == command]
    for each in found:
        await client.client_kill_filter(_id=each["id"])
    return len(found)
