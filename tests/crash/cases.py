"""What can be tried: an operation, the instant of death, what befalls the request, and what the broker's keys are good for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from liveorder.domain.identifiers import SignalKey
from liveorder.testing.venue.faults import Fault, FaultKind, Point
from tests.crash.key_classes import DELIVERY_BOUND_SECONDS, HOLD_SECONDS
from tests.crash.wires import WIRES

SIGNAL_ID = "sig-1"
ALWAYS_TRADED: Mapping[str, str] = {"symbol": "BTC/USD", "time_in_force": "GTC"}
TRADED = "CRYPTO:BTC/USD"
"""The same, by the venue's key."""
ENGINES = ("sqlite", "postgres")
DELIVERIES: Mapping[str, FaultKind | None] = {
    "prompt": None,
    "held past recovery": FaultKind.REQUEST_HELD,
    "lost": FaultKind.REQUEST_LOST,
    "acknowledgement lost": FaultKind.ACKNOWLEDGEMENT_LOST,
}
HELD = "held past recovery"


STRUCK_FROM = "append Requested"


@dataclass(frozen=True, slots=True)
class Operation:
    """A signal, what is asked of its order afterwards, and how it may have ended when all is settled."""

    name: str
    endings: tuple[tuple[str, str], ...]
    """Status and filled quantity."""
    points: tuple[Point, ...] = (Point.SUBMIT,)
    """Requests that a fault can befall; the first is the one that the operation is about."""
    limit_price: str | None = None
    quantity: str = "10"
    then: str | None = None
    """`cancel` or `replace`."""
    once_filled: str = "0"
    """When a cancel is asked."""
    by_the_venue: str | None = None
    """Units that the venue's people book as traded, once: while it works or, where a cancel is asked, after that."""
    is_by_hand: bool = False
    """No signal: somebody places the order at the venue, under no key, and a person adopts it."""
    struck_from: str = STRUCK_FROM
    """First deaths are at boundaries from the first on that names this; what comes before is the same for every operation."""

    def nth(self, point: Point) -> int:
        """Which of such requests a fault befalls."""
        return 1

    def signal(self, key_class: str) -> str:
        traded = WIRES[key_class].signal if key_class in WIRES else ALWAYS_TRADED
        return a_signal(limit_price=self.limit_price, quantity=self.quantity, traded=traded)


BELOW_THE_MARKET, ABOVE_THE_MARKET = "40000", "70000"
OPERATIONS = {
    each.name: each
    for each in (
        Operation("new order", (("FILLED", "4"),), quantity="4"),
        Operation("partial fills under way", (("FILLED", "10"),), struck_from="Filled"),
        Operation(
            "cancel", (("CANCELLED", "0"),), points=(Point.CANCEL, Point.SUBMIT), limit_price=BELOW_THE_MARKET, then="cancel"
        ),
        Operation(
            "cancel between fills",
            (("CANCELLED", "4"), ("CANCELLED", "8"), ("FILLED", "10")),
            points=(Point.CANCEL, Point.SUBMIT),
            then="cancel",
            once_filled="4",
            struck_from="Filled",
        ),
        Operation(
            "replace", (("FILLED", "10"),), points=(Point.REPLACE, Point.SUBMIT), limit_price=BELOW_THE_MARKET, then="replace"
        ),
        Operation(
            "overfill by the venue",
            (("FILLED", "14"),),
            limit_price=BELOW_THE_MARKET,
            by_the_venue="14",
            struck_from="AnomalyNoted",
        ),
        Operation(
            "fill after the cancel",
            (("CANCELLED", "4"),),
            points=(Point.CANCEL,),
            limit_price=BELOW_THE_MARKET,
            then="cancel",
            by_the_venue="4",
            struck_from="Cancelled",
        ),
        Operation(
            "order by hand, adopted and cancelled",
            (("CANCELLED", "0"),),
            points=(Point.CANCEL,),
            limit_price=BELOW_THE_MARKET,
            then="cancel",
            is_by_hand=True,
            struck_from="UnmatchedReportNoted",
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Case:
    """`boundary` and `second`: where the first and the second life end, as `ProcessCrashPoint` names it; None: by themselves."""

    operation: str
    engine: str
    key_class: str
    delivery: str
    point: Point
    boundary: str | None = None
    second: str | None = None
    recoverers: int = 1
    hold_seconds: float = HOLD_SECONDS
    bound_seconds: float = DELIVERY_BOUND_SECONDS
    """Of delivery, as the broker declares it."""
    defect: str | None = None
    """Put into every service of the trial."""
    crowd: int | None = None
    """Of a case with many orders: what they and the deaths are drawn by."""

    def __str__(self) -> str:
        if self.crowd is not None:
            where = f"{self.operation} drawn by {self.crowd}, {self.engine}, keys {self.key_class}, {self.delivery}"
            return f"{where}, {self.recoverers} recovering"
        struck = "" if self.delivery == "prompt" else f" ({self.point})"
        deaths = f"death at {self.boundary}" + (f", then at {self.second}" if self.second else "")
        where = f"{self.operation}, {self.engine}, keys {self.key_class}, {self.delivery}{struck}"
        return f"{where}, {deaths}, {self.recoverers} recovering"

    def fault(self, key: str) -> Fault | None:
        """Of the order with this key."""
        kind = DELIVERIES[self.delivery]
        if kind is None:
            return None
        seconds = self.hold_seconds if kind is FaultKind.REQUEST_HELD else None
        return Fault(kind=kind, on=self.point, nth=1, client_order_id=key, seconds=seconds)


def a_signal(
    signal_id: str = SIGNAL_ID,
    limit_price: str | None = None,
    quantity: str = "10",
    traded: Mapping[str, str] = ALWAYS_TRADED,
) -> str:
    """A buy, as a source delivers it."""
    fields = {"signal_id": signal_id, "side": "BUY", "quantity": quantity, **traded}
    limit = {"order_type": "LIMIT", "limit_price": limit_price} if limit_price else {"order_type": "MARKET"}
    return json.dumps(fields | limit)


def instrument_of(key_class: str) -> str:
    """What is traded there, by the venue's key."""
    return WIRES[key_class].instrument if key_class in WIRES else TRADED


def broker_id_of(key_class: str, venue_id: str) -> str:
    """What the broker calls one of the venue's orders."""
    return WIRES[key_class].broker_order_id(venue_id) if key_class in WIRES else venue_id


def key_of(account: str, signal_id: str = SIGNAL_ID) -> str:
    return SignalKey("test", account, signal_id).client_order_id


def plain_units(quantity: Decimal) -> str:
    """As the endings of a case have it: 6.0000 is 6."""
    return f"{quantity.normalize():f}"
