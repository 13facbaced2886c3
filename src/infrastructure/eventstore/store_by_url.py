"""Creating and opening stores by URL: `sqlite:///relative/or//absolute/path` or `postgresql://…/database?schema=name`.

PostgreSQL's client is imported only for such a URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import StoreIdentity
from liveorder.application.recording import domain_events
from liveorder.domain.errors import SettingsError
from liveorder.domain.identifiers import KeyRing
from liveorder.domain.position_owner import PositionOwner
from liveorder.infrastructure.database_url import HOW_TO_WRITE, PostgresUrl, database_url
from liveorder.infrastructure.eventstore import identity
from liveorder.infrastructure.eventstore.database import Database
from liveorder.infrastructure.eventstore.identity import Expectation
from liveorder.infrastructure.eventstore.mapper import DomainEventMapper
from liveorder.infrastructure.eventstore.order_store import DatabaseOrderStore
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION
from liveorder.infrastructure.eventstore.sqlite import Placement, SQLiteDatabase, create_file


async def create_store(
    url: str,
    *,
    clock: Clock,
    namespace: str,
    default_account: str,
    mode: str,
    account_ids: Sequence[str],
    store_id: UUID | None = None,
    positions: PositionOwner = PositionOwner.STRATEGY,
) -> StoreIdentity:
    """Create a store. Raises `StoreRefused` if there is one already. `store_id` is random unless given."""
    keys = KeyRing(namespace)
    stamped = StoreIdentity(store_id or uuid4(), default_account, mode, SCHEMA_VERSION, tuple(account_ids), keys, positions)
    statements = identity.written(stamped, clock.now())
    if _is_postgres(url):
        from liveorder.infrastructure.eventstore.postgres import create_schema
        from liveorder.infrastructure.eventstore.postgres_connection import address_of

        await create_schema(address_of(url), statements)
    else:
        create_file(sqlite_path(url), statements)
    return stamped


def store_at(
    url: str,
    *,
    clock: Clock,
    expectation: Expectation | None = None,
    placement: Placement = Placement.THREAD,
    mapper: DomainEventMapper | None = None,
) -> DatabaseOrderStore:
    """A store, not yet opened. `placement` is for SQLite. Without an `expectation`, any mode and accounts are accepted, as for a
    reader. With one, the mapper is made ready for every kind of event.
    """
    used = mapper or DomainEventMapper(domain_events())
    if expectation is not None:
        used.make_ready()
    return DatabaseOrderStore(database_at(url, clock, placement), used, clock, expectation)


async def identity_at(url: str, clock: Clock) -> StoreIdentity:
    """The store's present identity, also before its migration."""
    store = store_at(url, clock=clock)
    try:
        return await store.open()
    finally:
        await store.close()


def database_at(url: str, clock: Clock, placement: Placement = Placement.THREAD) -> Database:
    if _is_postgres(url):
        from liveorder.infrastructure.eventstore.postgres import PostgresDatabase
        from liveorder.infrastructure.eventstore.postgres_connection import address_of

        return PostgresDatabase(address_of(url), clock)
    return SQLiteDatabase(sqlite_path(url), clock, placement)


def _is_postgres(url: str) -> bool:
    """Raises `SettingsError` if it is neither PostgreSQL nor SQLite."""
    return isinstance(database_url(url), PostgresUrl)


def sqlite_path(url: str) -> Path:
    """The file's path. Raises `SettingsError` if the URL names no file."""
    found = database_url(url)
    if isinstance(found, PostgresUrl):
        raise SettingsError(f"{found} is a PostgreSQL database, not a file; {HOW_TO_WRITE}")
    return found.path


async def store_exists(url: str) -> bool:
    """Whether there is a store already. Raises `StoreUnavailable` if the server cannot be asked."""
    if not _is_postgres(url):
        return sqlite_path(url).exists()
    from liveorder.infrastructure.eventstore.postgres import schema_is_taken
    from liveorder.infrastructure.eventstore.postgres_connection import address_of

    return await schema_is_taken(address_of(url))
