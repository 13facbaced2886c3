"""What an installed package brings by an entry point, and what it is handed.

| group | the entry point is |
|---|---|
| `liveorder.brokers` | a `BrokerPlugin`; its name is the broker's |
| `liveorder.sources` | a function of a `DoorAccess` that returns a `SignalSource`; its name is the scheme of its URLs |
| `liveorder.publishers` | the same, of a `Publisher` |
| `liveorder.notifiers` | the same, of a `Notifier` |
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
    """A broker, by its name in `[[accounts]]`."""

    settings: type[BaseModel]
    """Checks `[brokers.NAME]`, with the `options` of the account. Forbid extra fields; a `SecretStr` is shown nowhere."""
    open: Callable[[AccountAccess, Any], Brokerage]
    """Takes an instance of `settings`. Connects nothing yet: that is `Broker.connect`."""


@dataclass(frozen=True, slots=True)
class DoorAccess:
    """What a source, a publisher or a notifier is handed."""

    url: str = field(repr=False)
    """As the settings have it, each `${NAME}` filled in: it may hold secrets."""
    shown: str
    """The same for people and logs, secrets masked."""
    clock: Clock
    log: ActivityLog
    """For what is worth a line and no error. Never a secret."""
    bookmarks: Bookmarks
    """Where a source keeps how far it has read. How far a publisher or a notifier got is kept for it."""
    poll_seconds: float
    """`engine.source_poll_seconds`: between two looks at what wakes nobody."""
