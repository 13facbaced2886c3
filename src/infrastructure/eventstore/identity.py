"""What a store is stamped with, and who may open it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from liveorder.application.ports.order_store import StoreIdentity
from liveorder.domain.errors import StoreRefused
from liveorder.domain.trading_halt import EVERYTHING
from liveorder.infrastructure.eventstore.database import Database, Row, Values
from liveorder.infrastructure.eventstore.moments import text_of
from liveorder.infrastructure.eventstore.schema import PLACE, PUT_CHECKPOINT, PUT_HALT, SCHEMA_VERSION

INSERT = """INSERT INTO store VALUES
    (1, :store_id, :namespace, :default_account, :mode, :schema_version, :account_ids, :created_at)"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the settings say that the store is. `account_ids` may name more than it has: they are added."""

    mode: str
    account_ids: tuple[str, ...]


def values_of(identity: StoreIdentity, created_at: datetime) -> Values:
    return {
        "store_id": str(identity.store_id),
        "namespace": identity.namespace,
        "default_account": identity.default_account,
        "mode": identity.mode,
        "schema_version": identity.schema_version,
        "account_ids": json.dumps(identity.account_ids),
        "created_at": text_of(created_at),
    }


async def read_identity(database: Database) -> StoreIdentity:
    """Raises `StoreRefused` where there is none, or a newer version of this package wrote it."""
    (version,) = _only(await database.fetch("SELECT schema_version FROM store"))
    if version > SCHEMA_VERSION:
        raise StoreRefused(
            f"this store has schema {version}, and this version of liveorder knows {SCHEMA_VERSION} at most; upgrade liveorder"
        )
    row = _only(await database.fetch("SELECT store_id, namespace, default_account, mode, account_ids FROM store"))
    store_id, namespace, default_account, mode, account_ids = row
    return StoreIdentity(UUID(store_id), namespace, default_account, mode, version, tuple(json.loads(account_ids)))


def _only(rows: Sequence[Row]) -> Row:
    if len(rows) != 1:
        raise StoreRefused("this store has no identity; it is damaged, restore a backup")
    return rows[0]


async def meet(expectation: Expectation, identity: StoreIdentity, database: Database) -> StoreIdentity:
    """The identity, with accounts added. Raises `StoreRefused` for another mode, or with an account of the store left out."""
    if identity.mode != expectation.mode:
        raise StoreRefused(
            f"this store is of mode {identity.mode}, and the settings say {expectation.mode}; give each mode its own"
        )
    forgotten = sorted(set(identity.account_ids) - set(expectation.account_ids))
    if forgotten:
        raise StoreRefused(
            f"this store holds orders of the accounts {', '.join(forgotten)}, which the settings leave out; "
            "add them, or use the store that is meant"
        )
    account_ids = identity.account_ids + tuple(each for each in expectation.account_ids if each not in identity.account_ids)
    if account_ids != identity.account_ids:
        await database.write("UPDATE store SET account_ids=:account_ids", {"account_ids": json.dumps(account_ids)})
    return StoreIdentity(
        identity.store_id, identity.namespace, identity.default_account, identity.mode, identity.schema_version, account_ids
    )


async def halt_if_elsewhere(database: Database, now: datetime) -> str:
    """What is not at the place where it was last owned may be an old copy, or a replica that lagged, and the other may be in use.

    The halt is there before the new place is remembered, so that no crash between them loses it. Returns the place.
    """
    place = await database.place()
    known = await database.fetch("SELECT value FROM checkpoints WHERE name=:name", {"name": PLACE})
    if known == [(place,)]:
        return place
    if known:
        reason = (
            f"copied, moved, restored or failed over (it was {known[0][0]} and is {place}): "
            "its last commits may be missing; see that no other copy is used, reconcile, then resume"
        )
        await database.write(PUT_HALT, {"scope": EVERYTHING, "reason": reason, "at": text_of(now)})
    await remember(database, place)
    return place


async def remember(database: Database, place: str) -> None:
    await database.write(PUT_CHECKPOINT, {"name": PLACE, "value": place})
