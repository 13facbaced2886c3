"""Migrations from earlier schemas to the present one.

Only an owner migrates: one transaction with all steps also takes the lease, which nobody may hold, and raises the epoch. A crash
leaves either the old store or the new one, and a paused process of an earlier version can store nothing afterwards.

A store can be of any earlier version, so a released step never changes. Stores that each version wrote are test fixtures that check
every step.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from liveorder.domain.errors import LeaseLost
from liveorder.domain.identifiers import KEY_VERSIONS, NEWEST_KEY_VERSION, SignalKey
from liveorder.infrastructure.eventstore import schema
from liveorder.infrastructure.eventstore.database import Database, DatabaseSession, Row, Values
from liveorder.infrastructure.eventstore.identity import Expectation, read_identity, refuse_another
from liveorder.infrastructure.eventstore.moments import micros_since_1970
from liveorder.infrastructure.eventstore.schema import SCHEMA_VERSION


async def migrate(database: Database, owner: str, expectation: Expectation | None = None) -> int | None:
    """Migrate the store to the present schema. Returns its former version, or None if it was up to date.

    Raises `LeaseLost` while a process owns it, and `StoreRefused` for a newer store, or one that is not as expected: a migration
    cannot be undone, so it must not change the wrong store. `database` is closed before and after.
    """
    await database.open()
    try:
        identity = await read_identity(database)
        if identity.schema_version == SCHEMA_VERSION:
            return None
        if expectation is not None:
            refuse_another(expectation, identity)
        now = micros_since_1970(await database.now())
        return await database.migrate(lambda session: _migrated(session, owner, now))
    finally:
        await database.close()


async def _migrated(session: DatabaseSession, owner: str, now: int) -> int | None:
    """Run the steps. The version is read again, since another process may have migrated the store meanwhile."""
    ((version,),) = await session.execute("SELECT schema_version FROM store")
    if version == SCHEMA_VERSION:
        return None
    taken = """UPDATE lease SET epoch=epoch + 1, owner=:owner, expires_at=0, details='{}'
        WHERE expires_at <= :now RETURNING epoch"""
    if not await session.execute(taken, {"owner": owner, "now": now}):
        ((holder,),) = await session.execute("SELECT owner FROM lease")
        raise LeaseLost(f"this store is of an earlier version and owned by {holder}; stop it, then start again to migrate")
    for step in range(version, SCHEMA_VERSION):
        await _STEPS[step](session)
    return int(version)


# --- 1 to 2: claims have columns, the store remembers how it derives keys, events have their shapes stamped --------------------

_OLD_CLAIMS = """SELECT order_id, client_order_id, signal_key, fingerprint FROM old_claims
    WHERE order_id > :after ORDER BY order_id LIMIT 1000"""
_DOUBLED = """SELECT order_id, client_order_id, signal_key, fingerprint FROM old_claims o
    WHERE NOT EXISTS (SELECT 1 FROM signal_claims c WHERE c.client_order_id=o.client_order_id)"""
_NAMES = """INSERT INTO broker_names SELECT DISTINCT {account}, {name}, {order}
    FROM stored_events e JOIN stored_events r ON r.originator_id=e.originator_id
    WHERE r.topic='liveorder.Requested@1' AND r.originator_version=1
        AND e.topic IN ('liveorder.Acknowledged@1', 'liveorder.Replaced@1') AND coalesce({name}, '') <> ''"""

_STORE = """INSERT INTO store SELECT id, store_id, namespace, default_account, mode, 2, account_ids, created_at,
    :key_version, :namespaces, :versions FROM old_store"""


async def _to_2(session: DatabaseSession) -> None:
    if not await session.has_table("broker_names"):
        await _add_broker_names(session)
    await session.execute("ALTER TABLE signal_claims RENAME TO old_claims")
    await session.execute("CREATE INDEX old_claims_by_age ON old_claims (order_id)")
    for statement in (*schema.CLAIMS, schema.EVENT_SHAPES):
        await session.execute(session.created(statement))
    keys = _Keys()
    async for claims in _old_claims(session):
        keys.note(claims)
        await session.insert_new("signal_claims", claims)
    doubled = [_claim(row) for row in await session.execute(_DOUBLED)]
    await session.insert_new("superseded_claims", doubled)
    await session.execute("DROP TABLE old_claims")
    await _remember_keys(session, keys)
    await session.replace_append_function()


async def _add_broker_names(session: DatabaseSession) -> None:
    """Add the table, which commit 472a3ea lacked although it also called its schema 1."""
    await session.execute(session.created(schema.BROKER_NAMES))
    fields = {
        "account": session.field("r", "account_id"),
        "order": session.field("r", "order_id"),
        "name": session.field("e", "broker_order_id"),
    }
    await session.execute(_NAMES.format(**fields))


async def _old_claims(session: DatabaseSession) -> AsyncIterator[list[dict[str, Any]]]:
    """Old claims in pages, oldest first. Of two claims of one signal, which an upgrade once made, the first stays."""
    after = ""
    while rows := await session.execute(_OLD_CLAIMS, {"after": after}):
        yield [_claim(row) for row in rows]
        after = rows[-1][0]


def _claim(row: Row) -> dict[str, Any]:
    order_id, client_order_id, signal_key, fingerprint = row
    _, namespace, account_id, signal_id, _ = json.loads(signal_key)
    key = SignalKey(namespace, account_id, signal_id)
    return {
        "namespace": namespace,
        "account_id": account_id,
        "signal_id": signal_id,
        "plan": "",
        "key_version": next((version for version in KEY_VERSIONS if key.derived(version) == client_order_id), NEWEST_KEY_VERSION),
        "client_order_id": client_order_id,
        "order_id": order_id,
        "fingerprint": fingerprint,
    }


@dataclass
class _Keys:
    """How the store derived keys, according to its claims, oldest first."""

    namespaces: set[str] = field(default_factory=set)
    versions: list[int] = field(default_factory=list)

    def note(self, claims: Iterable[Mapping[str, Any]]) -> None:
        for claim in claims:
            self.namespaces.add(claim["namespace"])
            if claim["key_version"] not in self.versions:
                self.versions.append(claim["key_version"])


async def _remember_keys(session: DatabaseSession, keys: _Keys) -> None:
    ((namespace,),) = await session.execute("SELECT namespace FROM store")
    await session.execute("ALTER TABLE store RENAME TO old_store")
    await session.execute(session.created(schema.STORE))
    versions = keys.versions or [NEWEST_KEY_VERSION]
    values: Values = {
        "key_version": versions[0],
        "namespaces": json.dumps(sorted(keys.namespaces - {namespace})),
        "versions": json.dumps(sorted(versions)),
    }
    await session.execute(_STORE, values)
    await session.execute("DROP TABLE old_store")


# --- 2 to 3: positions by strategy and contract, with their newest fills; the owner books them from the log ----------------------


async def _to_3(session: DatabaseSession) -> None:
    await session.execute("DELETE FROM risk WHERE substr(key, 1, 9)='position:'")
    await session.execute("INSERT INTO risk VALUES ('', 'to_rebook', 'migrated')")
    await session.execute("UPDATE store SET schema_version=3")


_STEPS = {1: _to_2, 2: _to_3}
"""The steps, by the version from which each migrates."""
