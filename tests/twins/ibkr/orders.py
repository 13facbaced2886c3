"""The venue's orders in TWS's words: ids, statuses, executions."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from liveorder.domain.values import ZERO, TradingHours
from liveorder.testing.venue.orders import Due, OrderState, Trade, TradeKind, VenueOrder
from tests.twins.ibkr import wire
from tests.twins.ibkr.listings import Listings
from tests.twins.ibkr.wire import Fields

FIRST_PERM_ID = 1_700_000_000
BY_HAND = (0, 0)
"""Client id and order id of an order that came from no API client."""
_TYPES = {
    "MKT": "MARKET",
    "LMT": "LIMIT",
    "STP": "STOP",
    "STP LMT": "STOP_LIMIT",
    "TRAIL": "TRAILING_STOP",
    "TRAIL LIMIT": "TRAILING_STOP_LIMIT",
    "MIT": "MARKET_IF_TOUCHED",
    "LIT": "LIMIT_IF_TOUCHED",
    "MTL": "MARKET_TO_LIMIT",
}
_AT_THE_CLOSE = {"MOC": "MARKET", "LOC": "LIMIT"}
_NATIVE_TYPES = {ours: native for native, ours in _TYPES.items()}


class OrderIds:
    """Which client gave which order id to the venue's order; kept in a file, where there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._sent: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._of_venue: dict[str, tuple[int, int]] = {}
        self._venue_id: dict[tuple[int, int], str] = {}
        for line in file.read_text().splitlines() if file is not None and file.exists() else ():
            key, client_id, order_id = json.loads(line)
            self._sent[key].append((client_id, order_id))

    def sent(self, key: str, client_id: int, order_id: int) -> None:
        if (client_id, order_id) in self._sent[key]:
            return
        self._sent[key].append((client_id, order_id))
        if self._file is not None:
            with self._file.open("a") as lines:
                lines.write(json.dumps([key, client_id, order_id]) + "\n")

    def of(self, venue_id: str, key: str | None) -> tuple[int, int]:
        """The venue's orders with one key were sent in the order in which it took them."""
        if venue_id not in self._of_venue:
            free = [each for each in self._sent.get(key or "", ()) if each not in self._venue_id]
            if not free:
                return BY_HAND
            self._of_venue[venue_id], self._venue_id[free[0]] = free[0], venue_id
        return self._of_venue[venue_id]

    def venue_id(self, client_id: int, order_id: int) -> str | None:
        return self._venue_id.get((client_id, order_id))

    def next(self, client_id: int) -> int:
        used = [number for sent in self._sent.values() for client, number in sent if client == client_id]
        return max(used, default=0) + 1


class Speech:
    """Messages about the venue's orders."""

    def __init__(self, listings: Listings, ids: OrderIds, account: str, zone: ZoneInfo) -> None:
        self._listings, self._ids, self._account = listings, ids, account
        self.moment: Callable[[datetime], str] = lambda at: f"{at.astimezone(zone):%Y%m%d %H:%M:%S} {zone}"
        """How executions tell their times."""
        self.natives: dict[str, str] = {}
        """The type that each order was placed under, by its orderRef."""

    def ids(self, order: VenueOrder) -> dict[str, str]:
        client_id, order_id = self._ids.of(order.order_id, order.placed.client_order_id)
        return {"clientId": str(client_id), "orderId": str(order_id), "permId": str(self.perm_id(order))}

    def perm_id(self, order: VenueOrder) -> int:
        return FIRST_PERM_ID + int(order.order_id[1:])

    def state(self, order: VenueOrder) -> list[list[str]]:
        """openOrder and orderStatus, which come together."""
        status = _status(order)
        row = wire.open_order(self.ids(order), self._contract(order), self._fields(order), status)
        return [row, self.status(order)]

    def status(self, order: VenueOrder) -> list[str]:
        average = order.average_price()
        filled, remaining = f"{order.filled_quantity:f}", f"{order.remaining:f}"
        return wire.order_status(self.ids(order), _status(order), filled, remaining, f"{average or ZERO:f}")

    def completed(self, order: VenueOrder) -> list[str]:
        reason = order.reason or (order.cause or "").title()
        filled = f"{order.filled_quantity:f}"
        return wire.completed_order(
            str(self.perm_id(order)), self._contract(order), self._fields(order), _status(order), filled, reason
        )

    def execution(self, number: int, order: VenueOrder, trade: Trade) -> list[str]:
        """A bust is told as a correction to nothing."""
        shares = ZERO if trade.kind is TradeKind.BUST else trade.quantity
        told = {
            "execId": self.execution_id(order, trade),
            "time": self.moment(trade.at),
            "account": self._account,
            "side": "BOT" if order.placed.side == "BUY" else "SLD",
            "shares": f"{shares:f}",
            "price": f"{trade.price:f}",
            "cumQty": f"{order.filled_quantity:f}",
            "avgPrice": f"{order.average_price() or ZERO:f}",
            "orderRef": order.placed.client_order_id or "",
        }
        return wire.execution(number, self.ids(order), self._contract(order), told)

    def commission(self, order: VenueOrder, trade: Trade) -> list[str]:
        currency = trade.commission_currency or self._listings.instrument(order.placed.instrument).currency
        return wire.commission(self.execution_id(order, trade), f"{trade.commission:f}", currency)

    def execution_id(self, order: VenueOrder, trade: Trade) -> str:
        """The first telling ends in .01, its correction in .02, and so on."""
        told: dict[str, tuple[int, int]] = {}
        for each in order.trades:
            first, revision = told.get(each.corrects or each.execution_id, (each.number, 0))
            told[each.execution_id] = first, revision + 1
            if each.number == trade.number:
                break
        first, revision = told[trade.execution_id]
        return f"0000e0d5.{first:08x}.01.{revision:02d}"

    def _contract(self, order: VenueOrder) -> Fields:
        return self._listings.contract(self._listings.instrument(order.placed.instrument))

    def _fields(self, order: VenueOrder) -> Fields:
        placed = order.placed
        numbers = {
            "totalQuantity": order.quantity if placed.notional is None else None,
            "lmtPrice": order.limit_price,
            "auxPrice": order.stop_price if order.stop_price is not None else placed.trail_amount,
            "trailingPercent": placed.trail_percent,
            "cashQty": placed.notional,
        }
        return {name: f"{value:f}" for name, value in numbers.items() if value is not None} | {
            "action": placed.side.value,
            "orderType": self.natives.get(placed.client_order_id or "", _NATIVE_TYPES[placed.order_type]),
            "tif": placed.time_in_force.value,
            "outsideRth": "1" if placed.hours is TradingHours.EXTENDED else "0",
            "account": self._account,
            "orderRef": placed.client_order_id or "",
        }


def _status(order: VenueOrder) -> str:
    if Due.CANCEL in order.due:
        return "PendingCancel"
    return {
        OrderState.PENDING: "PreSubmitted",
        OrderState.WORKING: "Submitted",
        OrderState.FILLED: "Filled",
        OrderState.REJECTED: "Inactive",
    }.get(order.state, "Cancelled")


def submission(order: Fields) -> dict[str, Any]:
    """A placed order as the venue takes it."""
    native = order.get("orderType", "")
    kind = (_TYPES | _AT_THE_CLOSE).get(native, native)
    trails = kind in ("TRAILING_STOP", "TRAILING_STOP_LIMIT")
    return {
        "client_order_id": order.get("orderRef"),
        "side": order.get("action"),
        "order_type": kind,
        "time_in_force": order.get("tif"),
        "quantity": number(order.get("totalQuantity")),
        "notional": number(order.get("cashQty")),
        "limit_price": number(order.get("lmtPrice")),
        "stop_price": None if trails else number(order.get("auxPrice")),
        "trail_amount": number(order.get("auxPrice")) if trails else None,
        "trail_percent": number(order.get("trailingPercent")),
        "limit_offset": number(order.get("lmtPriceOffset")),
        "hours": "extended" if order.get("outsideRth") == "1" else None,
        "expires_at": _moment(order.get("goodTillDate")),
    }


def number(text: str | None) -> Decimal | None:
    told = Decimal(text) if text else ZERO
    return told if told and told < Decimal(UNTOLD) else None


UNTOLD = "1e300"


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC) if text else None


def trades_told(order: VenueOrder, reports: Iterable[dict[str, Any]]) -> list[Trade]:
    """The trades that reports of the venue speak of."""
    named = {(each["report"].upper(), each["execution_id"]) for each in reports}
    return [trade for trade in order.trades if (trade.kind.value, trade.execution_id) in named]
