"""The account of signals that name none: chosen when the store was created, and changed only by a person, as an event."""

from __future__ import annotations

from collections.abc import Iterable

from liveorder.domain.events import Event
from liveorder.domain.identifiers import stream_id

STORE_STREAM = stream_id("store")


class DefaultAccountChanged(Event):
    """A person chose another one; `evidence` says why. Signals that were known before stay known on the account they traded on."""

    topic = "liveorder.DefaultAccountChanged@1"
    category = "STORE"

    account_id: str
    evidence: str

    def sentence(self) -> str:
        return f"Signals that name no account go to {self.account_id} from here on: {self.evidence}"


def default_account(stream: Iterable[Event], at_creation: str) -> str:
    """The one that holds after these events."""
    chosen = [event.account_id for event in stream if isinstance(event, DefaultAccountChanged)]
    return chosen[-1] if chosen else at_creation
