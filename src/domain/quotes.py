"""Prices, each with its age."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from liveorder.domain.values import Side


class Price(Struct, frozen=True):
    """Of one unit, in the instrument's currency, and when it was made (UTC)."""

    amount: Decimal
    at: datetime

    def age_seconds(self, now: datetime) -> float:
        return (now - self.at).total_seconds()


class Quote(Struct, frozen=True):
    """The best bid, the best ask and the last trade, as far as they are known: each may be of another time."""

    bid: Price | None = None
    ask: Price | None = None
    last: Price | None = None

    def met_by(self, side: Side, now: datetime, max_age_seconds: float) -> Price | None:
        """What an order of this side would meet: the other side's best offer, else the last trade, else its own side's.

        Of those that are no older than allowed; where all are, the newest, whose age then tells. None where there is no price.
        A bid below half of the next of them is a stub, by which a SELL would be sized a hundredfold: then that one counts.
        """
        known = [price for price in self._by_rank(side) if price is not None]
        fresh = [price for price in known if price.age_seconds(now) <= max_age_seconds]
        if not fresh:
            return max(known, key=lambda price: price.at, default=None)
        is_stub = side is Side.SELL and fresh[0] is self.bid and len(fresh) > 1 and fresh[0].amount * 2 < fresh[1].amount
        return fresh[1] if is_stub else fresh[0]

    def asked_for(self, side: Side, now: datetime, max_age_seconds: float) -> Priced:
        """What an order of this side would meet, beside the last trade where that is fresh."""
        is_fresh = self.last is not None and self.last.age_seconds(now) <= max_age_seconds
        return Priced(self.met_by(side, now, max_age_seconds), last_trade=self.last if is_fresh else None)

    def _by_rank(self, side: Side) -> tuple[Price | None, Price | None, Price | None]:
        return (self.ask, self.last, self.bid) if side is Side.BUY else (self.bid, self.last, self.ask)


class Priced(NamedTuple):
    """What came of asking for the price that an order would meet."""

    price: Price | None = None
    """The newest where none is fresh; None where there is none, or nobody could say."""
    problem: str = ""
    """Why the source could not be asked, in its own words."""
    last_trade: Price | None = None
    """None where it is not fresh."""
