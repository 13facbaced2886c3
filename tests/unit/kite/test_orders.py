"""What prepare makes of a request: Kite's fields as text, and a refusal with a remedy for what Kite cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import CancelRequest, ReplaceRequest
from liveorder.domain.errors import OrderValidationError, SettingsError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import OrderRole, OrderType, Product, Side, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.kite.assembly import brokerage
from liveorder.infrastructure.settings.sections import Kite
from tests.harness.worlds import RememberedLog
from tests.twins.kite.client import ACCOUNT, access_to
from tests.unit.kite.canned import MORNING, broker_on
from tests.unit.kite.stage import KEY, RELIANCE, order

D = Decimal
ORDER_ID = "1912345678901234567"
OPTION = Instrument(symbol="NIFTY26DEC24000CE", exchange="NFO", currency="INR", lot_size=D(75))


def payload(options: dict[str, Any] | None = None, **changes: Any) -> dict[str, str]:
    prepared = broker_on({}, **options or {}).broker.prepare(order(**changes))
    fields: dict[str, str] = json.loads(prepared.payload)
    return fields


def test_a_limit_order_is_told_field_by_field() -> None:
    prepared = broker_on({}).broker.prepare(order(limit_price=D("1260.50")))
    assert json.loads(prepared.payload) == {
        "variety": "regular",
        "exchange": "NSE",
        "tradingsymbol": "RELIANCE",
        "transaction_type": "BUY",
        "quantity": "10",
        "product": "CNC",
        "order_type": "LIMIT",
        "price": "1260.50",
        "tag": KEY,
        "validity": "DAY",
    }
    assert prepared.reference == {"day": "2026-11-20", "variety": "regular", "order_type": "LIMIT"}


@pytest.mark.parametrize(
    ("kind", "prices", "expected"),
    [
        (OrderType.MARKET, {}, {"order_type": "MARKET", "market_protection": "-1"}),
        (
            OrderType.STOP,
            {"stop_price": D("1399.95")},
            {"order_type": "SL-M", "trigger_price": "1399.95", "market_protection": "-1"},
        ),
        (
            OrderType.STOP_LIMIT,
            {"stop_price": D("1400"), "limit_price": D("1E+3")},
            {"order_type": "SL", "trigger_price": "1400", "price": "1000"},
        ),
    ],
)
def test_types_have_kites_names_and_what_has_no_limit_is_protected(kind: OrderType, prices: Any, expected: dict[str, str]) -> None:
    told = payload(order_type=kind, **{"limit_price": None} | prices)
    names = ("order_type", "price", "trigger_price", "market_protection")
    assert {name: told[name] for name in names if name in told} == expected


def test_protection_and_variety_are_as_the_settings_say() -> None:
    told = payload({"market_protection": "2.5", "variety": "amo"}, order_type=OrderType.MARKET, limit_price=None)
    assert (told["market_protection"], told["variety"]) == ("2.5", "amo")


@pytest.mark.parametrize("product", Product)
def test_every_product_is_passed_on(product: Product) -> None:
    assert payload(product=product)["product"] == product.value


@pytest.mark.parametrize("exchange", ["NSE", "BSE", "NFO", "BFO", "CDS", "MCX"])
def test_every_exchange_is_passed_on(exchange: str) -> None:
    instrument = Instrument(symbol="ANY", exchange=exchange, currency="INR")
    assert payload(instrument=instrument, product=Product.NRML)["exchange"] == exchange


def test_an_expiry_becomes_whole_minutes_rounded_down() -> None:
    told = payload(time_in_force=TimeInForce.GTD, expires_at=MORNING + timedelta(seconds=179))
    assert (told["validity"], told["validity_ttl"]) == ("TTL", "2")


def test_an_immediate_order_is_ioc() -> None:
    assert payload(time_in_force=TimeInForce.IOC)["validity"] == "IOC"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("order_type", {"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_percent": D(5)}),
        ("time_in_force", {"time_in_force": TimeInForce.GTC}),
        ("time_in_force", {"time_in_force": TimeInForce.FOK}),
        ("time_in_force", {"time_in_force": TimeInForce.OPG}),
        ("time_in_force", {"time_in_force": TimeInForce.CLS}),
        (
            "time_in_force",
            {
                "time_in_force": TimeInForce.IOC,
                "instrument": Instrument(symbol="X", exchange="MCX"),
                "product": Product.NRML,
            },
        ),
        ("expires_at", {"time_in_force": TimeInForce.GTD}),
        ("expires_at", {"time_in_force": TimeInForce.GTD, "expires_at": MORNING + timedelta(seconds=59)}),
        ("expires_at", {"time_in_force": TimeInForce.GTD, "expires_at": MORNING + timedelta(minutes=121)}),
        ("exchange", {"instrument": Instrument(symbol="AAPL", exchange="NASDAQ")}),
        ("product", {"product": None}),
        ("product", {"product": Product.CNC, "instrument": OPTION}),
        ("product", {"product": Product.MTF, "instrument": OPTION}),
        ("notional", {"quantity": None, "notional": D(1000)}),
        ("quantity", {"quantity": D("10.5")}),
        ("limit_price", {"limit_price": None}),
        ("limit_price", {"order_type": OrderType.MARKET}),
        ("stop_price", {"order_type": OrderType.STOP, "limit_price": None}),
        ("account_id", {"account_id": "OTHER"}),
        ("client_order_id", {"client_order_id": "TWENTY-ONE-CHARACTERS"}),
        ("client_order_id", {"client_order_id": "WITH-DASH"}),
    ],
)
def test_what_kite_cannot_do_is_refused_with_the_field_and_a_remedy(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(OrderValidationError, match=rf"^{field}: .*; ") as caught:
        broker_on({}).broker.prepare(order(**changes))
    assert str(caught.value)


def test_a_longer_validity_is_taken_where_the_operator_knows_that_kite_takes_it() -> None:
    ends = MORNING + timedelta(minutes=200)
    assert payload({"longest_ttl_minutes": 240}, time_in_force=TimeInForce.GTD, expires_at=ends)["validity_ttl"] == "200"


FREEZE = {"freeze_quantities": {"NIFTY": D(1800), "NIFTYNXT50": D(600), "RELIANCE": D(5000)}}


def derivative(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, exchange="NFO", currency="INR", lot_size=D(75), expiry=date(2026, 12, 31))


@pytest.mark.parametrize(
    ("instrument", "quantity", "allowed"),
    [
        (derivative("NIFTY26DEC24000CE"), 1800, None),
        (derivative("NIFTY26DEC24000CE"), 1875, "1800"),
        (derivative("NIFTY26DECFUT"), 1875, "1800"),
        (derivative("NIFTYNXT5026DECFUT"), 675, "600"),
        (derivative("NIFTYNXT5026DECFUT"), 600, None),
        (derivative("BANKNIFTY26DECFUT"), 9000, None),
        (derivative("NIFTYIT26DECFUT"), 9000, None),
        (RELIANCE, 5001, "5000"),
        (RELIANCE.but(symbol="RELIANCE26"), 5001, None),
    ],
)
def test_an_entry_above_the_freeze_quantity_is_refused_with_the_number(
    instrument: Instrument, quantity: int, allowed: str | None
) -> None:
    fields: dict[str, Any] = {"instrument": instrument, "quantity": D(quantity), "product": Product.NRML}
    if allowed is None:
        assert payload(FREEZE, **fields)["quantity"] == str(quantity)
        return
    with pytest.raises(OrderValidationError, match=rf"^quantity: the exchange takes {allowed} of .*, not {quantity}; "):
        payload(FREEZE, **fields)
    assert payload(FREEZE, **fields, role=OrderRole.EXIT)["quantity"] == str(quantity)
    assert payload(FREEZE, **fields, reduces_only=True)["quantity"] == str(quantity)


def test_a_cancel_goes_where_the_order_was_placed_whatever_the_settings_say_now() -> None:
    reference = broker_on({}, variety="amo").broker.prepare(order()).reference
    cancel = broker_on({}).broker.prepare(CancelRequest(KEY, ORDER_ID, ACCOUNT, reference))
    assert json.loads(cancel.payload) == {"variety": "amo", "order_id": ORDER_ID}
    with pytest.raises(OrderValidationError, match=r"^broker_order_id: "):
        broker_on({}).broker.prepare(CancelRequest(KEY, None, ACCOUNT, reference))


def test_a_change_repeats_the_type_and_the_protection_that_kite_asks_for() -> None:
    reference = broker_on({}).broker.prepare(order(order_type=OrderType.STOP, limit_price=None, stop_price=D(1399))).reference
    change = broker_on({}).broker.prepare(ReplaceRequest(KEY, ORDER_ID, ACCOUNT, 1, D(20), None, D("1390.05"), reference))
    assert json.loads(change.payload) == {
        "variety": "regular",
        "order_id": ORDER_ID,
        "quantity": "20",
        "trigger_price": "1390.05",
        "order_type": "SL-M",
        "market_protection": "-1",
    }


@pytest.mark.parametrize(("kind", "becomes"), [(OrderType.MARKET, "LIMIT"), (OrderType.STOP, "SL")])
def test_a_new_limit_for_an_order_that_rests_for_its_protection_is_one_of_a_limit_order(kind: OrderType, becomes: str) -> None:
    stop = D(1399) if kind is OrderType.STOP else None
    reference = broker_on({}).broker.prepare(order(order_type=kind, limit_price=None, stop_price=stop)).reference
    change = broker_on({}).broker.prepare(ReplaceRequest(KEY, ORDER_ID, ACCOUNT, 1, None, D(1410), None, reference))
    assert json.loads(change.payload) == {"variety": "regular", "order_id": ORDER_ID, "price": "1410", "order_type": becomes}


def test_what_is_prepared_is_the_same_each_time() -> None:
    broker = broker_on({}).broker
    assert broker.prepare(order(side=Side.SELL)) == broker.prepare(order(side=Side.SELL))


def test_there_is_no_paper_trading_at_kites_own_address() -> None:
    with pytest.raises(SettingsError, match="no paper trading"):
        brokerage(access_to(RememberedLog()), Kite())


def test_an_account_in_another_currency_is_refused() -> None:
    with pytest.raises(SettingsError, match="INR"):
        brokerage(replace(access_to(RememberedLog()), currency="USD"), Kite(root="http://127.0.0.1:1"))


@pytest.mark.parametrize("percent", ["0", "-2", "101", "NaN"])
def test_a_protection_that_protects_nothing_is_no_setting(percent: str) -> None:
    with pytest.raises(ValueError, match="market_protection"):
        Kite(market_protection=D(percent))


@pytest.mark.parametrize(
    ("capabilities", "changes", "field"),
    [
        ({"order_types": frozenset({OrderType.LIMIT})}, {"order_type": OrderType.MARKET, "limit_price": None}, "order_type: "),
        ({"times_in_force": frozenset({TimeInForce.DAY})}, {"time_in_force": TimeInForce.IOC}, "time_in_force: "),
    ],
)
def test_what_the_operator_takes_from_it_is_refused(capabilities: dict[str, Any], changes: dict[str, Any], field: str) -> None:
    with pytest.raises(OrderValidationError, match=f"^{field}"):
        broker_on({}, capabilities=capabilities).broker.prepare(order(**changes))


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("notional", True, "notional"),
        ("fractional", True, "fractional"),
        ("order_types", frozenset({OrderType.MARKET, OrderType.TRAILING_STOP}), "TRAILING_STOP"),
        ("times_in_force", frozenset({TimeInForce.DAY, TimeInForce.GTC}), "GTC"),
        ("hours", frozenset(TradingHours), "extended hours"),
    ],
)
def test_what_kite_never_takes_cannot_be_settled(name: str, value: object, told: str) -> None:
    with pytest.raises(SettingsError, match=f"^account '{ACCOUNT}': capabilities: Kite never takes {told};"):
        broker_on({}, capabilities={name: value})
