"""Connections to a store's schema, and the translation of their errors."""

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
    """The place of a store: a database, and a schema in it that belongs to the store alone."""

    conninfo: str = field(repr=False)
    schema_name: str
    secrets: tuple[SecretStr, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """The address without password."""
        parts = psycopg.conninfo.conninfo_to_dict(self.conninfo)
        return f"schema {self.schema_name} of database {parts.get('dbname', '')} at {parts.get('host', 'the local socket')}"


def address_of(text: str) -> StoreAddress:
    """Parse the address. With several hosts, the one that is not a standby is used. Raises `SettingsError` if it is not a
    PostgreSQL URL.
    """
    url = database_url(text)
    if not isinstance(url, PostgresUrl):
        raise SettingsError(f"{url} is a file, not a PostgreSQL database; {HOW_TO_WRITE}")
    return StoreAddress(url.conninfo("liveorder"), url.schema_name, url.secrets)


async def configure(connection: Connection, schema_name: str, *, read_only: bool) -> None:
    """Configure a connection. A writer must not plan sequential scans: a plan for a small table must not outlive its growth. It
    compiles no plans.
    """
    flags = ("on", "on") if read_only else ("off", "off")
    await connection.set_autocommit(True)
    await connection.execute(_LOCAL_SETTINGS, (f'"{schema_name}"', *flags))


def configure_reader(connection: psycopg.Connection[Any], schema_name: str) -> None:
    """Configure a blocking connection."""
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
    """Translate psycopg's errors to ours. Secrets of the address are masked in the server's messages."""
    try:
        yield
    except psycopg.Error as error:
        raise _translation(error, address) from error


def _translation(error: psycopg.Error, address: StoreAddress) -> StoreError:
    text = Censor(address.secrets)(str(error).strip().partition("\n")[0])
    match error:
        case errors.InvalidCatalogName() | errors.InvalidSchemaName() | errors.UndefinedTable() | errors.UndefinedColumn():
            return StoreRefused(f"there is no liveorder store in {address} ({text}); `liveorder run` makes one")
        case errors.DataCorrupted() | errors.IndexCorrupted():
            return StoreRefused(f"the store in {address} is damaged ({text}); restore a backup")
        case psycopg.IntegrityError() | psycopg.DataError():
            return StoreError(f"the database refused the commit: {text}")
    return StoreUnavailable(f"the order store cannot be used ({text}); nothing is sent until it can")


@cache
def native(statement: str) -> str:
    """The statement with psycopg's parameters in place of `:name` ones."""
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", statement)
