"""Connections to the database of the read models: one SQLite file of their own, or one schema of a PostgreSQL database.

Losing the newest transactions in a power cut is allowed: a checkpoint is lost together with the rows that it stands for, and the
log, which loses nothing, is read again from there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from liveorder.infrastructure.database_url import DatabaseUrl, PostgresUrl
from liveorder.infrastructure.private_files import make_empty_file

_BUSY_TIMEOUT_SECONDS = 30


def engine_for(url: DatabaseUrl) -> Engine:
    return _postgres(url) if isinstance(url, PostgresUrl) else _sqlite(url.path)


def _sqlite(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, pool_size=1, max_overflow=0, connect_args={"timeout": _BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "do_connect", lambda *_: make_empty_file(path))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=8192", "cache_size=-65536", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    """The writer's lock from the start: reading first and writing later fails at once when another writes in between."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if not connection.get_execution_options().get("reads") else "BEGIN")


def _postgres(url: PostgresUrl) -> Engine:
    """Where it is goes to the driver alone: SQLAlchemy reads addresses in another way than libpq, which the store asks."""
    where = conninfo_to_dict(url.conninfo("liveorder views"))
    connect_args = where | {"options": "-c synchronous_commit=off"}
    return create_engine("postgresql+psycopg://", pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=connect_args)
