"""The databases that read models are held in for the contract, each with a store beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from liveorder.application.reporting.projections import READ_MODELS
from liveorder.application.reporting.projector import Projector
from liveorder.infrastructure.readmodels import views_at
from liveorder.infrastructure.readmodels.sql_views import SqlViews
from tests.contract.event_stores import WallClock
from tests.postgres_databases import lend_database, take_back_database, url_of_database
from tests.unit.readmodels.logs import MemoryLog

STORE = UUID(int=7)


class Ground:
    """A database for read models. `views()` gives what another process would have: an object of its own, not yet open."""

    def __init__(self, url: str) -> None:
        self.url = url

    def views(self) -> SqlViews:
        return views_at(self.url, clock=WallClock())

    @asynccontextmanager
    async def opened(self, store_id: UUID = STORE) -> AsyncIterator[SqlViews]:
        views = self.views()
        await views.open(store_id)
        try:
            yield views
        finally:
            await views.close()


def sqlite_ground(folder: Path) -> Ground:
    return Ground(f"sqlite:///{folder / 'reports' / 'views.sqlite'}")


def postgres_ground() -> Ground:
    """In a database of its own."""
    return Ground(url_of_database(lend_database()))


def remove(ground: Ground) -> None:
    take_back_database(urlsplit(ground.url).path[1:])


def projector_of(log: MemoryLog, views: SqlViews) -> Projector:
    projector = Projector(log, views, WallClock(), _raise)  # type: ignore[arg-type]  # the part of a store that it uses
    projector.follow(STORE)
    return projector


def _raise(error: Exception) -> None:
    raise error


async def dump(views: SqlViews) -> dict[str, list[Any]]:
    """Every row of every table, by key."""
    tables = await asyncio.gather(*[views.rows(shape, None, 10**6) for shape in READ_MODELS])
    return {shape.name: list(rows) for shape, rows in zip(READ_MODELS, tables, strict=True)}
