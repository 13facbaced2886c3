"""The port of signal sources."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from liveorder.domain.signal import Signal


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message as received. The reader decides whether it is a signal: `Signal.parse` or a dead letter."""

    source: str
    """The source's name."""
    offset: str
    """Its place in the source, the same on every reading: a byte offset, a stream id, a message id."""
    content: bytes | Signal
    """The message's bytes, at most one more than `MAX_SIGNAL_BYTES`. Or a signal, from a source that makes them itself."""
    published_at: datetime | None = None
    """When the source received it from the strategy, in UTC, if known. Gives the age of a signal without a timestamp."""
    receipt: object = None
    """What the source needs to acknowledge it. Nobody else reads it."""
    place: str | None = None
    """Where it is for people, if that is not the offset: `line 12`."""

    @property
    def raw(self) -> bytes:
        return self.content.to_json().encode() if isinstance(self.content, Signal) else self.content


class SignalSource(Protocol):
    """Messages in order, at least once. A repeated message does no harm; a lost one does.

    A minimal source of your own has a name, `finite`, an async generator, and an `acknowledge` that does nothing.
    """

    @property
    def name(self) -> str:
        """Short and stable. Part of dead letter ids and of the bookmark's name."""
        ...

    @property
    def finite(self) -> bool:
        """Whether `messages` ends on its own. `run --until-idle` waits for that end."""
        ...

    def messages(self) -> AsyncIterator[SourceMessage]:
        """Yield messages from where reading last ended, or from the source's beginning. Called once; may be cancelled at any
        `await`.

        An unreadable message is yielded too. A temporary I/O error is waited out, not raised.
        """
        ...

    async def acknowledge(self, message: SourceMessage) -> None:
        """Called in the order of delivery, once `message` and all before it are stored as orders or dead letters.

        Not every message is acknowledged; the latest one counts. May raise `StoreError`. If an acknowledgement is lost, messages
        are delivered again.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A source that knows where it starts reading. Sources of your own need not implement it."""

    async def settle(self) -> str:
        """Store where reading starts, and return that as text for people.

        The owner of the store calls this before it announces the source, and before `messages`. Raises `InvalidInput` if the source
        must not be read.
        """
        ...


class Bookmarks(Protocol):
    """Stores how far a source was read, by name. `OrderStore` is one."""

    async def checkpoint(self, name: str) -> str | None: ...

    async def save_checkpoint(self, name: str, value: str) -> None: ...
