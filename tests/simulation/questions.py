"""What a life asks its broker about: whichever order of ours the broker's list leaves out, and not only one of them."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Sequence

from liveorder.domain.execution_report import OrderSnapshot
from tests.simulation.auditor import Auditor

MOST_LISTS = 4
"""So many lists may leave an order out before it is asked for: a poll asks after each, but two polls can overlap."""
SHORTEST_POLL_SECONDS = 0.5
"""What is listed sooner is no poll's: a kill lists what is left again and again."""


class Questions:
    """Of one life about one account. `on_left_out` hears of an order that list after list leaves out and nobody asks for.

    `knows_its_store`: the life has heard of all that is durable. Before that it cannot know which orders are at the broker.
    """

    def __init__(
        self, auditor: Auditor, account_id: str, knows_its_store: Callable[[], bool], on_left_out: Callable[[str], None]
    ) -> None:
        self._witness, self._account_id = auditor, account_id
        self._knows_its_store, self._on_left_out = knows_its_store, on_left_out
        self._lists: Counter[str] = Counter()
        self._counted_at = -math.inf

    def listed(self, snapshots: Sequence[OrderSnapshot]) -> None:
        now = asyncio.get_running_loop().time()
        if not self._knows_its_store() or now - self._counted_at < SHORTEST_POLL_SECONDS:
            return
        self._counted_at = now
        names = {name for each in snapshots for name in (each.client_order_id, each.broker_order_id)}
        ours = self._witness.at_broker(self._account_id)
        left_out = [order for order in ours if names.isdisjoint((order.client_order_id, order.broker_order_id))]
        self._lists = Counter({order.client_order_id: self._lists[order.client_order_id] + 1 for order in left_out})
        for order in left_out:
            if self._lists[order.client_order_id] == MOST_LISTS + 1:
                self._on_left_out(f"{order.intent.signal_id}: {MOST_LISTS + 1} lists left it out, and it was not asked for")

    def asked(self, key: str) -> None:
        self._lists.pop(key, None)
