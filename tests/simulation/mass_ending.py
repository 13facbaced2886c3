"""Many orders that end at once, and of which no report arrives: the broker's list leaves out several of them in one answer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.simulation import scenario as s

_BOUGHT_BELOW = {"symbol": "SPY", "side": "BUY", "order_type": "LIMIT", "limit_price": "450", "time_in_force": "GTC"}
_PRICE_THAT_FILLS_ALL = Decimal(430)
_REPORTS_LOST = (Point.REPORT, Point.FILL_REPORT)


@dataclass(frozen=True)
class MassEnding:
    """`orders` come at once and end at `ends_at`."""

    orders: int
    begins_at: float
    ends_at: float

    @property
    def signal_ids(self) -> tuple[str, ...]:
        return tuple(f"many-{number}" for number in range(self.orders))

    def steps(self) -> Iterator[s.Step]:
        texts = (json.dumps({"signal_id": signal_id, "quantity": 2, **_BOUGHT_BELOW}) for signal_id in self.signal_ids)
        yield s.DeliveredTogether(self.begins_at, tuple(texts))
        for on in _REPORTS_LOST:
            yield s.Laid(self.ends_at - 0.05, Fault(kind=FaultKind.REPORT_LOST, on=on))
        yield s.PriceMoved(self.ends_at, "ARCA:SPY", _PRICE_THAT_FILLS_ALL)


def a_mass_ending(chance: random.Random) -> MassEnding:
    begins_at = chance.uniform(0.0, 1.0)
    return MassEnding(chance.choice((8, 10, 12, 16)), begins_at, begins_at + chance.uniform(2.5, 3.5))
