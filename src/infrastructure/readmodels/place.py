"""Where one set of read models is: its tables, its connection, and the one thread on which everything blocking runs."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import Connection, MetaData, func, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import CreateSchema, DropSchema

from liveorder.application.reporting.projections.read_model import ReadModel
from liveorder.application.reporting.read_models import ViewsBlocked, ViewsUnavailable
from liveorder.infrastructure.database_url import DatabaseUrl, SqliteUrl
from liveorder.infrastructure.private_files import make_folder
from liveorder.infrastructure.readmodels.daemon_thread import DaemonThread
from liveorder.infrastructure.readmodels.engines import engine_for
from liveorder.infrastructure.readmodels.tables import Tables, fingerprint

_T = TypeVar("_T")
_CLOSING_SECONDS = 1.0
_CREATION_LOCK = 0x4C4F5631
"""Two processes that make the same PostgreSQL tables at once would fail each other."""


class ViewsPlace:
    """`?schema=name` in the URL of a PostgreSQL store makes the schema `name_views`; a SQLite file is a place by itself.

    `is_inline`: block the event loop instead of using a thread, for loops whose time is virtual. `is_private`: for this object
    alone, so that a SQLite file needs no name, and whatever ends the process leaves none. `limit_seconds`: after which nobody waits
    for what runs here, not even the end of the process; without it everything is waited for.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        models: Sequence[ReadModel[Any, Any]],
        is_inline: bool = False,
        suffix: str = "_views",
        *,
        is_private: bool = False,
        limit_seconds: float | None = None,
    ) -> None:
        self._url, self._models, self._is_inline, self._suffix = url, models, is_inline, suffix
        self._engine = engine_for(url, is_private=is_private, limit_seconds=limit_seconds)
        self._file = url.path if isinstance(url, SqliteUrl) else None
        self._schema = None if isinstance(url, SqliteUrl) else f"{url.schema_name}{suffix}"
        self.tables = Tables(models, self._schema)
        self._limit_seconds, self._is_blocked = limit_seconds, False
        self._thread: Executor = ThreadPoolExecutor(1, "read-models") if limit_seconds is None else DaemonThread("projection")

    def twin(self) -> ViewsPlace:
        """A second place in the same database, or on the same disk as the file: of no name, once it is open.

        What has one was left by a process that was killed before that, or by an earlier version.
        """
        if self._file is None:
            return self._twin_at(self._url, f"{self._suffix}_twin")
        for left in self._file.parent.glob(f"{glob.escape(self._file.name)}.twin*"):
            left.unlink(missing_ok=True)
        return self._twin_at(SqliteUrl(Path(f"{self._file}.twin-{uuid4().hex}")), self._suffix)

    def _twin_at(self, url: DatabaseUrl, suffix: str) -> ViewsPlace:
        return ViewsPlace(url, self._models, self._is_inline, suffix, is_private=True, limit_seconds=self._limit_seconds)

    async def write(self, work: Callable[[Connection], _T]) -> _T:
        """Run `work` in a transaction, all or nothing. Raises `ViewsUnavailable`."""
        return await self._run(lambda: self._write(work))

    async def read(self, work: Callable[[Connection], _T]) -> _T:
        return await self._run(lambda: self._read(work))

    async def make_ready(self, store_id: UUID) -> None:
        """Tables that carry this store's id, emptied when they carried another or had other shapes."""
        if self._file is not None:
            make_folder(self._file.parent)
        await self.write(lambda connection: self._make_ready(connection, store_id))

    async def discard(self) -> None:
        """Leave nothing of a private place: a file without a name goes by being closed, a schema has to be dropped."""
        try:
            if self._file is None:
                await self.write(self._drop)
        finally:
            await self.close()

    async def close(self) -> None:
        with suppress(ViewsBlocked):
            await self._run(self._engine.dispose, self._limit_seconds and min(self._limit_seconds, _CLOSING_SECONDS))
        self._thread.shutdown(wait=self._limit_seconds is None)

    async def _run(self, work: Callable[[], _T], limit_seconds: float | None = None) -> _T:
        if self._is_blocked:
            raise ViewsBlocked(f"the read models at {self._url} are still busy with what took too long")
        try:
            if self._is_inline:
                return work()
            return await self._within(limit_seconds or self._limit_seconds, work)
        except (SQLAlchemyError, OSError) as error:
            raise ViewsUnavailable(f"the read models at {self._url} failed: {error}") from error

    async def _within(self, limit_seconds: float | None, work: Callable[[], _T]) -> _T:
        """Raises `ViewsBlocked`. What runs on the thread cannot be ended, only left."""
        limit = asyncio.timeout(limit_seconds)
        try:
            async with limit:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError:
            if not limit.expired():
                raise
            self._is_blocked = True
            raise ViewsBlocked(f"the read models at {self._url} took longer than {limit_seconds:g} s") from None

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        with self._engine.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[Connection], _T]) -> _T:
        with self._engine.connect() as connection:
            return work(connection.execution_options(reads=True))

    def _make_ready(self, connection: Connection, store_id: UUID) -> None:
        if self._schema is not None:
            connection.execute(select(func.pg_advisory_xact_lock(_CREATION_LOCK, func.hashtext(self._schema))))
            connection.execute(CreateSchema(self._schema, if_not_exists=True))
        if self._stamp(connection) != (str(store_id), fingerprint(self._models)):
            self.empty(connection, store_id)

    def _stamp(self, connection: Connection) -> tuple[str, str] | None:
        checkpoint = self.tables.checkpoint
        if not connection.dialect.has_table(connection, checkpoint.name, schema=checkpoint.schema):
            return None
        found = connection.execute(select(checkpoint)).one_or_none()
        return None if found is None else (found.store_id, found.shapes)

    def empty(self, connection: Connection, store_id: UUID) -> None:
        """New tables at position 0, whatever was there before."""
        self._drop(connection)
        if self._schema is not None:
            connection.execute(CreateSchema(self._schema))
        self.tables.metadata.create_all(connection)
        stamp = {"name": "views", "store_id": str(store_id), "shapes": fingerprint(self._models), "position": 0}
        connection.execute(insert(self.tables.checkpoint).values(stamp))

    def _drop(self, connection: Connection) -> None:
        """Raises `ViewsUnavailable` where something else than read models stands, an order store perhaps."""
        self._refuse_tables_of_others(connection)
        if self._schema is not None:
            connection.execute(DropSchema(self._schema, cascade=True, if_exists=True))
        else:
            present = MetaData()
            present.reflect(connection)
            present.drop_all(connection)

    def _refuse_tables_of_others(self, connection: Connection) -> None:
        inspector, own = inspect(connection), self.tables.checkpoint
        names = inspector.get_table_names(schema=self._schema)
        if own.name in names:
            columns = {column["name"] for column in inspector.get_columns(own.name, schema=self._schema)}
            if columns == set(own.columns.keys()):
                return
        if names:
            raise ViewsUnavailable(
                f"read_model: {self._url}{f' (schema {self._schema})' if self._schema else ''} holds what is no read model "
                f"({', '.join(sorted(names)[:3])} …); name a place of its own, nothing was changed there"
            )
