"""The port for confirmations to strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from liveorder.application.reporting.views import ConfirmationView


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An order's state after one of its events. `message_id` is `ORDER_ID:VERSION`, the same for every delivery."""

    message_id: str
    view: ConfirmationView


class Publisher(Protocol):
    """One destination. Every confirmation is delivered at least once, those of one order in order. Receivers drop known ids."""

    @property
    def name(self) -> str:
        """Short and stable: the bookmark is stored under this name, so a new name starts at the present head of the log."""
        ...

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        """Return when all are stored at the destination. Raise anything to be called again later with the same confirmations."""
        ...
