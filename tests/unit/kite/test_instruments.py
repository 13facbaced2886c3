"""Kite's catalogue, with exact ticks, fetched once after every morning; and its prices, with their times."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.errors import BrokerError, BrokerRefusal, InvalidSymbolError, OrderValidationError, OutcomeUnknown
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.domain.values import AssetClass, OptionRight
from liveorder.infrastructure.brokers.kite.market_data import MOST_AT_ONCE, SECONDS_BETWEEN
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
INFY = RELIANCE.but(symbol="INFY")


def catalogue(**options: Any) -> Canned:
    return broker_on({f"/instruments/{name}": Answer(text, content_type="text/csv") for name, text in LISTS.items()}, **options)


async def resolved(canned: Canned, symbol: str, exchange: str | None = None, **said: Any) -> Instrument | None:
    return await canned.parts.instruments.resolve(InstrumentQuery(symbol, exchange, **said))


async def test_a_share_has_its_exact_tick() -> None:
    found = await resolved(catalogue(), "RELIANCE", "NSE")
    expected = Instrument(symbol="RELIANCE", exchange="NSE", currency="INR", tick_size=D("0.1"), calendar="XBOM")
    assert found == expected
    assert await resolved(catalogue(), "RELIANCE", "XBOM") == expected.but(exchange="BSE", tick_size=D("0.05"))


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
        ("RELIANCE", {"exchange": "NFO"}),
        ("RELIANCE", {"exchange": "NASDAQ"}),
        ("RELIANCE", {"exchange": "NSE", "currency": "USD"}),
        ("RELIANCE", {"exchange": "NSE", "asset_class": AssetClass.FUTURE}),
        ("RELIANCE", {"exchange": "NSE", "strike": D(1)}),
        ("NIFTY 50", {}),
        ("NIFTY", {}),
        ("NIFTY", {"expiry": date(2026, 11, 25), "strike": D(24000), "right": OptionRight.CALL}),
        ("NOGRID", {}),
        ("NOSUCHTHING", {}),
    ],
)
async def test_what_is_unknown_is_nothing(symbol: str, said: Any) -> None:
    assert await resolved(catalogue(), symbol, **said) is None


@pytest.mark.parametrize(
    ("symbol", "said"), [("RELIANCE", {}), ("NIFTY", {"expiry": EXPIRY}), ("NIFTY", {"expiry": EXPIRY, "strike": D(24000)})]
)
async def test_what_fits_several_is_refused_with_their_names(symbol: str, said: Any) -> None:
    with pytest.raises(InvalidSymbolError, match=rf"^symbol: {symbol} fits several contracts: \w+:{symbol}\w*, .*; give exchange"):
        await resolved(catalogue(), symbol, **said)


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

AT, TRADED_AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC), datetime(2026, 11, 20, 3, 48, 58, tzinfo=UTC)
NOTHING = {"price": 0, "quantity": 0, "orders": 0}
NO_PLAN = error(403, "PermissionException", "Insufficient permission for that call.")


def quoted(**changes: Any) -> Answer:
    """One row, as Kite documents it, the last trade eleven minutes old."""
    row: dict[str, Any] = {
        "instrument_token": 738561,
        "timestamp": "2026-11-20 09:30:00",
        "last_trade_time": "2026-11-20 09:18:58",
        "last_price": 1400.05,
        "last_quantity": 5,
        "depth": {"buy": [offer(1399.95), NOTHING], "sell": [offer(1400.1), offer(1400.15)]},
    }
    return success(json.dumps({"NSE:RELIANCE": row | changes}))


def offer(price: float) -> dict[str, Any]:
    return {"price": price, "quantity": 12, "orders": 3}


async def priced(canned: Canned, instrument: Instrument = RELIANCE) -> Quote | None:
    return await canned.parts.market_data.latest(instrument)


async def test_the_best_offers_have_the_time_of_the_quote_and_the_last_price_that_of_its_trade() -> None:
    told = await priced(broker_on({"/quote": quoted()}))
    assert told == Quote(Price(D("1399.95"), AT), Price(D("1400.1"), AT), Price(D("1400.05"), TRADED_AT))


@pytest.mark.parametrize(
    ("what", "changes", "expected"),
    [
        ("no buyer", {"depth": {"buy": [NOTHING] * 5, "sell": [offer(1400.1)]}}, Quote(ask=Price(D("1400.1"), AT))),
        ("no seller", {"depth": {"buy": [offer(1399.95)], "sell": []}}, Quote(bid=Price(D("1399.95"), AT))),
        ("no depth", {"depth": None}, Quote()),
        ("an index", {"depth": {}}, Quote()),
        ("a quote without its time", {"timestamp": None}, Quote()),
    ],
)
async def test_an_offer_of_zero_is_none(what: str, changes: dict[str, Any], expected: Quote) -> None:
    last = Price(D("1400.05"), TRADED_AT)
    assert await priced(broker_on({"/quote": quoted(**changes)})) == replace(expected, last=last), what
    untraded = await priced(broker_on({"/quote": quoted(**changes, last_trade_time=None)}))
    assert untraded == (expected if expected != Quote() else None), what


@pytest.mark.parametrize("answer", [success("{}"), success('{"NSE:RELIANCE": {}}'), success('{"NSE:RELIANCE": null}')])
async def test_what_is_not_quoted_has_no_price(answer: Answer) -> None:
    assert await priced(broker_on({"/quote": answer})) is None


async def test_a_plan_without_prices_is_a_refusal_in_kites_words() -> None:
    with pytest.raises(BrokerRefusal, match="Insufficient permission for that call"):
        await priced(broker_on({"/quote": NO_PLAN}))


@pytest.mark.parametrize(
    "answer",
    [
        error(429, "NetworkException"),
        error(503, "NetworkException"),
        success("null"),
        quoted(last_price=True),
        quoted(depth={"buy": 5}),
        quoted(depth={"buy": [5]}),
    ],
)
async def test_a_question_that_failed_may_be_put_again(answer: Answer) -> None:
    with pytest.raises(BrokerError) as raised:
        await priced(broker_on({"/quote": answer}))
    assert not isinstance(raised.value, BrokerRefusal)


async def test_a_row_that_cannot_be_read_is_the_trouble_of_those_who_wait_for_it() -> None:
    answer = f'{{"NSE:RELIANCE": {{"last_price": true}}, {quoted().body.split("{", 2)[2].replace("RELIANCE", "INFY")[:-1]}'
    canned = broker_on({"/quote": Answer(f'{{"status": "success", "data": {answer}}}')})
    bad, good = await asyncio.gather(priced(canned), priced(canned, INFY), return_exceptions=True)
    assert isinstance(bad, OutcomeUnknown)
    assert isinstance(good, Quote)


async def test_all_who_wait_are_answered_by_one_question_and_the_next_waits_its_second() -> None:
    canned = broker_on({"/quote": quoted()})
    quotes = await asyncio.gather(*(priced(canned) for _ in range(20)))
    assert len({quote.last for quote in quotes if quote is not None}) == 1
    assert canned.clock.at <= MORNING + timedelta(seconds=SECONDS_BETWEEN)
    await priced(canned)
    await priced(canned)
    assert canned.clock.at >= MORNING + timedelta(seconds=SECONDS_BETWEEN)


async def test_hundreds_of_instruments_are_one_question_a_second() -> None:
    canned = broker_on({"/quote": success("{}")})
    shares = [RELIANCE.but(symbol=f"SHARE{number}") for number in range(1100)]
    assert set(await asyncio.gather(*(priced(canned, share) for share in shares))) == {None}
    asked = [url.count("i=NSE") for url in canned.wire.asked]
    assert asked == [1, MOST_AT_ONCE, MOST_AT_ONCE, 99]
    assert canned.clock.at >= MORNING + 3 * timedelta(seconds=SECONDS_BETWEEN)


async def test_all_who_wait_are_told_of_the_error() -> None:
    canned = broker_on({"/quote": NO_PLAN})
    told = await asyncio.gather(*(priced(canned, share) for share in (RELIANCE, INFY) * 5), return_exceptions=True)
    assert [type(each) for each in told] == [OrderValidationError] * 10
    assert len(canned.wire.asked) == 2


async def test_one_who_gives_up_takes_nobodys_answer_along() -> None:
    """The question under way ends with its asker; those whom it would have answered ask again."""
    canned = broker_on({"/quote": quoted()})
    first, asker, waiting = (asyncio.create_task(priced(canned)) for _ in range(3))
    for questions, left in ((1, first), (2, asker)):
        canned.wire.until = threading.Event()
        await canned.wire.is_asked(questions)
        if left is asker:
            asker.cancel()
        canned.wire.until.set()
        await asyncio.wait([left])
    assert asker.cancelled()
    assert await waiting is not None


async def test_the_twins_prices_come_through() -> None:
    async with scene() as live:
        live.twin.switches.spread = D("0.2")
        live.twin.switches.last_traded_seconds_ago = 660
        quote = await live.parts.market_data.latest(RELIANCE)
        assert quote is not None
        bid, ask, last = quote.bid, quote.ask, quote.last
        assert bid is not None
        assert ask is not None
        assert last is not None
        assert (bid.amount, ask.amount, last.amount) == (D("1399.9"), D("1400.1"), D(1400))
        assert bid.at == ask.at == last.at + timedelta(seconds=660)
        live.twin.switches.sells_quotes = False
        with pytest.raises(BrokerRefusal):
            await live.parts.market_data.latest(RELIANCE)
