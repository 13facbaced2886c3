"""Ownership of a store as a row. Taking it raises the epoch, and from then on no transaction of an older epoch is stored."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta

from liveorder.application.ports.order_store import LeaseState
from liveorder.infrastructure.eventstore.database import Database, Values
from liveorder.infrastructure.eventstore.moments import micros_since_1970, moment_after_1970

NO_EPOCH = -1
"""Of a store object that owned the store and let it go."""

_TAKE = """UPDATE lease SET owner=:owner, epoch=epoch + 1, expires_at=:expires_at, details=:details
    WHERE expires_at <= :now RETURNING epoch"""
_HOLD = "UPDATE lease SET expires_at=:expires_at WHERE epoch=:epoch RETURNING epoch"


class LeaseRow:
    """A `Lease`. `on_epoch` hears of the epoch that appends may claim from now on."""

    def __init__(self, database: Database, on_epoch: Callable[[int], Awaitable[None]]) -> None:
        self._database = database
        self._on_epoch = on_epoch
        self._epoch = NO_EPOCH

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        now = await self._database.now()
        details = json.dumps({"host": socket.gethostname(), "pid": str(os.getpid())})
        values: Values = {
            "owner": owner,
            "now": micros_since_1970(now),
            "expires_at": micros_since_1970(now + timedelta(seconds=duration_seconds)),
            "details": details,
        }
        taken = await self._database.write(_TAKE, values)
        if not taken:
            return None
        self._epoch = int(taken[0][0])
        await self._on_epoch(self._epoch)
        return self._epoch

    async def renew(self, duration_seconds: float) -> bool:
        """Also after it expired, as long as nobody else has taken it."""
        expires_at = micros_since_1970(await self._database.now() + timedelta(seconds=duration_seconds))
        return bool(await self._database.write(_HOLD, {"epoch": self._epoch, "expires_at": expires_at}))

    async def release(self) -> None:
        """From here on this process can store nothing."""
        epoch, self._epoch = self._epoch, NO_EPOCH
        await self._on_epoch(NO_EPOCH)
        await self._database.write(_HOLD, {"epoch": epoch, "expires_at": 0})

    async def state(self) -> LeaseState | None:
        """None while nobody ever took it."""
        now = await self._database.now()
        ((owner, epoch, expires_at, details),) = await self._database.fetch("SELECT owner, epoch, expires_at, details FROM lease")
        if epoch == 0:
            return None
        return LeaseState(owner, epoch, moment_after_1970(expires_at), now, json.loads(details))
