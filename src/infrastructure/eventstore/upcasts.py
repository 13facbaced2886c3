"""From an older topic of an event to the next: the one place that knows how former versions wrote.

Most changes need no entry: a new field with a default is read as that default. A field that changes its meaning gives the event a
new topic (`liveorder.Filled@2`), and an entry here that turns the old JSON into the new. Entries stay for ever, one step each:

    @upcast("liveorder.Filled@1", to="liveorder.Filled@2")
    def _with_venue(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"venue": "unknown"}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""From the event's JSON as one topic has it to that of the next. Numbers are `Decimal`."""
Upcast = tuple[str, Change]
"""The next topic, and how to get there."""

UPCASTS: dict[str, Upcast] = {}
"""By older topic."""


def upcast(topic: str, *, to: str, registry: dict[str, Upcast] = UPCASTS) -> Callable[[Change], Change]:
    """Registers the step from `topic`. Raises `ValueError` where there is one already."""

    def register(change: Change) -> Change:
        if topic in registry:
            raise ValueError(f"two upcasts lead away from {topic}")
        registry[topic] = (to, change)
        return change

    return register
