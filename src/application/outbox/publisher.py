"""Where strategies are told what became of their signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from liveorder.application.reporting.views import ConfirmationView


@dataclass(frozen=True, slots=True)
class Confirmation:
    """An order as one of its events left it. `message_id` is `ORDER_ID:VERSION`, the same whenever it is told again."""

    message_id: str
    view: ConfirmationView


class Publisher(Protocol):
    """One destination. Every confirmation gets there at least once, those of an order in order; receivers drop known ids."""

    @property
    def name(self) -> str:
        """Short and stable: how far it was told is kept under it, so another name starts from now."""
        ...

    async def publish(self, confirmations: Sequence[Confirmation]) -> None:
        """Return when all are safely there. Raise anything to be called again with the same ones later."""
        ...
