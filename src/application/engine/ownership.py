"""Ownership of the store: acquiring its lease, renewing it, and noticing when it is lost. Only the owner appends and sends (ADR
10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.order_store import Lease, LeaseState
from liveorder.domain.errors import LeaseLost, StoreUnavailable

LOOK_SECONDS = 0.25
"""Interval of checking a lease whose owner may be dead."""


async def until_free(lease: Lease, clock: Clock, log: ActivityLog) -> None:
    """Return once nobody owns the store: at once, or when the lease of a possibly dead owner has expired, and never before.

    Raises `LeaseLost` as soon as that owner renews its lease, or another process takes the store: then the owner is alive.
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
    """Wait without limit until nobody owns the store."""
    logged_owner = None
    while (held := await lease.state()) is not None and held.is_held:
        if logged_owner != held.owner:
            log.write("LEASE", f"Standing by: this store is owned by {held.owner}")
            logged_owner = held.owner
        await clock.sleep(max((held.expires_at - held.now).total_seconds(), 0.05))


def owned_by(owner: str) -> LeaseLost:
    return LeaseLost(f"this store is owned by {owner}; stop it first, or wait as its standby")


class Ownership:
    """This process's ownership of one store. Times in seconds."""

    def __init__(
        self, lease: Lease, owner: str, lease_seconds: float, clock: Clock, log: ActivityLog, on_lost: Callable[[], None]
    ) -> None:
        self.lease, self._owner, self._lease_seconds = lease, owner, lease_seconds
        self._clock, self._log, self._on_lost = clock, log, on_lost
        self._epoch = 0
        self.lost = asyncio.Event()
        self.answered_at = clock.monotonic()
        """When the store's writer last answered, if only with an error. A writer that hangs answers nothing."""

    @property
    def is_ours(self) -> bool:
        return self._epoch > 0 and not self.lost.is_set()

    async def acquire(self, *, wait: bool) -> int:
        """Acquire the store and return its fencing token. If another process owns it, raises `LeaseLost`, or stands by with
        `wait`.
        """
        logged = ""
        while (why := await self._what_keeps_us_out(wait)) is not None:
            if logged != why:
                self._log.write("LEASE", f"Standing by: {why}")
                logged = why
            await self._clock.sleep(self._lease_seconds / 5)
        return self._epoch

    async def _what_keeps_us_out(self, wait: bool) -> str | None:
        """Try once to acquire the store. Returns why that failed, or None if the store is ours.

        A standby goes on waiting if the store cannot be written (a stopped process may have locked it), or if another process was
        faster.
        """
        try:
            epoch = await self.lease.acquire(self._owner, self._lease_seconds)
            if epoch is not None:
                self._epoch, self.answered_at = epoch, self._clock.monotonic()
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
        """Renew the lease until it is lost."""
        while True:
            await self._clock.sleep(self._lease_seconds / 3)
            try:
                is_still_ours = await self.lease.renew(self._lease_seconds)
            finally:
                self.answered_at = self._clock.monotonic()
            if not is_still_ours:
                self.lose("another process took this store over")
                return

    def lose(self, why: str) -> None:
        self._log.write("LEASE", f"Lost the store, nothing more is sent: {why}")
        self.lost.set()
        self._on_lost()

    async def release(self) -> None:
        """Release the lease, so that the next process may take it."""
        self._epoch = 0
        await self.lease.release()
