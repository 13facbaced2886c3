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
from pydantic import SecretStr

from liveorder.domain.errors import SettingsError, StoreError, StoreRefused, StoreUnavailable
from liveorder.infrastructure.database_url import HOW_TO_WRITE, PostgresUrl, database_url
from liveorder.infrastructure.secrecy import Censor

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

_LOCAL_SETTINGS = """SELECT set_config('search_path', %s, false),
    set_config('synchronous_commit', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('default_transaction_read_only', %s, false),
    set_config('enable_seqscan', %s, false),
    set_config('jit', 'off', false),
    set_config('lock_timeout', '10s', false),
    set_config('idle_in_transaction_session_timeout', '30s', false)"""


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """Where a store is: a database, and a schema in it that the store has for itself."""

    conninfo: str = field(repr=False)
    schema_name: str
    secrets: tuple[SecretStr, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Without password."""
        parts = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        return f"schema {self.schema_name} of database {parts.get('dbname', '')} at {parts.get('host', 'the local socket')}"


def address_of(text: str) -> StoreAddress:
    """Of several hosts the one is taken that is no standby. Raises `SettingsError` where it is none of PostgreSQL."""
    url = database_url(text)
    if not isinstance(url, PostgresUrl):
        raise SettingsError(f"{url} is a file, and no database of PostgreSQL; {HOW_TO_WRITE}")
    return StoreAddress(url.conninfo("liveorder"), url.schema_name, url.secrets)


async def configure(connection: Connection, schema_name: str, *, read_only: bool) -> None:
    """A writer may not choose to scan: a plan made for a small table must not outlive its growth. Nor does it compile plans."""
    flags = ("on", "on") if read_only else ("off", "off")
    await connection.set_autocommit(True)
    await connection.execute(_LOCAL_SETTINGS, (f'"{schema_name}"', *flags))


def configure_reader(connection: psycopg.Connection[Any], schema_name: str) -> None:
    """Of a connection that blocks its caller."""
    connection.autocommit = True
    connection.execute(_LOCAL_SETTINGS, (f'"{schema_name}"', "on", "on"))


async def connect(address: StoreAddress, *, read_only: bool) -> Connection:
    connection = await AsyncConnection.connect(address.conninfo, prepare_threshold=0)
    try:
        await configure(connection, address.schema_name, read_only=read_only)
    except BaseException:
        await connection.close()
        raise
    return connection


@contextmanager
def translated(address: StoreAddress) -> Iterator[None]:
    """From psycopg's errors to ours. What of the address is not shown does not come back in the server's words."""
    try:
        yield
    except psycopg.Error as error:
        raise _translation(error, address) from error


def _translation(error: psycopg.Error, address: StoreAddress) -> StoreError:
    said = Censor(address.secrets)(str(error).strip().partition("\n")[0])
    match error:
        case errors.InvalidCatalogName() | errors.InvalidSchemaName() | errors.UndefinedTable() | errors.UndefinedColumn():
            return StoreRefused(f"there is no liveorder store in {address} ({said}); `liveorder run` makes one")
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return StoreRefused(f"the store in {address} is damaged ({said}); restore a backup")
        case psycopg.IntegrityError() | psycopg.DataError():
            return StoreError(f"the database refused the commit: {said}")
    return StoreUnavailable(f"the order store cannot be used ({said}); nothing is sent until it can")


@cache
def native(statement: str) -> str:
    """With psycopg's parameters for the `:name` ones."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
