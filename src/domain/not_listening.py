"""That a service cannot listen where its settings say."""

from __future__ import annotations

from liveorder.domain.events import Event
from liveorder.domain.notice_event import NoticeEvent


class NotListening(Event):
    """Stored once, when it is first seen; it is tried again until it succeeds."""

    topic = "liveorder.NotListening@1"
    category = "HTTP"
    notice = NoticeEvent.NOT_LISTENING

    address: str
    """HOST:PORT of the setting."""
    reason: str

    def sentence(self) -> str:
        return f"Cannot listen at {self.address} ({self.reason}); trading goes on, and it is tried again until it succeeds"
