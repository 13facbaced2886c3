"""Where stores are made, one for each trial: files in a folder, or schemas of a database that is dropped at the end."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg.sql import SQL, Identifier

from liveorder.infrastructure.clock import SystemClock
from liveorder.infrastructure.eventstore.store_by_url import create_store
from tests.contract.event_stores import PostgresSite


class StoreFactory(Protocol):
    async def new_store(self, account: str) -> str:
        """Its URL."""
        ...

    def drop(self, url: str) -> None: ...


async def create(url: str, account: str) -> None:
    await create_store(
        url, clock=SystemClock(), namespace="test", default_account=account, mode="SIMULATION", account_ids=[account]
    )


class SqliteStores:
    def __init__(self, folder: Path) -> None:
        self._folder, self._numbers = folder, count()

    async def new_store(self, account: str) -> str:
        folder = self._folder / f"store-{next(self._numbers)}"
        folder.mkdir()
        url = f"sqlite:///{folder / 'orders.db'}"
        await create(url, account)
        return url

    def drop(self, url: str) -> None:
        shutil.rmtree(Path(url.removeprefix("sqlite:///")).parent)


class PostgresStores:
    def __init__(self, url: str) -> None:
        self._url, self._numbers = url, count()

    async def new_store(self, account: str) -> str:
        url = f"{self._url}?schema=store{next(self._numbers)}"
        await create(url, account)
        return url

    def drop(self, url: str) -> None:
        schema = url.rpartition("=")[2]
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("SET client_min_messages TO warning")
            for name in (schema, f"{schema}_views"):
                connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))


@asynccontextmanager
async def store_factory(engine: str, folder: Path) -> AsyncIterator[StoreFactory]:
    """`sqlite` or `postgres`."""
    if engine == "sqlite":
        yield SqliteStores(folder)
        return
    site = PostgresSite()
    try:
        yield PostgresStores(site.url)
    finally:
        await site.remove()
