"""Prices by subscription: the first tick answers, what ticks tell answers the next question, and nothing old looks fresh."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from liveorder.domain.errors import (
    BrokerConnectionError,
    BrokerError,
    BrokerRateLimitError,
    BrokerRefusal,
    BrokerTimeoutError,
    InvalidSymbolError,
    OutcomeUnknown,
)
from liveorder.domain.instrument import Instrument
from liveorder.domain.quotes import Price, Quote
from liveorder.infrastructure.brokers.ibkr import market_data
from liveorder.infrastructure.brokers.ibkr.prices import DELAY, FRESH, Prices
from tests.unit.ibkr.scene import AAPL, PRICE, Scene, SetClock, scene

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
TRADED = datetime(2026, 3, 2, 14, 50, tzinfo=UTC)
MSFT = Instrument(symbol="MSFT", exchange="NASDAQ", calendar="XNYS")
A_WHILE = timedelta(seconds=30)


@pytest.fixture
async def tws() -> AsyncIterator[Scene]:
    async with scene() as played:
        await played.connect()
        yield played


async def latest(tws: Scene, instrument: Instrument = AAPL) -> Quote:
    quote: Quote | None = await tws.brokerage.market_data.latest(instrument)
    assert quote is not None
    return quote


def numbers(tws: Scene) -> list[str]:
    return [number for _, number in tws.twin.subscribed]


async def until_subscribed(tws: Scene, *expected: str) -> None:
    async def are() -> bool:
        return numbers(tws) == list(expected)

    await tws.until(are)


# --- asking --------------------------------------------------------------------------------------------------------------------


async def test_the_first_ticks_answer(tws: Scene) -> None:
    """A snapshot would end after eleven seconds."""
    quote = await latest(tws)
    assert [each and each.amount for each in (quote.bid, quote.ask)] == [Decimal(200), Decimal(200)]


async def test_what_ticks_tell_meanwhile_answers_the_next_question(tws: Scene) -> None:
    await latest(tws)
    subscribed = numbers(tws)
    await tws.exchange.control.post_price(AAPL.key, Decimal(201))

    async def is_told() -> bool:
        quote = await latest(tws)
        return quote.bid is not None and quote.bid.amount == Decimal(201)

    await tws.until(is_told)
    assert numbers(tws) == subscribed


async def test_a_subscription_that_fell_silent_is_made_again() -> None:
    clock = SetClock(datetime.now(UTC))
    async with scene(clock) as tws:
        await tws.connect()
        await latest(tws)
        (before,) = numbers(tws)
        clock.at += A_WHILE
        quote = await latest(tws)
        assert quote.bid == Price(Decimal(200), clock.at)
        (after,) = numbers(tws)
        assert after != before


async def test_prices_that_are_not_told_again_keep_their_age() -> None:
    clock = SetClock(datetime.now(UTC))
    async with scene(clock) as tws:
        await tws.connect()
        await latest(tws)
        tws.twin.ticks.clear()
        before, clock.at = clock.at, clock.at + A_WHILE
        quote = await latest(tws)
        assert quote.bid == Price(Decimal(200), before)


async def test_without_any_tick_it_says_what_to_look_at(tws: Scene) -> None:
    tws.twin.ticks.clear()
    with pytest.raises(BrokerTimeoutError, match=r"NASDAQ:AAPL within 0\.25 s; look in TWS"):
        await latest(tws)


async def test_one_side_alone_is_told_when_the_time_is_over(tws: Scene) -> None:
    tws.twin.ticks = {"ask"}
    quote = await latest(tws)
    assert quote.ask is not None
    assert (quote.bid, quote.last) == (None, None)


async def test_without_a_connection_that_is_said() -> None:
    async with scene() as tws:
        with pytest.raises(BrokerConnectionError):
            await latest(tws)


@pytest.mark.parametrize("code", [354, 10089, 10168, 10186, 10197])
async def test_prices_that_the_login_does_not_get_are_refused_in_the_words_of_tws(tws: Scene, code: int) -> None:
    tws.twin.ticks.clear()
    tws.twin.market_data_meets = (code, "Requested market data is not subscribed.")
    with pytest.raises(BrokerRefusal, match=f"TWS {code}: Requested market data is not subscribed"):
        await latest(tws)
    tws.twin.ticks, tws.twin.market_data_meets = {"bid", "ask"}, None
    assert (await latest(tws)).bid is not None


@pytest.mark.parametrize(
    ("code", "kind"), [(200, InvalidSymbolError), (322, OutcomeUnknown), (101, BrokerRateLimitError), (777, OutcomeUnknown)]
)
async def test_other_errors_are_sorted_too(tws: Scene, code: int, kind: type[BrokerError]) -> None:
    tws.twin.market_data_meets = (code, "in its own words")
    tws.twin.ticks.clear()
    with pytest.raises(kind, match=f"TWS {code}: in its own words"):
        await latest(tws)


@pytest.mark.parametrize("code", [10090, 10091])
async def test_where_a_part_is_not_subscribed_to_the_rest_is_told(tws: Scene, code: int) -> None:
    tws.twin.market_data_meets = (code, "Part of requested market data is not subscribed.")
    assert (await latest(tws)).bid is not None
    tws.twin.ticks.clear()
    with pytest.raises(BrokerRefusal, match=f"TWS {code}: Part"):
        await latest(tws, MSFT)


async def test_delayed_prices_in_place_of_live_ones_are_no_failure() -> None:
    clock = SetClock(NOW)
    async with scene(clock, {"market_data": "delayed"}) as tws:
        await tws.connect()
        tws.twin.market_data_meets = (10167, "Requested market data is not subscribed. Displaying delayed market data.")
        quote = await latest(tws)
        assert quote.bid == Price(Decimal(200), NOW - DELAY)


# --- ending --------------------------------------------------------------------------------------------------------------------


async def test_a_subscription_that_nobody_asks_about_is_ended(tws: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await latest(tws)
    monkeypatch.setattr(market_data, "IDLE_SECONDS", 0.01)
    await latest(tws)
    await until_subscribed(tws)
    monkeypatch.undo()
    assert (await latest(tws)).bid is not None


async def test_beyond_the_lines_the_one_asked_about_longest_ago_is_ended(tws: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_data, "MOST_LINES", 2)
    tsla = Instrument(symbol="TSLA", exchange="NASDAQ", calendar="XNYS")
    for instrument in (AAPL, MSFT):
        await tws.exchange.control.post_price(instrument.key, Decimal(100))
        await latest(tws, instrument)
    await tws.exchange.control.post_price(tsla.key, Decimal(100))
    first, second = numbers(tws)
    await latest(tws, AAPL)
    await latest(tws, tsla)

    async def is_ended() -> bool:
        return second not in numbers(tws)

    await tws.until(is_ended)
    assert first in numbers(tws)


async def test_where_tws_has_no_line_left_the_oldest_is_given_up(tws: Scene) -> None:
    await latest(tws)
    tws.twin.market_data_meets = (101, "Max number of tickers has been reached")
    tws.twin.ticks.clear()
    with pytest.raises(BrokerRateLimitError):
        await latest(tws, MSFT)
    (_, number) = tws.twin.subscribed[-1]
    await until_subscribed(tws, number)


@pytest.mark.parametrize("data_lost", [True, False])
async def test_after_a_lost_link_prices_are_asked_for_anew(tws: Scene, data_lost: bool) -> None:
    await latest(tws)
    (before,) = numbers(tws)
    tws.twin.lose_link()
    tws.twin.regain_link(data_lost=data_lost)
    await tws.reports_ended()
    tws.twin.ticks = {"bid"}
    quote = await latest(tws)
    assert (quote.bid is None, quote.ask) == (False, None)
    assert before not in numbers(tws)


async def test_after_a_restart_prices_are_asked_for_anew(tws: Scene) -> None:
    await latest(tws)
    tws.twin.hang_up()
    await tws.reports_ended()
    await tws.connect()
    tws.twin.ticks = {"bid"}
    quote = await latest(tws)
    assert (quote.bid is None, quote.ask) == (False, None)


# --- ticks ---------------------------------------------------------------------------------------------------------------------


def test_a_trade_is_as_old_as_tws_says_whichever_is_told_first() -> None:
    price_first, time_first = Prices(SetClock(NOW)), Prices(SetClock(NOW))
    price_first.tick(4, 180.5, 100)
    for prices in (price_first, time_first):
        prices.tick_text(45, f"{TRADED.timestamp():.0f}")
    time_first.tick(4, 180.5, 100)
    assert price_first.known == time_first.known == Quote(last=Price(PRICE, TRADED))
    assert not price_first.are_fresh


def test_no_trade_is_younger_than_its_tick() -> None:
    """By a clock of theirs that is ahead of ours."""
    prices = Prices(SetClock(NOW))
    prices.tick(4, 180.5, 100)
    prices.tick_text(45, f"{(NOW + A_WHILE).timestamp():.0f}")
    assert prices.known == Quote(last=Price(PRICE, NOW))


def test_the_first_trade_counts_once_its_time_is_told() -> None:
    """TWS begins with the last one that there was, and tells its time in another message, if at all: it may be days old."""
    prices = Prices(SetClock(NOW))
    prices.tick(4, 180.5, 100)
    assert (prices.known, prices.are_fresh) == (None, False)
    prices.tick_text(45, f"{TRADED.timestamp():.0f}")
    assert prices.known == Quote(last=Price(PRICE, TRADED))


def test_a_later_trade_without_a_time_is_as_old_as_its_tick() -> None:
    prices = Prices(SetClock(NOW))
    prices.tick(4, 180.25, 100)
    prices.tick(4, 180.5, 100)
    assert prices.known == Quote(last=Price(PRICE, NOW))


@pytest.mark.parametrize("tick", [(1, -1.0, 0.0), (1, -1.0, 100.0), (1, 180.5, 0.0), (1, 0.0, 100.0), (1, float("inf"), 100.0)])
def test_where_nobody_bids_there_is_no_bid(tick: tuple[int, float, float]) -> None:
    prices = Prices(SetClock(NOW))
    prices.tick(1, 180.0, 100)
    prices.tick(2, 181.0, 100)
    prices.tick(*tick)
    assert prices.known == Quote(ask=Price(Decimal(181), NOW))


def test_a_size_of_nothing_takes_the_offer_away() -> None:
    prices = Prices(SetClock(NOW))
    prices.tick(2, 181.0, 100)
    prices.tick_size(3, 0)
    assert prices.known is None


def test_delayed_ticks_are_a_quarter_of_an_hour_old() -> None:
    prices = Prices(SetClock(NOW))
    for kind in (66, 67, 68, 68):
        prices.tick(kind, 180.5, 100)
    assert prices.known == Quote(*[Price(PRICE, NOW - timedelta(minutes=15))] * 3)
    assert prices.are_fresh


def test_frozen_bids_and_offers_have_no_age_and_do_not_count() -> None:
    prices = Prices(SetClock(NOW))
    prices.of_kind(2)
    prices.tick(1, 180.0, 100)
    prices.tick(4, 180.5, 100)
    prices.tick_text(45, f"{TRADED.timestamp():.0f}")
    assert prices.known == Quote(last=Price(PRICE, TRADED))


def test_other_ticks_tell_no_price() -> None:
    """The day's high and low, the close, the time of what is no trade."""
    prices = Prices(SetClock(NOW))
    for kind in (6, 7, 9, 14):
        prices.tick(kind, 180.5, 100)
    prices.tick_text(32, "5")
    prices.tick_text(45, "0")
    prices.tick_size(8, 0)
    assert prices.known is None


def test_fresh_is_what_is_of_this_moment() -> None:
    clock = SetClock(NOW)
    prices = Prices(clock)
    told = []
    prices.tick(1, 180.0, 100)
    told.append(prices.are_fresh)
    prices.tick(2, 181.0, 100)
    told.append(prices.are_fresh)
    clock.at += FRESH + timedelta(seconds=1)
    told.append(prices.are_fresh)
    assert told == [False, True, False]
