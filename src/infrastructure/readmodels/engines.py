"""Connections to the database of the read models: one SQLite file of their own, or one schema of a PostgreSQL database.

Losing the newest transactions in a power cut is allowed: a checkpoint is lost together with the rows that it stands for, and the
log, which loses nothing, is read again from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from liveorder.application.reporting.read_models import ViewsUnavailable
from liveorder.infrastructure.database_url import DatabaseUrl, PostgresUrl
from liveorder.infrastructure.private_files import make_empty_file

BUSY_TIMEOUT_SECONDS = 30
CHECKPOINT_BYTES = 4 * 2**20
"""So long, and one transaction more, does SQLite's write-ahead log become."""
MOST_LOG_BYTES = 16 * 2**20
"""So long, while somebody reads in one transaction all the time: until it ends, the log cannot be begun anew."""
_PAGE_BYTES = 4096  # what SQLite gives a new file
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    f"wal_autocheckpoint={CHECKPOINT_BYTES // _PAGE_BYTES}",
    f"journal_size_limit={CHECKPOINT_BYTES}",
    "secure_delete=OFF",  # else emptying the tables writes every page of them, in one transaction
    "cache_size=-65536",
    "temp_store=MEMORY",
)
_PRIVATE_PRAGMAS = ("locking_mode=EXCLUSIVE", "journal_mode=MEMORY", "synchronous=OFF", "cache_size=-65536", "temp_store=MEMORY")


def engine_for(url: DatabaseUrl, *, is_private: bool = False, limit_seconds: float | None = None) -> Engine:
    """`is_private`: a SQLite file loses its name as soon as it is open, and goes with its connection, however that ends.

    `limit_seconds`: a server ends a transaction in which nothing is asked for so long: it keeps the store's tables from vacuum.
    """
    return _postgres(url, limit_seconds) if isinstance(url, PostgresUrl) else _sqlite(url.path, is_private)


def _sqlite(path: Path, is_private: bool) -> Engine:
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, pool_size=1, max_overflow=0, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "do_connect", lambda *_: make_empty_file(path))
    if is_private:
        event.listen(engine, "connect", lambda connection, record: path.unlink(missing_ok=True))
    event.listen(engine, "connect", partial(_prepare_sqlite, _PRIVATE_PRAGMAS if is_private else _PRAGMAS))
    event.listen(engine, "begin", partial(_begin, path.with_name(f"{path.name}-wal")))
    return engine


def _prepare_sqlite(pragmas: Sequence[str], connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


def _begin(log: Path, connection: Connection) -> None:
    """The writer's lock from the start: reading first and writing later fails at once when another writes in between."""
    if connection.get_execution_options().get("reads"):
        connection.exec_driver_sql("BEGIN")
        return
    _shorten(log, connection)
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _shorten(log: Path, connection: Connection) -> None:
    """Rows that come late are better than a disk that is full, on which orders may be stored too."""
    if not log.exists() or log.stat().st_size < MOST_LOG_BYTES:
        return
    is_held, *_ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
    if is_held:
        length = log.stat().st_size
        raise ViewsUnavailable(f"{log} has {length} bytes and is kept so by another program's open transaction: end that one")


def _postgres(url: PostgresUrl, limit_seconds: float | None) -> Engine:
    """Where it is goes to the driver alone: SQLAlchemy reads addresses in another way than libpq, which the store asks."""
    from psycopg.conninfo import conninfo_to_dict

    where: dict[str, Any] = conninfo_to_dict(url.conninfo("liveorder views"))
    limit = "" if limit_seconds is None else f" -c idle_in_transaction_session_timeout={round(limit_seconds * 1000)}"
    connect_args = where | {"options": f"{where.get('options', '')} -c synchronous_commit=off{limit}"}
    return create_engine("postgresql+psycopg://", pool_size=1, max_overflow=0, pool_pre_ping=True, connect_args=connect_args)
