"""Connections to one store's schema, and what their errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors

from liveorder.domain.errors import SettingsError, StoreError, StoreRefused, StoreUnavailable
from liveorder.infrastructure.database_url import HOW_TO_WRITE, PostgresUrl, database_url

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

_MISSING = (errors.InvalidCatalogName, errors.InvalidSchemaName, errors.UndefinedTable, errors.UndefinedColumn)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)
_LOCAL_SETTINGS = """SELECT set_config('search_path', %s, false),
    set_config('synchronous_commit', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('default_transaction_read_only', %s, false),
    set_config('enable_seqscan', %s, false),
    set_config('jit', 'off', false),
    set_config('lock_timeout', '10s', false),
    set_config('idle_in_transaction_session_timeout', '30s', false)"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is: a database, and a schema in it that the store has for itself."""

    conninfo: str = field(repr=False)
    schema_name: str

    def __str__(self) -> str:
        """Without password."""
        parts = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        return f"schema {self.schema_name} of database {parts.get('dbname', '')} at {parts.get('host', 'the local socket')}"


def address_of(text: str) -> Address:
    """Of several hosts the one is taken that is no standby. Raises `SettingsError` where it is none of PostgreSQL."""
    url = database_url(text)
    if not isinstance(url, PostgresUrl):
        raise SettingsError(f"{url} is a file, and no database of PostgreSQL; {HOW_TO_WRITE}")
    return Address(url.conninfo("liveorder"), url.schema_name)


async def configure(connection: Connection, schema_name: str, *, read_only: bool) -> None:
    """A writer may not choose to scan: a plan made for a small table must not outlive its growth. Nor does it compile plans."""
    flags = ("on", "on") if read_only else ("off", "off")
    await connection.set_autocommit(True)
    await connection.execute(_LOCAL_SETTINGS, (f'"{schema_name}"', *flags))


async def connect(address: Address, *, read_only: bool) -> Connection:
    connection = await AsyncConnection.connect(address.conninfo, prepare_threshold=0)
    try:
        await configure(connection, address.schema_name, read_only=read_only)
    except BaseException:
        await connection.close()
        raise
    return connection


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """From psycopg's errors to ours."""
    try:
        yield
    except _MISSING as error:
        raise StoreRefused(f"there is no liveorder store in {address} ({_first_line(error)}); `liveorder run` makes one") from error
    except _DAMAGED as error:
        raise StoreRefused(f"the store in {address} is damaged ({_first_line(error)}); restore a backup") from error
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        raise StoreError(f"the database refused the commit: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the order store cannot be used ({_first_line(error)}); nothing is sent until it can")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


@cache
def native(statement: str) -> str:
    """With psycopg's parameters for the `:name` ones."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
