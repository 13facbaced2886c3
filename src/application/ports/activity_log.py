"""What the service tells people as it goes. Not the record: that is the store."""

from __future__ import annotations

from typing import Protocol

REPEATED = "notice"
"""As `event_type`: a line told the same when it happened. For those who collect lines; a console need not show it again."""


class ActivityLog(Protocol):
    """Lines for people and machines. Writing never fails, never blocks for long, and never changes what trading does."""

    def write(self, category: str, sentence: str, **fields: object) -> None:
        """One line. `category` is a short word in capitals (`EXECUTION`, `RISK`, `WARNING`, `ERROR`).

        `fields` are ids and figures; `signal_id` and `order_id` make one journey followable, None is left out. Text from
        outside may stand in all of them: it is made harmless here, and what is named like a secret is not shown.
        """
        ...
