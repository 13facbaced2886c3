"""Kite's catalogue, with exact ticks, fetched once after every morning; and its prices, with their times."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.application.ports.market_data import Price, Quote
from liveorder.domain.errors import BrokerError
from liveorder.domain.instrument import Instrument
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.kite.market_data import SECONDS_BETWEEN
from tests.unit.kite.canned import MORNING, Answer, Canned, broker_on, error, success
from tests.unit.kite.stage import RELIANCE, scene

D = Decimal
_COLUMNS = "instrument_token exchange_token tradingsymbol name last_price expiry strike tick_size lot_size instrument_type segment"
HEAD = f"{_COLUMNS} exchange".replace(" ", ",")
NSE = f"""{HEAD}
738561,2885,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.1,1,EQ,NSE,NSE
256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE
1,1,NOGRID,NO GRID,0,,0,0,1,EQ,NSE,NSE
"""
BSE = f"""{HEAD}
128083204,500325,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.05,1,EQ,BSE,BSE
"""
NFO = f"""{HEAD}
11,12,NIFTY26NOVFUT,NIFTY,0,2026-11-24,0,0.1,75,FUT,NFO-FUT,NFO
13,14,NIFTY26NOV24000CE,NIFTY,0,2026-11-24,24000,0.05,75,CE,NFO-OPT,NFO
15,16,NIFTY26NOV24000PE,NIFTY,0,2026-11-24,24000,0.05,75,PE,NFO-OPT,NFO
17,18,NIFTY26NOV24050.5PE,NIFTY,0,2026-11-24,24050.5,0.05,75,PE,NFO-OPT,NFO
"""
MCX = f"""{HEAD}
19,20,CRUDEOIL26NOVFUT,CRUDEOIL,0,2026-11-19,0,1,1,FUT,MCX-FUT,MCX
"""
LISTS = {"NSE": NSE, "BSE": BSE, "NFO": NFO, "BFO": HEAD, "CDS": HEAD, "MCX": MCX}
EXPIRY = date(2026, 11, 24)


def catalogue(**options: Any) -> Canned:
    return broker_on({f"/instruments/{name}": Answer(text, content_type="text/csv") for name, text in LISTS.items()}, **options)


async def resolved(canned: Canned, symbol: str, exchange: str | None = None, **said: Any) -> Instrument | None:
    return await canned.parts.instruments.resolve(InstrumentQuery(symbol, exchange, **said))


async def test_a_share_has_its_exact_tick() -> None:
    found = await resolved(catalogue(), "RELIANCE", "NSE")
    expected = Instrument(symbol="RELIANCE", exchange="NSE", currency="INR", tick_size=D("0.1"), calendar="XBOM")
    assert found == expected
    assert await resolved(catalogue(), "RELIANCE", "XBOM") == expected.model_copy(
        update={"exchange": "BSE", "tick_size": D("0.05")}
    )


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("NIFTY26NOV24000CE", {}),
        ("NIFTY26NOV24000CE", {"exchange": "NFO", "asset_class": AssetClass.OPTION}),
        ("NIFTY", {"expiry": EXPIRY, "strike": D("24000.0"), "right": OptionRight.CALL}),
    ],
)
async def test_an_option_is_found_by_its_symbol_or_by_what_it_is(symbol: str, said: Any) -> None:
    assert await resolved(catalogue(), symbol, **said) == Instrument(
        symbol="NIFTY26NOV24000CE",
        exchange="NFO",
        asset_class=AssetClass.OPTION,
        currency="INR",
        tick_size=D("0.05"),
        lot_size=D(75),
        calendar="XBOM",
        expiry=EXPIRY,
        strike=D(24000),
        right=OptionRight.CALL,
    )


async def test_a_future_is_found_by_what_it_is_of() -> None:
    found = await resolved(catalogue(), "NIFTY", expiry=EXPIRY, asset_class=AssetClass.FUTURE)
    assert found is not None
    assert (found.symbol, found.strike, found.lot_size) == ("NIFTY26NOVFUT", None, D(75))


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("RELIANCE", {}),
        ("RELIANCE", {"exchange": "NFO"}),
        ("RELIANCE", {"exchange": "NASDAQ"}),
        ("RELIANCE", {"exchange": "NSE", "currency": "USD"}),
        ("RELIANCE", {"exchange": "NSE", "asset_class": AssetClass.FUTURE}),
        ("RELIANCE", {"exchange": "NSE", "strike": D(1)}),
        ("NIFTY 50", {}),
        ("NIFTY", {}),
        ("NIFTY", {"expiry": EXPIRY}),
        ("NIFTY", {"expiry": EXPIRY, "strike": D(24000)}),
        ("NIFTY", {"expiry": date(2026, 11, 25), "strike": D(24000), "right": OptionRight.CALL}),
        ("NOGRID", {}),
        ("NOSUCHTHING", {}),
    ],
)
async def test_what_is_unknown_or_fits_several_is_nothing(symbol: str, said: Any) -> None:
    assert await resolved(catalogue(), symbol, **said) is None


async def test_a_contract_whose_size_nobody_told_is_not_traded_and_that_is_said() -> None:
    canned = catalogue()
    for _ in range(2):
        assert await resolved(canned, "CRUDEOIL26NOVFUT", "MCX") is None
    (told,) = canned.log.of("WARNING")
    assert "kite.multipliers" in told
    found = await resolved(catalogue(multipliers={"CRUDEOIL": D(100)}), "CRUDEOIL26NOVFUT", "MCX")
    assert found is not None
    assert (found.multiplier, found.lot_size, found.calendar) == (D(100), D(1), "24/7")


async def test_a_list_is_fetched_once_until_the_next_mornings() -> None:
    canned = catalogue()
    await resolved(canned, "RELIANCE", "NSE")
    canned.wire.answers.clear()
    canned.clock.at = datetime(2026, 11, 21, 2, 59, tzinfo=UTC)
    assert await resolved(canned, "RELIANCE", "NSE") is not None
    canned.wire.answers["/instruments/NSE"] = Answer(NSE.replace("0.1", "0.5"), content_type="text/csv")
    canned.clock.at = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    found = await resolved(canned, "RELIANCE", "NSE")
    assert found is not None
    assert found.tick_size == D("0.5")


async def test_yesterdays_list_is_used_where_todays_is_not_to_be_had() -> None:
    canned = catalogue()
    await resolved(canned, "RELIANCE", "NSE")
    canned.wire.answers["/instruments/NSE"] = error(503, "NetworkException")
    canned.clock.at += timedelta(days=1)
    assert await resolved(canned, "RELIANCE", "NSE") is not None
    assert "2026-11-20" in canned.log.of("WARNING")[0]


@pytest.mark.parametrize("answer", [error(503, "NetworkException"), Answer("a,b\n1,2\n", content_type="text/csv"), success("[]")])
async def test_without_any_list_a_signal_waits_instead_of_being_taken_for_nonsense(answer: Answer) -> None:
    with pytest.raises(BrokerError):
        await resolved(broker_on({"/instruments/NSE": answer}), "RELIANCE", "NSE")


# --- prices --------------------------------------------------------------------------------------------------------------------

QUOTE = '{{"NSE:RELIANCE": {{"last_price": 1400.05, "last_trade_time": {at}, "timestamp": "2026-11-20 09:30:00"}}}}'


async def priced(canned: Canned) -> Quote | None:
    return await canned.parts.market_data.latest(RELIANCE)


async def test_a_price_has_the_time_of_its_trade() -> None:
    canned = broker_on({"/quote": success(QUOTE.format(at='"2026-11-20 09:29:58"'))})
    assert await priced(canned) == Quote(last=Price(D("1400.05"), datetime(2026, 11, 20, 3, 59, 58, tzinfo=UTC)))


@pytest.mark.parametrize("answer", [success("{}"), success(QUOTE.format(at="null")), success('{"NSE:RELIANCE": {}}')])
async def test_what_was_not_traded_has_no_price(answer: Answer) -> None:
    assert await priced(broker_on({"/quote": answer})) is None


async def test_a_plan_without_prices_is_told_once() -> None:
    canned = broker_on({"/quote": error(403, "PermissionException", "Insufficient permission for that call.")})
    assert await priced(canned) is None
    assert await priced(canned) is None
    (told,) = canned.log.of("WARNING")
    assert "Insufficient permission" in told


@pytest.mark.parametrize(
    "answer", [error(429, "NetworkException"), success("[]"), success('{"NSE:RELIANCE": {"last_price": true}}')]
)
async def test_a_price_that_cannot_be_had_is_none(answer: Answer) -> None:
    assert await priced(broker_on({"/quote": answer})) is None


async def test_all_who_wait_are_answered_by_one_question_and_the_next_waits_its_second() -> None:
    canned = broker_on({"/quote": success(QUOTE.format(at='"2026-11-20 09:29:58"'))})
    quotes = await asyncio.gather(*(priced(canned) for _ in range(20)))
    assert len({quote.last for quote in quotes if quote is not None}) == 1
    assert canned.clock.at <= MORNING + timedelta(seconds=SECONDS_BETWEEN)
    await priced(canned)
    await priced(canned)
    assert canned.clock.at >= MORNING + timedelta(seconds=SECONDS_BETWEEN)


async def test_the_twins_prices_come_through() -> None:
    async with scene() as live:
        quote = await live.parts.market_data.latest(RELIANCE)
        assert quote is not None
        assert quote.last is not None
        assert quote.last.amount == 1400
        live.twin.switches.sells_quotes = False
        assert await live.parts.market_data.latest(RELIANCE) is None
