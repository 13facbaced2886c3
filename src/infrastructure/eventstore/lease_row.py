"""Ownership of a store as a row. Acquiring it raises the epoch, and from then on no transaction of an older epoch is stored."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from datetime import timedelta

from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import LeaseState
from liveorder.domain.errors import LeaseLost
from liveorder.infrastructure.eventstore.database import Database, Values
from liveorder.infrastructure.eventstore.group_commit import NO_EPOCH, GroupCommit
from liveorder.infrastructure.eventstore.identity import halt_if_elsewhere, remember
from liveorder.infrastructure.eventstore.moments import micros_since_1970, moment_after_1970

_TAKE = """UPDATE lease SET owner=:owner, epoch=epoch + 1, expires_at=:expires_at, details=:details
    WHERE expires_at <= :now RETURNING epoch"""
_HOLD = "UPDATE lease SET expires_at=:expires_at WHERE epoch=:epoch RETURNING (SELECT position FROM risk_position)"


class LeaseRow:
    """A `Lease`. `writing` returns the group commit of the open store, which uses the acquired epoch until the store is lost."""

    def __init__(self, database: Database, clock: Clock, writing: Callable[[], GroupCommit]) -> None:
        self._database, self._clock, self._writing = database, clock, writing
        self._epoch = NO_EPOCH
        self._place = ""

    async def acquire(self, owner: str, duration_seconds: float) -> int | None:
        """Acquire the lease. The place is checked last, so that a store replaced after its ledger was loaded is noticed here or at
        the next renewal.
        """
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
        await self._writing().own(self._epoch)
        self._place = await halt_if_elsewhere(self._database, self._clock.now(), self._epoch)
        return self._epoch

    async def renew(self, duration_seconds: float) -> bool:
        """Renew the lease, also after it expired, as long as no other process has taken it.

        A store that has moved and contains everything that was stored is still ours. The place is read first, so that the log is at
        least as new as the recorded place.
        """
        writing = self._writing()
        known, place = writing.head, await self._place_of(writing)
        expires_at = micros_since_1970(await self._database.now() + timedelta(seconds=duration_seconds))
        held = await self._database.write(_HOLD, {"epoch": self._epoch, "expires_at": expires_at})
        if not held:
            return False
        writing.refuse_shorter(held[0][0], known)
        if place != self._place:
            await remember(self._database, place, self._epoch)
            self._place = place
        return True

    async def _place_of(self, writing: GroupCommit) -> str:
        try:
            return await self._database.place()
        except LeaseLost as error:
            writing.disown(str(error))
            raise

    async def release(self) -> None:
        """Release the lease. From here on this process can store nothing."""
        epoch, self._epoch = self._epoch, NO_EPOCH
        self._writing().disown("this process has released the store")
        await self._database.write(_HOLD, {"epoch": epoch, "expires_at": 0})

    async def state(self) -> LeaseState | None:
        """None if nobody ever acquired it."""
        now = await self._database.now()
        ((owner, epoch, expires_at, details),) = await self._database.fetch("SELECT owner, epoch, expires_at, details FROM lease")
        if epoch == 0:
            return None
        return LeaseState(owner, epoch, moment_after_1970(expires_at), now, json.loads(details))
