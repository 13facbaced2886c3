"""Contracts as instruments."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from typing import Any

import exchange_calendars
import pytest

from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerConnectionError, InvalidSymbolError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.ibkr import sdk
from liveorder.infrastructure.brokers.ibkr.contracts import _CALENDAR_OF as CALENDARS
from liveorder.infrastructure.brokers.ibkr.contracts import calendar_of, described, exchange_named, pair
from liveorder.infrastructure.brokers.ibkr.instruments import instrument_of
from tests.unit.ibkr.scene import Scene, scene, submission

ENDS = date(2027, 12, 17)
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
        ("FOP", "ESZ7 C6000", "FOP ESZ7 C6000"),
        ("BAG", "", "BAG ES"),
        ("CFD", "ES", "CFD ES"),
    ],
)
def test_what_is_none_of_our_kinds_is_shown_by_its_kind_and_its_own_symbol(kind: str, local: str, symbol: str) -> None:
    """So that it is taken for no share or option of the same name."""
    told = instrument_of({"conId": "7", "secType": kind, "symbol": "ES", "localSymbol": local, "strike": "6000", "right": "C"})
    assert (told.key, told.asset_class, told.calendar) == (f"SMART:{symbol}", AssetClass.EQUITY, "XNYS")


async def test_a_contract_of_another_kind_keeps_its_exchange(tws: Scene) -> None:
    contract = sdk.LIBRARY.Contract(conId=7, secType="FOP", symbol="ES", exchange="CME", currency="USD")
    instruments: Any = tws.brokerage.instruments
    instrument, _ = await instruments._kept(sdk.LIBRARY.ContractDetails(contract=contract))
    assert json.loads(tws.broker.prepare(submission(instrument=instrument)).payload)["contract"]["exchange"] == "CME"


def test_a_contract_month_is_no_day() -> None:
    future = instrument_of({"secType": "FUT", "symbol": "ES", "exchange": "CME", "lastTradeDateOrContractMonth": "202712"})
    assert isinstance(future, Instrument)
    assert future.expiry is None
