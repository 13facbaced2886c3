"""What the exchange has, in Alpaca's words. Numbers are text, times have nine digits, what is not known is null."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, TimeInForce, TradingHours, total
from liveorder.testing.venue.orders import Due, OrderState, VenueOrder
from tests.twins.alpaca.links import Fill, Links, is_pending, live_link

Json = dict[str, Any]

_CLASSES = {AssetClass.EQUITY: "us_equity", AssetClass.CRYPTO: "crypto", AssetClass.OPTION: "us_option"}


def order_id(venue_id: str, link: int) -> str:
    """A UUID that tells the exchange's number and the link, so that a twin that restarts tells the same."""
    return f"{int(venue_id[1:]):08x}-0000-4000-8000-{link:012x}"


def order_named(text: str) -> tuple[str, int] | None:
    """The exchange's id and the link. None for no id of ours."""
    try:
        number, *middle, link = text.split("-")
        return (f"V{int(number, 16)}", int(link, 16)) if middle == ["0000", "4000", "8000"] else None
    except ValueError:
        return None


def execution_uuid(execution_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"execution:{execution_id}"))


def asset_uuid(instrument: Instrument) -> str:
    return str(uuid5(NAMESPACE_URL, f"asset:{instrument.key}"))


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def key_of(order: VenueOrder, link: int) -> str:
    """Alpaca gives an order that comes without a key one of its own."""
    if link:
        return order.replace_ids[link - 1]
    return order.placed.client_order_id or f"{int(order.order_id[1:]):08x}-0000-4000-9000-000000000000"


def order_json(order: VenueOrder, link: int, links: Links, instrument: Instrument, tif: str | None = None) -> Json:
    placed, trades = order.placed, links.filled(order, link)
    filled = total(trade.quantity for trade in trades)
    value = total(trade.quantity * trade.price for trade in trades)
    live, status = live_link(order), status_of(order, link, filled, tif)
    asked = order.wanted if link > live else None
    told = order.quantity - links.filled_before(order, link) if link >= live else placed.quantity
    at = stamp(order.accepted_at)
    return {
        "id": order_id(order.order_id, link),
        "client_order_id": key_of(order, link),
        "created_at": at,
        "updated_at": at,
        "submitted_at": at,
        "filled_at": stamp(trades[-1].at) if status == "filled" else None,
        "expired_at": at if status == "expired" else None,
        "cancel_requested_at": at if order.cause == "REQUESTED" or Due.CANCEL in order.due else None,
        "canceled_at": at if status == "canceled" else None,
        "failed_at": at if status == "rejected" else None,
        "replaced_at": at if link < live else None,
        "replaced_by": order_id(order.order_id, link + 1) if link < live else None,
        "replaces": order_id(order.order_id, link - 1) if link else None,
        "asset_id": asset_uuid(instrument),
        "symbol": instrument.symbol,
        "asset_class": _CLASSES[instrument.asset_class],
        "notional": text(placed.notional),
        "qty": None if placed.notional is not None else text((asked and asked.quantity) or told),
        "filled_qty": text(filled),
        "filled_avg_price": text(value / filled) if filled else None,
        "order_class": "",
        "order_type": placed.order_type.value.lower(),
        "type": placed.order_type.value.lower(),
        "side": placed.side.value.lower(),
        "time_in_force": tif or placed.time_in_force.value.lower(),
        "limit_price": text((asked and asked.limit_price) or (order.limit_price if link >= live else placed.limit_price)),
        "stop_price": text((asked and asked.stop_price) or (order.stop_price if link >= live else placed.stop_price)),
        "trail_price": text(placed.trail_amount),
        "trail_percent": text(placed.trail_percent),
        "hwm": None,
        "status": status,
        "extended_hours": placed.hours is TradingHours.EXTENDED,
        "legs": None,
    }


def status_of(order: VenueOrder, link: int, filled: Decimal, tif: str | None = None) -> str:
    live = live_link(order)
    if link < live:
        return "replaced"
    if link > live:
        return "pending_new" if is_pending(order) else "rejected"
    if order.state is OrderState.EXPIRED:
        moment = order.placed.is_immediate or tif in ("opg", "cls")
        return "canceled" if moment else "expired"
    if order.state is OrderState.WORKING:
        return _working(order, filled)
    if order.cause == "DONE_FOR_DAY":
        return "done_for_day"
    words = {OrderState.PENDING: "accepted", OrderState.FILLED: "filled", OrderState.CANCELLED: "canceled"}
    return words.get(order.state, "rejected")


def _working(order: VenueOrder, filled: Decimal) -> str:
    if Due.CANCEL in order.due:
        return "pending_cancel"
    if is_pending(order):
        return "pending_replace"
    return "partially_filled" if filled else "new"


def activity_json(order: VenueOrder, fill: Fill, links: Links, instrument: Instrument) -> Json:
    whole = order.quantity - links.filled_before(order, fill.link)
    left = max(whole - fill.cumulative, Decimal(0))
    return {
        "activity_type": "FILL",
        "id": f"{fill.trade.at:%Y%m%d%H%M%S%f}"[:17] + f"::{execution_uuid(fill.trade.execution_id)}",
        "cum_qty": text(fill.cumulative),
        "leaves_qty": text(left),
        "order_id": order_id(order.order_id, fill.link),
        "order_status": "partially_filled" if left else "filled",
        "price": text(fill.trade.price),
        "qty": text(fill.trade.quantity),
        "side": order.placed.side.value.lower(),
        "symbol": instrument.symbol,
        "transaction_time": stamp(fill.trade.at),
        "type": "partial_fill" if left else "fill",
    }


def asset_json(instrument: Instrument) -> Json:
    is_coin = instrument.asset_class is AssetClass.CRYPTO
    lots = {"min_order_size": text(instrument.lot_size), "min_trade_increment": text(instrument.lot_size)}
    return {
        "id": asset_uuid(instrument),
        "class": _CLASSES[instrument.asset_class],
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "name": instrument.symbol,
        "status": "active",
        "tradable": True,
        "marginable": not is_coin,
        "shortable": not is_coin,
        "easy_to_borrow": not is_coin,
        "fractionable": is_coin or instrument.lot_size < 1,
        "attributes": [],
    } | (lots | {"price_increment": text(instrument.tick_size)} if is_coin else {})


def position_json(instrument: Instrument, quantity: Decimal, average: Decimal) -> Json:
    return {
        "asset_id": asset_uuid(instrument),
        "symbol": instrument.symbol.replace("/", ""),
        "exchange": instrument.exchange,
        "asset_class": _CLASSES[instrument.asset_class],
        "avg_entry_price": text(average),
        "qty": text(quantity),
        "side": "short" if quantity < 0 else "long",
        "qty_available": text(quantity),
    }


def account_json(account: Json, number: str) -> Json:
    """Without leverage. An account of the exchange that is not limited can buy more than anybody would."""
    free = account.get("buying_power", BOUNDLESS)
    return {
        "id": str(uuid5(NAMESPACE_URL, number)),
        "account_number": number,
        "status": "ACTIVE",
        "currency": account["currency"],
        "cash": account["cash"],
        "equity": account["equity"],
        "portfolio_value": account["equity"],
        "buying_power": free,
        "regt_buying_power": free,
        "non_marginable_buying_power": free,
        "options_buying_power": free,
        "initial_margin": "0",
        "maintenance_margin": "0",
        "multiplier": "1",
        "balance_asof": account["at"][:10],
        "trading_blocked": False,
        "account_blocked": False,
    }


BOUNDLESS = "1000000000000"

AT_AN_AUCTION = {"opg": TimeInForce.DAY, "cls": TimeInForce.DAY}
"""The exchange has no auctions: such an order stands there for the day."""
