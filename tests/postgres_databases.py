"""Databases of a test run's own: lent to one test at a time, emptied between two, and dropped when the process ends.

Dropping one makes the server write everything out, which takes longer than most tests.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

POSTGRES = os.environ.get("LIVEORDER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")

_SCHEMAS = """SELECT nspname FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')"""
_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

_made: list[str] = []
_free: list[str] = []


def lend_database() -> str:
    """The name of an empty one."""
    if _free:
        return _free.pop()
    name = f"liveorder_test_{uuid4().hex}"
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    _made.append(name)
    return name


def url_of_database(name: str) -> str:
    return urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))


def take_back_database(name: str) -> None:
    """Whatever is still connected is cut off."""
    with psycopg.connect(url_of_database(name), autocommit=True) as connection:
        connection.execute(_OTHERS)
        for (schema,) in connection.execute(_SCHEMAS).fetchall():
            connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    _free.append(name)


@atexit.register
def _drop_all() -> None:
    for name in _made:
        with suppress(psycopg.Error), psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
