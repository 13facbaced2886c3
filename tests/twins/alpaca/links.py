"""One order of the exchange as the chain of orders that Alpaca would have made of it: the first, and one for each replacement."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from liveorder.domain.values import ZERO, total
from liveorder.testing.venue.orders import Due, Trade, TradeKind, VenueOrder


@dataclass(frozen=True)
class Fill:
    """One fill, the link on which it was made, and what that link had filled after it."""

    trade: Trade
    link: int
    cumulative: Decimal


def live_link(order: VenueOrder) -> int:
    """How many replacements have taken effect."""
    return len(order.replace_ids) - (order.wanted is not None)


def is_pending(order: VenueOrder) -> bool:
    return order.wanted is not None and Due.REPLACE in order.due


@dataclass
class Links:
    """`carries_fills`: a replacement counts in its quantity and in its totals what was filled before it."""

    carries_fills: bool = False

    def fills(self, order: VenueOrder) -> list[Fill]:
        return self._walk(order)[0]

    def filled(self, order: VenueOrder, link: int) -> list[Trade]:
        """The trades that count for this link's totals."""
        counted = self._walk(order)[1].values()
        return [trade for trade, of in counted if of == link or (self.carries_fills and of < link)]

    def filled_before(self, order: VenueOrder, link: int) -> Decimal:
        """What the links before this one filled and it does not count."""
        if self.carries_fills or not link:
            return ZERO
        return total(trade.quantity for trade, of in self._walk(order)[1].values() if of < link)

    def _walk(self, order: VenueOrder) -> tuple[list[Fill], dict[str, tuple[Trade, int]]]:
        fills: list[Fill] = []
        effective: dict[str, tuple[Trade, int]] = {}
        counts: defaultdict[int, Decimal] = defaultdict(Decimal)
        for index, trade in enumerate(order.trades):
            undone, link = effective.pop(trade.corrects or trade.execution_id, (None, self._link_at(order, index)))
            counts[link] -= undone.quantity if undone is not None else 0
            if trade.kind is not TradeKind.BUST:
                effective[trade.execution_id] = trade, link
                counts[link] += trade.quantity
            if trade.kind is TradeKind.FILL:
                counted = total(counts[each] for each in counts if each == link or (self.carries_fills and each < link))
                fills.append(Fill(trade, link, counted))
        return fills, effective

    def _link_at(self, order: VenueOrder, index: int) -> int:
        """The last link that had begun when this trade was made."""
        return max((link for link, trades in order.replaced_after.items() if trades <= index), default=0)
