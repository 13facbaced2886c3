"""The fields of Kite's requests, as text, made from our requests. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from liveorder.application.ports.broker import CancelRequest, Prepared, ReplaceRequest, SubmitRequest
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderRole, OrderType, Product, TimeInForce
from liveorder.infrastructure.brokers.kite.fields import indian_day
from liveorder.infrastructure.brokers.kite.translation import ORDER_TYPES
from liveorder.infrastructure.settings.sections import Kite

EXCHANGES = ("NSE", "BSE", "NFO", "BFO", "CDS", "MCX")
OF_SHARES = frozenset({"NSE", "BSE"})
VALIDITIES: Mapping[TimeInForce, str] = {TimeInForce.DAY: "DAY", TimeInForce.IOC: "IOC", TimeInForce.GTD: "TTL"}
_DELIVERED = frozenset({Product.CNC, Product.MTF})
_LIMITED: Mapping[str, str] = {"MARKET": "LIMIT", "SL-M": "SL"}
"""Since April 2026 Kite rejects the types on the left without `market_protection`, and turns them into those on the right."""
_LONGEST_TAG = 20


def prepared(request: SubmitRequest, section: Kite, now: datetime, can: BrokerCapabilities) -> Prepared:
    """The prepared submission. Its reference holds Kite's day, after which Kite knows nothing of the order, and what a cancel or
    change has to repeat. Raises `OrderValidationError`.
    """
    _check(request, can)
    _check_freeze(request, section.freeze_quantities)
    order_type = ORDER_TYPES[request.order_type]
    fields = {
        "variety": section.variety,
        "exchange": request.instrument.exchange,
        "tradingsymbol": request.instrument.symbol,
        "transaction_type": request.side.value,
        "quantity": _plain(request.quantity),
        "product": request.product.value if request.product is not None else None,
        "order_type": order_type,
        "price": _plain(request.limit_price),
        "trigger_price": _plain(request.stop_price),
        "tag": request.client_order_id,
        "market_protection": _plain(section.market_protection) if order_type in _LIMITED else None,
    } | _validity(request, section, now)
    reference = {"day": indian_day(now).isoformat(), "variety": section.variety, "order_type": order_type}
    return _prepared(reference, fields)


def prepared_cancel(request: CancelRequest, section: Kite) -> Prepared:
    """Raises `OrderValidationError` if Kite's order id is not known yet: Kite cancels by that id only."""
    return _prepared(request.reference, _named(request, section))


def prepared_replace(request: ReplaceRequest, section: Kite) -> Prepared:
    """The order keeps its id. The quantity is the whole order's, as Kite counts it too. Raises `OrderValidationError`.

    A market order rests at Kite as its limited type, so a new limit price is sent with that type.
    """
    _check_whole(request.quantity)
    order_type = request.reference.get("order_type", "")
    if request.limit_price is not None:
        order_type = _LIMITED.get(order_type, order_type)
    changes = {
        "quantity": _plain(request.quantity),
        "price": _plain(request.limit_price),
        "trigger_price": _plain(request.stop_price),
        "order_type": order_type or None,
        "market_protection": _plain(section.market_protection) if order_type in _LIMITED else None,
    }
    return _prepared(request.reference, _named(request, section) | changes)


def _prepared(reference: Mapping[str, str], fields: Mapping[str, str | None]) -> Prepared:
    return Prepared(dict(reference), json.dumps({name: value for name, value in fields.items() if value is not None}))


def _named(request: CancelRequest | ReplaceRequest, section: Kite) -> dict[str, str | None]:
    if request.broker_order_id is None:
        raise OrderValidationError("broker_order_id: Kite names orders by its own id, which is not known yet; ask again shortly")
    return {"variety": request.reference.get("variety", section.variety), "order_id": request.broker_order_id}


def _validity(request: SubmitRequest, section: Kite, now: datetime) -> dict[str, str | None]:
    validity = VALIDITIES[request.time_in_force]
    if validity != "TTL":
        return {"validity": validity}
    if request.expires_at is None:
        raise OrderValidationError("expires_at: a GTD order needs one; name it, or use DAY")
    minutes = (request.expires_at - now) // timedelta(minutes=1)
    if not 1 <= minutes <= section.longest_ttl_minutes:
        problem = f"Kite keeps an order for 1 to {section.longest_ttl_minutes} whole minutes, not {minutes}"
        raise OrderValidationError(f"expires_at: {problem}; name a moment in between, or use DAY")
    return {"validity": validity, "validity_ttl": str(minutes)}


def _check(request: SubmitRequest, can: BrokerCapabilities) -> None:
    instrument, product = request.instrument, request.product
    if instrument.exchange not in EXCHANGES:
        raise OrderValidationError(f"exchange: Kite trades {', '.join(EXCHANGES)}, not {instrument.exchange}; name one of these")
    if request.order_type not in can.order_types:
        raise OrderValidationError(f"order_type: Kite has no {request.order_type} orders; use {', '.join(sorted(can.order_types))}")
    if request.time_in_force not in can.times_in_force:
        raise OrderValidationError(
            f"time_in_force: Kite has no {request.time_in_force}; use {', '.join(sorted(can.times_in_force))}"
        )
    if request.time_in_force is TimeInForce.IOC and instrument.exchange == "MCX":
        raise OrderValidationError("time_in_force: MCX takes no IOC orders from programs; use DAY")
    if request.notional is not None or request.quantity is None:
        raise OrderValidationError("notional: Kite takes quantities only; name a quantity")
    _check_whole(request.quantity)
    if product is None:
        raise OrderValidationError("product: Kite needs MIS, NRML, CNC or MTF; name it in the signal, or set default_product")
    if product in _DELIVERED and instrument.exchange not in OF_SHARES:
        raise OrderValidationError(f"product: {product} is for shares, not for {instrument.exchange}; use NRML or MIS")
    _check_prices(request)
    if len(request.client_order_id) > _LONGEST_TAG or not request.client_order_id.isalnum():
        raise OrderValidationError(f"client_order_id: a tag is up to {_LONGEST_TAG} letters and digits; derive a shorter key")


def _check_freeze(request: SubmitRequest, most: Mapping[str, Decimal]) -> None:
    """Check an entry against the freeze quantity. Orders that close a position are left to the exchange, whose limit may be higher
    by now than the settings say.
    """
    symbol, quantity = request.instrument.symbol, request.quantity
    limiting = max((name for name in most if _is_of(request.instrument, name)), key=len, default=None)
    if limiting is None or quantity is None or quantity <= most[limiting]:
        return
    if request.reduces_only or request.role is not OrderRole.ENTRY:
        return
    allowed = _plain(most[limiting])
    raise OrderValidationError(
        f"quantity: the exchange takes {allowed} of {symbol} in one order, not {_plain(quantity)}; send several orders, or raise "
        f"kite.freeze_quantities if the exchange takes more by now"
    )


def _is_of(instrument: Instrument, name: str) -> bool:
    """Whether the instrument has this symbol, or is a derivative of it: `NIFTY26DEC24000CE` is of NIFTY, `NIFTYNXT5026DECFUT` is
    not.
    """
    rest = instrument.symbol.removeprefix(name)
    return not rest or (instrument.expiry is not None and rest != instrument.symbol and rest[0].isdigit())


def _check_prices(request: SubmitRequest) -> None:
    kind: OrderType = request.order_type
    for name, price, needed in (
        ("limit_price", request.limit_price, kind.traits.needs_limit_price),
        ("stop_price", request.stop_price, kind.traits.needs_stop_price),
    ):
        if needed != (price is not None):
            raise OrderValidationError(f"{name}: a {kind} order {'needs one; add it' if needed else 'has none; leave it out'}")


def _check_whole(quantity: Decimal | None) -> None:
    if quantity is not None and (quantity <= 0 or quantity % 1):
        raise OrderValidationError(f"quantity: Kite takes whole units only, not {quantity}; round it")


def _plain(value: Decimal | None) -> str | None:
    """Plain digits without an exponent. A whole number has no decimal point."""
    if value is None:
        return None
    return f"{value:f}" if value % 1 else f"{value.to_integral_value():f}"
