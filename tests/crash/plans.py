"""What a process is to be, as JSON: it is made by another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """A service on one store and one account. `crash_at`: see `ProcessCrashPoint`; there `crash_signal` comes. Times in seconds."""

    store: str
    venue_port: int
    account: str
    key_class: str
    """One of `KEY_CLASSES` or of `WIRES`."""
    owner: str
    journal: str
    crash_at: str | None = None
    crash_signal: str = "SIGKILL"
    lease_seconds: float = 0.6
    call_timeout_seconds: float = 0.4
    wait_for_lease: bool = True
    delivery_bound_seconds: float = 1.5
    """As the broker declares it."""
    defect: str | None = None
    """One of `DEFECTS`."""
    address: str = ""
    """Where the account is reached on a broker's wire."""
    file: str | None = None
    """Read from its beginning in every life."""
    followed: str | None = None
    """Followed, with a bookmark in the store."""
    redis: str | None = None
    """The URL of a stream that is read."""
    has_views: bool = False
    """Whether it keeps read models beside its store."""
    commit_seconds: float = 0.0
    """Of a slow store, at most."""
    may_be_short: bool = False
    is_market_closed: bool = False
    """Until the test opens it."""


@dataclass(frozen=True, slots=True)
class VenuePlan:
    """A venue that listens on a free port and keeps its books in a file."""

    key_class: str
    accounts: tuple[str, ...]
    data: str
