"""Only who owns the store may store, and so send: taking its lease, keeping it, and knowing when it is another's (ADR 10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Lease, LeaseState
from liveorder.domain.errors import LeaseLost, StoreUnavailable

LOOK_SECONDS = 0.25
"""Between two looks at a lease that may be a dead process's."""


async def until_free(lease: Lease, clock: Clock, log: ActivityLog) -> None:
    """Return once nobody owns the store: at once, or when the lease of an owner that may be dead has run out, never before.

    Raises `LeaseLost` as soon as that owner renews its lease, or another takes the store: somebody lives there.
    """
    first: LeaseState | None = None
    while (held := await lease.state()) is not None and held.is_held:
        if first is None:
            first = held
            until = f"until {held.expires_at:%H:%M:%S} UTC"
            log.write("LEASE", f"This store is owned by {held.owner} {until}; waiting until then, in case that process is dead")
        elif (held.epoch, held.expires_at) != (first.epoch, first.expires_at):
            raise owned_by(held.owner)
        await clock.sleep(min(max((held.expires_at - held.now).total_seconds(), 0.05), LOOK_SECONDS))


async def stand_by(lease: Lease, clock: Clock, log: ActivityLog) -> None:
    """Return once nobody owns the store, however long that takes."""
    told = None
    while (held := await lease.state()) is not None and held.is_held:
        if told != held.owner:
            log.write("LEASE", f"Standing by: this store is owned by {held.owner}")
            told = held.owner
        await clock.sleep(max((held.expires_at - held.now).total_seconds(), 0.05))


def owned_by(owner: str) -> LeaseLost:
    return LeaseLost(f"this store is owned by {owner}; stop it first, or wait as its standby")


class Ownership:
    """Of one store by this process. Times in seconds."""

    def __init__(
        self, lease: Lease, owner: str, lease_seconds: float, clock: Clock, log: ActivityLog, on_lost: Callable[[], None]
    ) -> None:
        self.lease, self._owner, self._lease_seconds = lease, owner, lease_seconds
        self._clock, self._log, self._on_lost = clock, log, on_lost
        self._epoch = 0
        self.lost = asyncio.Event()

    @property
    def is_ours(self) -> bool:
        return self._epoch > 0 and not self.lost.is_set()

    async def acquire(self, *, wait: bool) -> int:
        """The epoch from which on it is ours. Raises `LeaseLost` where another process has it; to `wait` is to stand by."""
        told = ""
        while (why := await self._what_keeps_us_out(wait)) is not None:
            if told != why:
                self._log.write("LEASE", f"Standing by: {why}")
                told = why
            await self._clock.sleep(self._lease_seconds / 5)
        return self._epoch

    async def _what_keeps_us_out(self, wait: bool) -> str | None:
        """None: the store is ours.

        One that cannot be written now (a stopped process has it locked, say), or that another was faster to take, ends no standby.
        """
        try:
            epoch = await self.lease.acquire(self._owner, self._lease_seconds)
            if epoch is not None:
                self._epoch = epoch
                return None
            state = await self.lease.state()
        except (StoreUnavailable, LeaseLost) as error:
            if not wait:
                raise
            return str(error)
        holder = state.owner if state is not None else "another process"
        if not wait:
            raise owned_by(holder)
        return f"this store is owned by {holder}"

    async def keep(self) -> None:
        """Renew it until it is lost."""
        while True:
            await self._clock.sleep(self._lease_seconds / 3)
            if not await self.lease.renew(self._lease_seconds):
                self.lose("another process took this store over")
                return

    def lose(self, why: str) -> None:
        self._log.write("LEASE", f"Lost the store, nothing more is sent: {why}")
        self.lost.set()
        self._on_lost()

    async def release(self) -> None:
        """From here on the next one may have it."""
        self._epoch = 0
        await self.lease.release()
