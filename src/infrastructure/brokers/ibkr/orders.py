"""Prepared requests. An order's client id and order id are fixed before it is sent, and its content is fixed text.

TWS treats an order with a known order id as a change of that order. So an id is allotted once, and a retry sends the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from decimal import Decimal
from typing import Any

from liveorder.application.ports.broker import Prepared, ReplaceRequest, SubmitRequest
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import OrderValidationError
from liveorder.domain.values import AssetClass, OrderType, Side, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.ibkr.contracts import plain
from liveorder.infrastructure.brokers.ibkr.rows import Fields, TwsOrder

ORDER_TYPES = {
    OrderType.MARKET: "MKT",
    OrderType.LIMIT: "LMT",
    OrderType.STOP: "STP",
    OrderType.STOP_LIMIT: "STP LMT",
    OrderType.TRAILING_STOP: "TRAIL",
    OrderType.TRAILING_STOP_LIMIT: "TRAIL LIMIT",
    OrderType.MARKET_IF_TOUCHED: "MIT",
    OrderType.LIMIT_IF_TOUCHED: "LIT",
    OrderType.MARKET_TO_LIMIT: "MTL",
}
_AT_THE_CLOSE = {OrderType.MARKET: "MOC", OrderType.LIMIT: "LOC"}
"""At IB, an order for the closing auction has an order type of its own and no time in force."""
OUR_TYPES = {native: kind for kinds in (ORDER_TYPES, _AT_THE_CLOSE) for kind, native in kinds.items()}
_OF_A_MOMENT = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS)
_PLAIN_TYPES = (OrderType.MARKET, OrderType.LIMIT)
_IN_PARTS = (AssetClass.CRYPTO, AssetClass.FOREX)
"""Traded in fractions of a unit, in lots that TWS reports."""


@dataclass(frozen=True, slots=True)
class PreparedOrder:
    """A submission or an amendment, read from its payload."""

    client_id: int
    order_id: int
    order: Fields
    contract: Fields

    @property
    def key(self) -> str:
        return self.order["orderRef"]


@dataclass(frozen=True, slots=True)
class Reference:
    """TWS's identification of an order. `day` is IB's day on which it was prepared: TWS no longer reports orders that ended on
    another.
    """

    client_id: int
    order_id: int
    day: str

    @classmethod
    def read(cls, reference: Mapping[str, str]) -> Reference | None:
        """None for an order that was not prepared here, such as one that a person adopted."""
        try:
            return cls(int(reference["client_id"]), int(reference["order_id"]), reference["day"])
        except (KeyError, ValueError):
            return None

    def plain(self) -> dict[str, str]:
        return {"client_id": str(self.client_id), "order_id": str(self.order_id), "day": self.day}


def check(request: SubmitRequest, account_id: str, can: BrokerCapabilities) -> None:
    """Raises `OrderValidationError` for an order that IB does not take."""
    kind, in_force = request.order_type, request.time_in_force
    if request.account_id != account_id:
        _refuse("account_id", f"this connection is to {account_id}, not {request.account_id}", "use its own account")
    if kind not in can.order_types:
        _refuse("order_type", f"there are no {kind} orders", f"use one of {', '.join(sorted(can.order_types))}")
    if in_force not in can.times_in_force:
        _refuse("time_in_force", f"there is no {in_force}", f"use one of {', '.join(sorted(can.times_in_force))}")
    if in_force in _OF_A_MOMENT and kind not in _PLAIN_TYPES:
        _refuse("time_in_force", f"a {kind} order cannot be {in_force}", "use DAY, GTC or GTD")
    if (in_force is TimeInForce.GTD) != (request.expires_at is not None):
        _refuse("expires_at", "it belongs to a GTD order, and to no other", "give both or neither")
    if request.hours is TradingHours.EXTENDED:
        _check_extended(request)
    if request.product is not None:
        _refuse("product", f"IB has no {request.product}", "leave it out")
    if request.instrument.asset_class is AssetClass.COMBO:
        _refuse("symbol", f"{request.instrument.symbol} is several contracts", "trade each by itself")
    if request.instrument.asset_class is AssetClass.CRYPTO:
        _check_coin(request)
    _check_prices(request)
    _check_size(request, can)


def _check_extended(request: SubmitRequest) -> None:
    """TWS would hold the order for the regular hours, with a warning (2109) that nobody reads."""
    if request.order_type.traits.meets_the_market and request.instrument.asset_class in (AssetClass.EQUITY, AssetClass.OPTION):
        _refuse("hours", f"a {request.order_type} order trades in regular hours only", "use LIMIT, or leave it out")
    if request.time_in_force.is_for_an_auction:
        _refuse("hours", f"an order for {request.time_in_force} trades in the auction only", "leave it out")


def _check_coin(request: SubmitRequest) -> None:
    """https://www.interactivebrokers.com/campus/ibkr-api-page/order-types, Cryptocurrency Trading."""
    kind, in_force = request.order_type, request.time_in_force
    if kind not in (OrderType.MARKET, OrderType.LIMIT):
        _refuse("order_type", f"there are no {kind} orders for coins", "use MARKET or LIMIT")
    if kind is OrderType.MARKET and in_force is not TimeInForce.IOC:
        _refuse("time_in_force", f"a market order for coins cannot be {in_force}", "use IOC, or name none")
    if in_force not in (TimeInForce.IOC, TimeInForce.DAY, TimeInForce.GTC):
        _refuse("time_in_force", f"there is no {in_force} for coins", "use DAY, GTC or IOC")
    if kind is OrderType.MARKET and request.side is Side.BUY and request.notional is None:
        _refuse("notional", "coins are bought at the market for an amount of money", "give a notional, or a limit price")


def _check_prices(request: SubmitRequest) -> None:
    kind = request.order_type
    for name, price, is_needed in (
        ("limit_price", request.limit_price, kind.traits.needs_limit_price),
        ("stop_price", request.stop_price, kind.traits.needs_stop_price),
    ):
        if is_needed != (price is not None):
            _refuse(name, f"a {kind} order {'needs one' if is_needed else 'has none'}", "add it" if is_needed else "leave it out")
    trails = [trail for trail in (request.trail_amount, request.trail_percent) if trail is not None]
    if len(trails) != kind.traits.trails:
        _refuse(
            "trail_amount", "one of trail_amount and trail_percent belongs to an order that trails, and to no other", "give one"
        )
    if kind.traits.needs_limit_offset != (request.limit_offset is not None):
        _refuse("limit_offset", "it belongs to a TRAILING_STOP_LIMIT order, and to no other", "give both or neither")


def _check_size(request: SubmitRequest, can: BrokerCapabilities) -> None:
    asset_class = request.instrument.asset_class
    if request.notional is not None:
        is_market_buy = request.order_type is OrderType.MARKET and request.side is Side.BUY
        if not can.takes_notional_of(asset_class) or not is_market_buy:
            _refuse("notional", "IB takes an amount of money only for a market buy of crypto", "give a quantity")
    elif request.quantity is None:
        _refuse("quantity", "an order is for a quantity or for a notional", "give one")
    elif request.quantity % 1 and not can.fractional and asset_class not in _IN_PARTS:
        _refuse("quantity", f"whole units only, not {request.quantity}", "round it")


def _refuse(field: str, problem: str, remedy: str) -> None:
    raise OrderValidationError(f"{field}: {problem}; {remedy}")


def order_fields(request: SubmitRequest, account: str) -> Fields:
    """The order's fields under the client libraries' names, numbers as exact text."""
    is_at_the_close = request.time_in_force is TimeInForce.CLS
    fields: dict[str, Any] = {
        "action": request.side.value,
        "orderType": (_AT_THE_CLOSE if is_at_the_close else ORDER_TYPES)[request.order_type],
        "totalQuantity": request.quantity if request.quantity is not None else Decimal(0),
        "cashQty": request.notional,
        "lmtPrice": request.limit_price,
        "auxPrice": request.stop_price if request.stop_price is not None else request.trail_amount,
        "trailingPercent": request.trail_percent,
        "lmtPriceOffset": request.limit_offset,
        "tif": (TimeInForce.DAY if is_at_the_close else request.time_in_force).value,
        "goodTillDate": f"{request.expires_at.astimezone(UTC):%Y%m%d-%H:%M:%S}" if request.expires_at else None,
        "outsideRth": "1" if request.hours is TradingHours.EXTENDED else None,
        "account": account,
        "orderRef": request.client_order_id,
    }
    return {name: plain(value) if isinstance(value, Decimal) else value for name, value in fields.items() if value is not None}


def submission(client_id: int, order_id: int, day: date, order: Fields, contract: Fields) -> Prepared:
    reference = Reference(client_id, order_id, day.isoformat())
    return Prepared(reference.plain(), _text(client_id=client_id, order_id=order_id, order=order, contract=contract))


def change(row: TwsOrder, request: ReplaceRequest, reference: Mapping[str, str]) -> Prepared:
    """The complete order under its own id, with the amended terms. The limit of a trailing order is sent as its offset only."""
    kind = OUR_TYPES.get(row.order.get("orderType", ""))
    if request.limit_price is not None and not (kind and kind.traits.needs_limit_price):
        _refuse("limit_price", f"a {row.order.get('orderType')} order has none to change", "leave it out")
    if request.stop_price is not None and not (kind and kind.traits.needs_stop_price):
        _refuse("stop_price", f"a {row.order.get('orderType')} order has none to change", "leave it out")
    wanted = {
        "totalQuantity": request.quantity,
        "lmtPrice": request.limit_price,
        "auxPrice": request.stop_price,
    }
    kept = {name: text for name, text in row.order.items() if name != "lmtPrice" or not (kind and kind.traits.needs_limit_offset)}
    order = kept | {name: plain(value) for name, value in wanted.items() if value is not None}
    return Prepared(reference, _text(client_id=row.client_id, order_id=row.order_id, order=order, contract=row.contract))


def cancellation(client_id: int, order_id: int, key: str, broker_order_id: str | None, reference: Mapping[str, str]) -> Prepared:
    return Prepared(reference, _text(client_id=client_id, order_id=order_id, key=key, broker_order_id=broker_order_id))


def read(payload: str) -> PreparedOrder:
    content = json.loads(payload)
    return PreparedOrder(content["client_id"], content["order_id"], content["order"], content["contract"])


def _text(**content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))
