"""Kite's words for what the exchange knows: rows of orders, trades and the portfolio, and its errors. Pure."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from io import StringIO
from typing import Any, TypeAlias

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import ZERO, AssetClass, OptionRight, OrderType, Side, TimeInForce, total
from liveorder.infrastructure.brokers.simulated.wire import Message
from liveorder.testing.venue.matching import waits_for_stop
from liveorder.testing.venue.orders import Due, OrderState, Trade, VenueOrder
from liveorder.testing.venue.settings import OpeningPosition
from tests.twins.kite.venue import Books, kite_id, trade_id

Row: TypeAlias = dict[str, Any]

INDIA = timezone(timedelta(hours=5, minutes=30))
ORDER_TYPES = {OrderType.MARKET: "MARKET", OrderType.LIMIT: "LIMIT", OrderType.STOP_LIMIT: "SL", OrderType.STOP: "SL-M"}
VALIDITIES = {TimeInForce.DAY: "DAY", TimeInForce.GTC: "DAY", TimeInForce.IOC: "IOC", TimeInForce.GTD: "TTL"}
_STATES = {
    OrderState.PENDING: "OPEN PENDING",
    OrderState.FILLED: "COMPLETE",
    OrderState.CANCELLED: "CANCELLED",
    OrderState.EXPIRED: "CANCELLED",
    OrderState.REJECTED: "REJECTED",
}
_ERRORS = {
    "insufficient_balance": (400, "MarginException"),
    "unknown_symbol": (400, "InputException"),
    "too_late": (400, "OrderException"),
    "unknown_order": (400, "OrderException"),
    "rate_limited": (429, "NetworkException"),
    "unavailable": (429, "NetworkException"),
    "unauthorized": (403, "TokenException"),
    "unknown_account": (403, "TokenException"),
    "server_error": (502, "GeneralException"),
}


@dataclass
class KiteError(Exception):
    """Answered as Kite answers it."""

    status: int
    error_type: str
    message: str


def error_of(code: str, message: str) -> KiteError:
    if code == "unknown_symbol":
        message = f"Invalid `tradingsymbol`: {message}"
    return KiteError(*_ERRORS.get(code, (400, "InputException")), message)


def moment(at: datetime) -> str:
    """In India, without saying so."""
    return at.astimezone(INDIA).strftime("%Y-%m-%d %H:%M:%S")


def order_row(order: VenueOrder, instrument: Instrument, user_id: str, variety: str = "regular") -> Row:
    placed, is_rejected = order.placed, order.state is OrderState.REJECTED
    at = moment(order.trades[-1].at if order.trades else order.accepted_at)
    has_ended = order.state in (OrderState.CANCELLED, OrderState.EXPIRED)
    return {
        "account_id": user_id,
        "placed_by": user_id,
        "order_id": kite_id(order.order_id),
        "exchange_order_id": None if is_rejected else f"13{order.order_id.removeprefix('V'):0>14}",
        "parent_order_id": None,
        "status": _status(order),
        "status_message": order.reason or None,
        "order_timestamp": moment(order.accepted_at),
        "exchange_update_timestamp": None if is_rejected else at,
        "exchange_timestamp": None if is_rejected else moment(order.accepted_at),
        "variety": variety,
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "instrument_token": 738561,
        "order_type": ORDER_TYPES[placed.order_type],
        "transaction_type": placed.side.value,
        "validity": VALIDITIES[placed.time_in_force],
        "product": product_of(order),
        "quantity": int(order.quantity),
        "disclosed_quantity": 0,
        "price": _float(order.limit_price),
        "trigger_price": _float(order.stop_price),
        "average_price": _float(order.average_price()),
        "filled_quantity": int(order.filled_quantity),
        "pending_quantity": int(order.remaining),
        "cancelled_quantity": int(order.remaining) if has_ended else 0,
        "market_protection": 0,
        "meta": {},
        "tag": placed.client_order_id,
        "guid": None,
    } | ({"tags": [placed.client_order_id]} if placed.client_order_id else {})


def _status(order: VenueOrder) -> str:
    if Due.CANCEL in order.due:
        return "CANCEL PENDING"
    if Due.REPLACE in order.due:
        return "MODIFY PENDING"
    if order.state is OrderState.WORKING:
        return "TRIGGER PENDING" if waits_for_stop(order) else "OPEN"
    return _STATES[order.state]


def product_of(order: VenueOrder) -> str:
    return order.placed.product.value if order.placed.product is not None else "CNC"


def trade_row(order: VenueOrder, trade: Trade, instrument: Instrument) -> Row:
    return {
        "trade_id": trade_id(trade),
        "order_id": kite_id(order.order_id),
        "exchange": instrument.exchange,
        "tradingsymbol": instrument.symbol,
        "instrument_token": 738561,
        "product": product_of(order),
        "average_price": _float(trade.price),
        "quantity": int(trade.quantity),
        "exchange_order_id": f"13{order.order_id.removeprefix('V'):0>14}",
        "transaction_type": order.placed.side.value,
        "fill_timestamp": moment(trade.at),
        "order_timestamp": moment(trade.at)[-8:],
        "exchange_timestamp": moment(trade.at),
    }


def quote_row(quoted: Message, spread: Decimal, last_traded_seconds_ago: float) -> Row:
    """The best offers of both sides, and nothing behind them."""
    price, at = Decimal(quoted["price"]), datetime.fromisoformat(quoted["at"])
    nothing = {"price": 0, "quantity": 0, "orders": 0}
    best = [{"price": _float(price + part), "quantity": 100, "orders": 2} for part in (-spread / 2, spread / 2)]
    return {
        "instrument_token": 738561,
        "timestamp": moment(at),
        "last_trade_time": moment(at - timedelta(seconds=last_traded_seconds_ago)),
        "last_price": _float(price),
        "depth": {side: [offer, nothing, nothing, nothing, nothing] for side, offer in zip(("buy", "sell"), best, strict=True)},
    }


# --- portfolio -----------------------------------------------------------------------------------------------------------------


def net_positions(books: Books, orders: Iterable[VenueOrder]) -> list[Row]:
    """Today's trades, and what is carried in products that are not delivered."""
    signed: defaultdict[tuple[str, str], dict[str, list[Trade]]] = defaultdict(lambda: defaultdict(list))
    carried: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for order, trade in _trades(orders):
        place = order.placed.instrument, product_of(order)
        if trade.at > books.positions_until:
            continue
        if trade.at >= books.day_began:
            signed[place][order.placed.side.value].append(trade)
        elif place[1] in ("MIS", "NRML"):
            carried[place] += trade.quantity * order.placed.side.sign
    return [_position(books, place, signed[place], carried[place]) for place in {**signed, **carried}]


def _position(books: Books, place: tuple[str, str], today: dict[str, list[Trade]], carried: Decimal) -> Row:
    key, product = place
    bought, sold = today.get("BUY", []), today.get("SELL", [])
    quantity = total(trade.quantity for trade in bought) - total(trade.quantity for trade in sold) + carried
    return {
        "exchange": books.catalogue[key].exchange,
        "tradingsymbol": books.catalogue[key].symbol,
        "product": product,
        "quantity": int(quantity),
        "overnight_quantity": int(carried),
        "multiplier": int(books.catalogue[key].multiplier),
        "average_price": _average(bought if quantity > 0 else sold),
        "buy_quantity": int(total(trade.quantity for trade in bought)),
        "sell_quantity": int(total(trade.quantity for trade in sold)),
    }


def holdings(books: Books, orders: Iterable[VenueOrder]) -> list[Row]:
    """What was there in the morning: the account's opening positions, and shares of earlier days' trades, on their way."""
    on_the_way: defaultdict[str, Decimal] = defaultdict(Decimal)
    sold_today: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order, trade in _trades(orders):
        if product_of(order) == "CNC":
            if trade.at < books.day_began:
                on_the_way[order.placed.instrument] += trade.quantity * order.placed.side.sign
            elif order.placed.side is Side.SELL:
                sold_today[order.placed.instrument] += trade.quantity
    opening = books.account.positions
    return [_holding(books, key, opening.get(key), on_the_way[key], sold_today[key]) for key in {**opening, **on_the_way}]


def _holding(books: Books, key: str, settled: OpeningPosition | None, on_the_way: Decimal, sold: Decimal) -> Row:
    there = settled.quantity if settled is not None else ZERO
    return {
        "tradingsymbol": books.catalogue[key].symbol,
        "exchange": books.catalogue[key].exchange,
        "isin": "INE002A01018",
        "product": "CNC",
        "quantity": int(there - sold),
        "used_quantity": int(sold),
        "t1_quantity": int(on_the_way),
        "realised_quantity": int(there),
        "opening_quantity": int(there + on_the_way),
        "average_price": _float(settled.price if settled is not None else None),
    }


def _trades(orders: Iterable[VenueOrder]) -> Iterator[tuple[VenueOrder, Trade]]:
    return ((order, trade) for order in orders for trade in order.effective_trades())


def _average(trades: list[Trade]) -> float:
    quantity = total(trade.quantity for trade in trades)
    return _float(total(trade.quantity * trade.price for trade in trades) / quantity) if quantity else 0.0


def _float(number: Decimal | None) -> float:
    """Kite's server writes floats, and 0 for what an order does not have."""
    return 0.0 if number is None else float(number)


# --- instruments ---------------------------------------------------------------------------------------------------------------

_COLUMNS = """
instrument_token exchange_token tradingsymbol name last_price expiry strike tick_size lot_size instrument_type segment exchange
"""
_TYPES = {AssetClass.EQUITY: "EQ", AssetClass.FUTURE: "FUT"}


def instruments_csv(instruments: Iterable[Instrument]) -> str:
    """The exchange's list, its indices among it."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS.split())
    for token, each in enumerate(instruments, 1000):
        writer.writerow([token, token, *_listing(each)])
        writer.writerow([token, token, f"{each.symbol} INDEX", "", 0, "", 0, 0, 0, "EQ", "INDICES", each.exchange])
    return out.getvalue()


def _listing(instrument: Instrument) -> list[object]:
    right = {OptionRight.CALL: "CE", OptionRight.PUT: "PE"}.get(instrument.right) if instrument.right else None
    kind = right or _TYPES[instrument.asset_class]
    of = instrument.symbol.split("26")[0] if instrument.expiry else f"{instrument.symbol} LIMITED"
    segment = instrument.exchange if kind == "EQ" else f"{instrument.exchange}-{'OPT' if right else 'FUT'}"
    expiry, strike, tick, lot = instrument.expiry or "", instrument.strike or 0, instrument.tick_size, instrument.lot_size
    return [instrument.symbol, of, 0, expiry, strike, tick, lot, kind, segment, instrument.exchange]
