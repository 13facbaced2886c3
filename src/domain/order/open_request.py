"""A request of ours that waits for its outcome."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from liveorder.domain.order.vocabulary import CancelReason, RequestKind

if TYPE_CHECKING:
    from liveorder.domain.order.events import ReplaceRequested


class OpenRequest(Struct, frozen=True):
    """A request of ours that has no outcome yet. `unknown_since` is set once it may or may not have arrived."""

    request_id: str
    kind: RequestKind
    started_at: datetime
    deadline: datetime | None
    terms: ReplaceRequested | None = None
    cancel_reason: CancelReason | None = None
    unknown_since: datetime | None = None
    unknown_why: str = ""
    is_of_brokers: bool = False
    """It left us, and the broker's side did not say what became of it."""
    is_duplicate: bool = False
    """The broker refused it because it holds an order with our key: it has one, whatever a search finds."""
    is_pending: bool = False
    """The broker reported that it has the request and has not done it yet."""

    @property
    def is_in_doubt(self) -> bool:
        return self.unknown_since is not None
