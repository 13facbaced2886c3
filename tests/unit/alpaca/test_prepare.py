"""What Alpaca is sent, and what is refused before it could refuse it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import CancelRequest, ReplaceRequest
from liveorder.domain.errors import OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight, OrderType, Product, Side, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.alpaca.assembly import ALPACA_CAPABILITIES
from liveorder.infrastructure.brokers.alpaca.payloads import prepared
from liveorder.infrastructure.brokers.simulated.catalogue import BUILT_IN
from tests.twins.alpaca.customer import ACCOUNT
from tests.unit.alpaca.stage import AAPL, BTC, KEY, order_of

D = Decimal
CALL = Instrument(
    symbol="AAPL",
    exchange="OPRA",
    asset_class=AssetClass.OPTION,
    multiplier=D(100),
    expiry=date(2026, 12, 18),
    strike=D("212.5"),
    right=OptionRight.CALL,
)


def sent(request: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(prepared(request, ACCOUNT, ALPACA_CAPABILITIES).payload)
    return body


def test_an_order_is_sent_as_exact_text() -> None:
    assert sent(order_of(quantity=D("10"), limit_price=D("150.10"))) == {
        "client_order_id": KEY,
        "symbol": "AAPL",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "qty": "10",
        "limit_price": "150.10",
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"order_type": OrderType.MARKET, "limit_price": None, "side": Side.SELL}, {"type": "market", "side": "sell"}),
        ({"order_type": OrderType.STOP, "limit_price": None, "stop_price": D("160.5")}, {"type": "stop", "stop_price": "160.5"}),
        (
            {"order_type": OrderType.STOP_LIMIT, "stop_price": D(160)},
            {"type": "stop_limit", "stop_price": "160", "limit_price": "150"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_amount": D("1.50")},
            {"type": "trailing_stop", "trail_price": "1.50"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_percent": D(2), "time_in_force": TimeInForce.GTC},
            {"type": "trailing_stop", "trail_percent": "2", "time_in_force": "gtc"},
        ),
        ({"side": Side.SELL, "reduces_only": True}, {"position_intent": "sell_to_close"}),
        ({"instrument": CALL, "reduces_only": True}, {"position_intent": "buy_to_close"}),
        ({"hours": TradingHours.EXTENDED}, {"extended_hours": True}),
        ({"time_in_force": TimeInForce.OPG}, {"time_in_force": "opg"}),
        ({"time_in_force": TimeInForce.CLS}, {"time_in_force": "cls"}),
        ({"time_in_force": TimeInForce.IOC}, {"time_in_force": "ioc"}),
        ({"time_in_force": TimeInForce.FOK}, {"time_in_force": "fok"}),
        ({"quantity": D("0.000000001")}, {"qty": "0.000000001"}),
        ({"quantity": D("1E+3")}, {"qty": "1000"}),
        (
            {"quantity": None, "notional": D("500.25"), "order_type": OrderType.MARKET, "limit_price": None},
            {"notional": "500.25", "type": "market"},
        ),
        (
            {"instrument": BTC, "quantity": D("0.0001"), "time_in_force": TimeInForce.GTC},
            {"symbol": "BTC/USD", "qty": "0.0001", "time_in_force": "gtc"},
        ),
        ({"instrument": CALL, "quantity": D(2)}, {"symbol": "AAPL261218C00212500", "qty": "2"}),
        ({"instrument": CALL, "time_in_force": TimeInForce.GTC}, {"time_in_force": "gtc"}),
        (
            {"instrument": CALL, "side": Side.SELL, "order_type": OrderType.STOP, "limit_price": None, "stop_price": D("2.15")},
            {"type": "stop", "side": "sell", "stop_price": "2.15"},
        ),
        (
            {"instrument": CALL, "order_type": OrderType.STOP_LIMIT, "limit_price": D("2.2"), "stop_price": D("2.15")},
            {"type": "stop_limit", "stop_price": "2.15", "limit_price": "2.2"},
        ),
    ],
)
def test_each_kind_of_order_is_sent_in_alpacas_words(fields: dict[str, Any], expected: dict[str, str]) -> None:
    body = sent(order_of(**fields))
    assert {name: body[name] for name in expected} == expected
    assert all(isinstance(value, str) for name, value in body.items() if name != "extended_hours")


def test_no_intent_is_told_of_coins_and_of_what_may_open() -> None:
    coins = order_of(instrument=BTC, side=Side.SELL, time_in_force=TimeInForce.GTC, reduces_only=True)
    assert "position_intent" not in sent(coins)
    assert "position_intent" not in sent(order_of(side=Side.SELL))


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT])
@pytest.mark.parametrize("instrument", [AAPL, BTC, CALL])
def test_an_order_is_taken_that_names_no_time_in_force(instrument: Instrument, kind: OrderType) -> None:
    usual = ALPACA_CAPABILITIES.usual_time_in_force(instrument.asset_class, kind)
    prices = {
        "limit_price": D(1) if kind.traits.needs_limit_price else None,
        "stop_price": D(1) if kind.traits.needs_stop_price else None,
    }
    body = sent(order_of(instrument=instrument, order_type=kind, time_in_force=usual, **prices))
    assert body["time_in_force"] == ("gtc" if instrument is BTC else "day")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"time_in_force": TimeInForce.GTD}, "time_in_force"),
        ({"product": Product.CNC}, "product"),
        ({"account_id": "OTHER"}, "account_id"),
        ({"client_order_id": "K" * 49}, "client_order_id"),
        ({"quantity": D("1.0000000001")}, "quantity"),
        ({"quantity": D("1.5"), "time_in_force": TimeInForce.GTC}, "time_in_force"),
        ({"quantity": D("1.5"), "order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_percent": D(1)}, "order_type"),
        ({"quantity": None, "notional": D(500)}, "notional"),
        ({"order_type": OrderType.STOP, "stop_price": D(160), "time_in_force": TimeInForce.IOC}, "time_in_force"),
        ({"order_type": OrderType.TRAILING_STOP, "trail_percent": D(1), "time_in_force": TimeInForce.OPG}, "time_in_force"),
        ({"instrument": BUILT_IN.listed("NSE:RELIANCE").instrument}, "instrument"),
        ({"instrument": BTC}, "time_in_force"),
        ({"instrument": BTC, "order_type": OrderType.STOP, "stop_price": D(1), "time_in_force": TimeInForce.GTC}, "order_type"),
        ({"instrument": CALL, "time_in_force": TimeInForce.IOC}, "time_in_force"),
        ({"instrument": CALL, "time_in_force": TimeInForce.OPG}, "time_in_force"),
        ({"instrument": CALL, "order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_percent": D(1)}, "order_type"),
        ({"instrument": CALL, "quantity": D("0.5")}, "quantity"),
        (
            {"instrument": CALL, "order_type": OrderType.STOP, "quantity": D("0.5"), "limit_price": None, "stop_price": D(2)},
            "quantity",
        ),
        ({"instrument": CALL.but(strike=None)}, "instrument"),
    ],
)
def test_what_alpaca_cannot_do_is_refused_with_field_and_remedy(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(OrderValidationError, match=rf"^{named}: .+; .+"):
        sent(order_of(**fields))


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"order_type": OrderType.MARKET}, "use LIMIT, or leave hours out"),
        ({"order_type": OrderType.STOP, "stop_price": D(160)}, "leave hours out"),
        ({"order_type": OrderType.TRAILING_STOP, "trail_percent": D(1)}, "leave hours out"),
    ],
)
def test_an_order_that_waits_is_not_to_become_a_limit_for_extended_hours(fields: dict[str, Any], remedy: str) -> None:
    with pytest.raises(OrderValidationError, match=rf"in extended hours; {remedy}$"):
        sent(order_of(limit_price=None, hours=TradingHours.EXTENDED, **fields))


def test_what_the_operator_denies_is_refused() -> None:
    denied = replace(
        ALPACA_CAPABILITIES, order_types=frozenset({OrderType.MARKET, OrderType.LIMIT}), notional=False, fractional=False
    )
    stop = {"order_type": OrderType.STOP, "stop_price": D(1)}
    amount = {"quantity": None, "notional": D(5), "order_type": OrderType.MARKET, "limit_price": None}
    for fields in (stop, amount, {"quantity": D("1.5")}):
        with pytest.raises(OrderValidationError):
            prepared(order_of(**fields), ACCOUNT, denied)


def test_a_replacement_has_a_key_of_its_own_that_is_kept_in_the_reference() -> None:
    request = ReplaceRequest(KEY, "61e69015", ACCOUNT, 3, quantity=D(20), limit_price=D("151.50"))
    made = prepared(request, ACCOUNT, ALPACA_CAPABILITIES)
    assert made.reference == {"replacement": f"{KEY}-r3"}
    assert json.loads(made.payload) == {
        "client_order_id": KEY,
        "order_id": "61e69015",
        "terms": {"client_order_id": f"{KEY}-r3", "qty": "20", "limit_price": "151.50"},
    }


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (ReplaceRequest(KEY, None, ACCOUNT, 1, limit_price=D(1)), "broker_order_id"),
        (ReplaceRequest(KEY, "61e69015", ACCOUNT, 1, quantity=D("1.5")), "quantity"),
        (ReplaceRequest(KEY, "61e69015", "OTHER", 1, quantity=D(1)), "account_id"),
    ],
)
def test_a_replace_that_cannot_be_is_refused(request_: ReplaceRequest, named: str) -> None:
    with pytest.raises(OrderValidationError, match=named):
        sent(request_)


def test_a_cancel_names_the_order_by_both_ids() -> None:
    assert sent(CancelRequest(KEY, None, ACCOUNT)) == {"client_order_id": KEY, "order_id": None}
