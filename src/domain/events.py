"""What a stored event is: a past-tense statement, wrapped in an envelope that says who recorded it, when, and because of what.

The class of an event is all that there is to say about it: its topic, where the log puts it, whether people hear of it, its
sentence in plain English, and, of an order's, what it does to the order (`order.events.OrderEvent`).

A `topic` is short, explicit and versioned (`liveorder.Filled@1`) and never changes: a new field gets a default or an upcaster, a
new meaning gets a new event. Applying an event reads no clock and never refuses.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.record import Record

PERSON = "person:"
"""What an actor who is one begins with."""


class Event(Record):
    """Base of every stored event."""

    topic: ClassVar[str] = ""
    category: ClassVar[str] = ""
    """Of its line in the log."""
    notice: ClassVar[NoticeEvent | None] = None
    """What people hear it as; None: it makes no notice."""

    def sentence(self) -> str:
        """What happened, in plain English. It quotes text from outside as it came: the caller escapes it before printing."""
        return f"{self.shown_name} recorded"

    @property
    def log_category(self) -> str:
        """Where the event alone decides: most are as all of their kind."""
        return self.category

    @property
    def shown_name(self) -> str:
        """Its name in histories and reports, which stays when the class is renamed: that of its topic, without version."""
        return self.topic.removeprefix("liveorder.").partition("@")[0] or type(self).__name__


class Envelope(Record):
    """Everything about an event but the event."""

    event_id: UUID
    """Drawn once, before the first attempt to store: tells our own row, stored under a lost reply, from another writer's."""
    actor: str
    """`engine`, `broker:<name>` or `person:<name>`."""
    epoch: int
    """Which ownership of the store wrote this; grows with every change of owner."""
    correlation_id: str
    """The signal that it all goes back to, or the id of the command."""
    causation_id: str | None = None
    """The request, report or command that led to it directly."""
    occurred_at: datetime | None = None
    """UTC, when it happened at the broker, if the broker told."""
    recorded_at: datetime
    """UTC, when we recorded it."""


class RecordedEvent(Struct, frozen=True):
    """An event in its place: `version` counts from 1 in its stream; `position` is its place in the whole log, 0 until stored."""

    stream_id: UUID
    version: int
    envelope: Envelope
    event: Event
    position: int = 0
