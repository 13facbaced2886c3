"""What a signal amounts to, of an instrument and a price that are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from liveorder.domain.broker_capabilities import BrokerCapabilities
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Priced
from liveorder.domain.risk import Stake
from liveorder.domain.risk_limits import RiskLimits
from liveorder.domain.signal import Signal, UnusableSignal
from liveorder.domain.sizing import (
    Origin,
    SizedIntent,
    SizingTerms,
    check_contract_ids,
    check_multiplier,
    contract_named_by,
    is_unprotected,
    size,
    spelling_of,
)
from liveorder.domain.standing import Standing
from liveorder.domain.values import AssetClass, OrderRole, OrderType, Product, TimeInForce, TradingHours, TradingMode
from tests.builders import START, seconds

D = Decimal
SPY = Instrument(symbol="SPY", exchange="ARCA")
COIN = Instrument(symbol="BTC/USD", exchange="CRYPTO", asset_class=AssetClass.CRYPTO, lot_size=D("0.0001"))
CAN = BrokerCapabilities()
LIMITS = RiskLimits(position_size=D(1000), max_price_age_seconds=60.0)
TERMS = SizingTerms(CAN, LIMITS, Product.CNC, 300.0)
ORIGIN = Origin(UUID(int=1), "KEY", "test", "session-1", "U1", "simulated")
GTC_OF_COINS = {AssetClass.CRYPTO: dict.fromkeys(OrderType, TimeInForce.GTC)}


def sized(
    fields: dict[str, Any],
    *,
    instrument: Instrument = SPY,
    price: str | None = "300",
    age: float = 1.0,
    terms: SizingTerms = TERMS,
    origin: Origin = ORIGIN,
    held: str | None = None,
) -> SizedIntent:
    signal = Signal(**{"signal_id": "s1", "symbol": instrument.symbol, "side": "BUY"} | fields)
    priced = Priced() if price is None else Priced(Price(D(price), START - timedelta(seconds=age)))
    return size(signal, instrument, priced, START, terms, origin, Standing("trend", Stake(D(held or 0))))


def amounts(of: SizedIntent) -> tuple[Decimal | None, Decimal | None]:
    return of.intent.terms.quantity, of.intent.terms.notional


IN_CASH = structs.replace(TERMS, can=BrokerCapabilities(notional=True, notional_for=frozenset({AssetClass.CRYPTO})))
LIMIT = {"order_type": "LIMIT", "limit_price": D("250.019")}


@pytest.mark.parametrize(
    ("fields", "more", "expected"),
    [
        ({}, {}, (D(3), None)),
        ({"quantity": D("10.9")}, {}, (D(10), None)),
        ({"notional": D(900)}, {}, (D(3), None)),
        (LIMIT, {}, (D(3), None)),
        ({"notional": D(1000)} | LIMIT, {"price": None}, (D(3), None)),
        ({"notional": D(1000), "order_type": "STOP", "stop_price": D(500)}, {}, (D(2), None)),
        ({"notional": D(900)}, {"instrument": COIN, "terms": IN_CASH}, (None, D(900))),
        ({"notional": D(900)}, {"terms": IN_CASH}, (D(3), None)),
        ({}, {"instrument": COIN, "terms": IN_CASH}, (D("3.3333"), None)),
        ({}, {"instrument": SPY.but(multiplier=D(10)), "price": "30"}, (D(3), None)),
        ({}, {"price": None}, (None, D(1000))),
        ({}, {"age": 61.0}, (None, D(1000))),
        ({}, {"age": 60.0}, (D(3), None)),
    ],
)
def test_how_much(fields: dict[str, Any], more: dict[str, Any], expected: tuple[Decimal | None, Decimal | None]) -> None:
    assert amounts(sized(fields, **more)) == expected


@pytest.mark.parametrize(
    ("fields", "problem", "quantity"),
    [
        ({"quantity": D("0.5")}, "quantity", D("0.5")),
        ({"notional": D(200)}, "notional", None),
        ({"quantity": D(1), "order_type": "LIMIT", "limit_price": D("0.001")}, "limit_price", D(1)),
    ],
)
def test_what_is_less_than_a_lot_or_a_tick_is_kept_as_it_was_asked_with_the_reason(
    fields: dict[str, Any], problem: str, quantity: Decimal | None
) -> None:
    found = sized(fields)
    assert found.problem is not None
    assert found.problem.field == problem
    assert found.intent.terms.quantity == quantity
    assert found.intent.terms.limit_price == fields.get("limit_price")


@pytest.mark.parametrize(
    ("fields", "instrument", "words"),
    [
        (
            {},
            SPY,
            "position_size: 1000 USD is less than one lot of 1 SPY costs at 1500; raise the account's position_size for USD, or",
        ),
        (
            {"notional": D(200)},
            SPY,
            "notional: 200 USD is less than one lot of 1 SPY costs at 1500; raise notional, or give the signal a quantity",
        ),
        (
            {"quantity": D("1E-7")},
            COIN,
            "quantity: 0.0000001 is less than one lot of 0.0001 BTC/USD; ask for at least one lot",
        ),
        (
            {"notional": D("1E-7")},
            COIN,
            "notional: 0.0000001 USD is less than one lot of 0.0001 BTC/USD costs at 1500; raise notional, or give the signal",
        ),
    ],
)
def test_an_order_that_is_too_small_is_said_by_what_it_was_sized_by(
    fields: dict[str, Any], instrument: Instrument, words: str
) -> None:
    terms = structs.replace(TERMS, can=replace(CAN, notional=False))
    assert str(sized(fields, instrument=instrument, price="1500", terms=terms).problem).startswith(words)


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("BTCUSD", "a pair of currencies or coins is written BTC/USD"),
        ("ETH-USDT", "a pair of currencies or coins is written ETH/USDT"),
        ("btc/usd", "symbols are mostly in capitals: BTC/USD"),
        ("NASDAQ:AAPL", "write symbol AAPL and exchange NASDAQ, each in its field"),
        ("SPYY", "check the spelling and these fields, or name its exchange"),
    ],
)
def test_how_an_unknown_symbol_is_perhaps_written(symbol: str, hint: str) -> None:
    assert spelling_of(Signal(signal_id="s", symbol=symbol, side="BUY")) == hint


@pytest.mark.parametrize(("side", "limit"), [("BUY", "250.01"), ("SELL", "250.02")])
def test_prices_round_passively_to_the_tick(side: str, limit: str) -> None:
    assert sized({"side": side, "quantity": D(1)} | LIMIT).intent.terms.limit_price == D(limit)


@pytest.mark.parametrize(
    ("age", "own_age", "expected"), [(1, 0, "300"), (61, 60, "200"), (61, 61, None), (61, None, None), (None, 0, "200")]
)
def test_the_signals_own_price_stands_in_where_the_markets_is_not_fresh(
    age: float | None, own_age: float | None, expected: str | None
) -> None:
    at = None if own_age is None else seconds(-own_age)
    found = sized({"price": D(200), "timestamp": at}, price=None if age is None else "300", age=age or 0)
    assert found.intent.terms.decision_price == (None if expected is None else D(expected))
    published = structs.replace(ORIGIN, published_at=at)
    assert sized({"price": D(200)}, price=None, origin=published).intent.terms.decision_price == (
        D(200) if at and own_age != 61 else None
    )


def test_a_signal_without_a_time_is_as_old_as_its_publication() -> None:
    published, older = (
        sized({"price": D(200)}, price=None, origin=structs.replace(ORIGIN, published_at=seconds(-age))).intent.terms
        for age in (60, 61)
    )
    assert (published.decision_price, published.signal_at, older.decision_price) == (D(200), seconds(-60), None)


@pytest.mark.parametrize(
    ("fields", "asset", "expected"),
    [
        ({}, SPY, (TimeInForce.DAY, None)),
        ({}, COIN, (TimeInForce.GTC, None)),
        (LIMIT, COIN, (TimeInForce.GTC, 300.0)),
        (LIMIT | {"timeout_seconds": 5.0}, COIN, (TimeInForce.GTC, 5.0)),
        (LIMIT | {"time_in_force": "GTC"}, COIN, (TimeInForce.GTC, None)),
        (LIMIT | {"time_in_force": "DAY"}, COIN, (TimeInForce.DAY, None)),
        (LIMIT | {"role": OrderRole.TAKE_PROFIT}, COIN, (TimeInForce.GTC, None)),
    ],
)
def test_what_outlasts_the_day_only_for_want_of_orders_for_the_day_keeps_the_days_time_out(
    fields: dict[str, Any], asset: Instrument, expected: tuple[TimeInForce, float | None]
) -> None:
    intent = sized(
        fields, instrument=asset, terms=structs.replace(TERMS, can=BrokerCapabilities(usual_times_in_force=GTC_OF_COINS))
    ).intent
    assert (intent.terms.time_in_force, intent.terms.timeout_seconds) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, "EXTENDED"), ({"hours": "regular"}, "REGULAR"), ({"time_in_force": "OPG"}, "REGULAR"), (LIMIT, "REGULAR")],
)
def test_hours_are_as_named_or_as_is_usual_and_regular_for_an_auction(fields: dict[str, Any], expected: str) -> None:
    can = BrokerCapabilities(usual_hours={OrderType.MARKET: TradingHours.EXTENDED})
    assert sized(fields, terms=structs.replace(TERMS, can=can)).intent.terms.hours is TradingHours[expected]


SHORTS = structs.replace(
    TERMS,
    can=replace(TERMS.can, crosses_zero=True),
    limits=LIMITS.model_copy(update={"allow_short_selling": True}),
    is_long_only=False,
)


@pytest.mark.parametrize(
    ("fields", "more", "expected"),
    [
        ({"notional": D(1500)}, {"held": "3"}, (D(3), None)),
        ({"notional": D(600)}, {"held": "3"}, (D(2), None)),
        ({"notional": D(1500)}, {"held": "3", "terms": SHORTS}, (D(5), None)),
        ({"notional": D(1500)}, {"held": None}, (D(5), None)),
        ({"notional": D(1500)}, {"held": "0.5"}, (D(5), None)),
        ({"quantity": D(5)}, {"held": "3"}, (D(5), None)),
        ({"notional": D(1500), "side": "BUY"}, {"held": "3"}, (D(5), None)),
        ({"notional": D(1500)}, {"held": "3", "instrument": COIN, "terms": IN_CASH}, (D(3), None)),
        ({"notional": D(1500)}, {"held": "3", "instrument": COIN, "terms": IN_CASH, "price": None}, (None, D(1500))),
    ],
)
def test_a_sale_for_an_amount_sells_no_more_than_is_held(
    fields: dict[str, Any], more: dict[str, Any], expected: tuple[Decimal | None, Decimal | None]
) -> None:
    assert amounts(sized({"side": "SELL"} | fields, **more)) == expected


def test_what_the_signal_leaves_open_comes_from_the_account_and_the_origin() -> None:
    intent = sized({}).intent
    assert (intent.terms.product, intent.account_id, intent.broker, intent.client_order_id) == (
        Product.CNC,
        "U1",
        "simulated",
        "KEY",
    )
    assert sized({"product": "MIS"}).intent.terms.product is Product.MIS


@pytest.mark.parametrize("field", ["trading_class", "con_id"])
def test_names_of_contracts_that_the_broker_does_not_have_are_refused(field: str) -> None:
    signal = Signal(signal_id="s1", symbol="SPX", side="BUY", **{field: "42" if field == "trading_class" else 42})
    with pytest.raises(UnusableSignal, match=f"{field}: contracts have none at simulated"):
        check_contract_ids(signal, CAN, "simulated")
    check_contract_ids(signal, BrokerCapabilities(contract_ids=True), "simulated")


def test_another_multiplier_than_the_contracts_is_refused_where_it_was_not_asked_for() -> None:
    signal = Signal(signal_id="s1", symbol="SPY", side="BUY", multiplier=D(50))
    with pytest.raises(UnusableSignal, match="ARCA:SPY has 1 at simulated, not 50"):
        check_multiplier(signal, SPY, CAN, "simulated")
    check_multiplier(signal, SPY, BrokerCapabilities(contract_ids=True), "simulated")
    check_multiplier(Signal(signal_id="s1", symbol="SPY", side="BUY"), SPY, CAN, "simulated")
    assert contract_named_by(signal) == "SPY (multiplier 50)"


amount = st.decimals(D("0.01"), D(100_000), places=2)


@given(amount, amount, st.sampled_from(["1", "0.1", "100"]), st.sampled_from(["1", "50"]))
def test_never_for_more_than_the_amount_and_less_than_a_lot_from_it(
    notional: Decimal, price: Decimal, lot: str, multiplier: str
) -> None:
    instrument = SPY.but(lot_size=D(lot), multiplier=D(multiplier))
    found = sized({"notional": notional}, instrument=instrument, price=str(price))
    quantity = found.intent.terms.quantity or D(0)
    assert instrument.value_of(quantity, price) <= notional < instrument.value_of(quantity + D(lot), price)
    assert (found.problem is None) is (quantity > 0)


@pytest.mark.parametrize(
    ("fields", "mode", "expected"),
    [
        ({}, TradingMode.LIVE, False),
        ({"stop_loss": D(290)}, TradingMode.LIVE, True),
        ({"stop_loss": D(290)}, TradingMode.SIMULATION, False),
        ({"stop_loss": D(290), "protection": "external"}, TradingMode.LIVE, False),
        ({"oco_group": "pair"}, TradingMode.SIMULATION, True),
        ({"oco_group": "pair"}, TradingMode.PAPER, True),
    ],
)
def test_what_nobody_carries_out_is_refused_in_a_simulation_only_where_it_ties_orders(
    fields: dict[str, Any], mode: TradingMode, expected: bool
) -> None:
    assert is_unprotected(sized({"quantity": D(1)} | fields).intent, mode) is expected
