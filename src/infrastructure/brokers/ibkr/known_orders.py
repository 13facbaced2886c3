"""The orders that this connection reported, ours and others', and the order ids that are taken."""

from __future__ import annotations

from dataclasses import replace

from liveorder.infrastructure.brokers.ibkr.rows import StatusRow, TwsOrder


class TwsOrders:
    """The latest report of each order on this connection. Nothing of an earlier connection."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], TwsOrder] = {}

    def note(self, reported: TwsOrder) -> TwsOrder:
        """Keeps the known fills: statuses report them, order messages do not."""
        before = self._rows.get(reported.identity)
        if before is not None:
            reason = reported.reason or before.reason
            reported = replace(reported, filled=before.filled, average=before.average, reason=reason)
        self._rows[reported.identity] = reported
        return reported

    def note_status(self, status: StatusRow) -> TwsOrder | None:
        """The order in its new state. None if TWS reported nothing else about it."""
        before = self._rows.get(status.identity)
        if before is None:
            return None
        self._rows[status.identity] = status.on(before)
        return self._rows[status.identity]

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
    """Allots the order ids of one client id. Each is used once, and is above every id that TWS reported or that earlier runs
    used.
    """

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
