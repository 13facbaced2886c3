"""The identity of a store, and which settings may open it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from liveorder.application.ports.order_store import StoreIdentity
from liveorder.domain.errors import StoreRefused
from liveorder.domain.identifiers import KeyRing
from liveorder.domain.position_owner import PositionOwner
from liveorder.domain.trading_halt import EVERYTHING
from liveorder.infrastructure.eventstore.database import Database, Row, Stamp, Values, write_as_owner
from liveorder.infrastructure.eventstore.moments import text_of
from liveorder.infrastructure.eventstore.schema import (
    CHECKPOINT,
    PLACE,
    POSITIONS,
    PUT_CHECKPOINT,
    PUT_HALT,
    PUT_OWN_CHECKPOINT,
    SCHEMA_VERSION,
)
from liveorder.infrastructure.eventstore.shapes import newer_version

_INSERT = """INSERT INTO store VALUES
    (1, :store_id, :namespace, :default_account, :mode, :schema_version, :account_ids, :created_at,
    :key_version, '[]', :versions)"""
_READ = """SELECT store_id, default_account, mode, account_ids, namespace, key_version, former_namespaces, written_versions
    FROM store"""
_ADD_ACCOUNTS = "UPDATE store SET account_ids=:account_ids WHERE (SELECT epoch FROM lease) = :epoch RETURNING id"
_READ_OF_SCHEMA_1 = "SELECT store_id, default_account, mode, account_ids, namespace FROM store"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the settings expect of the store. `account_ids` may name accounts that it does not have yet: they are added."""

    mode: str
    account_ids: tuple[str, ...]
    namespace: str
    default_account: str


def written(identity: StoreIdentity, created_at: datetime) -> Sequence[Stamp]:
    """The statements that write the identity of a new store."""
    values: Values = {
        "store_id": str(identity.store_id),
        "namespace": identity.keys.namespace,
        "default_account": identity.default_account,
        "mode": identity.mode,
        "schema_version": identity.schema_version,
        "account_ids": json.dumps(identity.account_ids),
        "created_at": text_of(created_at),
        "key_version": identity.keys.key_version,
        "versions": json.dumps(identity.keys.written_versions),
    }
    return [(_INSERT, values), (PUT_CHECKPOINT, {"name": POSITIONS, "value": identity.positions.value})]


async def schema_version_of(database: Database) -> int:
    """The schema version. Raises `StoreRefused` if there is no identity, or if a newer version wrote it."""
    (version,) = _only(await database.fetch("SELECT schema_version FROM store"))
    if version > SCHEMA_VERSION:
        raise newer_version(f"its schema is {version}, but this version knows at most {SCHEMA_VERSION}")
    return int(version)


async def read_identity(database: Database) -> StoreIdentity:
    """The stored identity, also before a migration. Raises `StoreRefused` as `schema_version_of` does."""
    version = await schema_version_of(database)
    row = _only(await database.fetch(_READ_OF_SCHEMA_1 if version == 1 else _READ))
    store_id, default_account, mode, account_ids, namespace, *keys = row
    ring = KeyRing(namespace, keys[0], tuple(json.loads(keys[1])), tuple(json.loads(keys[2]))) if keys else KeyRing(namespace)
    named = await database.fetch(CHECKPOINT, {"name": POSITIONS})
    positions = PositionOwner(named[0][0]) if named else PositionOwner.ACCOUNT
    return StoreIdentity(UUID(store_id), default_account, mode, version, tuple(json.loads(account_ids)), ring, positions)


def _only(rows: Sequence[Row]) -> Row:
    if len(rows) != 1:
        raise StoreRefused("this store has no identity; it is damaged, restore a backup")
    return rows[0]


async def meet(expectation: Expectation, identity: StoreIdentity, database: Database, epoch: int) -> StoreIdentity:
    """The identity with new accounts added. Raises `StoreRefused` if the settings expect another store.

    Raises `LeaseLost` for a former owner, which would remove accounts that its successor has added meanwhile.
    """
    refuse_another(expectation, identity)
    account_ids = identity.account_ids + tuple(each for each in expectation.account_ids if each not in identity.account_ids)
    if account_ids != identity.account_ids:
        await write_as_owner(database, _ADD_ACCOUNTS, {"account_ids": json.dumps(account_ids)}, epoch, "its list of accounts")
    return replace(identity, account_ids=account_ids)


def refuse_another(expectation: Expectation, identity: StoreIdentity) -> None:
    """Raises `StoreRefused` for settings that would change a signal's identity: known signals would trade again."""
    if identity.mode != expectation.mode:
        raise StoreRefused(
            f"this store is of mode {identity.mode}, but the settings say {expectation.mode}; give each mode its own: set store to "
            f"another place, such as sqlite:///var/{expectation.mode.lower()}.db, or trading_mode to {identity.mode}"
        )
    if identity.keys.namespace != expectation.namespace:
        raise StoreRefused(
            f"namespace: this store's is {identity.keys.namespace!r}, but the settings say {expectation.namespace!r}; under "
            f"another one its signals would trade again: set namespace = {identity.keys.namespace!r}, or use another store"
        )
    forgotten = sorted(set(identity.account_ids) - set(expectation.account_ids))
    if forgotten:
        raise StoreRefused(
            f"this store knows the accounts {', '.join(forgotten)}, which the settings leave out; "
            "add them, with closed = true if they are no longer traded, or use the right store"
        )
    if identity.default_account != expectation.default_account:
        raise StoreRefused(
            f"default_account: this store's is {identity.default_account!r}, but the settings make it "
            f"{expectation.default_account!r}; set default_account = {identity.default_account!r}, or change it deliberately: "
            f"`liveorder store default-account {expectation.default_account} --evidence REASON`"
        )


async def halt_if_elsewhere(database: Database, now: datetime, epoch: int) -> str:
    """Halt a store that is not where it was last owned. It may be an old copy or a lagging replica, and the original may be in use.

    The halt is stored before the new place is recorded, so that no crash in between loses it. Returns the place.
    """
    place = await database.place()
    known = await database.fetch(CHECKPOINT, {"name": PLACE})
    if known == [(place,)]:
        return place
    if known and known[0][0] != _as_remembered_before(place):
        reason = (
            f"copied, moved, restored or failed over (it was {known[0][0]} and is {place}): "
            "its last commits may be missing; make sure that no other copy is used, reconcile, then resume"
        )
        await database.write(PUT_HALT, {"scope": EVERYTHING, "reason": reason, "at": text_of(now)})
    await remember(database, place, epoch)
    return place


def _as_remembered_before(place: str) -> str:
    """The place as commits before 8301717 recorded it: a server without its timeline, a file without its birth time."""
    return re.sub(r" (timeline|born) \S+", "", place)


async def remember(database: Database, place: str, epoch: int) -> None:
    """Record the place. Raises `LeaseLost` for a former owner."""
    await write_as_owner(database, PUT_OWN_CHECKPOINT, {"name": PLACE, "value": place}, epoch, PLACE)
