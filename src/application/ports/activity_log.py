"""The activity log for people. It is not the record of events: that is the store."""

from __future__ import annotations

from typing import Protocol

REPEATED = "notice"
"""An `event_type` for a line that repeats an earlier one. It is for log collectors; a console need not show it again."""


class ActivityLog(Protocol):
    """Log lines for people and machines. Writing never fails, never blocks for long, and never affects trading."""

    def write(self, category: str, sentence: str, **fields: object) -> None:
        """Write one line. `category` is a short word in capitals (`EXECUTION`, `RISK`, `WARNING`, `ERROR`).

        `fields` are ids and figures. `signal_id` and `order_id` connect the lines of one order. None is left out. Any of them may
        contain external text: the log escapes it, and hides fields whose names look like secrets.
        """
        ...
