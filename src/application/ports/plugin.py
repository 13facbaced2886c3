"""The entry points by which an installed package extends liveorder, and what they receive.

| group | the entry point is |
|---|---|
| `liveorder.brokers` | a `BrokerPlugin`; its name is the broker's |
| `liveorder.sources` | a function of a `DoorAccess` that returns a `SignalSource`; its name is the scheme of its URLs |
| `liveorder.publishers` | the same, returning a `Publisher` |
| `liveorder.notifiers` | the same, returning a `Notifier` |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from liveorder.application.ports.activity_log import ActivityLog
from liveorder.application.ports.brokerage import AccountAccess, Brokerage
from liveorder.application.ports.clock import Clock
from liveorder.application.ports.signal_source import Bookmarks


@dataclass(frozen=True, slots=True)
class BrokerPlugin:
    """A broker that a package adds, chosen by its name in `[[accounts]]`."""

    settings: type[BaseModel]
    """Validates `[brokers.NAME]` together with the account's `options`. Forbid extra fields. A `SecretStr` is never shown."""
    open: Callable[[AccountAccess, Any], Brokerage]
    """Opens the broker, given an instance of `settings`. Does not connect yet: that is `Broker.connect`."""


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """What a source, a publisher or a notifier receives."""

    url: str = field(repr=False)
    """The URL from the settings with each `${NAME}` filled in. It may contain secrets."""
    shown: str
    """The same URL for people and logs, with secrets masked."""
    clock: Clock
    log: ActivityLog
    """For messages that are not errors. Never write a secret."""
    bookmarks: Bookmarks
    """Where a source stores how far it has read. Publishers and notifiers need none: the outbox keeps theirs."""
    poll_seconds: float
    """`engine.source_poll_seconds`: the interval for polling what sends no notification."""
