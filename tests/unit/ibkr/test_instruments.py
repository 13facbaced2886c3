"""Contracts as instruments."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import exchange_calendars
import pytest
from msgspec import structs

from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerConnectionError, InvalidSymbolError, OrderValidationError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.ibkr import sdk
from liveorder.infrastructure.brokers.ibkr.capabilities import CAPABILITIES
from liveorder.infrastructure.brokers.ibkr.contracts import _CALENDAR_OF as CALENDARS
from liveorder.infrastructure.brokers.ibkr.contracts import Contracts, calendar_of, described, exchange_named, pair
from liveorder.infrastructure.brokers.ibkr.instruments import instrument_of
from liveorder.infrastructure.brokers.ibkr.orders import check
from tests.unit.ibkr.scene import Scene, scene, submission

ENDS = date(2027, 12, 17)
SILVER, CORN = date(2027, 12, 29), date(2027, 12, 14)
ON_ES = InstrumentQuery("ES", asset_class=AssetClass.FUTURE_OPTION, expiry=ENDS, strike=Decimal(6000), right=OptionRight.CALL)
OPTION = InstrumentQuery("SPY", expiry=ENDS, strike=Decimal(500), right=OptionRight.CALL)


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        yield played


@pytest.mark.parametrize(
    ("query", "key", "calendar", "tick", "multiplier"),
    [
        (InstrumentQuery("AAPL"), "NASDAQ:AAPL", "XNYS", "0.01", 1),
        (InstrumentQuery("AAPL", "SMART"), "NASDAQ:AAPL", "XNYS", "0.01", 1),
        (InstrumentQuery("AAPL", "XNAS", AssetClass.EQUITY, "USD"), "NASDAQ:AAPL", "XNYS", "0.01", 1),
        (InstrumentQuery("BTC/USD", "PAXOS"), "PAXOS:BTC/USD", "24/7", "0.01", 1),
        (InstrumentQuery("BTC", asset_class=AssetClass.CRYPTO), "PAXOS:BTC/USD", "24/7", "0.01", 1),
        (InstrumentQuery("EUR/USD"), "IDEALPRO:EUR/USD", "24/5", "0.00005", 1),
        (InstrumentQuery("EURUSD", asset_class=AssetClass.FOREX), "IDEALPRO:EUR/USD", "24/5", "0.00005", 1),
        (InstrumentQuery("ES", "CME", expiry=ENDS), "CME:ES:2027-12-17", "CMES", "0.25", 50),
        (OPTION, "SMART:SPY:2027-12-17:500:CALL", "XNYS", "0.01", 100),
        (InstrumentQuery("AAPL", con_id=10_001), "NASDAQ:AAPL", "XNYS", "0.01", 1),
        (InstrumentQuery("AAPL", asset_class=AssetClass.CFD), "SMART:AAPL:CFD:USD", "XNYS", "0.01", 1),
        (structs.replace(ON_ES, trading_class="ES"), "CME:ES:2027-12-17:6000:CALL", "CMES", "0.05", 50),
        (structs.replace(ON_ES, exchange="CME", trading_class="EW3"), "CME:ES/EW3:2027-12-17:6000:CALL", "CMES", "0.05", 50),
        (InstrumentQuery("SI", "COMEX", multiplier=Decimal(1000), expiry=SILVER), "COMEX:SI/SIL:2027-12-29", "CMES", "0.005", 1000),
        (InstrumentQuery("SI", "COMEX", trading_class="SI", expiry=SILVER), "COMEX:SI:2027-12-29", "CMES", "0.005", 5000),
        (InstrumentQuery("ZC", "CBOT", multiplier=Decimal(5000), expiry=CORN), "CBOT:ZC:2027-12-14", "CMES", "0.25", 50),
    ],
)
async def test_each_kind_is_resolved_with_its_grid_and_calendar(
    tws: Scene, query: InstrumentQuery, key: str, calendar: str, tick: str, multiplier: int
) -> None:
    found = await tws.brokerage.instruments.resolve(query)
    assert found is not None
    has = (found.key, found.calendar, found.tick_at(Decimal(100)), found.multiplier)
    assert has == (key, calendar, Decimal(tick), Decimal(multiplier))


@pytest.mark.parametrize(
    "query",
    [
        InstrumentQuery("NOPE"),
        InstrumentQuery("AAPL", "NYSE"),
        InstrumentQuery("AAPL", currency="EUR"),
        InstrumentQuery("EUR/USD", currency="GBP"),
        InstrumentQuery("ES", "CME", expiry=date(2027, 1, 1)),
        InstrumentQuery("ES", "CME", expiry=ENDS, multiplier=Decimal(5)),
        InstrumentQuery("ES", "CME", expiry=ENDS, trading_class="MES"),
        InstrumentQuery("AAPL", con_id=999_999),
        InstrumentQuery("AAPL", asset_class=AssetClass.OPTION, con_id=10_001),
        InstrumentQuery("AAPL", currency="EUR", con_id=10_001),
    ],
)
async def test_what_tws_does_not_know_is_nothing(tws: Scene, query: InstrumentQuery) -> None:
    assert await tws.brokerage.instruments.resolve(query) is None


@pytest.mark.parametrize(
    ("symbol", "terms", "keys"),
    [
        (
            "SPX",
            {"expiry": ENDS, "strike": Decimal(6000), "right": OptionRight.CALL},
            ["SMART:SPX:2027-12-17:6000:CALL", "SMART:SPX/SPXW:2027-12-17:6000:CALL"],
        ),
        ("SI", {"exchange": "COMEX", "expiry": date(2027, 12, 29)}, ["COMEX:SI:2027-12-29", "COMEX:SI/SIL:2027-12-29"]),
    ],
)
async def test_contracts_of_several_classes_are_told_apart(tws: Scene, symbol: str, terms: dict[str, Any], keys: list[str]) -> None:
    """Which one was meant is not guessed: the signal names the class."""
    with pytest.raises(InvalidSymbolError, match="name its trading class") as caught:
        await tws.brokerage.instruments.resolve(InstrumentQuery(symbol, **terms))
    assert all(key in str(caught.value) for key in keys)
    classes = [keys[0].split(":")[1], keys[1].split(":")[1].partition("/")[2]]
    found = [await tws.brokerage.instruments.resolve(InstrumentQuery(f"{symbol}/{name}", **terms)) for name in classes]
    assert [each and each.key for each in found] == keys
    payloads = [json.loads(tws.broker.prepare(submission(f"K{n}", instrument=each)).payload) for n, each in enumerate(found)]
    assert [each["contract"]["tradingClass"] for each in payloads] == classes
    assert len({each["contract"]["conId"] for each in payloads}) == 2
    positions = [instrument_of(each["contract"]).key for each in payloads]
    assert positions == keys


def test_the_class_goes_into_the_contract_also_where_tws_was_not_asked() -> None:
    told = described(Instrument(symbol="GME/2GME", exchange="SMART", asset_class=AssetClass.OPTION, multiplier=Decimal(10)))
    assert (told["symbol"], told["tradingClass"], told["multiplier"]) == ("GME", "2GME", "10")
    told = described(Instrument(symbol="GME", exchange="SMART", asset_class=AssetClass.OPTION, multiplier=Decimal(100)))
    assert (told["symbol"], told["tradingClass"]) == ("GME", "GME")


async def test_a_signal_that_several_contracts_fit_is_refused_with_their_names(tws: Scene) -> None:
    with pytest.raises(
        InvalidSymbolError, match=r"SI fits several contracts: COMEX:SI/SIL:2027-12-29 .*multiplier 1000.*multiplier 5000"
    ):
        await tws.brokerage.instruments.resolve(InstrumentQuery("SI", asset_class=AssetClass.FUTURE, exchange="COMEX"))


async def test_what_was_resolved_is_ordered_by_its_contract_id(tws: Scene) -> None:
    instrument = await tws.brokerage.instruments.resolve(InstrumentQuery("AAPL"))
    assert '"conId":"10001"' in tws.broker.prepare(submission(instrument=instrument)).payload


async def test_without_a_connection_nothing_is_said_of_a_symbol() -> None:
    async with scene() as tws:
        with pytest.raises(BrokerConnectionError):
            await tws.brokerage.instruments.resolve(InstrumentQuery("AAPL"))


async def test_a_position_is_held_under_the_instrument_that_orders_name(tws: Scene) -> None:
    """TWS names no exchange with it, and tells the cost of a contract with its multiplier."""
    option = await tws.brokerage.instruments.resolve(OPTION)
    assert option is not None
    await tws.placed(instrument=option, limit_price=Decimal("1.25"))
    await tws.fill(price=Decimal("1.25"))

    async def is_held() -> bool:
        held: list[BrokerPosition] = await tws.broker.positions()
        return held == [BrokerPosition(option, Decimal(4), Decimal("1.25"))]

    await tws.until(is_held)


def test_every_calendar_is_one_that_exchange_calendars_has() -> None:
    assert set(CALENDARS.values()) <= {*exchange_calendars.get_calendar_names(include_aliases=True), ALWAYS_OPEN}


def test_exchanges_are_known_by_the_names_of_others() -> None:
    assert [exchange_named(name) for name in ("XNAS", "ISLAND", "NASDAQ", "LSE")] == ["NASDAQ", "NASDAQ", "NASDAQ", "LSE"]
    assert calendar_of("MARS") is None


@pytest.mark.parametrize(
    ("symbol", "sides"),
    [
        ("EUR/GBP", ("EUR", "GBP")),
        ("EUR.GBP", ("EUR", "GBP")),
        ("EURGBP", ("EUR", "GBP")),
        ("EUR", ("EUR", "USD")),
    ],
)
def test_pairs_are_written_in_many_ways(symbol: str, sides: tuple[str, str]) -> None:
    assert pair(symbol, "USD") == sides


@pytest.mark.parametrize(
    ("kind", "local", "symbol"),
    [
        ("BOND", "US-T 4.5 11/15/33", "BOND US-T 4.5 11/15/33"),
        ("WAR", "ES-WAR", "WAR ES-WAR"),
    ],
)
def test_what_is_none_of_our_kinds_is_shown_by_its_kind_and_its_own_symbol(kind: str, local: str, symbol: str) -> None:
    """So that it is taken for no share or option of the same name."""
    told = instrument_of({"conId": "7", "secType": kind, "symbol": "ES", "localSymbol": local, "strike": "6000", "right": "C"})
    assert (told.key, told.asset_class, told.calendar) == (f"SMART:{symbol}", AssetClass.EQUITY, "XNYS")


def test_a_combo_is_shown_as_one_and_never_ordered() -> None:
    told = instrument_of({"conId": "7", "secType": "BAG", "symbol": "ES"})
    assert (told.key, told.asset_class) == ("SMART:BAG ES", AssetClass.COMBO)
    with pytest.raises(OrderValidationError, match="symbol: BAG ES is several contracts; trade each by itself"):
        check(submission(instrument=told), "ibkr", CAPABILITIES)


def test_a_future_option_and_a_cfd_are_told_apart_from_what_they_are_on() -> None:
    fields = {"symbol": "ES", "exchange": "CME", "lastTradeDateOrContractMonth": "20271217", "strike": "6000", "right": "C"}
    option = instrument_of(fields | {"secType": "FOP", "tradingClass": "EW3", "multiplier": "50"})
    assert (option.key, option.asset_class) == ("CME:ES/EW3:2027-12-17:6000:CALL", AssetClass.FUTURE_OPTION)
    cfd = instrument_of({"secType": "CFD", "symbol": "IBM", "exchange": "SMART"})
    assert (cfd.key, cfd.asset_class) == ("SMART:IBM:CFD:USD", AssetClass.CFD)
    assert described(cfd) == {"symbol": "IBM", "secType": "CFD", "exchange": "SMART", "currency": "USD"}
    abroad = instrument_of({"secType": "CFD", "symbol": "SAP", "exchange": "SMART", "currency": "EUR"})
    assert [cfd.calendar, abroad.calendar] == ["XNYS", ALWAYS_OPEN]
    assert [described(option)[name] for name in ("secType", "tradingClass", "multiplier")] == ["FOP", "EW3", "50"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (InstrumentQuery("SPY", con_id=10_001), "con_id: 10001 is NASDAQ:AAPL, not SPY; correct one of them"),
        (
            InstrumentQuery("SPX/SPXW", trading_class="SPX", expiry=ENDS),
            "trading_class: SPX/SPXW names SPXW, not SPX; correct one of them",
        ),
        (ON_ES, "ES fits several contracts"),
    ],
)
async def test_names_that_contradict_or_do_not_suffice_are_refused(tws: Scene, query: InstrumentQuery, words: str) -> None:
    with pytest.raises(InvalidSymbolError, match=re.escape(words)):
        await tws.brokerage.instruments.resolve(query)


async def test_a_contract_of_another_kind_keeps_its_exchange(tws: Scene) -> None:
    contract = sdk.LIBRARY.Contract(conId=7, secType="FOP", symbol="ES", exchange="CME", currency="USD")
    instruments: Any = tws.brokerage.instruments
    instrument, _ = await instruments._kept(sdk.LIBRARY.ContractDetails(contract=contract))
    assert json.loads(tws.broker.prepare(submission(instrument=instrument)).payload)["contract"]["exchange"] == "CME"


def test_a_contract_month_is_no_day() -> None:
    future = instrument_of({"secType": "FUT", "symbol": "ES", "exchange": "CME", "lastTradeDateOrContractMonth": "202712"})
    assert isinstance(future, Instrument)
    assert future.expiry is None


def test_a_second_contract_of_one_name_is_refused_and_never_takes_the_place_of_the_first() -> None:
    """An ETF that one exchange lists in francs and in dollars: orders in one went out as orders in the other."""
    contracts, fund = Contracts(), Instrument(symbol="VUSA", exchange="EBS", currency="CHF")
    contracts.remember(fund, {"conId": "1", "currency": "CHF"})
    contracts.remember(fund, {"conId": "1", "currency": "CHF"})
    with pytest.raises(InvalidSymbolError, match="EBS:VUSA names two contracts, conId 1 in CHF and conId 2 in USD"):
        contracts.remember(fund.but(currency="USD"), {"conId": "2", "currency": "USD"})
    assert contracts.of(fund)["conId"] == "1"


@pytest.mark.parametrize(("exchanges", "exchange"), [("CBOE,SMART", "SMART"), ("CBOE", "CBOE")])
async def test_an_option_that_smart_routes_has_one_name_wherever_it_was_asked_for(
    tws: Scene, exchanges: str, exchange: str
) -> None:
    fields = {"symbol": "SPY", "secType": "OPT", "exchange": "CBOE", "currency": "USD", "lastTradeDateOrContractMonth": "20271217"}
    contract = sdk.LIBRARY.Contract(conId=8, strike=500.0, right="C", multiplier="100", tradingClass="SPY", **fields)
    instruments: Any = tws.brokerage.instruments
    instrument, _ = await instruments._kept(sdk.LIBRARY.ContractDetails(contract=contract, validExchanges=exchanges, minTick=0.01))
    assert instrument.key == f"{exchange}:SPY:2027-12-17:500:CALL"
