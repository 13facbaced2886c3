"""Where signals come from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from liveorder.domain.signal import Signal


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message as it came. Whether it is a signal is for the reader to find out: `Signal.parse` or a dead letter."""

    source: str
    """The source's name."""
    offset: str
    """Its place in the source, the same when it is read again: a byte offset, a stream id, a message id."""
    content: bytes | Signal
    """The message's bytes, at most one more than `MAX_SIGNAL_BYTES`; or a signal, from a source that makes them itself."""
    published_at: datetime | None = None
    """UTC, when the source took it from the strategy, where it can tell: the age of a signal that has no timestamp."""
    receipt: object = None
    """What the source needs to acknowledge it. Opaque to everybody else."""

    @property
    def raw(self) -> bytes:
        return self.content.to_json().encode() if isinstance(self.content, Signal) else self.content


class SignalSource(Protocol):
    """Messages in order, at least once. A message that comes twice does no harm, one that is lost does.

    The smallest source of one's own is a name, `finite`, an async generator, and an `acknowledge` that does nothing.
    """

    @property
    def name(self) -> str:
        """Short and stable: part of a dead letter's id and of the bookmark's name."""
        ...

    @property
    def finite(self) -> bool:
        """Whether `messages` ends by itself. `run --until-idle` waits for that end."""
        ...

    def messages(self) -> AsyncIterator[SourceMessage]:
        """From where reading last ended, or where the source begins. Called once; may be cancelled at any `await`.

        A message that cannot be read is delivered all the same. An I/O error that may pass is waited out, not raised.
        """
        ...

    async def acknowledge(self, message: SourceMessage) -> None:
        """`message` and all before it are in the store, as orders or dead letters. Called in the order of delivery.

        Not every message needs to be acknowledged, the latest counts. May raise `StoreError`; losing an acknowledgement
        means that messages come again.
        """
        ...


@runtime_checkable
class Settling(Protocol):
    """A source that knows from where it is read. One of somebody's own need not be one."""

    async def settle(self) -> str:
        """Make durable from where it is read, and return that in words for people.

        Done by the owner of the store, before the source is announced and before `messages`. Raises `InvalidInput` for
        what must not be read.
        """
        ...


class Bookmarks(Protocol):
    """Where a source got to, kept by name. `OrderStore` is one."""

    async def checkpoint(self, name: str) -> str | None: ...

    async def save_checkpoint(self, name: str, value: str) -> None: ...
