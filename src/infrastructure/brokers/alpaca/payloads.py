"""Our requests as Alpaca's JSON, with exact decimals as text. Orders that Alpaca cannot take are refused here."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from liveorder.application.ports.broker import BrokerRequest, CancelRequest, Prepared, ReplaceRequest, SubmitRequest
from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.errors import OrderValidationError
from liveorder.domain.values import AssetClass, OrderType, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.alpaca.symbols import symbol_of

MOST_DECIMALS = 9
LONGEST_KEY = 48
"""In characters. Newer accounts take 128."""
_PLAIN = (OrderType.MARKET, OrderType.LIMIT)
_OF_COINS = ((*_PLAIN, OrderType.STOP_LIMIT), (TimeInForce.GTC, TimeInForce.IOC))
_OF_OPTIONS = ((*_PLAIN, OrderType.STOP, OrderType.STOP_LIMIT), (TimeInForce.DAY, TimeInForce.GTC))
_OF_A_MOMENT = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS)


def prepared(request: BrokerRequest, account_id: str, capabilities: BrokerCapabilities) -> Prepared:
    """The prepared request. Raises `OrderValidationError` for what Alpaca documents that it refuses."""
    if request.account_id != account_id:
        raise _impossible("account_id", f"this connection is to {account_id}, not {request.account_id}", "use the other account")
    match request:
        case SubmitRequest():
            _check(request, capabilities)
            return Prepared({}, json.dumps(_order(request, capabilities)))
        case CancelRequest():
            return Prepared({}, json.dumps(_addressee(request)))
        case ReplaceRequest():
            _check_replace(request)
            reference = {"replacement": replacement_key(request.client_order_id, request.number)}
            return Prepared(reference, json.dumps(_addressee(request) | {"terms": _terms(request, reference["replacement"])}))


def replacement_key(client_order_id: str, number: int) -> str:
    """The key of a replacement, which is a separate order at Alpaca. `own_key` maps it back to the order's key."""
    return f"{client_order_id}-r{number}"


def _order(request: SubmitRequest, can: BrokerCapabilities) -> dict[str, Any]:
    return _text(
        client_order_id=request.client_order_id,
        symbol=symbol_of(request.instrument),
        side=request.side.value.lower(),
        type=request.order_type.value.lower(),
        time_in_force=request.time_in_force.value.lower(),
        qty=request.quantity,
        notional=request.notional,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_amount,
        trail_percent=request.trail_percent,
        position_intent=_position_intent(request, can),
        extended_hours=True if request.hours is TradingHours.EXTENDED else None,
    )


def _position_intent(request: SubmitRequest, can: BrokerCapabilities) -> str | None:
    """The intent to close, if the order reduces a position. Alpaca refuses such an order if it would open one."""
    can_be_said = request.instrument.asset_class in can.reduce_only_for
    return f"{request.side.value.lower()}_to_close" if request.reduces_only and can_be_said else None


def _addressee(request: CancelRequest | ReplaceRequest) -> dict[str, Any]:
    return {"client_order_id": request.client_order_id, "order_id": request.broker_order_id}


def _terms(request: ReplaceRequest, key: str) -> dict[str, Any]:
    return _text(client_order_id=key, qty=request.quantity, limit_price=request.limit_price, stop_price=request.stop_price)


def _text(**fields: Decimal | str | bool | None) -> dict[str, Any]:
    """The set fields, with decimals as plain digits."""
    given = {name: value for name, value in fields.items() if value is not None}
    return {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in given.items()}


# --- what it cannot do ---------------------------------------------------------------------------------------------------------


def _impossible(field: str, problem: str, remedy: str) -> OrderValidationError:
    return OrderValidationError(f"{field}: {problem}; {remedy}")


def _check(request: SubmitRequest, can: BrokerCapabilities) -> None:
    """Check what applies to every order, then what applies to its kind."""
    kind, tif = request.order_type, request.time_in_force
    if kind not in can.order_types:
        raise _impossible("order_type", f"{kind} is not taken here", f"use one of {', '.join(sorted(can.order_types))}")
    if tif not in can.times_in_force:
        raise _impossible("time_in_force", f"Alpaca has no {tif}", f"use one of {', '.join(sorted(can.times_in_force))}")
    if request.product is not None:
        raise _impossible("product", f"Alpaca has no {request.product}", "leave it out")
    if len(request.client_order_id) > LONGEST_KEY:
        raise _impossible("client_order_id", f"longer than {LONGEST_KEY} characters", "use a shorter one")
    _check_size(request, can)
    _check_kind(request)
    if request.hours is TradingHours.EXTENDED:
        _check_extended(request)


def _check_size(request: SubmitRequest, can: BrokerCapabilities) -> None:
    for field, size in (("quantity", request.quantity), ("notional", request.notional)):
        if size is not None and round(size, MOST_DECIMALS) != size:
            raise _impossible(field, f"{size} has more than {MOST_DECIMALS} decimals", "round it")
    if request.notional is not None and not can.notional:
        raise _impossible("notional", "not taken here", "give a quantity")
    if request.quantity is not None and request.quantity % 1 and not can.fractional:
        raise _impossible("quantity", f"{request.quantity} is not a whole number", "round it")


def _check_kind(request: SubmitRequest) -> None:
    """Check by asset class. Equities: https://docs.alpaca.markets/docs/orders-at-alpaca, the tables of times in force."""
    traded = request.instrument.asset_class
    if traded is AssetClass.CRYPTO:
        _check_among(request, "coins", *_OF_COINS)
    elif traded is AssetClass.OPTION:
        _check_among(request, "options", *_OF_OPTIONS)
        _check_whole(request, "options")
    elif traded is not AssetClass.EQUITY or request.instrument.currency != "USD":
        raise _impossible("instrument", f"Alpaca does not trade {request.instrument.key}", "use another account")
    else:
        _check_equity(request)
    if request.time_in_force in _OF_A_MOMENT and request.order_type not in _PLAIN:
        problem = f"a {request.order_type} order cannot be {request.time_in_force}"
        raise _impossible("time_in_force", problem, "use DAY or GTC")


def _check_equity(request: SubmitRequest) -> None:
    is_part = request.notional is not None or (request.quantity or Decimal(0)) % 1 != 0
    if is_part and request.time_in_force is not TimeInForce.DAY:
        problem = f"orders for parts of a share or for an amount are for the day, not {request.time_in_force}"
        raise _impossible("time_in_force", problem, "use DAY, or whole shares")
    if is_part and request.order_type is OrderType.TRAILING_STOP:
        raise _impossible("order_type", "a trailing stop is for whole shares", "round the quantity")
    if request.notional is not None and request.order_type is not OrderType.MARKET:
        raise _impossible("notional", f"a {request.order_type} order is for a quantity", "give a quantity")


def _check_extended(request: SubmitRequest) -> None:
    """https://docs.alpaca.markets/docs/orders-at-alpaca#extended-hours-trading."""
    if request.instrument.asset_class is not AssetClass.EQUITY:
        raise _impossible("hours", f"Alpaca has no extended hours for {request.instrument.key}", "leave it out")
    if request.order_type is not OrderType.LIMIT:
        remedy = "use LIMIT, or leave hours out" if request.order_type.traits.meets_the_market else "leave hours out"
        raise _impossible("order_type", f"a {request.order_type} order is not taken in extended hours", remedy)
    if request.time_in_force is not TimeInForce.DAY:
        raise _impossible("time_in_force", f"{request.time_in_force} is not taken in extended hours", "use DAY")


def _check_among(request: SubmitRequest, what: str, kinds: tuple[OrderType, ...], times_in_force: tuple[TimeInForce, ...]) -> None:
    if request.order_type not in kinds:
        raise _impossible("order_type", f"Alpaca has no {request.order_type} orders for {what}", f"use {' or '.join(kinds)}")
    if request.time_in_force not in times_in_force:
        problem = f"Alpaca has no {request.time_in_force} for {what}"
        raise _impossible("time_in_force", problem, f"use {' or '.join(times_in_force)}")


def _check_whole(request: SubmitRequest, what: str) -> None:
    if request.quantity is None or request.quantity % 1:
        raise _impossible("quantity", f"{what} are traded in whole numbers", "give a whole quantity")


def _check_replace(request: ReplaceRequest) -> None:
    if request.broker_order_id is None:
        raise _impossible("broker_order_id", "a replace names the order by Alpaca's id, which is not known", "wait for it")
    if request.quantity is not None and request.quantity % 1:
        raise _impossible("quantity", f"an order cannot be replaced by one for {request.quantity}", "cancel it and order anew")
