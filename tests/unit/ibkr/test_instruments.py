"""Contracts as instruments."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import exchange_calendars
import pytest

from liveorder.application.ports.broker import BrokerPosition
from liveorder.application.ports.calendar import ALWAYS_OPEN
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerConnectionError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.ibkr.contracts import _CALENDAR_OF as CALENDARS
from liveorder.infrastructure.brokers.ibkr.contracts import calendar_of, exchange_named, pair
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
    assert (found.key, found.calendar, found.tick_size, found.multiplier) == (key, calendar, Decimal(tick), Decimal(multiplier))


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


def test_what_is_none_of_our_kinds_is_shown_by_its_own_symbol() -> None:
    bond = instrument_of({"conId": "7", "secType": "BOND", "symbol": "US-T", "localSymbol": "US-T 4.5 11/15/33"})
    assert (bond.symbol, bond.asset_class, bond.calendar) == ("US-T 4.5 11/15/33", AssetClass.EQUITY, "XNYS")


def test_a_contract_month_is_no_day() -> None:
    future = instrument_of({"secType": "FUT", "symbol": "ES", "exchange": "CME", "lastTradeDateOrContractMonth": "202712"})
    assert isinstance(future, Instrument)
    assert future.expiry is None
