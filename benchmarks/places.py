"""Where the measured stores are: files of their own on a real disk, and a PostgreSQL database of their own. Gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

from liveorder.infrastructure.eventstore.sqlite import Placement

SERVER = os.environ.get("LIVEORDER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")


@dataclass(frozen=True, slots=True)
class Place:
    """Room for any number of stores of one kind. `placement` says where SQLite commits."""

    name: str
    folder: Path
    database: str | None = None
    placement: Placement = Placement.INLINE

    @property
    def is_postgres(self) -> bool:
        return self.database is not None

    @property
    def is_in_thread(self) -> bool:
        """The same store as another place's, written elsewhere."""
        return self.database is None and self.placement is Placement.THREAD

    def new_url(self) -> str:
        """Of a store that is not there yet."""
        name = f"s{uuid4().hex}"
        return f"{self.database}?schema={name}" if self.database is not None else f"sqlite:///{self.folder / name}.sqlite"


@asynccontextmanager
async def places() -> AsyncIterator[list[Place]]:
    """SQLite on the loop and off it, and PostgreSQL where `LIVEORDER_TEST_POSTGRES`, or a server on this machine, answers."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", os.curdir)) as name:
        folder = Path(name)
        found = [
            Place("SQLite, inline on the loop", folder, placement=Placement.INLINE),
            Place("SQLite, in a writer thread", folder, placement=Placement.THREAD),
        ]
        async with _database() as url:
            if url is not None:
                found.append(Place("PostgreSQL", folder, url))
            yield found


@asynccontextmanager
async def _database() -> AsyncIterator[str | None]:
    try:
        server = await psycopg.AsyncConnection.connect(SERVER, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError:
        yield None
        return
    name = f"liveorder_bench_{uuid4().hex}"
    async with server:
        await server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield urlunsplit(urlsplit(SERVER)._replace(path=f"/{name}"))
        finally:
            await server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
