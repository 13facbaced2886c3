"""A Redis server, and what sources keep their places in."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from liveorder.application.ports.signal_source import Bookmarks
from tests.redis_server import Redis, redis_of_a_test


class Shelf(Bookmarks):
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def checkpoint(self, name: str) -> str | None:
        return self.values.get(name)

    async def save_checkpoint(self, name: str, value: str) -> None:
        self.values[name] = value


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Redis, str]]:
    async with redis_of_a_test() as found:
        yield found


@pytest.fixture
def redis(server: tuple[Redis, str]) -> Redis:
    return server[0]


@pytest.fixture
def name(server: tuple[Redis, str]) -> str:
    """Begins every key and channel of the test."""
    return server[1]
