"""A request whose outcome is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from liveorder.domain.order import LiveOrder, OpenRequest


@dataclass(frozen=True, slots=True)
class Doubt:
    """For a person to look at: the request, and how asking the broker about it went in this run."""

    order: LiveOrder
    request: OpenRequest
    asked: int = 0
    last_asked_at: datetime | None = None
    last_answer: str = ""


def doubts_of(order: LiveOrder) -> Sequence[Doubt]:
    """As the log alone has them."""
    return [Doubt(order, request) for request in order.requests.values() if request.is_in_doubt]
