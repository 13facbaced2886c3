"""What this connection was told of orders, ours and others', and which order ids are taken."""

from __future__ import annotations

from dataclasses import replace

from liveorder.infrastructure.brokers.ibkr.rows import StatusRow, TwsOrder


class TwsOrders:
    """The latest word of each order; nothing of a connection before this one."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], TwsOrder] = {}

    def note(self, told: TwsOrder) -> TwsOrder:
        """What was filled is told by statuses, not by the order itself."""
        before = self._rows.get(told.identity)
        if before is not None:
            told = replace(told, filled=before.filled, average=before.average, reason=told.reason or before.reason)
        self._rows[told.identity] = told
        return told

    def note_status(self, told: StatusRow) -> TwsOrder | None:
        """The order as it stands now; None for one that nothing else was told of."""
        before = self._rows.get(told.identity)
        if before is None:
            return None
        self._rows[told.identity] = told.on(before)
        return self._rows[told.identity]

    def note_reason(self, client_id: int, order_id: int, reason: str) -> TwsOrder | None:
        before = self._rows.get((client_id, order_id))
        if before is not None:
            self._rows[before.identity] = replace(before, reason=reason)
        return before

    def get(self, identity: tuple[int, int]) -> TwsOrder | None:
        return self._rows.get(identity)

    def by_perm_id(self, perm_id: str | None) -> TwsOrder | None:
        return next((row for row in self._rows.values() if perm_id and str(row.perm_id) == perm_id), None)


class OrderIds:
    """Order ids of one client id: each is given once, above all that TWS told of and all that earlier runs were seen to use."""

    def __init__(self) -> None:
        self._highest = 0

    @property
    def next(self) -> int:
        return self._highest + 1

    def saw(self, order_id: int) -> None:
        self._highest = max(self._highest, order_id)

    def take(self) -> int:
        self._highest += 1
        return self._highest
