"""A message that became no order, and why. One stream each, so that a rerun adds nothing.

It stays dead: a later release that would take the message does not trade it years later. A person can retry it, deliberately.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id
from liveorder.domain.notice_event import NoticeEvent
from liveorder.domain.record import Later
from liveorder.domain.visible_text import visible

MAX_LINE_LENGTH = 4096
"""Characters of the message that are kept."""


_OF_BYTES = ("file:", "follow:", "stdin")
"""Sources whose offsets are bytes."""


class SignalDeadLettered(Event):
    """Stored as version 1 of `dead_letter_id`: the same message, read again, conflicts there and is not stored again."""

    topic = "liveorder.SignalDeadLettered@1"
    category = "SIGNAL"
    notice = NoticeEvent.DEAD_LETTER

    source: str
    offset: str
    line: str
    """At most `MAX_LINE_LENGTH` characters, what does not print escaped."""
    reason: str
    signal_id: str | None = None
    """Where that much could be read."""
    fingerprint: str | None = None
    known_order_id: str | None = None
    """The order that the same signal id became, with different content."""
    known_fingerprint: str | None = None
    place: Later[str | None] = None
    """Where it was for people, if that is not the offset: `line 12`."""

    @property
    def where(self) -> str:
        """Its line in a file, as far as that was stored; in a stream its id."""
        return self.place or (f"byte {self.offset}" if self.source.startswith(_OF_BYTES) else self.offset)

    def sentence(self) -> str:
        return f"Signal {self.signal_id or 'without an id'} from {self.source} at {self.where} is unusable: {self.reason}"


class SignalRetried(Event):
    """A person had the message sent after all."""

    topic = "liveorder.SignalRetried@1"
    category = "SIGNAL"

    order_id: UUID
    dead_letter_position: int
    """Of the dead letter in the log."""

    def sentence(self) -> str:
        return f"A person had it sent after all: it became order {self.order_id}"


def dead_letter_id(source: str, offset: str, raw: bytes, *, is_passing: bool = False) -> UUID:
    """Id of the stream, from where the message stood and what it was.

    `is_passing`: what was wrong was not the message, so that it does not stay refused when it is read again.
    """
    kind = "passing_dead_letter" if is_passing else "dead_letter"
    return stream_id(kind, source, offset, hashlib.sha256(raw).hexdigest())


def shown_line(raw: bytes) -> str:
    """`raw` as text that is safe to show and to store, cut to `MAX_LINE_LENGTH`; bytes that are not UTF-8 stay as escapes."""
    return visible(raw[: 4 * MAX_LINE_LENGTH].decode(errors="backslashreplace"))[:MAX_LINE_LENGTH]
