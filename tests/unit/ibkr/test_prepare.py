"""What an order becomes before it leaves: its name, its exact text, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.broker import CancelRequest, ReplaceRequest
from liveorder.domain.errors import OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight, OrderType, Product, Side, TimeInForce, TradingHours
from liveorder.infrastructure.brokers.ibkr.assembly import brokerage
from liveorder.infrastructure.brokers.ibkr.broker import IbkrBroker
from liveorder.infrastructure.settings.sections import Ibkr
from tests.unit.ibkr.scene import AAPL, SetClock, access, submission

BITCOIN = Instrument(symbol="BTC/USD", exchange="PAXOS", asset_class=AssetClass.CRYPTO)
ENDS = datetime(2026, 3, 31, 20, 0, tzinfo=UTC)


def broker(**section: Any) -> IbkrBroker:
    clock = SetClock(datetime(2026, 3, 3, 2, 30, tzinfo=UTC))
    made = brokerage(access(clock), Ibkr.model_validate({"host": "127.0.0.1", "account": "DU1", "client_id": 7} | section)).broker
    assert isinstance(made, IbkrBroker)
    return made


def order_of(**changes: Any) -> dict[str, str]:
    order: dict[str, str] = json.loads(broker().prepare(submission(**changes)).payload)["order"]
    return order


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"orderType": "LMT", "totalQuantity": "10", "lmtPrice": "180.5"}),
        ({"order_type": OrderType.MARKET, "limit_price": None}, {"orderType": "MKT", "totalQuantity": "10"}),
        (
            {"order_type": OrderType.STOP, "limit_price": None, "stop_price": Decimal("190.10")},
            {"orderType": "STP", "totalQuantity": "10", "auxPrice": "190.1"},
        ),
        (
            {"order_type": OrderType.STOP_LIMIT, "stop_price": Decimal(190)},
            {"orderType": "STP LMT", "totalQuantity": "10", "lmtPrice": "180.5", "auxPrice": "190"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_amount": Decimal("1.5")},
            {"orderType": "TRAIL", "totalQuantity": "10", "auxPrice": "1.5"},
        ),
        (
            {"order_type": OrderType.TRAILING_STOP, "limit_price": None, "trail_percent": Decimal(5)},
            {"orderType": "TRAIL", "totalQuantity": "10", "trailingPercent": "5"},
        ),
        (
            {
                "order_type": OrderType.TRAILING_STOP_LIMIT,
                "limit_price": None,
                "trail_amount": Decimal(2),
                "limit_offset": Decimal("0.25"),
            },
            {"orderType": "TRAIL LIMIT", "totalQuantity": "10", "auxPrice": "2", "lmtPriceOffset": "0.25"},
        ),
        (
            {"order_type": OrderType.MARKET_IF_TOUCHED, "limit_price": None, "stop_price": Decimal(170)},
            {"orderType": "MIT", "totalQuantity": "10", "auxPrice": "170"},
        ),
        (
            {"order_type": OrderType.LIMIT_IF_TOUCHED, "stop_price": Decimal(181)},
            {"orderType": "LIT", "totalQuantity": "10", "lmtPrice": "180.5", "auxPrice": "181"},
        ),
        ({"order_type": OrderType.MARKET_TO_LIMIT, "limit_price": None}, {"orderType": "MTL", "totalQuantity": "10"}),
        (
            {"order_type": OrderType.MARKET, "limit_price": None, "time_in_force": TimeInForce.CLS},
            {"orderType": "MOC", "totalQuantity": "10"},
        ),
        ({"time_in_force": TimeInForce.CLS}, {"orderType": "LOC", "totalQuantity": "10", "lmtPrice": "180.5"}),
    ],
)
def test_each_order_type_is_written_with_its_prices_as_exact_text(changes: dict[str, Any], expected: dict[str, str]) -> None:
    common = {"action": "BUY", "tif": "DAY", "account": "DU1", "orderRef": "KEY1"}
    assert order_of(**changes) == expected | common


def test_a_price_is_never_rounded_through_a_float() -> None:
    assert order_of(limit_price=Decimal("0.00000000000000000001"))["lmtPrice"] == "0.00000000000000000001"
    assert order_of(limit_price=Decimal("123456789012345678.91"))["lmtPrice"] == "123456789012345678.91"


@pytest.mark.parametrize("in_force", ["DAY", "GTC", "IOC", "FOK", "OPG"])
def test_times_in_force_bear_the_names_of_ib(in_force: str) -> None:
    assert order_of(time_in_force=TimeInForce(in_force))["tif"] == in_force


def test_an_expiry_is_written_in_utc() -> None:
    order = order_of(time_in_force=TimeInForce.GTD, expires_at=ENDS)
    assert (order["tif"], order["goodTillDate"]) == ("GTD", "20260331-20:00:00")


def test_crypto_is_bought_for_an_amount_of_money() -> None:
    order = order_of(
        instrument=BITCOIN,
        quantity=None,
        notional=Decimal(1000),
        order_type=OrderType.MARKET,
        limit_price=None,
        time_in_force=TimeInForce.IOC,
    )
    assert (order["cashQty"], order["totalQuantity"]) == ("1000", "0")


def test_crypto_and_forex_are_sold_in_parts_of_a_unit() -> None:
    assert order_of(instrument=BITCOIN, side=Side.SELL, quantity=Decimal("0.00012345"))["totalQuantity"] == "0.00012345"


@pytest.mark.parametrize("kind", [OrderType.MARKET, OrderType.LIMIT])
def test_coins_are_sold_whether_or_not_a_time_in_force_was_named(kind: OrderType) -> None:
    usual = broker().capabilities.usual_time_in_force(AssetClass.CRYPTO, kind)
    price = Decimal(70000) if kind is OrderType.LIMIT else None
    order = order_of(instrument=BITCOIN, side=Side.SELL, order_type=kind, limit_price=price, time_in_force=usual)
    assert order["tif"] == {"MKT": "IOC", "LMT": "DAY"}[order["orderType"]]


def test_an_order_trades_outside_hours_where_it_says_so() -> None:
    assert order_of(hours=TradingHours.EXTENDED)["outsideRth"] == "1"
    assert "outsideRth" not in order_of()


def test_the_settings_say_what_is_usual_but_for_orders_that_meet_the_market() -> None:
    usual = broker(outside_hours=True).capabilities.usual_hours_of
    assert (usual(OrderType.LIMIT), usual(OrderType.STOP)) == (TradingHours.EXTENDED, TradingHours.EXTENDED)
    assert (usual(OrderType.MARKET), usual(OrderType.MARKET_TO_LIMIT)) == (TradingHours.REGULAR, TradingHours.REGULAR)
    assert broker().capabilities.usual_hours_of(OrderType.LIMIT) is TradingHours.REGULAR


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account_id": "another"}, "account_id"),
        ({"order_type": OrderType.MARKET, "limit_price": None, "hours": TradingHours.EXTENDED}, "hours"),
        ({"time_in_force": TimeInForce.OPG, "hours": TradingHours.EXTENDED}, "hours"),
        ({"order_type": OrderType.MARKET_TO_LIMIT, "limit_price": None, "time_in_force": TimeInForce.CLS}, "time_in_force"),
        ({"limit_offset": Decimal(1)}, "limit_offset"),
        (
            {"order_type": OrderType.TRAILING_STOP_LIMIT, "limit_price": None, "trail_amount": Decimal(1)},
            "limit_offset",
        ),
        ({"order_type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(1), "time_in_force": "IOC"}, "time_in_force"),
        ({"time_in_force": TimeInForce.GTD}, "expires_at"),
        ({"expires_at": ENDS}, "expires_at"),
        ({"product": Product.MIS}, "product"),
        ({"limit_price": None}, "limit_price"),
        ({"stop_price": Decimal(1)}, "stop_price"),
        ({"order_type": OrderType.TRAILING_STOP, "limit_price": None}, "trail_amount"),
        ({"trail_amount": Decimal(1)}, "trail_amount"),
        ({"quantity": Decimal("10.5")}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": None, "notional": Decimal(1000), "order_type": OrderType.MARKET, "limit_price": None}, "notional"),
        ({"quantity": None, "notional": Decimal(1000), "instrument": BITCOIN}, "notional"),
        ({"instrument": BITCOIN, "order_type": OrderType.STOP, "limit_price": None, "stop_price": Decimal(1)}, "order_type"),
        ({"instrument": BITCOIN, "order_type": OrderType.MARKET, "limit_price": None, "side": Side.SELL}, "time_in_force"),
        ({"instrument": BITCOIN, "time_in_force": TimeInForce.FOK}, "time_in_force"),
        (
            {"instrument": BITCOIN, "order_type": OrderType.MARKET, "limit_price": None, "time_in_force": TimeInForce.IOC},
            "notional",
        ),
    ],
)
def test_what_ib_cannot_do_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    for look in (broker().check, broker().prepare):
        with pytest.raises(OrderValidationError, match=f"^{field}: .*; "):
            look(submission(**changes))


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (AAPL, {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "primaryExchange": "NASDAQ", "currency": "USD"}),
        (BITCOIN, {"symbol": "BTC", "secType": "CRYPTO", "exchange": "PAXOS", "currency": "USD"}),
        (
            Instrument(symbol="EURUSD", exchange="IDEALPRO", asset_class=AssetClass.FOREX),
            {"symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO", "currency": "USD"},
        ),
        (
            Instrument(
                symbol="SPY",
                exchange="SMART",
                asset_class=AssetClass.OPTION,
                multiplier=Decimal(100),
                expiry=ENDS.date(),
                strike=Decimal("500.0"),
                right=OptionRight.PUT,
            ),
            {
                "symbol": "SPY",
                "secType": "OPT",
                "exchange": "SMART",
                "currency": "USD",
                "lastTradeDateOrContractMonth": "20260331",
                "strike": "500",
                "right": "P",
                "multiplier": "100",
                "tradingClass": "SPY",
            },
        ),
    ],
)
def test_each_kind_of_instrument_is_described_as_a_contract(instrument: Instrument, expected: dict[str, str]) -> None:
    prepared = broker().prepare(submission(instrument=instrument))
    assert json.loads(prepared.payload)["contract"] == expected


def test_the_reference_names_the_order_before_it_leaves_and_ibs_day() -> None:
    """At 02:30 UTC it is still the day before in New York."""
    ibkr = broker()
    first, second = (ibkr.prepare(submission(key)).reference for key in ("A", "B"))
    assert first == {"client_id": "7", "order_id": "1", "day": "2026-03-02"}
    assert second["order_id"] == "2"


def test_what_is_only_checked_uses_up_no_order_id() -> None:
    ibkr = broker()
    for _ in range(3):
        ibkr.check(submission())
    assert ibkr.prepare(submission()).reference["order_id"] == "1"


async def test_order_ids_go_on_above_those_of_orders_that_were_asked_about() -> None:
    """A crash can leave an order that was made ready and never sent: TWS does not know its id."""
    ibkr = broker()
    await ibkr.find("OLD", None, {"client_id": "7", "order_id": "41", "day": "2026-03-02"})
    assert ibkr.prepare(submission()).reference["order_id"] == "42"


def test_a_cancel_names_the_order_as_its_submission_did() -> None:
    reference = {"client_id": "7", "order_id": "5", "day": "2026-03-02"}
    prepared = broker().prepare(CancelRequest("KEY1", "99", "ibkr", reference))
    assert json.loads(prepared.payload) == {"client_id": 7, "order_id": 5, "key": "KEY1", "broker_order_id": "99"}


def test_an_order_of_another_client_id_is_left_to_that_one() -> None:
    reference = {"client_id": "3", "order_id": "5", "day": "2026-03-02"}
    with pytest.raises(OrderValidationError, match="client_id"):
        broker().prepare(CancelRequest("KEY1", "99", "ibkr", reference))


def test_a_time_zone_that_is_none_is_refused_by_the_settings() -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        Ibkr(host="127.0.0.1", time_zone="Mars/Olympus")


def test_a_replace_needs_to_know_how_the_order_stands() -> None:
    reference = {"client_id": "7", "order_id": "5", "day": "2026-03-02"}
    with pytest.raises(OrderValidationError, match="not reported"):
        broker().prepare(ReplaceRequest("KEY1", "99", "ibkr", 1, Decimal(5), reference=reference))
